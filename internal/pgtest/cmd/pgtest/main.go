// Command pgtest starts one PostgreSQL server, runs a command with its URL in THUNGAN_TEST_POSTGRES, ends the server,
// and exits as the command did:
//
//	pgtest go test ./...
//
// When the variable is set already, it runs the command on that server.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/thungan/thungan/internal/pgtest"
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: pgtest command [argument ...]")
		os.Exit(2)
	}
	code, err := run(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// run runs the command beside a server, and returns the command's exit code.
func run(args []string) (code int, err error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = os.Environ()
	if os.Getenv(pgtest.EnvServer) == "" {
		server, err := pgtest.Launch(false)
		if err != nil {
			return 1, err
		}
		defer func() { err = errors.Join(err, server.Close()) }()
		cmd.Env = append(cmd.Env, pgtest.EnvServer+"="+server.URL())
	}

	// The command hears a Ctrl-C itself and ends; we stay to end the server. Other signals are passed on.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case got := <-signals:
			if got != os.Interrupt {
				_ = cmd.Process.Signal(got)
			}
		case err := <-ended:
			return exitCode(err)
		}
	}
}

// exitCode takes the exit code out of the result of a command; a signal counts as in a shell.
func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}
