package crash

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// site is one installation: a database, its key, a merchant and where it is told.
type site struct {
	t          *testing.T
	flags      []string // of every command
	serving    []string // flags of serve besides, and instead
	authority  string   // the file with the certificate that the merchant's receiver has
	receiver   *receiver
	merchantID string
	mid        string
	apiKey     string
	secretKey  string
	adminToken string
	http       *http.Client     // of the auditor
	clock      func() time.Time // of everybody outside
}

const (
	bankBIN     = "970436"
	bankAccount = "0011001234567"
	feedName    = "bank"
	feedSecret  = "crash-test-feed-secret"
)

func newSite(t *testing.T, database string) *site {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	s := &site{t: t, clock: time.Now, flags: []string{"--database", database, "--key-file", key}, http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}
	run(t, "key", "new", key)
	merchant := s.command("merchant", "add", "--name", "Crash Coffee")
	s.merchantID, s.mid = merchant["merchant_id"], merchant["mid"]
	s.apiKey, s.secretKey = merchant["api_key"], merchant["secret_key"]
	s.command("merchant", "account", "add", s.merchantID, "--bin", bankBIN, "--number", bankAccount, "--holder", "CRASH COFFEE")
	s.command("feed", "add", feedName, "--kind", "generic", "--secret", feedSecret)
	s.adminToken = s.command("token", "add", "auditor")["token"]

	s.receiver = newReceiver(t, s.mid, merchant["ipn_secret_key"])
	s.authority = filepath.Join(t.TempDir(), "receiver.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.receiver.server.Certificate().Raw})
	if err := os.WriteFile(s.authority, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// command runs one of the operator's commands and reads its JSON.
func (s *site) command(args ...string) map[string]string {
	s.t.Helper()
	out := run(s.t, append(append(args, s.flags...), "--json")...)
	var answer map[string]string
	if err := json.Unmarshal(out, &answer); err != nil {
		s.t.Fatalf("thungan %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return answer
}

func run(t *testing.T, args ...string) []byte {
	t.Helper()
	var out, faults bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		t.Fatalf("thungan %s: %v\n%s", strings.Join(args, " "), err, &faults)
	}
	return out.Bytes()
}

// node is one run of `thungan serve`.
type node struct {
	t    *testing.T
	cmd  *exec.Cmd
	base string // http://HOST:PORT
	log  *nodeLog
	exit chan error // holds what Wait returned, once
}

// start runs a node and returns when it serves.
func (s *site) start() *node {
	s.t.Helper()
	args := append([]string{"serve"}, s.flags...)
	args = append(args, "--listen", "127.0.0.1:0", "--public-url", "http://pay.example.vn", "--log-format", "json",
		"--allow-ipn-networks", "127.0.0.0/8", "--allow-ipn-ports", s.receiver.port, "--takeover-after", takeover.String())
	args = append(args, s.serving...)
	cmd := exec.Command(program, args...)
	// The program believes the receiver's certificate as it would a well-known one.
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+s.authority)
	lines, err := cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	n := &node{t: s.t, cmd: cmd, log: &nodeLog{serving: make(chan string, 1), seen: map[string]int{}}, exit: make(chan error, 1)}
	go func() {
		n.log.read(lines)
		n.exit <- cmd.Wait()
	}()
	s.t.Cleanup(n.end)
	select {
	case address := <-n.log.serving:
		n.base = "http://" + address
	case err := <-n.exit:
		n.exit <- err
		s.t.Fatalf("serve ended at once: %v\n%s", err, n.log.text())
	case <-time.After(30 * time.Second):
		s.t.Fatalf("serve is not ready after 30 s\n%s", n.log.text())
	}
	return n
}

// takeover is how long notices of a dead node are left alone; the default would be long for a test.
const takeover = 4 * time.Second

// kill ends the node as a power failure of the process would.
func (n *node) kill() {
	n.t.Helper()
	if err := n.cmd.Process.Kill(); err != nil {
		n.t.Fatal(err)
	}
	<-n.exit
	n.exit <- nil
	n.log.check(n.t)
}

// terminate asks for an orderly end and waits for it.
func (n *node) terminate(limit time.Duration) {
	n.t.Helper()
	start := time.Now()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		n.t.Fatal(err)
	}
	select {
	case err := <-n.exit:
		n.exit <- err
		if err != nil {
			n.t.Errorf("after SIGTERM: %v\n%s", err, n.log.text())
		}
		n.t.Logf("ended in order after %s", time.Since(start).Round(time.Millisecond))
	case <-time.After(limit):
		n.t.Fatalf("still running %s after SIGTERM\n%s", limit, n.log.text())
	}
	n.log.check(n.t)
}

// end is the cleanup: it leaves no process behind.
func (n *node) end() {
	if err := n.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.t.Error(err)
	}
	<-n.exit
	n.log.check(n.t)
	if n.t.Failed() {
		n.t.Logf("log of process %d:\n%s", n.cmd.Process.Pid, n.log.text())
	}
}

// nodeLog reads a node's log and keeps its end.
type nodeLog struct {
	serving chan string // the address, once

	mu    sync.Mutex
	last  []string
	alarm []string       // lines that no run may have
	seen  map[string]int // lines by message
}

func (l *nodeLog) read(r io.Reader) {
	const kept = 40
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var record struct {
			Message string `json:"msg"`
			Listen  string `json:"listen"`
		}
		line := lines.Text()
		if err := json.Unmarshal([]byte(line), &record); err == nil && record.Message == "serving" {
			l.serving <- record.Listen
		}
		l.mu.Lock()
		l.seen[record.Message]++
		if strings.Contains(line, "panic") || strings.Contains(line, "goroutine ") {
			l.alarm = append(l.alarm, line)
		}
		if record.Message != "request" {
			l.last = append(l.last, line)
			l.last = l.last[max(0, len(l.last)-kept):]
		}
		l.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, r) // a line too long to read must not block the program
}

func (l *nodeLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.last, "\n")
}

// times says how often a message was logged.
func (l *nodeLog) times(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[message]
}

func (l *nodeLog) check(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.alarm) > 0 {
		t.Errorf("the program panicked:\n%s", strings.Join(l.alarm, "\n"))
		l.alarm = nil
	}
}

// get asks a node for JSON.
func (s *site) get(ctx context.Context, n *node, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.base+"/admin/v1"+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.adminToken)
	return s.exchange(req, into)
}

func (s *site) exchange(req *http.Request, into any) error {
	res, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode != http.StatusOK:
		return errors.New(req.URL.Path + ": " + res.Status + ": " + string(body))
	}
	return json.Unmarshal(body, into)
}

// quiesce returns when no notification is waiting to be sent.
func (s *site) quiesce(n *node) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), quiesceIn)
	defer cancel()
	for {
		var waiting struct{ Items []json.RawMessage }
		if err := s.get(ctx, n, "/notifications?state=pending&limit=1", &waiting); err != nil {
			s.t.Fatalf("quiesce: %v", err)
		}
		if len(waiting.Items) == 0 {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			s.t.Fatalf("notifications are still waiting after %s, such as %s", quiesceIn, waiting.Items[0])
		}
	}
}

// verdict waits until nothing is left to be sent, then has both judges look at everything.
func (s *site) verdict(r *trial, n *node, h *history) *snapshot {
	s.t.Helper()
	s.quiesce(n)
	now := s.collect(n, h)
	if faults := judge(s, now, h); len(faults) > 0 {
		s.report(faults)
	}
	s.audit()
	for what, count := range map[string]int{"payments": len(now.payments), "credits": len(now.credits), "notices": len(h.notices), "answers lost": h.unknown, "refused": h.refused} {
		r.add(what, int64(count))
	}
	return now
}

// audit runs `thungan check`, whether the gateway is running or not.
func (s *site) audit() {
	s.t.Helper()
	var out, faults bytes.Buffer
	cmd := exec.Command(program, append([]string{"check", "--json"}, s.flags...)...)
	cmd.Stdout, cmd.Stderr = &out, &faults
	failed := cmd.Run()
	var report struct {
		Checks   int
		Findings []struct{ Check, Text string }
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || report.Checks == 0 {
		s.t.Fatalf("thungan check: %v, %v\n%s\n%s", failed, err, &out, &faults)
	}
	for _, f := range report.Findings {
		s.t.Errorf("the auditor: %s: %s", f.Check, f.Text)
	}
	if len(report.Findings) > 0 || failed != nil {
		s.t.Fatalf("thungan check: %v", failed)
	}
}

// report fails the test with the first faults.
func (s *site) report(faults []string) {
	s.t.Helper()
	const shown = 20
	for _, f := range faults[:min(len(faults), shown)] {
		s.t.Error(f)
	}
	s.t.Fatalf("%d faults", len(faults))
}
