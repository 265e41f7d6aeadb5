package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/thungan/thungan/store/internal/db"
)

// poolSize is how many connections a node uses for writing, and as many again
// for reading, unless the URL says otherwise with pool_max_conns; more only
// make each other wait on a small machine.
const poolSize = 16

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
		// 08: connection, 53: resources, 57P: shutting down, 25006: a standby
		if strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "57P") || code == "25006" {
			return true
		}
		var refused *pgconn.ConnectError
		var network net.Error
		return errors.As(err, &refused) || errors.As(err, &network) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err) ||
			errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn)
	},
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
	config.RuntimeParams["application_name"] = "thungan"
	size := poolSize
	if given, ok := config.RuntimeParams[poolParameter]; ok {
		if size, err = strconv.Atoi(given); err != nil || size < 1 {
			return nil, errors.New("store: " + poolParameter + " has to be a number of connections")
		}
		delete(config.RuntimeParams, poolParameter) // it is ours, the server does not know it
	}
	open := func() *sql.DB {
		pool := stdlib.OpenDB(*config)
		pool.SetMaxOpenConns(size)
		pool.SetMaxIdleConns(size)
		pool.SetConnMaxIdleTime(5 * time.Minute)
		return pool
	}
	s := &Store{engine: postgresEngine, write: open(), read: open()}
	if err := s.write.PingContext(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func pgCode(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
