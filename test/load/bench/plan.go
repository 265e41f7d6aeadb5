package main

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/test/load/database"
)

// closers are ended in the reverse order of their making.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

func (c closers) close() error {
	var err error
	for i := len(c) - 1; i >= 0; i-- {
		err = errors.Join(err, c[i]())
	}
	return err
}

// all measures everything.
func (b *bench) all(ctx context.Context) (err error) {
	var end closers
	defer func() { err = errors.Join(err, end.close()) }()

	b.flags.say("starting PostgreSQL")
	server, err := startPostgres(ctx)
	if err != nil {
		return err
	}
	end.add(server.Close)
	r, err := startReceiver(b.tools)
	if err != nil {
		return err
	}
	end.add(r.close)
	reference, err := b.pgbenchOn(ctx, server)
	if err != nil {
		return err
	}

	b.flags.say("making installations")
	ceiling, err := b.ceilingServer(ctx)
	if err != nil {
		return err
	}
	end.add(ceiling.close)
	var nodes []*node
	for _, engine := range []string{database.SQLite, database.Postgres} {
		n, err := b.installation(ctx, engine, "main", server, r)
		if err != nil {
			return err
		}
		end.add(n.close)
		nodes = append(nodes, n)
	}
	if err := b.atRest(ctx, nodes); err != nil {
		return err
	}
	for _, n := range nodes {
		if err := n.populate(ctx, b.flags.merchants); err != nil {
			return err
		}
	}

	for b.round = 1; b.round <= b.flags.rounds; b.round++ {
		if err := b.oneRound(ctx, ceiling, reference, nodes, r); err != nil {
			return err
		}
	}
	if err := b.underLoad(nodes); err != nil {
		return err
	}
	if b.flags.big {
		return b.beside(ctx, server)
	}
	return nil
}

// oneRound measures each cell once.
func (b *bench) oneRound(ctx context.Context, ceiling *node, reference *pgbench, nodes []*node, r *receiver) error {
	if err := b.pgbenchCell(ctx, reference); err != nil {
		return err
	}
	for _, c := range b.flags.connections {
		if err := b.ceiling(ctx, ceiling, c); err != nil {
			return err
		}
		for _, n := range nodes {
			if err := b.creates(ctx, cellCreate, n, c); err != nil {
				return err
			}
		}
	}
	if err := b.sendOnly(ctx, r); err != nil {
		return err
	}
	for _, n := range nodes {
		if err := b.rest(ctx, n, r); err != nil {
			return err
		}
	}
	return nil
}

// rest measures one node's cells that are not about the number of callers.
func (b *bench) rest(ctx context.Context, n *node, r *receiver) error {
	if err := b.creates(ctx, cellSpread, n, b.flags.callers); err != nil {
		return err
	}
	for _, kind := range []string{cellPath, cellPathWide} {
		if err := b.path(ctx, kind, n, r, b.flags.callers); err != nil {
			return err
		}
	}
	if err := b.deliver(ctx, n, r); err != nil {
		return err
	}
	return b.reads(ctx, n)
}

// reads measures look-ups and page views.
func (b *bench) reads(ctx context.Context, n *node) error {
	const known = 2000
	err := b.measure(ctx, title(n.engine, cellLookup, b.flags.callers), cell{Kind: cellLookup, Engine: n.engine}, func(c *cell) error {
		tag := b.tag()
		made, err := b.generate(ctx, n, "-mode", "create", "-tag", tag, "-hot", "-n", strconv.Itoa(known), "-c", "16", "-d", "1m")
		if err != nil {
			return err
		}
		if made.All != known {
			return errors.New("the payments to look up could not be made: " + problems(made))
		}
		return b.load(ctx, c, n, b.flags.callers, "-mode", "lookup", "-tag", tag, "-hot", "-known", strconv.Itoa(known))
	})
	if err != nil {
		return err
	}
	return b.measure(ctx, title(n.engine, cellPage, b.flags.callers), cell{Kind: cellPage, Engine: n.engine}, func(c *cell) error {
		return b.load(ctx, c, n, b.flags.callers, "-mode", "page", "-tag", b.tag(), "-hot")
	})
}

// startPostgres starts a server that keeps what it commits, with room for its
// log, so that no file has to be made for it while anything is measured.
func startPostgres(ctx context.Context) (_ *pgtest.Server, err error) {
	server, err := pgtest.Launch(true)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, server.Close())
		}
	}()
	db, err := database.Open(ctx, server.URL())
	if err != nil {
		return nil, err
	}
	_, folder, err := db.Server(ctx)
	if err == nil {
		_, err = filesystem(folder)
	}
	if err == nil {
		err = db.Set(ctx, postgresSettings)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	if err := server.Stop(pgtest.Fast); err != nil {
		return nil, err
	}
	return server, server.Start()
}

// postgresSettings are those that the server does not get from pgtest. None of
// them gives up durability.
var postgresSettings = map[string]string{
	"min_wal_size": "1GB", "max_wal_size": "4GB", "checkpoint_timeout": "15min", "checkpoint_completion_target": "0.9", "wal_buffers": "16MB",
}

// on is the URL of another database of the server.
func on(server *pgtest.Server, name string) (string, error) {
	u, err := url.Parse(server.URL())
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

func create(ctx context.Context, server *pgtest.Server, name string) (string, error) {
	db, err := database.Open(ctx, server.URL())
	if err != nil {
		return "", err
	}
	if err := errors.Join(db.Create(ctx, name), db.Close()); err != nil {
		return "", err
	}
	return on(server, name)
}

func (b *bench) pgbenchOn(ctx context.Context, server *pgtest.Server) (*pgbench, error) {
	if _, err := create(ctx, server, pgbenchDB); err != nil {
		return nil, err
	}
	u, err := url.Parse(server.URL())
	if err != nil {
		return nil, err
	}
	db, err := database.Open(ctx, server.URL())
	if err != nil {
		return nil, err
	}
	pid, _, err := db.Server(ctx)
	if err == nil {
		b.report.Machine.PostgreSQL, err = db.Version(ctx)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return newPgbench(ctx, pid, u.Query().Get("host"), u.User.Username())
}

// installation makes one with a database of its own.
func (b *bench) installation(ctx context.Context, engine, name string, server *pgtest.Server, r *receiver) (*node, error) {
	folder := filepath.Join(b.folder, engine+"-"+name)
	address := "sqlite:" + filepath.Join(folder, "thungan.db")
	if engine == database.Postgres {
		var err error
		if address, err = create(ctx, server, "thungan_"+name); err != nil {
			return nil, err
		}
	}
	var to []string
	if r != nil {
		to = r.addresses
	}
	return install(ctx, b.tools, engine, folder, address, to)
}

// atRest notes what the program is before it is used.
func (b *bench) atRest(ctx context.Context, nodes []*node) error {
	info, err := os.Stat(b.tools.thungan)
	if err != nil {
		return err
	}
	b.report.BinaryBytes = info.Size()
	for _, n := range nodes {
		if err := n.restart(ctx); err != nil {
			return err
		}
		f := facts{Engine: n.engine, ReadyEmpty: n.started}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		if f.AtRest, _, err = memory(n.pid); err != nil {
			return err
		}
		version, err := n.db.Version(ctx)
		if err != nil {
			return err
		}
		if n.engine == database.SQLite {
			b.report.Machine.SQLite = version
		}
		b.report.Facts = append(b.report.Facts, f)
	}
	return nil
}

// restart ends the server and starts it anew.
func (n *node) restart(ctx context.Context) error {
	if err := n.stop(); err != nil {
		return err
	}
	return n.start(ctx)
}

// underLoad notes the most memory that the servers have used.
func (b *bench) underLoad(nodes []*node) error {
	for _, n := range nodes {
		_, most, err := memory(n.pid)
		if err != nil {
			return err
		}
		b.report.facts(n.engine).UnderLoad = most
	}
	return nil
}

// beside compares creates in an empty database with those beside millions of
// payments, and starts the program on a million.
func (b *bench) beside(ctx context.Context, server *pgtest.Server) error {
	for _, engine := range []string{database.SQLite, database.Postgres} {
		if err := b.besideOn(ctx, engine, server); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) besideOn(ctx context.Context, engine string, server *pgtest.Server) (err error) {
	var end closers
	defer func() { err = errors.Join(err, end.close()) }()
	big, err := b.installation(ctx, engine, "big", server, nil)
	if err != nil {
		return err
	}
	end.add(big.close)
	fact := b.report.facts(engine)
	first := min(b.flags.readyRows, b.flags.bigRows)
	begin := time.Now()
	if err := b.fill(ctx, big, 0, first); err != nil {
		return err
	}
	if first == b.flags.readyRows {
		fact.ReadyMillion = big.started
	}
	fact.BigRows = first + affordable(b.flags.bigRows-first, first, time.Since(begin), b.flags.fillFor)
	if fact.BigRows < b.flags.bigRows {
		b.flags.say("%s: %s payments at most, or it would take more than %s", engine, grouped(fact.BigRows), b.flags.fillFor)
	}
	if err := b.fill(ctx, big, first, fact.BigRows); err != nil {
		return err
	}
	fact.ReadyBig = big.started
	empty, err := b.installation(ctx, engine, "empty", server, nil)
	if err != nil {
		return err
	}
	end.add(empty.close)
	for b.round = 1; b.round <= b.flags.rounds; b.round++ {
		if err := b.creates(ctx, cellEmpty, empty, besideCallers); err != nil {
			return err
		}
		if err := b.creates(ctx, cellBig, big, besideCallers); err != nil {
			return err
		}
	}
	return nil
}

// besideCallers is how many callers the comparison with millions of payments has.
const besideCallers = 256

// affordable is how many of the wanted rows can be inserted within a time, when
// so many took so long. Later ones take longer: the indexes grow.
func affordable(wanted, rows int64, took, limit time.Duration) int64 {
	const slower, step = 1.5, 100_000
	if took <= 0 || float64(wanted)/float64(rows)*slower*float64(took) <= float64(limit) {
		return wanted
	}
	fits := int64(float64(limit) / (slower * float64(took)) * float64(rows))
	return min(wanted, fits/step*step)
}

// fill stops a node, inserts paid payments, and starts it again.
func (b *bench) fill(ctx context.Context, n *node, from, to int64) error {
	b.flags.say("%s: inserting payments %d to %d", n.engine, from, to)
	if err := n.stop(); err != nil {
		return err
	}
	if from == to {
		return n.start(ctx)
	}
	begin := time.Now()
	progress := func(made int64) {
		if made%500_000 == 0 {
			b.flags.say("  %s after %s", grouped(from+made), time.Since(begin).Round(time.Second))
		}
	}
	p := database.Payments{Tag: "old", Merchant: n.site.Merchants[0], From: from, To: to, Since: time.Now().AddDate(0, 0, -60), Every: 500 * time.Millisecond, Progress: progress}
	if err := n.db.Fill(ctx, p); err != nil {
		return err
	}
	if err := n.db.Settle(ctx); err != nil {
		return err
	}
	if _, err := b.awaitQuiet(ctx); err != nil {
		return err
	}
	return n.start(ctx)
}
