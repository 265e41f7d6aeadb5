package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Bounds of what is read.
const (
	maxHead = 16 << 10
	maxBody = 4 << 20
)

// Conn is one keep-alive connection of HTTP/1.1, as client or as server. It
// knows no more of the protocol than Go's servers and clients say: Content-Length,
// chunked bodies, Connection: close. net/http's own client would take as much
// CPU as the server that is measured.
type Conn struct {
	raw        net.Conn
	buf        []byte
	start, end int // of what was read and not yet used
	body       []byte
}

// Dial connects to a loopback address. Everything on the connection has to be
// over at the deadline.
func Dial(address string, deadline time.Time) (*Conn, error) {
	if err := CheckLoopback(address); err != nil {
		return nil, err
	}
	dialer := net.Dialer{Deadline: deadline}
	raw, err := dialer.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return NewConn(raw), raw.SetDeadline(deadline)
}

// NewConn speaks over an open connection.
func NewConn(raw net.Conn) *Conn { return &Conn{raw: raw, buf: make([]byte, 4096)} }

// Close closes the connection.
func (c *Conn) Close() error { return c.raw.Close() }

// Write sends bytes.
func (c *Conn) Write(b []byte) (int, error) { return c.raw.Write(b) }

// Message is a request or response as it came.
type Message struct {
	Status int    // of a response
	First  []byte // the first line; good until the next message
	Body   []byte // good until the next message
	Close  bool   // the sender closes the connection after it
}

// Do sends a request and reads its response.
func (c *Conn) Do(request []byte) (Message, error) {
	if _, err := c.raw.Write(request); err != nil {
		return Message{}, err
	}
	return c.ReadResponse()
}

// ReadResponse reads one response, 100 Continue and the like excluded.
func (c *Conn) ReadResponse() (Message, error) {
	m, err := c.ReadMessage()
	if err != nil {
		return m, err
	}
	// HTTP/1.1 200 OK
	version, rest, _ := bytes.Cut(m.First, []byte(" "))
	if !bytes.HasPrefix(version, []byte("HTTP/1.")) || len(rest) < 3 {
		return m, fmt.Errorf("%q is no status line", m.First)
	}
	if m.Status, err = strconv.Atoi(string(rest[:3])); err != nil || m.Status < 200 {
		return m, fmt.Errorf("%q has no final status", m.First)
	}
	return m, nil
}

// ReadMessage reads one request or response. At the end of the connection,
// between two messages, the error is io.EOF.
func (c *Conn) ReadMessage() (Message, error) {
	size, err := c.head()
	if err != nil {
		return Message{}, err
	}
	h, err := parseHead(c.buf[c.start : c.start+size])
	if err != nil {
		return Message{}, err
	}
	m := Message{Close: h.close}
	if h.chunked {
		// The first line moves when more is read, so it is kept apart.
		first := bytes.Clone(h.first)
		c.start += size
		m.Body, err = c.chunks()
		m.First = first
		return m, err
	}
	if err := c.need(size + h.length); err != nil {
		return Message{}, unexpected(err)
	}
	all := c.buf[c.start : c.start+size+h.length]
	m.First, m.Body = all[:len(h.first)], all[size:]
	c.start += size + h.length
	return m, nil
}

// head reads until a whole head is there, and returns its length.
func (c *Conn) head() (int, error) {
	for searched := 0; ; {
		have := c.buf[c.start:c.end]
		from := max(0, searched-3)
		if at := bytes.Index(have[from:], []byte("\r\n\r\n")); at >= 0 {
			return from + at + 4, nil
		}
		searched = len(have)
		if searched > maxHead {
			return 0, fmt.Errorf("the head is longer than %d bytes", maxHead)
		}
		if err := c.need(searched + 1); err != nil {
			if searched > 0 {
				err = unexpected(err)
			}
			return 0, err
		}
	}
}

// need reads until n bytes are there.
func (c *Conn) need(n int) error {
	if c.start == c.end {
		c.start, c.end = 0, 0
	}
	if c.start+n > len(c.buf) {
		to := c.buf
		if n > len(to) {
			to = make([]byte, max(n, 2*len(c.buf)))
		}
		c.end = copy(to, c.buf[c.start:c.end])
		c.start, c.buf = 0, to
	}
	for c.end-c.start < n {
		got, err := c.raw.Read(c.buf[c.end:])
		c.end += got
		if err != nil && c.end-c.start < n {
			return err
		}
	}
	return nil
}

// unexpected marks an end in the middle of a message.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// chunks reads a chunked body (RFC 9112, 7.1). Trailers are passed over.
func (c *Conn) chunks() ([]byte, error) {
	c.body = c.body[:0]
	for {
		line, err := c.line()
		if err != nil {
			return nil, err
		}
		digits, _, _ := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 31)
		if err != nil {
			return nil, fmt.Errorf("%q is no length of a chunk", line)
		}
		if size == 0 {
			break
		}
		if len(c.body)+int(size) > maxBody {
			return nil, errLong
		}
		if err := c.need(int(size) + 2); err != nil {
			return nil, unexpected(err)
		}
		c.body = append(c.body, c.buf[c.start:c.start+int(size)]...)
		c.start += int(size)
		if !bytes.HasPrefix(c.buf[c.start:c.end], []byte("\r\n")) {
			return nil, errors.New("a chunk is longer than it says")
		}
		c.start += 2
	}
	for {
		line, err := c.line()
		if err != nil || len(line) == 0 {
			return c.body, err
		}
	}
}

// line reads one line, without its end.
func (c *Conn) line() ([]byte, error) {
	for {
		have := c.buf[c.start:c.end]
		if at := bytes.Index(have, []byte("\r\n")); at >= 0 {
			c.start += at + 2
			return have[:at], nil
		}
		if len(have) > maxHead {
			return nil, fmt.Errorf("a line is longer than %d bytes", maxHead)
		}
		if err := c.need(len(have) + 1); err != nil {
			return nil, unexpected(err)
		}
	}
}

var errLong = fmt.Errorf("the body is longer than %d bytes", maxBody)

// header is what a head says.
type header struct {
	first   []byte
	length  int
	chunked bool
	close   bool
}

// parseHead reads a head with its empty line at the end.
func parseHead(text []byte) (header, error) {
	var h header
	first, rest, _ := bytes.Cut(text, []byte("\r\n"))
	if len(first) == 0 {
		return h, errors.New("the first line is empty")
	}
	h.first = first
	sized := false
	for len(rest) > 2 {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 {
			return h, fmt.Errorf("%q is no header field", line)
		}
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			n, err := strconv.ParseUint(string(value), 10, 31)
			if err != nil || sized && int(n) != h.length {
				return h, fmt.Errorf("Content-Length %q is not one length", value)
			}
			h.length, sized = int(n), true
			if h.length > maxBody {
				return h, errLong
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			if !bytes.EqualFold(value, []byte("chunked")) {
				return h, fmt.Errorf("Transfer-Encoding %q is not known", value)
			}
			h.chunked = true
		case bytes.EqualFold(name, []byte("Connection")):
			h.close = h.close || bytes.EqualFold(value, []byte("close"))
		}
	}
	if h.chunked && sized {
		return h, errors.New("both Content-Length and Transfer-Encoding are given")
	}
	return h, nil
}
