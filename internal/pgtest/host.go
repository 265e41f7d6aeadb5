package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// errNotInstalled is what a test says on a machine without PostgreSQL's server.
var errNotInstalled = errors.New("PostgreSQL's server isn't installed (no initdb and postgres in /usr/lib/postgresql/*/bin " +
	"or in the folder that pg_config names): run make test once, it installs it; or make deps")

// programs returns the folder of initdb and postgres. It does not look for them on PATH, which may hold wrappers.
func programs() (string, error) { return newestPrograms("/usr/lib/postgresql/*/bin", "pg_config") }

// newestPrograms looks in the folders that match pattern, .../version/bin, then in the one that pgConfig names.
func newestPrograms(pattern, pgConfig string) (string, error) {
	found, err := filepath.Glob(pattern)
	if err != nil {
		return "", err
	}
	best, bestVersion := "", -1
	for _, folder := range found {
		version, err := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
		if err == nil && version > bestVersion && hasServer(folder) {
			best, bestVersion = folder, version
		}
	}
	if best != "" {
		return best, nil
	}
	out, err := exec.Command(pgConfig, "--bindir").Output()
	if folder := strings.TrimSpace(string(out)); err == nil && hasServer(folder) {
		return folder, nil
	}
	return "", errNotInstalled
}

func hasServer(folder string) bool {
	for _, program := range []string{"initdb", "postgres"} {
		info, err := os.Stat(filepath.Join(folder, program))
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

// serverUser returns who runs the server: PostgreSQL refuses to run as root, so for root it is the user postgres
// that Debian's package made; nil means the current user.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root, and there is no user postgres to run it: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// newFolder makes the folder of a server, which only the server's user (and root) can enter.
func newFolder(owner *syscall.Credential) (string, error) {
	folder, err := os.MkdirTemp(tempRoot(owner), "thungan-pg-")
	if err != nil || owner == nil {
		return folder, err
	}
	if err := os.Chown(folder, int(owner.Uid), int(owner.Gid)); err != nil {
		return "", errors.Join(err, os.RemoveAll(folder))
	}
	return folder, nil
}

// tempRoot is the usual temporary folder, or /tmp when a server could not work in it: the name of a Unix socket is
// at most 107 bytes long, and another user must be able to reach it.
func tempRoot(owner *syscall.Credential) string {
	const longest = 60 // leaves room for our folder and for the socket's name
	root := os.TempDir()
	if len(root) > longest || !filepath.IsAbs(root) || (owner != nil && !openToAll(root)) {
		return "/tmp"
	}
	return root
}

// openToAll tells whether every user can pass through the folder.
func openToAll(folder string) bool {
	for {
		info, err := os.Stat(folder)
		if err != nil || info.Mode()&0o001 == 0 {
			return false
		}
		if folder == filepath.Dir(folder) {
			return true
		}
		folder = filepath.Dir(folder)
	}
}

// reap tells whether our child process has ended, and takes its exit status off the system's hands.
func reap(pid int) (gone bool, err error) {
	var status syscall.WaitStatus
	got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
	if errors.Is(err, syscall.EINTR) {
		return false, nil
	}
	return got == pid, err
}

// children returns the processes that pid started.
func children(pid int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, stat := range stats {
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if err != nil {
			return nil, err
		}
		if _, parent, ok := processState(child); ok && parent == pid {
			found = append(found, child)
		}
	}
	return found, nil
}

// alive tells whether the process still runs. One that only waits for its parent to notice does not.
func alive(pid int) bool {
	state, _, ok := processState(pid)
	return ok && state != "Z" && state != "X"
}

// processState reads a process's state letter and its parent, see proc(5). The line is "pid (name) state parent ...",
// and the name may hold anything.
func processState(pid int) (state string, parent int, ok bool) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0, false
	}
	end := strings.LastIndexByte(string(line), ')')
	fields := strings.Fields(string(line)[end+1:])
	if len(fields) < 2 {
		return "", 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return fields[0], parent, err == nil
}

// waitFor asks until done says yes or fails, for at most the limit.
func waitFor(limit time.Duration, done func() (bool, error)) error {
	deadline := time.Now().Add(limit)
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not done within %s", limit)
		}
		time.Sleep(pollInterval)
	}
}
