package main

import (
	"context"
	"path/filepath"

	"github.com/thungan/thungan/test/load/database"
)

// ceilingServer starts what the HTTP ceiling is measured on: the same program
// with the commits of new payments compiled out (store/ceiling_on.go). It
// authenticates, checks, logs and counts as the real one, and answers as if the
// payment had been stored.
func (b *bench) ceilingServer(ctx context.Context) (*node, error) {
	folder := filepath.Join(b.folder, "ceiling")
	t := b.tools
	t.thungan = t.ceiling
	return install(ctx, t, database.SQLite, folder, "sqlite:"+filepath.Join(folder, "thungan.db"), nil)
}

func (b *bench) ceiling(ctx context.Context, n *node, connections int) error {
	return b.measure(ctx, title("http", cellCeiling, connections), cell{Kind: cellCeiling}, func(c *cell) error {
		return b.load(ctx, c, n, connections, "-mode", "create", "-tag", b.tag(), "-hot")
	})
}
