package httpx

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// slowWriter is a log file whose writes wait until they are let go.
type slowWriter struct {
	let    chan struct{}
	writes []string
}

func (w *slowWriter) Write(p []byte) (int, error) {
	<-w.let
	w.writes = append(w.writes, string(p))
	return len(p), nil
}

// The first line goes out alone; those that come meanwhile are one write.
func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &slowWriter{let: make(chan struct{})}
		b := NewBatch(out)
		fmt.Fprintln(b, "one")
		synctest.Wait() // its write is under way
		fmt.Fprintln(b, "two")
		fmt.Fprintln(b, "three")
		close(out.let)
		b.Flush()
		if got := strings.Join(out.writes, "|"); got != "one\n|two\nthree\n" {
			t.Errorf("%q", got)
		}
	})
}

// Whoever logs faster than the disk takes it waits, and nothing is lost.
func TestBatchIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &slowWriter{let: make(chan struct{})}
		b := NewBatch(out)
		line := bytes.Repeat([]byte("x"), batchMost/2)
		taken := 0
		go func() {
			for range 10 {
				_, _ = b.Write(line)
				taken++
			}
		}()
		synctest.Wait()
		if taken > 6 { // what is being written, and as much again
			t.Errorf("%d lines of half the bound were taken while none was written", taken)
		}
		close(out.let)
		synctest.Wait()
		b.Flush()
		if n := len(strings.Join(out.writes, "")); n != 10*len(line) {
			t.Errorf("%d bytes of %d", n, 10*len(line))
		}
	})
}

// Lines of many stay whole.
func TestBatchKeepsLinesWhole(t *testing.T) {
	var out bytes.Buffer
	b := NewBatch(&out)
	var writers sync.WaitGroup
	for n := range 16 {
		writers.Go(func() {
			for range 200 {
				fmt.Fprintf(b, "%s\n", strings.Repeat(string(rune('a'+n)), 50))
			}
		})
	}
	writers.Wait()
	b.Flush()
	lines := 0
	for line := range strings.Lines(out.String()) {
		lines++
		if strings.Trim(line, line[:1]) != "\n" || len(line) != 51 {
			t.Fatalf("%q", line)
		}
	}
	if lines != 16*200 {
		t.Errorf("%d lines", lines)
	}
}
