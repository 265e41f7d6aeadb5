package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
)

// NewStandby starts a streaming replica of a server, for this test alone. The primary then answers a commit only when
// its replica has it on disk too. The replica can be read; see Promote.
func NewStandby(tb testing.TB, primary *Server) *Server {
	tb.Helper()
	s, err := launchStandby(primary)
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

func launchStandby(primary *Server) (_ *Server, err error) {
	s := &Server{program: primary.program, durable: primary.durable, owner: primary.owner}
	if s.folder, err = newFolder(s.owner); err != nil {
		return nil, err
	}
	if s.watchdog, err = watch(s.folder); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.folder))
	}
	if err := s.Follow(primary); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Follow makes a server that is stopped a replica of another: what it had is gone. See NewStandby.
func (s *Server) Follow(primary *Server) error {
	s.mu.Lock()
	running := s.pid != 0
	s.mu.Unlock()
	if running {
		return errors.New("the server that is to follow another runs")
	}
	if err := os.RemoveAll(s.dataFolder()); err != nil {
		return err
	}
	cmd := s.command(filepath.Join(filepath.Dir(s.program), "pg_basebackup"), "--host="+primary.folder, "--port=5432", "--username="+superuser,
		"--pgdata="+s.dataFolder(), "--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-password", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	if err := s.Start(); err != nil {
		return err
	}
	err := waitFor(startTimeout, func() (bool, error) {
		return primary.says("SELECT count(*) > 0 FROM pg_stat_replication WHERE state = 'streaming'")
	})
	if err != nil {
		return fmt.Errorf("the replica does not follow: %w", err)
	}
	return primary.alter("ALTER SYSTEM SET synchronous_standby_names = '*'")
}

// Promote makes a replica the primary, and returns when it takes writes. Stop or Kill the old primary first: two would
// each take half of what is written.
func (s *Server) Promote() error {
	ok, err := s.says("SELECT pg_promote(true, 60)")
	if err == nil && !ok {
		err = errors.New("it did not happen")
	}
	if err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	return s.alter("ALTER SYSTEM RESET synchronous_standby_names")
}

// EitherURL is the URL of the one of two servers that takes writes.
func EitherURL(a, b *Server) string {
	query := url.Values{"host": {a.folder + "," + b.folder}, "port": {"5432,5432"}, "target_session_attrs": {"read-write"}}
	u := url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/" + superuser, RawQuery: query.Encode()}
	return u.String()
}

func (s *Server) alter(statement string) error {
	if err := execute(s.databaseURL("postgres"), statement); err != nil {
		return err
	}
	return execute(s.databaseURL("postgres"), "SELECT pg_reload_conf()")
}

// says runs a statement that returns one truth value.
func (s *Server) says(statement string) (ok bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.databaseURL("postgres"))
	if err != nil {
		return false, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, statement).Scan(&ok)
	return ok, err
}
