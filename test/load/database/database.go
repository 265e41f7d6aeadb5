// Package database is what the benchmark asks of a database directly: how much
// it has written, who its processes are, and millions of rows to begin with,
// which would take too long by the front door. It knows the schema; nothing else
// outside of store does.
package database

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// Engines, as store names them.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// DB is an open database of either engine.
type DB struct {
	db     *sql.DB
	engine string
}

// Open opens what the gateway's --database names. SQLite is opened without
// safety against a crash: it is for rows that are made before anything is
// measured.
func Open(ctx context.Context, url string) (*DB, error) {
	d := &DB{engine: Postgres}
	driver, source := "pgx", url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		d.engine = SQLite
		driver, source = "sqlite", "file:"+path+"?_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=cache_size(-400000)"
	}
	var err error
	if d.db, err = sql.Open(driver, source); err != nil {
		return nil, err
	}
	d.db.SetMaxOpenConns(1)
	if err := d.db.PingContext(ctx); err != nil {
		d.db.Close()
		return nil, err
	}
	return d, nil
}

// Close closes it.
func (d *DB) Close() error { return d.db.Close() }

// Version is the engine's name and version.
func (d *DB) Version(ctx context.Context) (string, error) {
	query, name := "SHOW server_version", "PostgreSQL "
	if d.engine == SQLite {
		query, name = "SELECT sqlite_version()", "SQLite "
	}
	var version string
	err := d.db.QueryRowContext(ctx, query).Scan(&version)
	version, _, _ = strings.Cut(version, " ") // Debian adds its own after a space
	return name + version, err
}

// Written is how many bytes of write-ahead log PostgreSQL has written since it
// was made.
func (d *DB) Written(ctx context.Context) (int64, error) {
	var n int64
	err := d.db.QueryRowContext(ctx, "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&n)
	return n, err
}

// Server is the process id of PostgreSQL's first process, whose children do the
// work, and its data folder.
func (d *DB) Server(ctx context.Context) (pid int, folder string, err error) {
	if err := d.db.QueryRowContext(ctx, "SHOW data_directory").Scan(&folder); err != nil {
		return 0, "", err
	}
	text, err := os.ReadFile(filepath.Join(folder, "postmaster.pid"))
	if err != nil {
		return 0, "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(line))
	return pid, folder, err
}

// Set changes settings of the PostgreSQL server; they count from its next start.
func (d *DB) Set(ctx context.Context, settings map[string]string) error {
	for name, value := range settings {
		if _, err := d.db.ExecContext(ctx, fmt.Sprintf("ALTER SYSTEM SET %s = '%s'", name, value)); err != nil {
			return err
		}
	}
	return nil
}

// Create makes another database on the PostgreSQL server.
func (d *DB) Create(ctx context.Context, name string) error {
	_, err := d.db.ExecContext(ctx, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'")
	return err
}

// Settle brings what was written to its place, so that the first cell after it
// is not measured with old work.
func (d *DB) Settle(ctx context.Context) error {
	statements := []string{"VACUUM ANALYZE", "CHECKPOINT"}
	if d.engine == SQLite {
		statements = []string{"ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"}
	}
	for _, s := range statements {
		if _, err := d.db.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// Notices is how many notifications are in a state.
func (d *DB) Notices(ctx context.Context, state string) (int64, error) {
	var n int64
	err := d.db.QueryRowContext(ctx, d.adapt("SELECT count(*) FROM outbox_items WHERE state = $1"), state).Scan(&n)
	return n, err
}

// adapt writes parameters as the engine wants them.
func (d *DB) adapt(query string) string {
	if d.engine == SQLite {
		return strings.ReplaceAll(query, "$", "?")
	}
	return query
}
