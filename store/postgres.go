package store

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/thungan/thungan/store/internal/db"
)

// poolSize is how many connections a node uses for writing, and as many again
// for reading; more only make each other wait on a small machine.
const poolSize = 16

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
	conflict: func(err error) bool { return pgCode(err) == "23505" },
	down: func(err error) bool {
		code := pgCode(err)
		// 08: connection, 53: resources, 57P: shutting down, 25006: a standby
		if strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "57P") || code == "25006" {
			return true
		}
		var refused *pgconn.ConnectError
		var network net.Error
		return errors.As(err, &refused) || errors.As(err, &network) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
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
	open := func() *sql.DB {
		pool := stdlib.OpenDB(*config)
		pool.SetMaxOpenConns(poolSize)
		pool.SetMaxIdleConns(poolSize)
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
