package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"

	"github.com/thungan/thungan/store/internal/db"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migration is one step of the schema, and whether this call applied it.
type Migration struct {
	Name    string
	Applied bool
}

// step is a migration in this program.
type step struct {
	name, text, sum string
}

// steps lists the migrations in their order.
func steps() ([]step, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql") // sorted by name
	if err != nil {
		return nil, err
	}
	list := make([]step, len(files))
	for i, file := range files {
		text, err := migrations.ReadFile(file)
		if err != nil {
			return nil, err
		}
		digest := sha256.Sum256(text)
		list[i] = step{name: strings.TrimSuffix(strings.TrimPrefix(file, "migrations/"), ".sql"), text: string(text), sum: hex.EncodeToString(digest[:])}
	}
	return list, nil
}

// applied reads which steps a database has had, with the sums of their texts.
func applied(ctx context.Context, q db.DBTX) (map[string]string, error) {
	rows, err := q.QueryContext(ctx, `SELECT name, sum FROM schema_migrations`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	had := map[string]string{}
	for rows.Next() {
		var name, sum string
		if err := rows.Scan(&name, &sum); err != nil {
			return nil, err
		}
		had[name] = sum
	}
	return had, rows.Err()
}

// foreign says why this program must not touch a database, or nil.
func foreign(list []step, had map[string]string) error {
	known := map[string]bool{}
	for _, s := range list {
		known[s.name] = true
		if sum, ok := had[s.name]; ok && sum != s.sum {
			return fmt.Errorf("store: migration %s was changed after it had been applied to this database", s.name)
		}
	}
	for name := range had {
		if !known[name] {
			return fmt.Errorf("store: this database has migration %s, which this program does not know: it was written by a newer version", name)
		}
	}
	return nil
}

// Migrate brings the schema up to date, all steps in one transaction. Several
// nodes may call it at once. It fails without a change when the database was
// written by a newer program, or a step that was applied has been edited since.
func (s *Store) Migrate(ctx context.Context) ([]Migration, error) {
	list, err := steps()
	if err != nil {
		return nil, err
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, s.translate(err)
	}
	defer tx.Rollback()
	if s.engine.lockSchema != "" {
		if _, err := tx.ExecContext(ctx, s.engine.lockSchema); err != nil {
			return nil, s.translate(err)
		}
	}
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY, sum TEXT NOT NULL)`); err != nil {
		return nil, s.translate(err)
	}
	had, err := applied(ctx, tx)
	if err != nil {
		return nil, s.translate(err)
	}
	if err := foreign(list, had); err != nil {
		return nil, err
	}
	done := make([]Migration, len(list))
	for i, m := range list {
		_, ok := had[m.name]
		done[i] = Migration{Name: m.name, Applied: !ok}
		if ok {
			continue
		}
		if _, err := tx.ExecContext(ctx, m.text); err != nil {
			return nil, fmt.Errorf("store: migration %s: %w", m.name, err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO schema_migrations (name, sum) VALUES ($1, $2)`, m.name, m.sum); err != nil {
			return nil, s.translate(err)
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, s.translate(err)
	}
	return done, s.translate(s.prepare(ctx))
}

// Migrated says whether the schema is the one that this program knows, without
// changing it.
func (s *Store) Migrated(ctx context.Context) (bool, error) {
	list, err := steps()
	if err != nil {
		return false, err
	}
	had, err := applied(ctx, s.read)
	switch {
	case err == nil:
		return len(had) == len(list) && foreign(list, had) == nil, nil
	case ctx.Err() != nil, s.engine.down(err):
		return false, s.translate(err)
	}
	return false, nil // no such table: nothing was migrated yet
}
