// Package store is the one place that speaks SQL. The same statements run on
// SQLite, which is embedded, and on PostgreSQL, which several gateway nodes may
// share; what differs stands in sqlite.go and postgres.go.
//
// A verb of core is one call of Update: one transaction, durable when Update
// returns nil.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/internal/db"
)

// Store is an open database.
type Store struct {
	engine engine
	write  *sql.DB
	read   *sql.DB

	// opens and writes share commits; on SQLite they are one.
	opens, writes *committer
	observe       func(requests int, took time.Duration)

	// turns bounds how many transactions of Update are under way, and waiting
	// how many callers there are. A pool hands its connections out at random,
	// so a crowd of them would keep the shared commits, all payments, waiting.
	turns   chan struct{}
	waiting atomic.Int64

	// Prepared statements of the two pools, where that pays and the schema is
	// there.
	writing, reading atomic.Pointer[db.Queries]
}

// engine is what differs between the two databases.
type engine struct {
	name string
	// wrap adapts a connection to the statements' dialect of SQL.
	wrap func(db.DBTX) db.DBTX
	// again says whether a failed transaction may succeed if run anew.
	again func(error) bool
	// conflict says whether err is a broken UNIQUE constraint.
	conflict func(error) bool
	// down says whether err means that the database can't be reached or
	// written for now.
	down func(error) bool
	// undone says whether a commit that failed with err is known to have been
	// rolled back; nil where no failure says so for certain.
	undone func(error) bool
	// unstorable says whether err means that a text cannot be stored, because
	// it is not UTF-8 or has a NUL.
	unstorable func(error) bool
	// prepare says that statements are worth keeping prepared by us; pgx keeps
	// its own.
	prepare bool
	// insertMany inserts payments by one statement and returns the ids of
	// those that were new; nil where one by one is as fast.
	insertMany func(ctx context.Context, conn db.DBTX, payments []*payment.Payment) (map[string]bool, error)
	// finishMany records attempts by one statement and returns the ids of the
	// items that were still held; nil as above.
	finishMany func(ctx context.Context, conn db.DBTX, lease string, batch []Finished) (map[string]bool, error)
	// lockSchema keeps other nodes from migrating at the same time.
	lockSchema string
}

// Open opens a database: "sqlite:PATH" or "postgres://...". It does not create
// tables; see Migrate.
func Open(ctx context.Context, url string) (*Store, error) {
	switch {
	case strings.HasPrefix(url, "sqlite:"):
		return openSQLite(ctx, strings.TrimPrefix(url, "sqlite:"))
	case strings.HasPrefix(url, "postgres://"), strings.HasPrefix(url, "postgresql://"):
		return openPostgres(ctx, url)
	}
	return nil, fmt.Errorf("store: the database has to be sqlite:PATH or postgres://..., not %q", scheme(url))
}

// scheme keeps passwords out of the error.
func scheme(url string) string {
	before, _, _ := strings.Cut(url, ":")
	return before
}

// Engine is "sqlite" or "postgres".
func (s *Store) Engine() string { return s.engine.name }

// Close refuses new requests, commits those that wait, then closes the database.
func (s *Store) Close() error {
	s.opens.refuse()
	s.writes.refuse()
	s.opens.writers.Wait()
	s.writes.writers.Wait()
	return errors.Join(s.read.Close(), s.write.Close())
}

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.read.PingContext(ctx) }

// Tx is a handle on the rows, inside a transaction (Update) or outside (View).
type Tx struct {
	q    *db.Queries
	conn db.DBTX
	eng  *engine
}

// View runs reads outside a transaction: each statement sees what is committed
// when it runs.
func (s *Store) View(ctx context.Context, fn func(tx *Tx) error) error {
	q := s.reading.Load()
	if q == nil {
		q = db.New(s.engine.wrap(s.read))
	}
	return s.translate(fn(&Tx{q: q, conn: s.read, eng: &s.engine}))
}

// attempts bounds how often a transaction that lost to another is run again.
const attempts = 8

// Update runs fn in one transaction and commits it. When the database asks for
// it (a deadlock, a serialization failure) fn is run again from the start, so
// fn must have no effect but through tx. CodeBusy says that nothing was done;
// after an error that is Uncertain, it may have been.
func (s *Store) Update(ctx context.Context, fn func(tx *Tx) error) error {
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > queueMost {
		return &errBusy
	}
	for n := 1; ; n++ {
		err := s.inTurn(ctx, fn)
		if gone := ctx.Err(); err != nil && gone != nil {
			err = fmt.Errorf("%w: %w", gone, err) // else err may only say that the transaction has ended
		}
		if err == nil || n == attempts || !s.engine.again(err) {
			return s.translate(err)
		}
		select {
		case <-ctx.Done():
			return s.translate(ctx.Err())
		case <-time.After(rand.N(time.Duration(n) * 10 * time.Millisecond)):
		}
	}
}

// inTurn is once when it is the caller's turn.
func (s *Store) inTurn(ctx context.Context, fn func(tx *Tx) error) error {
	select {
	case s.turns <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turns }()
	return s.once(ctx, fn)
}

func (s *Store) once(ctx context.Context, fn func(tx *Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return lost{err}
	}
	defer tx.Rollback()
	q := db.New(s.engine.wrap(tx))
	if kept := s.writing.Load(); kept != nil {
		q = kept.WithTx(tx)
	}
	if err := fn(&Tx{q: q, conn: tx, eng: &s.engine}); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	switch err = tx.Commit(); {
	case errors.Is(err, sql.ErrTxDone): // ctx has just ended it
		return err
	case err != nil && s.engine.undone != nil && s.engine.undone(err):
		return &payment.Error{Code: payment.CodeBusy, Text: "the database cannot be written; nothing was done, try again", Cause: lost{err}}
	case err != nil && (ctx.Err() != nil || s.engine.down(err)):
		return uncertain(lost{err})
	}
	return err
}

// lost is a failure of a transaction itself, not of what was to be written: it
// did not begin, the disk was full at the commit, or the database went away at
// the commit and nobody knows whether it happened. Then it is not run again.
type lost struct{ error }

func (l lost) Unwrap() error { return l.error }

func isLost(err error) bool { return errors.As(err, new(lost)) }

var errUncertain = errors.New("store: the commit may have happened")

// uncertain is the error of a commit of which nobody knows whether it happened.
// It is not CodeBusy, which promises that nothing was done.
func uncertain(cause error) error {
	return &payment.Error{
		Code: payment.CodeInternal, Text: "the database, or the caller, went away; whether it was done is not known", Cause: fmt.Errorf("%w: %w", errUncertain, cause),
	}
}

// Uncertain says whether an error leaves open if what was to be written was
// written. What can be written twice without harm may be tried again.
func Uncertain(err error) bool { return errors.Is(err, errUncertain) }

// prepare keeps the statements of both pools prepared from now on.
func (s *Store) prepare(ctx context.Context) error {
	if !s.engine.prepare {
		return nil
	}
	writing, err := db.Prepare(ctx, s.engine.wrap(s.write))
	if err != nil {
		return err
	}
	reading, err := db.Prepare(ctx, s.engine.wrap(s.read))
	if err != nil {
		return errors.Join(err, writing.Close())
	}
	s.writing.Store(writing)
	s.reading.Store(reading)
	return nil
}

// translate gives database failures a code. Errors that have one are kept.
func (s *Store) translate(err error) error {
	var coded *payment.Error
	switch {
	case err == nil, errors.As(err, &coded):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return &payment.Error{Code: payment.CodeNotFound, Text: "not found", Cause: err}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &payment.Error{Code: payment.CodeBusy, Text: "the request was given up", Cause: err}
	case s.engine.unstorable(err):
		return &payment.Error{Code: payment.CodeInvalidRequest, Text: "a text has characters that cannot be stored", Cause: err}
	case s.engine.conflict(err):
		return &payment.Error{Code: payment.CodeConflict, Text: "it exists already", Cause: err}
	case s.engine.down(err), s.engine.again(err):
		return &payment.Error{Code: payment.CodeBusy, Text: "the database is not available", Cause: err}
	}
	return &payment.Error{Code: payment.CodeInternal, Cause: err}
}
