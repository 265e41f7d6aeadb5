package store

import (
	"context"
	"time"
)

// Clock is what the database server's own clock shows, in whole milliseconds. ok
// is false on SQLite, which has none but the machine's. It is for telling an
// operator that clocks differ; times that are stored are the callers'.
func (s *Store) Clock(ctx context.Context) (shows time.Time, ok bool, err error) {
	if s.engine.name != postgresEngine.name {
		return time.Time{}, false, nil
	}
	var ms int64
	err = s.read.QueryRowContext(ctx, `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`).Scan(&ms)
	return time.UnixMilli(ms).UTC(), err == nil, s.translate(err)
}
