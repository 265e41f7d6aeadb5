package store

import (
	"context"
	"database/sql"
)

// Query runs one read-only statement; see Snapshot.
type Query func(ctx context.Context, statement string, args ...any) (*sql.Rows, error)

// Snapshot lets somebody who must not rely on this package's own statements,
// such as an auditor, read the tables as they were at one instant. Nothing can
// be written through it. Others go on writing meanwhile.
func (s *Store) Snapshot(ctx context.Context, fn func(q Query) error) error {
	options := &sql.TxOptions{ReadOnly: true}
	if s.engine.name == postgresEngine.name {
		options.Isolation = sql.LevelRepeatableRead
	}
	tx, err := s.read.BeginTx(ctx, options)
	if err != nil {
		return s.translate(err)
	}
	defer tx.Rollback()
	return s.translate(fn(tx.QueryContext))
}
