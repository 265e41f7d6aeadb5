package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	load "github.com/thungan/thungan/test/load"
	"github.com/thungan/thungan/test/load/database"
)

// node is one installation with one running `thungan serve`.
type node struct {
	engine string
	tools  tools
	folder string // with its key, log and what SQLite keeps
	url    string // of its database
	db     *database.DB
	site   load.Site
	token  string // of the admin API
	ports  []string

	profiles string // where the server has its profiles, "" for nowhere
	pid      int
	done     chan error
	started  time.Duration // from the start of the process until it was ready
	postgres int           // PostgreSQL's first process; 0 on SQLite
}

const (
	bin      = "970436"
	feedName = "bench"
	feedKey  = "a key of the benchmark's own bank feed"
)

// install makes an installation with one merchant and starts it. receivers are
// the addresses that notifications go to.
func install(ctx context.Context, t tools, engine, folder, url string, receivers []string) (*node, error) {
	n := &node{engine: engine, tools: t, folder: folder, url: url, site: load.Site{Feed: feedName, FeedSecret: feedKey}}
	for _, r := range receivers {
		n.site.IPN = append(n.site.IPN, "http://"+r+"/ipn")
		n.ports = append(n.ports, r[strings.LastIndexByte(r, ':')+1:])
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	if _, err := n.command(ctx, "key", "new", n.keyFile()); err != nil {
		return nil, err
	}
	if err := n.furnish(ctx); err != nil {
		return nil, err
	}
	var err error
	if n.db, err = database.Open(ctx, url); err != nil {
		return nil, err
	}
	if engine == database.Postgres {
		if n.postgres, _, err = n.db.Server(ctx); err != nil {
			return nil, errors.Join(err, n.db.Close())
		}
	}
	if err := n.start(ctx); err != nil {
		return nil, errors.Join(err, n.db.Close())
	}
	return n, nil
}

// furnish adds a merchant, its account, a bank feed and an admin token by the
// operator's commands.
func (n *node) furnish(ctx context.Context) error {
	made, err := n.operate(ctx, "merchant", "add", "--name", "Bench Coffee")
	if err != nil {
		return err
	}
	m := load.Merchant{ID: made["merchant_id"], Key: made["api_key"], Secret: made["secret_key"], BIN: bin, Account: account(0)}
	added, err := n.operate(ctx, "merchant", "account", "add", m.ID, "--bin", m.BIN, "--number", m.Account, "--holder", "BENCH COFFEE")
	if err != nil {
		return err
	}
	m.AccountID = added["account_id"]
	n.site.Merchants = []load.Merchant{m}
	if _, err := n.operate(ctx, "feed", "add", feedName, "--kind", "generic", "--secret", feedKey); err != nil {
		return err
	}
	token, err := n.operate(ctx, "token", "add", "bench")
	n.token = token["token"]
	return err
}

// account is the number of the n-th merchant's bank account.
func account(n int) string { return fmt.Sprintf("00110%08d", n) }

func (n *node) keyFile() string { return filepath.Join(n.folder, "key") }
func (n *node) logFile() string { return filepath.Join(n.folder, "log") }

// operate runs one of the operator's commands and reads its JSON.
func (n *node) operate(ctx context.Context, args ...string) (map[string]string, error) {
	out, err := n.command(ctx, append(args, "--database", n.url, "--key-file", n.keyFile(), "--json")...)
	if err != nil {
		return nil, err
	}
	var answer map[string]string
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, fmt.Errorf("thungan %s: %w", args[0], err)
	}
	return answer, nil
}

func (n *node) command(ctx context.Context, args ...string) ([]byte, error) {
	return output(exec.CommandContext(ctx, n.tools.thungan, args...))
}

// output runs a command and gives what it printed; its errors are in the error.
func output(cmd *exec.Cmd) ([]byte, error) {
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", filepath.Base(cmd.Path), cmd.Args[1], err, faults.Bytes())
	}
	return out.Bytes(), nil
}

// readyIn bounds a start.
const readyIn = 2 * time.Minute

// start starts the server and waits until it is ready. Its log goes to a file,
// as it would in production.
func (n *node) start(ctx context.Context) error {
	log, err := os.Create(n.logFile())
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"serve", "--database", n.url, "--key-file", n.keyFile(), "--listen", "127.0.0.1:0", "--public-url", "http://pay.example.com", "--log-format", "json"}
	if len(n.ports) > 0 {
		args = append(args, "--allow-ipn-networks", "127.0.0.0/8", "--allow-ipn-ports", strings.Join(n.ports, ","))
	}
	if n.tools.profile {
		if n.profiles, err = freeAddress(); err != nil {
			return err
		}
		args = append(args, "--profile-listen", n.profiles)
	}
	cmd := exec.Command(n.tools.thungan, args...)
	cmd.Stdout, cmd.Stderr = log, log
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	n.pid, n.done = cmd.Process.Pid, make(chan error, 1)
	go func() { n.done <- cmd.Wait() }()
	if err := n.awaitReady(ctx, begin); err != nil {
		return errors.Join(err, n.stop())
	}
	return nil
}

func (n *node) awaitReady(ctx context.Context, begin time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	n.site.Address = ""
	for {
		if n.site.Address == "" {
			n.site.Address = n.listening()
		}
		if n.site.Address != "" && n.get(ctx, "/readyz") == nil {
			n.started = time.Since(begin)
			return nil
		}
		select {
		case err := <-n.done:
			n.done <- err
			return fmt.Errorf("thungan serve ended at once: %v\n%s", err, n.logTail())
		case <-ctx.Done():
			return fmt.Errorf("thungan serve is not ready after %s: %w\n%s", time.Since(begin).Round(time.Millisecond), ctx.Err(), n.logTail())
		case <-time.After(time.Millisecond):
		}
	}
}

// listening finds the address in the log, "" while it is not there.
func (n *node) listening() string {
	text, err := os.ReadFile(n.logFile())
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		var record struct{ Msg, Listen string }
		if json.Unmarshal([]byte(line), &record) == nil && record.Msg == "serving" {
			return record.Listen
		}
	}
	return ""
}

func (n *node) logTail() string {
	const kept = 2000
	text, err := os.ReadFile(n.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-kept):])
}

// stop ends the server in order, or else by force.
func (n *node) stop() error {
	if n.pid == 0 {
		return nil
	}
	p, err := os.FindProcess(n.pid)
	if err != nil {
		return err
	}
	_ = p.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case err = <-n.done:
	case <-time.After(60 * time.Second):
		err = errors.Join(errors.New("thungan serve did not end within a minute of SIGTERM"), p.Kill())
		<-n.done
	}
	n.pid = 0
	return err
}

// close stops the server and forgets the database.
func (n *node) close() error { return errors.Join(n.stop(), n.db.Close()) }

// use is what has been used so far.
type use struct {
	cpu   time.Duration // server and database
	bytes int64         // towards the disk (SQLite), of write-ahead log (PostgreSQL)
}

func (n *node) used(ctx context.Context) (use, error) {
	p, err := readProcess(n.pid)
	if err != nil {
		return use{}, err
	}
	u := use{cpu: p.own}
	if n.engine == database.Postgres {
		family, err := cpuOfFamily(n.postgres)
		if err != nil {
			return use{}, err
		}
		u.cpu += family
		u.bytes, err = n.db.Written(ctx)
		return u, err
	}
	if u.bytes, err = written(n.pid); err != nil {
		return use{}, err
	}
	log, err := os.Stat(n.logFile())
	if err != nil {
		return use{}, err
	}
	u.bytes -= log.Size() // the log is no part of what a payment needs
	return u, nil
}

// freeAddress is a loopback address that nobody listens on now.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// fetch gets what is at a URL.
func fetch(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", req.URL.Path, res.Status, text)
	}
	return text, err
}

// get asks for something that needs no key.
func (n *node) get(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.site.Address+path, nil)
	if err != nil {
		return err
	}
	return exchange(req, nil)
}

// admin posts to the admin API.
func (n *node) admin(ctx context.Context, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.site.Address+"/admin/v1"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+n.token)
	req.Header.Set("Content-Type", "application/json")
	return exchange(req, answer)
}

func exchange(req *http.Request, answer any) error {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode/100 != 2:
		return fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, res.Status, text)
	case answer == nil:
		return nil
	}
	return json.Unmarshal(text, answer)
}

// populate adds merchants by the admin API until there are so many.
func (n *node) populate(ctx context.Context, count int) error {
	const callers = 16
	have := len(n.site.Merchants)
	more := make([]load.Merchant, max(0, count-have))
	faults := make([]error, callers)
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			for i := caller; i < len(more) && faults[caller] == nil; i += callers {
				more[i], faults[caller] = n.enrol(ctx, have+i)
			}
		})
	}
	group.Wait()
	n.site.Merchants = append(n.site.Merchants, more...)
	return errors.Join(faults...)
}

func (n *node) enrol(ctx context.Context, number int) (load.Merchant, error) {
	var merchant struct {
		ID string `json:"merchant_id"`
	}
	name := fmt.Sprintf("Bench Shop %d", number)
	if err := n.admin(ctx, "/merchants", map[string]string{"name": name}, &merchant); err != nil {
		return load.Merchant{}, err
	}
	var made struct {
		Credentials struct {
			Key    string `json:"api_key"`
			Secret string `json:"secret_key"`
		} `json:"credentials"`
	}
	if err := n.admin(ctx, "/merchants/"+merchant.ID+"/profiles", map[string]string{"dialect": "paykit"}, &made); err != nil {
		return load.Merchant{}, err
	}
	m := load.Merchant{ID: merchant.ID, Key: made.Credentials.Key, Secret: made.Credentials.Secret, BIN: bin, Account: account(number)}
	var added struct {
		ID string `json:"receiving_account_id"`
	}
	body := map[string]string{"bin": m.BIN, "number": m.Account, "holder": strings.ToUpper(name), "recognise": "memo"}
	err := n.admin(ctx, "/merchants/"+m.ID+"/receiving-accounts", body, &added)
	m.AccountID = added.ID
	return m, err
}
