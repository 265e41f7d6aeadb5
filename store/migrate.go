package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migration is one step of the schema.
type Migration struct {
	Name    string
	Applied bool
}

// Migrate brings the schema up to date, all steps in one transaction. Several
// nodes may call it at once. It fails without a change when the database was
// written by a newer program, or a step that was applied has been edited since.
func (s *Store) Migrate(ctx context.Context) ([]Migration, error) {
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
	applied := map[string]string{}
	rows, err := tx.QueryContext(ctx, `SELECT name, sum FROM schema_migrations`)
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, sum string
		if err := rows.Scan(&name, &sum); err != nil {
			return nil, s.translate(err)
		}
		applied[name] = sum
	}
	if err := rows.Err(); err != nil {
		return nil, s.translate(err)
	}

	files, err := fs.Glob(migrations, "migrations/*.sql") // sorted by name
	if err != nil {
		return nil, err
	}
	var steps []Migration
	for _, file := range files {
		text, err := migrations.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(file, "migrations/"), ".sql")
		digest := sha256.Sum256(text)
		sum := hex.EncodeToString(digest[:])
		had, ok := applied[name]
		delete(applied, name)
		switch {
		case ok && had != sum:
			return nil, fmt.Errorf("store: migration %s was changed after it had been applied to this database", name)
		case !ok:
			if _, err := tx.ExecContext(ctx, string(text)); err != nil {
				return nil, fmt.Errorf("store: migration %s: %w", name, err)
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO schema_migrations (name, sum) VALUES ($1, $2)`, name, sum); err != nil {
				return nil, s.translate(err)
			}
		}
		steps = append(steps, Migration{Name: name, Applied: !ok})
	}
	for name := range applied {
		return nil, fmt.Errorf("store: this database has migration %s, which this program does not know: it was written by a newer version", name)
	}
	return steps, s.translate(tx.Commit())
}

// Migrated says whether the schema is up to date, without changing it.
func (s *Store) Migrated(ctx context.Context) (bool, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return false, err
	}
	var n int
	if err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM schema_migrations`).Scan(&n); err != nil {
		if s.engine.down(err) {
			return false, s.translate(err)
		}
		return false, nil // no such table: nothing was migrated yet
	}
	return n >= len(files), nil
}
