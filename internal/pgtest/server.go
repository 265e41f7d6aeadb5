package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// superuser is the role the tests connect as. Nobody else reaches the socket's folder, so it has no password.
	superuser = "thungan"

	startTimeout = 60 * time.Second
	stopTimeout  = 60 * time.Second
	pollInterval = 10 * time.Millisecond
)

// StopMode says how a server is told to stop.
type StopMode int

const (
	// Fast ends all sessions, rolls back what they had open, and writes a checkpoint.
	Fast StopMode = iota
	// Immediate ends all sessions without a checkpoint: the next Start recovers from the log.
	Immediate
)

// Server is a PostgreSQL server in a temporary folder. Its methods may be called from several goroutines.
type Server struct {
	folder   string // holds data, the socket and the log
	program  string // the postgres program
	durable  bool
	owner    *syscall.Credential // nil: runs as this process's user
	watchdog *watchdog

	mu  sync.Mutex
	pid int // 0 while the server is stopped
}

// Launch starts a server that is bound to no test; the caller ends it with Close. NewServer says what durable means.
func Launch(durable bool) (_ *Server, err error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	owner, err := serverUser()
	if err != nil {
		return nil, err
	}
	s := &Server{program: filepath.Join(bin, "postgres"), durable: durable, owner: owner}
	if s.folder, err = newFolder(owner); err != nil {
		return nil, err
	}
	if s.watchdog, err = watch(s.folder); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.folder))
	}
	if err := s.prepare(filepath.Join(bin, "initdb")); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// prepare makes the data folder and the database of URL, and leaves the server running.
func (s *Server) prepare(initdb string) error {
	cmd := s.command(initdb, "--pgdata="+s.dataFolder(), "--username="+superuser, "--auth=trust",
		"--encoding=UTF8", "--locale=C.UTF-8", "--lc-messages=C", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if err := s.Start(); err != nil {
		return err
	}
	return execute(s.databaseURL("postgres"), "CREATE DATABASE "+superuser+" TEMPLATE template0 ENCODING 'UTF8'")
}

// URL returns the connection URL of the server's own database, empty at first. It stays the same when the server is
// stopped and started again.
func (s *Server) URL() string { return s.databaseURL(superuser) }

func (s *Server) databaseURL(name string) string {
	// The port is a part of the socket's name. It is given so that PGPORT cannot change it.
	query := url.Values{"host": {s.folder}, "port": {"5432"}}
	u := url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/" + name, RawQuery: query.Encode()}
	return u.String()
}

// Start starts the server again after Stop, Kill or an end of its own, and returns when it answers. It does nothing
// when the server runs.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pid != 0 {
		if gone, err := reap(s.pid); !gone {
			return err
		}
		s.stopped()
	}
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.command(s.program, s.settings()...)
	// Not the test's own output: `go test` waits until nobody holds that open.
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	s.pid = cmd.Process.Pid
	s.watchdog.guard(s.pid)
	// From here on the process is waited for by its pid, without a goroutine that a leak detector would report.
	if err := cmd.Process.Release(); err != nil {
		return err
	}
	return s.awaitReady()
}

func (s *Server) settings() []string {
	safety := "off"
	if s.durable {
		safety = "on"
	}
	settings := []string{
		"listen_addresses=", "port=5432", "unix_socket_directories=" + s.folder,
		"max_connections=200", "shared_buffers=64MB", "timezone=UTC", "logging_collector=off",
		"fsync=" + safety, "full_page_writes=" + safety, "synchronous_commit=" + safety,
	}
	args := []string{"-D", s.dataFolder()}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	return args
}

// awaitReady waits until the server accepts connections. s.mu is held.
func (s *Server) awaitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.databaseURL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		if gone, _ := reap(s.pid); gone {
			s.stopped()
			return fmt.Errorf("postgres ended while it started; its log says:\n%s", s.logTail())
		}
		if ctx.Err() != nil {
			return fmt.Errorf("postgres did not answer within %s: %w; its log says:\n%s", startTimeout, err, s.logTail())
		}
		time.Sleep(pollInterval)
	}
}

// Stop ends the server and returns when it is gone. It does nothing when the server is stopped.
func (s *Server) Stop(mode StopMode) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pid == 0 {
		return nil
	}
	signal := syscall.SIGINT
	if mode == Immediate {
		signal = syscall.SIGQUIT
	}
	if err := syscall.Kill(s.pid, signal); err != nil {
		return fmt.Errorf("stop postgres: %w", err)
	}
	if err := waitFor(stopTimeout, func() (bool, error) { return reap(s.pid) }); err != nil {
		return fmt.Errorf("stop postgres: %w", err)
	}
	s.stopped()
	return nil
}

// Kill ends all of the server's processes with SIGKILL, as a crash would, and returns when they are gone. It finds
// them through /proc, so it is for Linux. It does nothing when the server is stopped.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pid == 0 {
		return nil
	}
	// Held still, the server can neither start a process behind our back nor tidy up after one.
	if err := syscall.Kill(s.pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("kill postgres: %w", err)
	}
	pids, err := children(s.pid)
	if err != nil {
		return errors.Join(err, syscall.Kill(s.pid, syscall.SIGCONT))
	}
	for _, pid := range append(pids, s.pid) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill postgres: %w", err)
		}
	}
	// A server refuses to start while a process of its predecessor holds the shared memory.
	err = waitFor(stopTimeout, func() (bool, error) {
		for _, pid := range pids {
			if alive(pid) {
				return false, nil
			}
		}
		return reap(s.pid)
	})
	if err != nil {
		return fmt.Errorf("kill postgres: %w", err)
	}
	s.stopped()
	return nil
}

// Close stops the server and removes its folder. The server cannot be used after that; a second Close does nothing.
func (s *Server) Close() error {
	stopErr := s.Stop(Fast)
	s.mu.Lock()
	defer s.mu.Unlock()
	// If the server did not stop, the watchdog makes it.
	return errors.Join(stopErr, s.watchdog.release())
}

func (s *Server) stopped() {
	s.pid = 0
	s.watchdog.guard(0)
}

func (s *Server) dataFolder() string { return filepath.Join(s.folder, "data") }
func (s *Server) logFile() string    { return filepath.Join(s.folder, "log") }

// logTail returns the end of the server's log, for an error's text.
func (s *Server) logTail() string {
	const lines = 20
	log, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(log)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// command prepares one of PostgreSQL's programs, to run as the right user and out of reach of the terminal's Ctrl-C.
func (s *Server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = s.folder
	// A clean environment: the caller's PG* variables and language must not change the tests.
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: s.owner}
	return cmd
}
