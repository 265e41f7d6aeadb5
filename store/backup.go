package store

import (
	"context"
	"errors"
	"fmt"
)

// Backup writes a copy of an SQLite database into a new file, as it is at one
// instant, while other processes go on writing.
func (s *Store) Backup(ctx context.Context, path string) error {
	if s.engine.name != sqliteEngine.name {
		return errors.New("store: only SQLite is backed up by this program; PostgreSQL has pg_dump and pg_basebackup, see docs/runbook.md")
	}
	if _, err := s.write.ExecContext(ctx, `VACUUM INTO $1`, path); err != nil {
		return fmt.Errorf("store: backup: %w", err)
	}
	return nil
}

// Intact has SQLite look through its whole file for damage.
func (s *Store) Intact(ctx context.Context) error {
	if s.engine.name != sqliteEngine.name {
		return nil
	}
	rows, err := s.read.QueryContext(ctx, `PRAGMA integrity_check(20)`)
	if err != nil {
		return s.translate(err)
	}
	defer rows.Close()
	var damage []error
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return s.translate(err)
		}
		if line != "ok" {
			damage = append(damage, errors.New("store: the file is damaged: "+line))
		}
	}
	return errors.Join(append(damage, rows.Err())...)
}
