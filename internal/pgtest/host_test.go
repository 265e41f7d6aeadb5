package pgtest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// program writes an executable file.
func program(t *testing.T, content string, path ...string) {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestNewestPrograms(t *testing.T) {
	root := t.TempDir()
	pattern := filepath.Join(root, "*", "bin")
	pgConfig := filepath.Join(root, "pg_config")

	if _, err := newestPrograms(pattern, pgConfig); !errors.Is(err, errNotInstalled) {
		t.Errorf("nothing installed: error %v", err)
	}

	other := filepath.Join(root, "built", "from", "source")
	program(t, "#!/bin/sh\necho "+other+"\n", pgConfig)
	if _, err := newestPrograms(pattern, pgConfig); !errors.Is(err, errNotInstalled) {
		t.Errorf("pg_config without a server: error %v", err)
	}
	program(t, "", other, "initdb")
	program(t, "", other, "postgres")
	if got, err := newestPrograms(pattern, pgConfig); got != other {
		t.Errorf("with pg_config: %q, %v", got, err)
	}

	for _, version := range []string{"9", "15"} {
		program(t, "", root, version, "bin", "initdb")
		program(t, "", root, version, "bin", "postgres")
	}
	program(t, "", root, "16", "bin", "psql") // the client alone
	if got, err := newestPrograms(pattern, pgConfig); got != filepath.Join(root, "15", "bin") {
		t.Errorf("with versions 9, 15 and a client 16: %q, %v", got, err)
	}
}

func TestErrNotInstalledSaysWhatToDo(t *testing.T) {
	if !strings.Contains(errNotInstalled.Error(), "run make test once") {
		t.Error(errNotInstalled)
	}
}

func TestTempRoot(t *testing.T) {
	closed, err := os.MkdirTemp("/tmp", "closed-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(closed) })
	inside := filepath.Join(closed, "inside")
	if err := os.Mkdir(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	other := &syscall.Credential{Uid: 65534}
	tests := []struct {
		name, temp string
		owner      *syscall.Credential
		want       string
	}{
		{"short", closed, nil, closed},
		{"too long for a socket", "/tmp/" + strings.Repeat("long/", 20), nil, "/tmp"},
		{"relative", "here", nil, "/tmp"},
		{"closed to the server's user", closed, other, "/tmp"},
		{"inside a closed folder", inside, other, "/tmp"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("TMPDIR", test.temp)
			if got := tempRoot(test.owner); got != test.want {
				t.Errorf("tempRoot with TMPDIR %q: %q, want %q", test.temp, got, test.want)
			}
		})
	}
}

func TestProcessState(t *testing.T) {
	if state, parent, ok := processState(os.Getpid()); !ok || parent != os.Getppid() || !alive(os.Getpid()) {
		t.Errorf("this process: %q, parent %d, %v", state, parent, ok)
	}
	if alive(1 << 30) {
		t.Error("a process with an impossible number is alive")
	}
}
