package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"

	load "github.com/thungan/thungan/test/load"
)

const module = "github.com/thungan/thungan/"

// tools are the programs that the benchmark runs. Ceiling is thungan without the
// commits of new payments.
type tools struct {
	thungan, ceiling, gen, receiver, send string

	profile bool // servers show their profiles
}

// build makes them in a folder, as `make build` would.
func build(ctx context.Context, folder string) (tools, error) {
	bin := filepath.Join(folder, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return tools{}, err
	}
	t := tools{
		thungan: filepath.Join(bin, "thungan"), ceiling: filepath.Join(bin, "ceiling"),
		gen: filepath.Join(bin, "gen"), receiver: filepath.Join(bin, "receiver"), send: filepath.Join(bin, "send"),
	}
	for _, args := range [][]string{
		{t.thungan, "cmd/thungan"}, {t.ceiling, "cmd/thungan", "-tags", "ceiling"},
		{t.gen, "test/load/gen"}, {t.receiver, "test/load/receiver"}, {t.send, "test/load/send"},
	} {
		flags := append([]string{"build", "-trimpath", "-ldflags", "-X main.version=bench", "-o", args[0]}, args[2:]...)
		if _, err := output(exec.CommandContext(ctx, "go", append(flags, module+args[1])...)); err != nil {
			return tools{}, err
		}
	}
	return t, nil
}

// receiver is the running process that takes the notifications.
type receiver struct {
	cmd       *exec.Cmd
	in        io.Closer
	addresses []string
}

// receivers is how many receivers the gateway sees.
const receivers = 4

func startReceiver(t tools) (*receiver, error) {
	r := &receiver{cmd: exec.Command(t.receiver, "-ports", strconv.Itoa(receivers))}
	r.cmd.Stderr = os.Stderr
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r.addresses)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the receiver did not start: %w", err), r.close())
	}
	return r, nil
}

func (r *receiver) close() error { return errors.Join(r.in.Close(), r.cmd.Wait()) }

// ask is /count or /reset.
func (r *receiver) ask(ctx context.Context, path string) (load.Deliveries, error) {
	var d load.Deliveries
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.addresses[0]+path, nil)
	if err != nil {
		return d, err
	}
	return d, exchange(req, &d)
}

// pgbench is the reference that every PostgreSQL user knows.
type pgbench struct {
	program string
	socket  string // the folder of the server's socket
	user    string
}

const pgbenchDB = "pgbench"

// newPgbench makes its tables, scale 10.
func newPgbench(ctx context.Context, serverPID int, socket, user string) (*pgbench, error) {
	server, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", serverPID))
	if err != nil {
		return nil, err
	}
	p := &pgbench{program: filepath.Join(filepath.Dir(server), "pgbench"), socket: socket, user: user}
	_, err = output(p.command(ctx, "-i", "-s", "10", "-q"))
	return p, err
}

func (p *pgbench) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, p.program, append(args, "-h", p.socket, "-U", p.user, pgbenchDB)...)
}

// run is its simple update with 16 clients, in transactions a second.
func (p *pgbench) run(ctx context.Context, seconds int) (float64, error) {
	threads := min(runtime.NumCPU(), 16)
	out, err := output(p.command(ctx, "-N", "-c", "16", "-j", strconv.Itoa(threads), "-T", strconv.Itoa(seconds), "-n"))
	if err != nil {
		return 0, err
	}
	return parseTPS(string(out))
}

var tpsLine = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)

// parseTPS reads pgbench's report. Old versions have two lines; the last is the
// one without the time to connect.
func parseTPS(report string) (float64, error) {
	found := tpsLine.FindAllStringSubmatch(report, -1)
	if len(found) == 0 {
		return 0, fmt.Errorf("pgbench says no tps: %q", report)
	}
	return strconv.ParseFloat(found[len(found)-1][1], 64)
}
