package pgtest

import (
	"fmt"
	"io"
	"os/exec"
	"syscall"
)

// watchdogScript reads the server's process id, or an empty line for none, from a pipe that only this process holds
// open. At the end of the input, which comes whatever way this process ends, it ends the server and
// removes its folder.
const watchdogScript = `
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
	kill -QUIT "$pid" 2>/dev/null
	tries=0
	while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	[ "$tries" -lt 100 ] || kill -KILL "$pid"
fi
rm -rf -- "$1"
`

// watchdog is a small process that outlives this one. A parent-death signal would not do: it could not remove the
// folder, and it comes when the starting thread ends.
type watchdog struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

func watch(folder string) (*watchdog, error) {
	cmd := exec.Command("/bin/sh", "-c", watchdogScript, "thungan-pg-watchdog", folder)
	cmd.Dir = "/"
	// A session of its own: what ends the tests by a signal to their group must not end it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the watchdog: %w", err)
	}
	return &watchdog{cmd: cmd, in: in}, nil
}

// guard tells the watchdog which process to end; 0 for none.
func (w *watchdog) guard(pid int) {
	line := "\n"
	if pid != 0 {
		line = fmt.Sprintln(pid)
	}
	// It can fail only when somebody ended the watchdog, and release reports that.
	_, _ = io.WriteString(w.in, line)
}

// release lets the watchdog do its work now, and waits for it. A second call does nothing.
func (w *watchdog) release() error {
	if w.cmd.ProcessState != nil {
		return nil
	}
	w.in.Close()
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("the watchdog that removes the server's folder: %w", err)
	}
	return nil
}
