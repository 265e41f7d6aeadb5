// Package pgtest gives tests a real PostgreSQL server.
//
// URL hands a test an empty database of its own. All databases come from one server: the one named by
// THUNGAN_TEST_POSTGRES (make test starts one for the whole run, see cmd/pgtest), else one that this process starts
// when the first test asks for it. A test that crashes its server takes one for itself with NewServer.
//
// The servers listen on a Unix socket in a temporary folder only. They end with the process that started them, also
// when that process is killed.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// EnvServer names the environment variable with the URL of a running server, postgres://..., whose user may create
// databases. With it set, URL starts no server.
const EnvServer = "THUNGAN_TEST_POSTGRES"

// queryTimeout bounds the creation and the removal of a database.
const queryTimeout = 60 * time.Second

// shared is the server that this process started for its tests, if any.
var shared struct {
	sync.Mutex
	server *Server
	err    error
}

// URL returns the connection URL of a new, empty UTF-8 database, which is dropped when the test ends, with
// whatever connections are then left. The test fails at once when there is no server to be had.
//
// The server keeps nothing over a crash of the machine (fsync is off): a test of durability uses NewServer.
func URL(tb testing.TB) string {
	tb.Helper()
	server, err := serverURL()
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	return newDatabase(tb, server)
}

// Main runs the tests, ends the server that they shared, and exits. It is for TestMain:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// Without it the server ends all the same, but a moment after the process.
func Main(m *testing.M) {
	code := m.Run()
	if err := closeShared(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// NewServer starts a server for this test alone, and ends it and removes its data when the test ends. A durable
// server keeps what it committed through Kill: it runs with fsync, full_page_writes and synchronous_commit on, as
// in production. The other kind runs with the three off, and is faster.
func NewServer(tb testing.TB, durable bool) *Server {
	tb.Helper()
	s, err := Launch(durable)
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("pgtest: %v", err)
		}
	})
	return s
}

// serverURL returns the URL of the server that all tests share, and starts it when it must.
func serverURL() (string, error) {
	if given := os.Getenv(EnvServer); given != "" {
		u, err := url.Parse(given)
		if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
			// The value may hold a password, so it is not repeated here.
			return "", fmt.Errorf("%s is not a URL of the form postgres://user@host/database", EnvServer)
		}
		return given, nil
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = Launch(false)
	}
	if shared.err != nil {
		return "", shared.err
	}
	return shared.server.URL(), nil
}

func closeShared() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return nil
	}
	err := shared.server.Close()
	shared.server = nil
	return err
}

// newDatabase creates a database on the server, and drops it when the test ends.
func newDatabase(tb testing.TB, server string) string {
	tb.Helper()
	// Several test processes share one server, so a counter would not do.
	name := "t_" + strings.ToLower(rand.Text())
	// Nobody can be connected to template0, so parallel tests do not get in each other's way.
	if err := execute(server, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		tb.Fatalf("pgtest: create a database: %v", err)
	}
	tb.Cleanup(func() {
		if err := execute(server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			tb.Errorf("pgtest: drop the test's database: %v", err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

// execute runs one statement on a connection of its own.
func execute(server, sql string) error {
	// Not the test's context: that one is already done when cleanups run.
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}
