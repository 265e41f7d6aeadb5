package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"sync"

	"github.com/thungan/thungan/store/internal/db"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var sqliteEngine = engine{
	name:    "sqlite",
	prepare: true,
	wrap:    func(c db.DBTX) db.DBTX { return unlocked{c} },
	again:   func(err error) bool { return sqliteCode(err) == sqlite3.SQLITE_BUSY_SNAPSHOT }, // only another program can have written
	conflict: func(err error) bool { // not every SQLITE_CONSTRAINT: a broken reference or check is a fault of ours
		switch sqliteCode(err) {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
			return true
		}
		return false
	},
	// A full disk has not taken the frame that makes a transaction count, which is the last that is written to the log; what
	// it took is passed over by its check sums. No other failure says as much: after EIO or a failed sync the frame may be there.
	undone:     func(err error) bool { return sqliteCode(err) == sqlite3.SQLITE_FULL },
	unstorable: func(error) bool { return false }, // it stores whatever it is given
	down: func(err error) bool {
		if sqliteCode(err) == sqlite3.SQLITE_BUSY_SNAPSHOT {
			return false // it was rolled back, and may be run again
		}
		switch sqliteCode(err) & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
			return true
		}
		return false
	},
}

func openSQLite(ctx context.Context, path string) (*Store, error) {
	if path == "" {
		return nil, errors.New("store: sqlite: names no file")
	}
	if path == ":memory:" {
		return nil, errors.New("store: sqlite: a database in memory would lose every payment; name a file")
	}
	// Made here so that only its owner may read it: it has names and accounts
	// of people. A folder that is not there is a mistyped path, not a new gateway.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	// busy_timeout comes first, so that setting the journal mode already waits
	// for another process. FULL: an answered payment survives a power cut. A
	// page that is changed often goes from the log (16 MiB) to the file once,
	// and 64 MiB of pages stay in memory.
	pragmas := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "wal_autocheckpoint(4000)", "cache_size(-65536)"}, "_txlock": {"immediate"}}
	write, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+pragmas.Encode())
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	if err := write.PingContext(ctx); err != nil {
		write.Close()
		return nil, err
	}
	pragmas = url.Values{"_pragma": {"busy_timeout(10000)", "query_only(ON)", "mmap_size(1073741824)"}}
	read, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+pragmas.Encode())
	if err != nil {
		write.Close()
		return nil, err
	}
	read.SetMaxOpenConns(max(4, runtime.NumCPU()))
	read.SetMaxIdleConns(max(4, runtime.NumCPU()))
	s := &Store{engine: sqliteEngine, write: write, read: read, turns: make(chan struct{}, 1)}
	s.writes = newCommitter(s, 1)
	s.opens = s.writes
	return s, nil
}

func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// unlocked drops FOR UPDATE, which SQLite does not know and does not need: it
// has a single writer.
type unlocked struct{ db.DBTX }

var (
	forUpdate = regexp.MustCompile(`\s+FOR UPDATE( OF \w+)?( SKIP LOCKED)?`)
	stripped  sync.Map // statement -> the same without FOR UPDATE
)

func strip(query string) string {
	if s, ok := stripped.Load(query); ok {
		return s.(string)
	}
	s := forUpdate.ReplaceAllString(query, "")
	stripped.Store(query, s)
	return s
}

func (u unlocked) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return u.DBTX.ExecContext(ctx, strip(query), args...)
}

func (u unlocked) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return u.DBTX.QueryContext(ctx, strip(query), args...)
}

func (u unlocked) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return u.DBTX.QueryRowContext(ctx, strip(query), args...)
}

func (u unlocked) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return u.DBTX.PrepareContext(ctx, strip(query))
}
