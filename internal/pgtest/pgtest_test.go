package pgtest

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { Main(m) }

// connect opens a connection that ends with the test.
func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// execAll runs statements that must succeed.
func execAll(t *testing.T, conn *pgx.Conn, sql ...string) {
	t.Helper()
	for _, statement := range sql {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// queryText returns the one text value of a query.
func queryText(t *testing.T, conn *pgx.Conn, sql string, args ...any) string {
	t.Helper()
	var text string
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&text); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return text
}

func TestURLGivesEmptyDatabasesOfTheirOwn(t *testing.T) {
	first, second := connect(t, URL(t)), connect(t, URL(t))
	execAll(t, first, "CREATE TABLE orders (id TEXT PRIMARY KEY)", "INSERT INTO orders VALUES ('phở bò')")
	if got := queryText(t, first, "SELECT id FROM orders"); got != "phở bò" {
		t.Errorf("read back %q", got)
	}
	execAll(t, second, "CREATE TABLE orders (id TEXT PRIMARY KEY)")
	if got := queryText(t, second, "SELECT count(*)::text FROM orders"); got != "0" {
		t.Errorf("the second database has %s rows of the first", got)
	}
	if got := queryText(t, second, "SHOW server_encoding"); got != "UTF8" {
		t.Errorf("encoding %s", got)
	}
}

func TestURLDropsTheDatabaseAtTheEnd(t *testing.T) {
	var name string
	t.Run("uses one", func(t *testing.T) {
		u, err := url.Parse(URL(t))
		if err != nil {
			t.Fatal(err)
		}
		name = strings.TrimPrefix(u.Path, "/")
		// A connection that the test forgets must not keep the database alive.
		if _, err := pgx.Connect(t.Context(), u.String()); err != nil {
			t.Fatal(err)
		}
	})
	server, err := serverURL()
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, server)
	if got := queryText(t, conn, "SELECT count(*)::text FROM pg_database WHERE datname = $1", name); got != "0" {
		t.Errorf("database %q is still there", name)
	}
}

func TestURLInParallel(t *testing.T) {
	for range 12 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			execAll(t, connect(t, URL(t)), "CREATE TABLE payment (id TEXT)")
		})
	}
}

func TestURLUsesTheServerOfTheEnvironment(t *testing.T) {
	server := NewServer(t, false)
	t.Setenv(EnvServer, server.URL())
	conn := connect(t, URL(t))
	if got := queryText(t, conn, "SHOW unix_socket_directories"); got != server.folder {
		t.Errorf("the database is on the server in %s, want %s", got, server.folder)
	}
}

func TestServerURLRefusesWhatIsNotAURL(t *testing.T) {
	for _, given := range []string{"host=/tmp password=s3cret", "mysql://s3cret@localhost/x", "postgres://s3cret:%zz@/x"} {
		t.Setenv(EnvServer, given)
		_, err := serverURL()
		if err == nil || !strings.Contains(err.Error(), EnvServer) {
			t.Errorf("%q: error %v", given, err)
			continue
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
}
