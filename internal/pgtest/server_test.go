package pgtest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

// recovered is what the server's log says after a start that had to recover from the write-ahead log.
const recovered = "database system was not properly shut down; automatic recovery in progress"

func TestServerKeepsWhatItCommitted(t *testing.T) {
	tests := []struct {
		name     string
		end      func(*Server) error
		recovers bool
	}{
		{"kill", (*Server).Kill, true},
		{"stop at once", func(s *Server) error { return s.Stop(Immediate) }, true},
		{"stop fast", func(s *Server) error { return s.Stop(Fast) }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := NewServer(t, true)
			conn := connect(t, server.URL())
			execAll(t, conn, "CREATE TABLE payment (id TEXT)", "INSERT INTO payment VALUES ('committed')",
				"BEGIN", "INSERT INTO payment VALUES ('left open')")
			processes, err := children(server.pid)
			if err != nil || len(processes) == 0 {
				t.Fatalf("the server's processes: %v, %v", processes, err)
			}
			processes = append(processes, server.pid)

			if err := test.end(server); err != nil {
				t.Fatal(err)
			}
			for _, pid := range processes {
				if alive(pid) {
					t.Errorf("process %d of %v is still alive", pid, processes)
				}
			}
			if _, err := pgx.Connect(t.Context(), server.URL()); err == nil {
				t.Error("the server still answers")
			}

			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			rows := queryText(t, connect(t, server.URL()), "SELECT string_agg(id, ',') FROM payment")
			if rows != "committed" {
				t.Errorf("after the restart the table holds %q", rows)
			}
			if got := strings.Contains(readFile(t, server.logFile()), recovered); got != test.recovers {
				t.Errorf("recovered from the log: %v, want %v", got, test.recovers)
			}
		})
	}
}

func TestServerSafety(t *testing.T) {
	for durable, want := range map[bool]string{true: "on", false: "off"} {
		conn := connect(t, NewServer(t, durable).URL())
		for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
			if got := queryText(t, conn, "SHOW "+setting); got != want {
				t.Errorf("durable %v: %s is %s", durable, setting, got)
			}
		}
		if got := queryText(t, conn, "SHOW listen_addresses"); got != "" {
			t.Errorf("the server listens on %s", got)
		}
	}
}

func TestServerCallsOutOfTurn(t *testing.T) {
	server, err := Launch(false)
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name string
		call func() error
	}{
		{"start while it runs", server.Start},
		{"stop", func() error { return server.Stop(Fast) }},
		{"stop again", func() error { return server.Stop(Immediate) }},
		{"kill while stopped", server.Kill},
		{"start", server.Start},
		{"close", server.Close},
		{"close again", server.Close},
	}
	for _, step := range steps {
		if err := step.call(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
	}
	if _, err := os.Stat(server.folder); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	if err := server.Start(); err == nil {
		t.Error("a closed server started")
	}
}

func TestServerSaysWhyItDoesNotStart(t *testing.T) {
	server := NewServer(t, false)
	if err := server.Stop(Fast); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(server.dataFolder(), "global", "pg_control")); err != nil {
		t.Fatal(err)
	}
	err := server.Start()
	if err == nil || !strings.Contains(err.Error(), "could not find the database system") {
		t.Errorf("error %v", err)
	}
}

// Tests that watch for leaked goroutines use these servers too.
func TestServerNeedsNoGoroutine(t *testing.T) {
	before := goleak.IgnoreCurrent()
	server, err := Launch(false)
	if err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
}

// envHolder makes this test binary a process that starts a server, says where, and waits to be killed.
const envHolder = "THUNGAN_TEST_HOLD_SERVER"

func TestServerEndsWithItsProcess(t *testing.T) {
	if os.Getenv(envHolder) != "" {
		holdServer(t)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerEndsWithItsProcess$")
	cmd.Env = append(os.Environ(), envHolder+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	number, folder, _ := strings.Cut(strings.TrimSpace(line), " ")
	pid, err := strconv.Atoi(number)
	if err != nil || !alive(pid) {
		t.Fatalf("the process said %q: %v", line, err)
	}

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the killed process ended well")
	}
	err = waitFor(30*time.Second, func() (bool, error) {
		_, err := os.Stat(folder)
		return os.IsNotExist(err) && !alive(pid), nil
	})
	if err != nil {
		t.Errorf("the server (process %d, folder %s) outlived its process: %v", pid, folder, err)
	}
}

func holdServer(t *testing.T) {
	server, err := Launch(false)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(server.pid, server.folder)
	select {}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
