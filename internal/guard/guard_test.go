package guard

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func local(t *testing.T, o Options) *Client {
	t.Helper()
	o.AllowLoopback = true
	c := New(o)
	t.Cleanup(c.CloseIdle)
	return c
}

func get(t *testing.T, c *Client, url string) (Response, error) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Do(t.Context(), req)
}

func wantKind(t *testing.T, err error, kind Kind, safe string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != kind || !strings.Contains(e.Safe(), safe) {
		t.Errorf("error %v, want kind %s with %q", err, kind, safe)
	}
}

func TestCheck(t *testing.T) {
	plain := newRules(Options{})
	for _, tc := range []struct{ addr, rule string }{
		{"8.8.8.8:443", ""},
		{"113.160.92.202:80", ""},
		{"[2001:4860:4860::8888]:443", ""},
		{"8.8.8.8:22", "port 22"},
		{"8.8.8.8:0", "port 0"},
		{"127.0.0.1:80", "loopback"},
		{"127.255.0.1:443", "loopback"},
		{"[::1]:80", "loopback"},
		{"0.0.0.0:80", "this host"},
		{"0.1.2.3:80", "this host"},
		{"[::]:80", "this host"},
		{"10.0.0.1:80", "private network"},
		{"172.16.0.1:80", "private network"},
		{"172.31.255.255:80", "private network"},
		{"172.32.0.1:80", ""},
		{"192.168.1.1:443", "private network"},
		{"[fd00:ec2::254]:80", "private network"},
		{"[fec0::1]:80", "private network"},
		{"169.254.169.254:80", "link-local"},
		{"[fe80::1]:80", "link-local"},
		{"[fe80::1%eth0]:80", "link-local"},
		{"100.64.0.1:80", "carrier-grade NAT"},
		{"100.100.100.200:80", "carrier-grade NAT"},
		{"100.128.0.1:80", ""},
		{"224.0.0.1:80", "multicast"},
		{"239.255.255.250:80", "multicast"},
		{"[ff02::1]:80", "multicast"},
		{"255.255.255.255:80", "broadcast"},
		{"[::ffff:127.0.0.1]:80", "IPv4-mapped"},
		{"[::ffff:8.8.8.8]:80", "IPv4-mapped"},
		{"[64:ff9b::7f00:1]:80", "NAT64"},
		{"[64:ff9b:1::a00:1]:80", "NAT64"},
		{"[2001:0:4136:e378::1]:80", "Teredo"},
		{"[2002:7f00:1::]:80", "6to4"},
		{"168.63.129.16:80", "cloud metadata"},
		{"192.0.0.192:80", "special purpose address"},
		{"192.0.2.1:80", "special purpose address"},
		{"198.18.0.1:80", "special purpose address"},
		{"240.0.0.1:80", "special purpose address"},
		{"[2001:db8::1]:80", "special purpose address"},
		{"[::7f00:1]:80", "special purpose address"},
		{"[100::1]:80", "special purpose address"},
	} {
		checkRule(t, plain, tc.addr, tc.rule)
	}
	dev := newRules(Options{AllowLoopback: true})
	for _, tc := range []struct{ addr, rule string }{
		{"127.0.0.1:9", ""},
		{"[::1]:65535", ""},
		{"[::ffff:127.0.0.1]:80", "IPv4-mapped"},
		{"0.0.0.0:80", "this host"},
		{"10.0.0.1:80", "private network"},
		{"8.8.8.8:8080", "port 8080"},
	} {
		checkRule(t, dev, tc.addr, tc.rule)
	}
	extra := newRules(Options{
		AllowNets:  []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd12::/16")},
		AllowPorts: []uint16{8443},
	})
	for _, tc := range []struct{ addr, rule string }{
		{"10.1.2.3:443", ""},
		{"10.1.2.3:8443", ""},
		{"[fd12::5]:80", ""},
		{"8.8.8.8:8443", ""},
		{"10.1.2.3:22", "port 22"},
		{"10.2.0.1:443", "private network"},
		{"127.0.0.1:8443", "loopback"},
	} {
		checkRule(t, extra, tc.addr, tc.rule)
	}
}

func checkRule(t *testing.T, r rules, addr, rule string) {
	t.Helper()
	network := "tcp4"
	if addr[0] == '[' {
		network = "tcp6"
	}
	err := r.control(network, addr, nil)
	if rule == "" {
		if err != nil {
			t.Errorf("%s: %v", addr, err)
		}
		return
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Rule != rule || e.Addr != netip.MustParseAddrPort(addr) {
		t.Errorf("%s: %v, want rule %q", addr, err, rule)
	}
}

func TestControlRefusesOtherNetworks(t *testing.T) {
	r := newRules(Options{AllowLoopback: true})
	for _, network := range []string{"udp4", "unix", ""} {
		if r.control(network, "8.8.8.8:443", nil) == nil {
			t.Errorf("%q passed", network)
		}
	}
	if r.control("tcp4", "nonsense", nil) == nil {
		t.Error("an address that is none passed")
	}
}

func TestCheckURL(t *testing.T) {
	c := New(Options{})
	for _, tc := range []struct{ url, rule string }{
		{"https://shop.example.vn/ipn", ""},
		{"http://shop.example.vn:80", ""},
		{"https://8.8.8.8/", ""},
		{"", "not an absolute URL"},
		{"shop.example.vn/ipn", "not an absolute URL"},
		{"https://", "not an absolute URL"},
		{"https://\x7f", "not an absolute URL"},
		{"ftp://shop.example.vn/", "scheme is not http or https"},
		{"file://host/etc/passwd", "scheme is not http or https"},
		{"https://u:p@shop.example.vn/", "user name in the URL"},
		{"https://shop.example.vn:8443/", "port 8443"},
		{"https://shop.example.vn:99999/", "port 99999"},
		{"https://10.0.0.1/", "private network"},
		{"https://[::1]/", "loopback"},
	} {
		err := c.CheckURL(tc.url)
		if tc.rule == "" {
			if err != nil {
				t.Errorf("%q: %v", tc.url, err)
			}
			continue
		}
		wantKind(t, err, Refused, tc.rule)
	}
	if err := New(Options{AllowLoopback: true}).CheckURL("http://localhost:4242/ipn"); err != nil {
		t.Error(err)
	}
}

func TestDo(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Agent", r.UserAgent())
		w.WriteHeader(http.StatusTeapot)
		w.Write(append([]byte(r.Method+" "), body...))
	})
	c := local(t, Options{UserAgent: "Thungan/1"})
	req, _ := http.NewRequest("POST", s.URL, strings.NewReader("xin chào"))
	r, err := c.Do(t.Context(), req)
	if err != nil || r.Status != http.StatusTeapot || string(r.Body) != "POST xin chào" || r.Truncated ||
		r.Header.Get("X-Agent") != "Thungan/1" || r.Duration <= 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if req.Header.Get("User-Agent") != "" {
		t.Error("Do changed the caller's request")
	}
	req.Header.Set("User-Agent", "own")
	req.Body = http.NoBody
	if r, _ := c.Do(t.Context(), req); r.Header.Get("X-Agent") != "own" {
		t.Errorf("agent %q", r.Header.Get("X-Agent"))
	}
}

func TestLoopbackIsRefusedByDefault(t *testing.T) {
	var hits atomic.Int64
	s := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	port := s.Listener.Addr().(*net.TCPAddr).Port
	_, err := get(t, New(Options{AllowPorts: []uint16{uint16(port)}}), s.URL)
	wantKind(t, err, Refused, "refused: loopback")
	_, err = get(t, New(Options{}), s.URL)
	wantKind(t, err, Refused, "refused: port")
	if hits.Load() != 0 {
		t.Error("the server was reached")
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var hits atomic.Int64
	inside := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inside.URL, http.StatusTemporaryRedirect)
	})
	r, err := get(t, local(t, Options{}), s.URL)
	if err != nil || r.Status != http.StatusTemporaryRedirect || r.Header.Get("Location") != inside.URL {
		t.Errorf("%+v, %v", r, err)
	}
	if hits.Load() != 0 {
		t.Error("the redirect was followed")
	}
}

func TestEndlessBody(t *testing.T) {
	ended := make(chan int64, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var sent int64
		for {
			n, err := w.Write(bytes.Repeat([]byte("x"), 4096))
			sent += int64(n)
			if err != nil {
				ended <- sent
				return
			}
		}
	})
	r, err := get(t, local(t, Options{}), s.URL)
	if err != nil || len(r.Body) != DefaultKeep || !r.Truncated {
		t.Errorf("%d bytes, truncated %v, %v", len(r.Body), r.Truncated, err)
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the connection stayed open")
	}
}

func TestBodyLimits(t *testing.T) {
	for _, tc := range []struct {
		size, kept int
		truncated  bool
	}{{0, 0, false}, {9, 9, false}, {10, 10, false}, {11, 10, true}, {50, 10, true}} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, tc.size)) })
		r, err := get(t, local(t, Options{Keep: 10, MaxRead: 20}), s.URL)
		if err != nil || len(r.Body) != tc.kept || r.Truncated != tc.truncated {
			t.Errorf("%d bytes: kept %d, truncated %v, %v", tc.size, len(r.Body), r.Truncated, err)
		}
	}
}

func TestTimeouts(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"slow header": func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"slow body": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "begin")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		s := serve(t, h)
		r, err := get(t, local(t, Options{Timeout: 50 * time.Millisecond}), s.URL)
		wantKind(t, err, Timeout, "in time")
		if name == "slow body" && (r.Status != 200 || string(r.Body) != "begin") {
			t.Errorf("lost what was read: %+v", r)
		}
	}
}

func TestGivenUpByCaller(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, _ := http.NewRequest("GET", s.URL, nil)
	_, err := local(t, Options{}).Do(ctx, req)
	wantKind(t, err, Other, "given up")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cause lost: %v", err)
	}
}

func TestHugeHeader(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Big", strings.Repeat("x", 100_000))
	})
	_, err := get(t, local(t, Options{}), s.URL)
	wantKind(t, err, Other, "no proper HTTP answer")
}

func TestBrokenServers(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "SSH-2.0-x\r\n\r\n")
			conn.Close()
		}
	}()
	c := local(t, Options{})
	addr := ln.Addr().String()
	_, err = get(t, c, "http://"+addr+"/?token=hidden")
	wantKind(t, err, Other, "")
	if strings.Contains(err.Error(), "hidden") {
		t.Errorf("the error shows the URL: %v", err)
	}
	_, err = get(t, c, "https://"+addr)
	wantKind(t, err, TLS, "does not speak TLS")
	ln.Close()
	_, err = get(t, c, "http://"+addr)
	wantKind(t, err, Other, "connection refused")
	_, err = get(t, c, "gopher://"+addr)
	wantKind(t, err, Other, "")
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	port := netip.MustParseAddrPort(s.Listener.Addr().String()).Port()
	inside := New(Options{AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, AllowPorts: []uint16{port}})
	t.Cleanup(inside.CloseIdle)
	_, err := get(t, inside, s.URL)
	wantKind(t, err, TLS, "issuer is not trusted")
	// In development a receiver on one's own machine has its own certificate.
	if r, err := get(t, local(t, Options{}), s.URL); err != nil || r.Status != 200 {
		t.Errorf("own certificate on loopback: %+v, %v", r, err)
	}

	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	c := local(t, Options{RootCAs: pool, Resolver: dns(netip.MustParseAddr("127.0.0.1"))})
	if r, err := get(t, c, s.URL); err != nil || r.Status != 200 {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = get(t, c, strings.Replace(s.URL, "127.0.0.1", "shop.test", 1))
	wantKind(t, err, TLS, "another host")
}

func TestNoCookiesAndOneConnection(t *testing.T) {
	var conns, cookies atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookies.Add(int64(len(r.Cookies())))
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		w.Write(make([]byte, 5000)) // more than is kept, less than is read
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c := local(t, Options{})
	for range 10 {
		if _, err := get(t, c, s.URL); err != nil {
			t.Fatal(err)
		}
	}
	if conns.Load() != 1 || cookies.Load() != 0 {
		t.Errorf("%d connections, %d cookies", conns.Load(), cookies.Load())
	}
}

func TestNoProxyFromEnvironment(t *testing.T) {
	var hits atomic.Int64
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	_, err := get(t, local(t, Options{}), "http://10.1.2.3/")
	wantKind(t, err, Refused, "address 10.1.2.3:80 refused: private network")
	if hits.Load() != 0 {
		t.Error("the proxy was asked")
	}
}

func TestNameThatLeadsInside(t *testing.T) {
	c := New(Options{Resolver: dns(netip.MustParseAddr("127.0.0.1"))})
	_, err := get(t, c, "http://innocent.test/")
	wantKind(t, err, Refused, "address 127.0.0.1:80 refused: loopback")
	c = New(Options{Resolver: dns(netip.MustParseAddr("169.254.169.254"))})
	_, err = get(t, c, "http://innocent.test/latest/meta-data")
	wantKind(t, err, Refused, "link-local")
	c = New(Options{Resolver: dns()})
	_, err = get(t, c, "http://innocent.test/")
	wantKind(t, err, Other, "host name not found")
}

// A name that leads to a good address today and inside tomorrow (DNS rebinding)
// is looked at anew each time it is dialled, however it was checked before.
func TestNameThatIsBoundAnew(t *testing.T) {
	var hits atomic.Int64
	s := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	port := uint16(s.Listener.Addr().(*net.TCPAddr).Port)
	address := netip.MustParseAddr("127.0.0.1")
	c := New(Options{
		AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, AllowPorts: []uint16{port},
		Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, server string) (net.Conn, error) {
			return dns(address).Dial(ctx, network, server)
		}},
	})
	url := "http://innocent.test:" + strconv.Itoa(int(port)) + "/"
	if err := c.CheckURL(url); err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, c, url); err != nil || hits.Load() != 1 {
		t.Fatalf("the good address: %v", err)
	}
	c.CloseIdle()
	for inside, rule := range map[string]string{"127.0.0.2": "loopback", "10.0.0.1": "private", "169.254.169.254": "link-local", "100.64.0.1": "carrier-grade", "0.0.0.0": "this host"} {
		address = netip.MustParseAddr(inside)
		_, err := get(t, c, url)
		wantKind(t, err, Refused, rule)
	}
	if hits.Load() != 1 {
		t.Error("the server inside was reached")
	}
}

// dns is a resolver that answers every A question with addrs, over a pipe.
func dns(addrs ...netip.Addr) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer ours.Close()
			for answerDNS(ours, addrs) == nil {
			}
		}()
		return theirs, nil
	}}
}

// answerDNS serves one question in the TCP form of RFC 1035, 4.2.2.
func answerDNS(conn net.Conn, addrs []netip.Addr) error {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	msg := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, msg); err != nil {
		return err
	}
	end := 12 // the question follows the header: labels, type, class
	for msg[end] != 0 {
		end += int(msg[end]) + 1
	}
	end += 5
	isA := binary.BigEndian.Uint16(msg[end-4:]) == 1
	answer := append([]byte{msg[0], msg[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, msg[12:end]...)
	if isA {
		answer[7] = byte(len(addrs))
		for _, a := range addrs {
			ip := a.As4()
			answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
			answer = append(answer, ip[:]...)
		}
	}
	out := binary.BigEndian.AppendUint16(nil, uint16(len(answer)))
	_, err := conn.Write(append(out, answer...))
	return err
}
