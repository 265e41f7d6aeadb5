// Package guard is the one HTTP client for every address that a merchant can
// name. It looks at the resolved address in the moment of dialling, so neither
// a DNS name nor a change of DNS leads to the inside of the operator's network.
package guard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Defaults of Options.
const (
	DefaultTimeout = 10 * time.Second
	DefaultKeep    = 1024      // bytes of the answer's body
	DefaultMaxRead = 64 * 1024 // bytes of the answer's body

	connectTimeout = 5 * time.Second
	maxHeaders     = 16 * 1024 // bytes of the answer's headers
)

// Options of a Client. The zero value is right for production.
type Options struct {
	// AllowLoopback also allows 127.0.0.0/8 and ::1, on any port, and takes
	// any certificate from there: a receiver on one's own machine has only one
	// that it made itself. For development only.
	AllowLoopback bool
	// AllowNets are networks that are allowed although they are refused by
	// default, such as a merchant system inside the same company.
	AllowNets []netip.Prefix
	// AllowPorts are ports besides 80 and 443.
	AllowPorts []uint16

	Timeout   time.Duration  // for a whole exchange; 0 is DefaultTimeout
	Keep      int            // body bytes given back; 0 is DefaultKeep
	MaxRead   int64          // body bytes read; 0 is DefaultMaxRead
	UserAgent string         // for requests that set none; "" is "Thungan"
	RootCAs   *x509.CertPool // nil is the system's
	Resolver  *net.Resolver  // nil is the system's
}

// Client sends requests. It follows no redirect, asks no proxy and keeps no
// cookie. It is safe for concurrent use and keeps connections open, so a
// program needs one.
type Client struct {
	http    http.Client
	rules   rules
	options Options
}

// Response is what came back.
type Response struct {
	Status    int
	Header    http.Header
	Body      []byte        // the first Options.Keep bytes, not decompressed
	Truncated bool          // the body had more than Body holds
	Duration  time.Duration // from the call of Do to the last byte read
}

// New makes a Client.
func New(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Keep <= 0 {
		o.Keep = DefaultKeep
	}
	if o.MaxRead <= 0 {
		o.MaxRead = DefaultMaxRead
	}
	o.MaxRead = max(o.MaxRead, int64(o.Keep))
	if o.UserAgent == "" {
		o.UserAgent = "Thungan"
	}
	c := &Client{options: o, rules: newRules(o)}
	dialer := &net.Dialer{
		Timeout:   connectTimeout,
		KeepAlive: 30 * time.Second,
		Resolver:  o.Resolver,
		Control:   c.rules.control,
	}
	transport := &http.Transport{
		Proxy:       nil, // a proxy would dial for us, past the check
		DialContext: dialer.DialContext,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			RootCAs:    o.RootCAs,
		},
		TLSHandshakeTimeout:    connectTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHeaders,
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    64, // as many as there may be: requests come in waves, and to dial costs more than to send
		MaxConnsPerHost:        64,
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true, // no room for a decompression bomb
		ForceAttemptHTTP2:      true,
	}
	if o.AllowLoopback {
		transport.DialTLSContext = trustLoopback(dialer, transport.TLSClientConfig)
	}
	c.http = http.Client{
		Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	return c
}

// trustLoopback dials TLS like config, but takes any certificate from this
// machine itself. What counts is the address that was reached, not its name.
func trustLoopback(dialer *net.Dialer, config *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		own := config.Clone()
		own.ServerName, own.NextProtos = host, []string{"h2", "http/1.1"}
		if reached, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil && reached.Addr().Unmap().IsLoopback() && config.RootCAs == nil {
			own.InsecureSkipVerify = true
		}
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		secure := tls.Client(conn, own)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return secure, nil
	}
}

// Do sends req and reads the answer, whatever its status. An error is always an
// *Error. When the exchange breaks inside the body, Response still has the
// status, the headers and what was read. ctx may end the exchange earlier than
// Options.Timeout.
func (c *Client) Do(ctx context.Context, req *http.Request) (Response, error) {
	start := time.Now() // a span on the machine's clock, not a moment in the story
	limited, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()

	out := req.Clone(limited)
	if out.Header == nil {
		out.Header = http.Header{}
	}
	if out.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", c.options.UserAgent)
	}
	res, err := c.http.Do(out)
	if err != nil {
		return Response{Duration: time.Since(start)}, classify(ctx, err)
	}
	// Closing before the end of the body ends the connection, which is what
	// an endless body deserves.
	defer res.Body.Close()

	r := Response{Status: res.StatusCode, Header: res.Header}
	r.Body, r.Truncated, err = c.readBody(res.Body)
	r.Duration = time.Since(start)
	if err != nil {
		return r, classify(ctx, err)
	}
	return r, nil
}

// readBody keeps the first bytes and reads the rest, up to a limit, only so
// that the connection can be used again.
func (c *Client) readBody(body io.Reader) (kept []byte, truncated bool, err error) {
	kept, err = io.ReadAll(io.LimitReader(body, int64(c.options.Keep)))
	if err != nil {
		return kept, true, err
	}
	rest, err := io.Copy(io.Discard, io.LimitReader(body, c.options.MaxRead-int64(len(kept))))
	if rest > 0 {
		// What comes after Keep is not ours; neither is its failure.
		return kept, true, nil
	}
	return kept, false, err
}

// CloseIdle closes the connections that wait for the next request.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }
