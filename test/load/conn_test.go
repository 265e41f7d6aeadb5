package load

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

// script is a connection that says what it is given and hears nothing.
type script struct {
	net.Conn
	io.Reader
}

func (s script) Read(b []byte) (int, error) { return s.Reader.Read(b) }

func saying(text string) *Conn { return NewConn(script{Reader: strings.NewReader(text)}) }

const twoAnswers = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"result\":\"SUCCESS\"}" +
	"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n4;x=y\r\nbusy\r\nA\r\n, very bus\r\n0\r\nTrailer: x\r\n\r\n"

func checkTwo(t interface {
	Helper()
	Errorf(string, ...any)
}, c *Conn) {
	t.Helper()
	first, err := c.ReadResponse()
	if err != nil || first.Status != 200 || string(first.Body) != `{"result":"SUCCESS"}` || first.Close {
		t.Errorf("first: %+v %q %v", first, first.Body, err)
	}
	second, err := c.ReadResponse()
	if err != nil || second.Status != 503 || string(second.Body) != "busy, very bus" || !second.Close {
		t.Errorf("second: %+v %q %v", second, second.Body, err)
	}
	if _, err := c.ReadResponse(); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
}

// Two answers in one read: what is left of the first read is the second answer.
func TestAnswersInOneRead(t *testing.T) { checkTwo(t, saying(twoAnswers)) }

func TestAnswersByteByByte(t *testing.T) {
	checkTwo(t, NewConn(script{Reader: iotest.OneByteReader(strings.NewReader(twoAnswers))}))
}

func TestAnswersInPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var pieces []io.Reader
		for rest := twoAnswers; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			pieces = append(pieces, strings.NewReader(rest[:n]))
			rest = rest[n:]
		}
		checkTwo(t, NewConn(script{Reader: io.MultiReader(pieces...)}))
	})
}

// A body that does not fit into the buffer leaves the first line whole.
func TestLongBody(t *testing.T) {
	body := strings.Repeat("x", 100_000)
	c := saying("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body + "HTTP/1.1 204 No Content\r\n\r\n")
	m, err := c.ReadResponse()
	if err != nil || string(m.Body) != body || string(m.First) != "HTTP/1.1 200 OK" {
		t.Fatalf("%q, %d bytes, %v", m.First, len(m.Body), err)
	}
	if m, err = c.ReadResponse(); err != nil || m.Status != 204 || len(m.Body) != 0 {
		t.Errorf("%+v %v", m, err)
	}
}

func TestRefusesBadAnswers(t *testing.T) {
	tests := map[string]string{
		"not HTTP":              "SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"no status":             "HTTP/1.1 OK\r\n\r\n",
		"interim status":        "HTTP/1.1 100 Continue\r\n\r\n",
		"empty first line":      "\r\nHTTP/1.1 200 OK\r\n\r\n",
		"no field":              "HTTP/1.1 200 OK\r\nContent-Length\r\n\r\n",
		"negative length":       "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"no length":             "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
		"two lengths":           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"huge length":           "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
		"length and chunks":     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"unknown coding":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"chunk without length":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
		"chunk that is longer":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
		"chunk that is huge":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\nabc",
		"endless head":          "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxHead),
		"endless line of chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("0", 2*maxHead),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := saying(text).ReadResponse()
			if err == nil || errors.Is(err, io.EOF) {
				t.Errorf("%+v %v", m, err)
			}
		})
	}
}

// An end in the middle of an answer is told from one between two answers.
func TestBrokenOff(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	} {
		for n := 1; n < len(answer); n++ {
			if _, err := saying(answer[:n]).ReadResponse(); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("after %q: %v", answer[:n], err)
			}
		}
	}
}

func TestReadMessageOfRequest(t *testing.T) {
	c := saying("POST /ipn HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}GET /count HTTP/1.1\r\n\r\n")
	m, err := c.ReadMessage()
	if err != nil || string(m.First) != "POST /ipn HTTP/1.1" || string(m.Body) != "{}" {
		t.Errorf("%q %q %v", m.First, m.Body, err)
	}
	if m, err = c.ReadMessage(); err != nil || string(m.First) != "GET /count HTTP/1.1" || len(m.Body) != 0 {
		t.Errorf("%q %q %v", m.First, m.Body, err)
	}
}

func TestDialsLoopbackOnly(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1", "localhost:80", "192.0.2.1:80", "[2001:db8::1]:80", "0.0.0.0:80", "10.0.0.1:80"} {
		if c, err := Dial(address, time.Now().Add(time.Second)); err == nil {
			t.Errorf("dialled %q", address)
			c.Close()
		}
	}
	for _, address := range []string{"127.0.0.1:80", "127.1.2.3:8080", "[::1]:443"} {
		if err := CheckLoopback(address); err != nil {
			t.Error(err)
		}
	}
}

func FuzzReadResponse(f *testing.F) {
	f.Add(twoAnswers)
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell")
	f.Fuzz(func(t *testing.T, text string) {
		c := saying(text)
		for range len(text) + 1 {
			m, err := c.ReadResponse()
			if err != nil {
				return
			}
			if m.Status < 200 || m.Status > 999 || len(m.Body) > len(text) {
				t.Fatalf("%+v", m)
			}
		}
		t.Fatal("more answers than bytes")
	})
}
