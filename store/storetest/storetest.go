// Package storetest hands a test a fresh, migrated database on either engine.
// Both are real: SQLite in a file, PostgreSQL in a server of its own.
package storetest

import (
	"path/filepath"
	"testing"

	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/store"
)

// Each runs a test once per engine, each with a database of its own.
func Each(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { test(t, Open(t, URL(t, engine))) })
	}
}

// URL makes an empty database of an engine, gone at the end of the test, and
// says where it is.
func URL(t testing.TB, engine string) string {
	t.Helper()
	if engine == "postgres" {
		return pgtest.URL(t)
	}
	return "sqlite:" + filepath.Join(t.TempDir(), "thungan.db")
}

// Open opens and migrates the database at url until the end of the test.
func Open(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}
