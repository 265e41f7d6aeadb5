package crash

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// line is a proxy between a gateway and its PostgreSQL that breaks the connection at the n-th message of the gateway:
// before the server has it, or after, so that the answer is lost.
type line struct {
	t      *testing.T
	socket string // of the server
	ln     net.Listener
	work   sync.WaitGroup

	mu     sync.Mutex
	count  int // messages since it was armed
	at     int // which of them breaks; 0 is none
	after  bool
	down   bool // from then on nobody gets through
	fired  int
	open   map[net.Conn]bool
	closed bool
}

// newLine lays a line to the server of a URL, and gives the URL of its near end.
func newLine(t *testing.T, database string) (*line, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	l := &line{t: t, socket: filepath.Join(q.Get("host"), ".s.PGSQL."+q.Get("port")), open: map[net.Conn]bool{}}
	if l.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(l.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	u.RawQuery = url.Values{"host": {host}, "port": {port}, "sslmode": {"disable"}}.Encode()
	l.work.Go(l.accept)
	t.Cleanup(l.close)
	return l, u.String()
}

func (l *line) close() {
	l.mu.Lock()
	l.closed = true
	for c := range l.open {
		c.Close()
	}
	l.mu.Unlock()
	l.ln.Close()
	l.work.Wait()
}

// arm breaks the line at the n-th message from now.
func (l *line) arm(n int, after, down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count, l.fired, l.at, l.after, l.down = 0, 0, n, after, down
}

// heal ends the faults and says how many there were.
func (l *line) heal() (fired int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = 0
	return l.fired
}

func (l *line) hasFired() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fired > 0
}

func (l *line) accept() {
	for {
		near, err := l.ln.Accept()
		if err != nil {
			return // closed
		}
		far, err := net.Dial("unix", l.socket)
		if err != nil || !l.keep(near, far) {
			near.Close()
			if err == nil {
				far.Close()
			}
			continue
		}
		l.work.Go(func() {
			defer l.drop(near, far)
			_, _ = io.Copy(near, far) // it ends when either end does
		})
		l.work.Go(func() {
			defer l.drop(near, far)
			l.pass(near, far)
		})
	}
}

// keep remembers a connection, unless nobody gets through.
func (l *line) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.at > 0 && l.down && l.fired > 0 {
		return false
	}
	for _, c := range conns {
		l.open[c] = true
	}
	return true
}

func (l *line) drop(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(l.open, c)
	}
}

// pass hands the gateway's messages on. The first has no letter: length and parameters. All others have a letter and
// a length that counts itself.
func (l *line) pass(near, far net.Conn) {
	for first := true; ; first = false {
		header := make([]byte, 5)
		if first {
			header = header[:4]
		}
		if _, err := io.ReadFull(near, header); err != nil {
			return
		}
		size := binary.BigEndian.Uint32(header[len(header)-4:])
		if size < 4 || size > 64<<20 {
			l.t.Errorf("a message of %d bytes", size)
			return
		}
		message := append(header, make([]byte, size-4)...)
		if _, err := io.ReadFull(near, message[len(header):]); err != nil {
			return
		}
		breaks, after := l.next(first)
		if breaks && !after {
			return
		}
		if breaks {
			near.Close() // the server gets the message, and its answer goes nowhere
		}
		if _, err := far.Write(message); err != nil || breaks {
			if breaks {
				// The server has to read it before it sees that nobody is there.
				_ = far.(*net.UnixConn).CloseWrite()
				_ = far.SetReadDeadline(time.Now().Add(time.Second))
				_, _ = io.Copy(io.Discard, far)
			}
			return
		}
	}
}

// next counts a message and says whether the line breaks at it.
func (l *line) next(first bool) (breaks, after bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == 0 || first {
		return false, false
	}
	l.count++
	if l.count < l.at || l.count > l.at && !l.down {
		return false, false
	}
	l.fired++
	return true, l.after
}

// TestNthMessageFails breaks the gateway's connection to PostgreSQL at the n-th message, n = 1, 2, 3 ... until a story
// has no more of them: before the server has the message or after, once or until somebody mends the line. Commits are
// messages like any other, so some are lost before they happen, and of some only the answer is.
func TestNthMessageFails(t *testing.T) {
	t.Parallel()
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		r := newTrial(t, 60)
		s := newSite(t, durable(t))
		line, near := newLine(t, s.database())
		s.serving = []string{"--database", near}
		n := s.start()
		l := quiet(s, n)
		at, clean := 1, 0
		for round := range r.rounds {
			down := r.random.IntN(2) == 0
			line.arm(at, r.random.IntN(2) == 0, down)
			mended, done := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(mended)
				for !line.hasFired() {
					select {
					case <-done:
						return
					case <-time.After(2 * time.Millisecond):
					}
				}
				if down {
					s.refusesCleanly(l)
					line.heal()
				}
			}()
			l.story(strconv.Itoa(round), r.random)
			close(done)
			<-mended
			fired := line.heal()
			r.add("faults", int64(fired))
			if fired > 0 {
				clean = 0
				at++
				if !r.full {
					at += r.random.IntN(8) // not each of them
				}
				r.most("n", int64(at))
				continue
			}
			// A worker may have spoken in between; three stories in a row are believed.
			if clean++; clean == 3 {
				r.add("times through to a clean run", 1)
				at, clean = 1, 0
			}
		}
		s.verdict(r, n, l.finish())
	})
}
