package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of times in /proc (USER_HZ, 100 on every Linux).
const tick = 10 * time.Millisecond

// process is what /proc/PID/stat says of one.
type process struct {
	parent int
	own    time.Duration // CPU of itself
	ended  time.Duration // CPU of its children that have ended
}

// parseStat reads a line of proc(5)'s stat. The second field is the name, in
// brackets, and may hold anything.
func parseStat(line string) (process, error) {
	end := strings.LastIndexByte(line, ')')
	f := strings.Fields(line[end+1:])
	if end < 0 || len(f) < 15 {
		return process{}, fmt.Errorf("%q is no stat line", line)
	}
	n := make([]int64, 15)
	for _, i := range []int{1, 11, 12, 13, 14} {
		var err error
		if n[i], err = strconv.ParseInt(f[i], 10, 64); err != nil {
			return process{}, fmt.Errorf("%q is no stat line: %w", line, err)
		}
	}
	return process{parent: int(n[1]), own: time.Duration(n[11]+n[12]) * tick, ended: time.Duration(n[13]+n[14]) * tick}, nil
}

func readProcess(pid int) (process, error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	return parseStat(string(line))
}

// cpuOfFamily is the CPU of a process and its children, those that have ended
// included.
func cpuOfFamily(pid int) (time.Duration, error) {
	first, err := readProcess(pid)
	if err != nil {
		return 0, err
	}
	sum := first.own + first.ended
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, stat := range all {
		line, err := os.ReadFile(stat)
		if err != nil {
			continue // it has just ended
		}
		if p, err := parseStat(string(line)); err == nil && p.parent == pid {
			sum += p.own + p.ended
		}
	}
	return sum, nil
}

// cpuOfTree is the CPU of a process and all below it, of those too that have
// ended and were waited for.
func cpuOfTree(pid int) (time.Duration, error) {
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	used, children := map[int]time.Duration{}, map[int][]int{}
	for _, stat := range all {
		line, err := os.ReadFile(stat)
		if err != nil {
			continue // it has just ended
		}
		p, err := parseStat(string(line))
		id, fault := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if err == nil && fault == nil {
			used[id] = p.own + p.ended
			children[p.parent] = append(children[p.parent], id)
		}
	}
	sum := time.Duration(0)
	for next := []int{pid}; len(next) > 0; next = next[1:] {
		sum += used[next[0]]
		next = append(next, children[next[0]]...)
	}
	return sum, nil
}

// othersDuring runs fn and says which part of the machine's CPU was used
// meanwhile by anybody but this process and those below it. The kernel's own
// threads count as others.
func othersDuring(fn func() error) (float64, error) {
	before, err := readShares()
	if err != nil {
		return 0, err
	}
	own, err := cpuOfTree(os.Getpid())
	if err != nil {
		return 0, err
	}
	if err := fn(); err != nil {
		return 0, err
	}
	used, err := cpuOfTree(os.Getpid())
	if err != nil {
		return 0, err
	}
	after, err := readShares()
	all := float64(after.all - before.all)
	if err != nil || all <= 0 {
		return 0, err
	}
	busy := all - float64(after.idle-before.idle)
	return max(0, busy-float64((used-own)/tick)) / all, nil
}

// numberIn finds "name: 123 kB" or "name: 123" in a file of /proc.
func numberIn(path, name string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strconv.ParseInt(strings.Fields(value)[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s says no %s", path, name)
}

// written is how many bytes a process has sent towards the disk.
func written(pid int) (int64, error) {
	return numberIn(fmt.Sprintf("/proc/%d/io", pid), "write_bytes")
}

// memory is a process's resident memory, now and at its most, in bytes.
func memory(pid int) (now, most int64, err error) {
	path := fmt.Sprintf("/proc/%d/status", pid)
	if now, err = numberIn(path, "VmRSS"); err != nil {
		return 0, 0, err
	}
	most, err = numberIn(path, "VmHWM")
	return now << 10, most << 10, err
}

// shares are the machine's CPU times so far, in ticks.
type shares struct{ idle, all int64 }

// parseShares reads the first line of proc(5)'s /proc/stat. Waiting for a disk
// is idle too.
func parseShares(text string) (shares, error) {
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(line)
	if len(f) < 6 || f[0] != "cpu" {
		return shares{}, fmt.Errorf("%q are no CPU times", line)
	}
	var s shares
	for i, field := range f[1:min(len(f), 9)] { // guest times are in user's already
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return shares{}, fmt.Errorf("%q are no CPU times: %w", line, err)
		}
		s.all += n
		if i == 3 || i == 4 {
			s.idle += n
		}
	}
	return s, nil
}

func readShares() (shares, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return shares{}, err
	}
	return parseShares(string(text))
}

// quietShare of the machine's CPU has to be idle before a cell begins.
const quietShare = 0.9

// awaitQuiet waits, at most for limit, until the machine was idle for a second.
// It says whether it was. With a negative limit it does not even look.
func awaitQuiet(ctx context.Context, limit time.Duration) (bool, error) {
	if limit < 0 {
		return false, nil
	}
	for deadline := time.Now().Add(limit); ; {
		before, err := readShares()
		if err != nil {
			return false, err
		}
		if err := pause(ctx, time.Second); err != nil {
			return false, err
		}
		after, err := readShares()
		if err != nil {
			return false, err
		}
		if all := after.all - before.all; all > 0 && float64(after.idle-before.idle) > quietShare*float64(all) {
			return true, nil
		}
		if time.Now().After(deadline) {
			return false, nil
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// filesystems are names of statfs(2)'s f_type.
var filesystems = map[int64]string{
	0xef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x2fc12fc1: "zfs", 0xf2f52010: "f2fs",
	0x794c7630: "overlayfs", 0x6969: "nfs", 0x01021994: "tmpfs", 0x858458f6: "ramfs",
}

// filesystem names what a folder lies on. It is an error if that is memory:
// there is nothing durable about it.
func filesystem(folder string) (string, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return "", err
	}
	name, known := filesystems[s.Type]
	switch {
	case name == "tmpfs" || name == "ramfs":
		return "", fmt.Errorf("the temporary folder lies in memory (%s): set TMPDIR to a folder on a disk", name)
	case !known:
		name = fmt.Sprintf("filesystem %#x", s.Type)
	}
	return name, nil
}
