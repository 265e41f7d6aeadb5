package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/internal/db"
)

// poolSize is how many connections a node uses for writing, and as many again
// for reading, unless the URL says otherwise with pool_max_conns; more only
// make each other wait on a small machine.
const poolSize = 16

// Groups of new payments are one statement each, so two writers keep the server
// busy; other groups are many small statements, and wait on each other's rows.
const (
	openWriters  = 2
	otherWriters = 4
)

// poolParameter is the URL parameter's name, the same as pgxpool's.
const poolParameter = "pool_max_conns"

var postgresEngine = engine{
	name: "postgres",
	wrap: func(c db.DBTX) db.DBTX { return c },
	again: func(err error) bool {
		switch pgCode(err) {
		case "40001", "40P01": // serialization failure, deadlock
			return true
		}
		return false
	},
	conflict:   func(err error) bool { return pgCode(err) == "23505" },
	unstorable: func(err error) bool { return pgCode(err) == "22021" || pgCode(err) == "22P05" },
	down: func(err error) bool {
		code := pgCode(err)
		// 08: connection, 53: resources, 57P: shutting down, 25006: a standby, 25P03: we were idle too long
		if strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "57P") || code == "25006" || code == "25P03" {
			return true
		}
		var refused *pgconn.ConnectError
		var network net.Error
		return errors.As(err, &refused) || errors.As(err, &network) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err) ||
			errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn)
	},
	insertMany: insertMany,
	finishMany: finishMany,
	lockSchema: "SELECT pg_advisory_xact_lock(8316291)",
}

func openPostgres(ctx context.Context, url string) (*Store, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	config.DialFunc = newDialer().DialContext
	config.RuntimeParams["application_name"] = "thungan"
	size := poolSize
	if given, ok := config.RuntimeParams[poolParameter]; ok {
		if size, err = strconv.Atoi(given); err != nil || size < 1 {
			return nil, errors.New("store: " + poolParameter + " has to be a number of connections")
		}
		delete(config.RuntimeParams, poolParameter) // it is ours, the server does not know it
	}
	open := func(options ...stdlib.OptionOpenDB) *sql.DB {
		pool := stdlib.OpenDB(*config, options...)
		pool.SetMaxOpenConns(size)
		pool.SetMaxIdleConns(size)
		pool.SetConnMaxIdleTime(5 * time.Minute)
		return pool
	}
	turns := max(1, size-openWriters-otherWriters) // the shared commits have the other connections to themselves
	s := &Store{engine: postgresEngine, write: open(stdlib.OptionAfterConnect(letGo)), read: open(), turns: make(chan struct{}, turns)}
	s.opens, s.writes = newCommitter(s, openWriters), newCommitter(s, otherWriters)
	if err := s.write.PingContext(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// vanishedAfter is how long a server may say nothing to what was sent to it.
const vanishedAfter = 15 * time.Second

// newDialer makes connections that notice when their server is gone without a
// word.
func newDialer() *net.Dialer {
	return &net.Dialer{
		Control:         unanswered(vanishedAfter),
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
}

// letGo has the server end a transaction whose node does not go on with it, because its machine is frozen or cut off:
// else the rows that it has locked would be out of reach of the other nodes for as long. A node that comes back finds
// its connection closed. Not a parameter of the connection: PgBouncer refuses those that it does not know.
func letGo(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SET idle_in_transaction_session_timeout = '5s'")
	if unknown := pgCode(err); unknown == "42704" {
		return nil // something that only speaks as PostgreSQL does
	}
	return err
}

// insertPayments has a parameter per column, an array with a value per payment.
const insertPayments = `INSERT INTO payments (id, merchant_id, platform_id, dialect, reference, version, amount, received, refunded, refunding, state,
    method, methods, account_id, match_code, description, language, success_url, cancel_url, notify_url, limit_day, created_at, due_at, updated_at, completed_at)
SELECT id, merchant_id, platform_id, dialect, reference, version, amount, 0, 0, 0, state,
    method, methods, account_id, match_code, description, language, success_url, cancel_url, notify_url, limit_day, created_at, due_at, created_at, 0
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::text[],
    $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::bigint[], $20::bigint[])
  AS p (id, merchant_id, platform_id, dialect, reference, version, amount, state, method, methods,
    account_id, match_code, description, language, success_url, cancel_url, notify_url, limit_day, created_at, due_at)
ON CONFLICT DO NOTHING RETURNING id`

// insertMany inserts new payments by one statement, in the order of their
// references: two groups with the same ones wait for each other, not around in
// a circle.
func insertMany(ctx context.Context, conn db.DBTX, payments []*payment.Payment) (map[string]bool, error) {
	payments = slices.Clone(payments)
	slices.SortStableFunc(payments, func(a, b *payment.Payment) int {
		return cmp.Or(strings.Compare(a.MerchantID, b.MerchantID), strings.Compare(a.Reference, b.Reference))
	})
	texts := func(of func(p *payment.Payment) string) []string { return column(payments, of) }
	numbers := func(of func(p *payment.Payment) int64) []int64 { return column(payments, of) }
	return returned(conn.QueryContext(ctx, insertPayments,
		texts(func(p *payment.Payment) string { return p.ID }),
		texts(func(p *payment.Payment) string { return p.MerchantID }),
		texts(func(p *payment.Payment) string { return p.PlatformID }),
		texts(func(p *payment.Payment) string { return p.Dialect }),
		texts(func(p *payment.Payment) string { return p.Reference }),
		numbers(func(p *payment.Payment) int64 { return p.Version }),
		numbers(func(p *payment.Payment) int64 { return int64(p.Amount) }),
		texts(func(p *payment.Payment) string { return string(p.State) }),
		texts(func(p *payment.Payment) string { return string(p.Method) }),
		texts(func(p *payment.Payment) string { return joinMethods(p.Methods) }),
		texts(func(p *payment.Payment) string { return p.Transfer.AccountID }),
		texts(func(p *payment.Payment) string { return p.Transfer.Code }),
		texts(func(p *payment.Payment) string { return p.Description }),
		texts(func(p *payment.Payment) string { return p.Language }),
		texts(func(p *payment.Payment) string { return p.SuccessURL }),
		texts(func(p *payment.Payment) string { return p.CancelURL }),
		texts(func(p *payment.Payment) string { return p.NotifyURL }),
		texts(func(p *payment.Payment) string { return p.LimitDay }),
		numbers(func(p *payment.Payment) int64 { return millis(p.CreatedAt) }),
		numbers(func(p *payment.Payment) int64 { return millis(p.DueAt) }),
	))
}

// finishAttempts has a parameter per column, an array with a value per attempt.
const finishAttempts = `WITH done AS (
    UPDATE outbox_items o SET state = d.state, attempts = o.attempts + 1, tries = o.tries + 1, due_at = d.due_at, finished_at = d.finished_at,
        last_status = d.status, last_error = d.error, lease = '', lease_until = 0
    FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[])
      AS d (id, state, due_at, finished_at, status, error, attempts)
    WHERE o.id = d.id AND o.lease = $1 AND o.attempts = d.attempts
    RETURNING o.id
), tried AS (
    INSERT INTO outbox_attempts (item_id, number, at, duration, request_id, status, error, answer)
    SELECT a.id, a.attempts + 1, a.at, a.duration, a.request_id, a.status, a.error, a.answer
    FROM unnest($2::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::bigint[], $13::text[], $14::text[])
      AS a (id, attempts, at, duration, request_id, status, error, answer)
    WHERE a.id IN (SELECT done.id FROM done)
)
SELECT id FROM done`

// finishMany records attempts by one statement.
func finishMany(ctx context.Context, conn db.DBTX, lease string, batch []Finished) (map[string]bool, error) {
	texts := func(of func(f Finished) string) []string { return column(batch, of) }
	numbers := func(of func(f Finished) int64) []int64 { return column(batch, of) }
	return returned(conn.QueryContext(ctx, finishAttempts, lease,
		texts(func(f Finished) string { return f.Item.ID }),
		texts(func(f Finished) string { return string(f.Item.State) }),
		numbers(func(f Finished) int64 { return millis(f.Item.DueAt) }),
		numbers(func(f Finished) int64 { return millis(f.Item.FinishedAt) }),
		numbers(func(f Finished) int64 { return f.Item.LastStatus }),
		texts(func(f Finished) string { return f.Item.LastError }),
		numbers(func(f Finished) int64 { return f.Item.Attempts }),
		numbers(func(f Finished) int64 { return millis(f.Attempt.At) }),
		numbers(func(f Finished) int64 { return f.Attempt.Duration.Milliseconds() }),
		texts(func(f Finished) string { return f.Attempt.RequestID }),
		numbers(func(f Finished) int64 { return f.Attempt.Status }),
		texts(func(f Finished) string { return f.Attempt.Error }),
		texts(func(f Finished) string { return f.Attempt.Answer }),
	))
}

// column is one value of every row.
func column[R, V any](rows []R, of func(R) V) []V {
	values := make([]V, len(rows))
	for i, r := range rows {
		values[i] = of(r)
	}
	return values
}

// returned reads the ids that a statement returned.
func returned(rows *sql.Rows, err error) (map[string]bool, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	ids := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids[id] = true
	}
	return ids, rows.Err()
}

func pgCode(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
