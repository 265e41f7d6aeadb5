package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/thungan/thungan/internal/pgtest"
)

// envChild makes this test binary the command that pgtest runs: it leaves the server's URL in the named file.
const envChild = "THUNGAN_TEST_PGTEST_CHILD"

func TestMain(m *testing.M) {
	if file := os.Getenv(envChild); file != "" {
		if err := child(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(7)
	}
	os.Exit(m.Run())
}

func child(file string) error {
	url := os.Getenv(pgtest.EnvServer)
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), "CREATE DATABASE child"); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(url), 0o600)
}

func TestRunLendsAServer(t *testing.T) {
	file := t.TempDir() + "/url"
	t.Setenv(pgtest.EnvServer, "")
	t.Setenv(envChild, file)
	if code, err := run([]string{os.Args[0]}); code != 7 || err != nil {
		t.Fatalf("exit code %d, %v", code, err)
	}
	url, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.Connect(t.Context(), string(url)); err == nil {
		t.Errorf("the server %s outlived the command", url)
	}
}

func TestRunKeepsAGivenServer(t *testing.T) {
	t.Setenv(pgtest.EnvServer, "postgres:///given")
	code, err := run([]string{"sh", "-c", `[ "$` + pgtest.EnvServer + `" = postgres:///given ]`})
	if code != 0 || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}
}

func TestRunReportsTheEndOfTheCommand(t *testing.T) {
	t.Setenv(pgtest.EnvServer, "postgres:///given")
	tests := []struct {
		name    string
		command []string
		code    int
		err     string
	}{
		{"success", []string{"true"}, 0, ""},
		{"failure", []string{"sh", "-c", "exit 3"}, 3, ""},
		{"signal", []string{"sh", "-c", "kill -TERM $$"}, 128 + 15, ""},
		{"no such command", []string{"no-such-command-here"}, 1, "no-such-command-here"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, err := run(test.command)
			if code != test.code || (err == nil) != (test.err == "") || (err != nil && !strings.Contains(err.Error(), test.err)) {
				t.Errorf("exit code %d, %v; want %d, %q", code, err, test.code, test.err)
			}
		})
	}
}
