package checkout

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/payment"
)

// listener reads a live status.
type listener struct {
	t     *testing.T
	lines chan string // closed at the end of the stream
}

// listen opens the live status at an address of a server; it ends with the test.
func listen(t *testing.T, address string) *listener {
	t.Helper()
	return listenAfter(t, address, "")
}

// listenAfter is listen of a browser that has lost the stream after the message
// with an id.
func listenAfter(t *testing.T, address, id string) *listener {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if id != "" {
		r.Header.Set("Last-Event-ID", id)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" || answer.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", answer.StatusCode, answer.Header)
	}
	l := &listener{t: t, lines: make(chan string, 64)}
	go func() {
		defer close(l.lines)
		in := bufio.NewScanner(answer.Body)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			select {
			case l.lines <- in.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return l
}

// line returns the next line that is not empty, and false at the end.
func (l *listener) line() (string, bool) {
	l.t.Helper()
	for {
		select {
		case line, ok := <-l.lines:
			if line != "" || !ok {
				return line, ok
			}
		case <-time.After(15 * time.Second):
			l.t.Fatal("the live status is silent")
		}
	}
}

// update returns the next message; heartbeats are passed over.
func (l *listener) update() update {
	l.t.Helper()
	for {
		line, ok := l.line()
		if !ok {
			l.t.Fatal("the live status has ended")
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var u update
		if err := json.Unmarshal([]byte(data), &u); err != nil {
			l.t.Fatal(err)
		}
		return u
	}
}

func (l *listener) wantEnd() {
	l.t.Helper()
	for {
		if line, ok := l.line(); !ok {
			return
		} else if strings.HasPrefix(line, "data:") {
			l.t.Errorf("a message after the last: %.80s", line)
		}
	}
}

func TestLiveStatus(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		server := httptest.NewServer(s.pages)
		t.Cleanup(server.Close)
		p := s.open(200000, "Đơn 1/2")
		live := listen(t, server.URL+s.address(p, "/events"))

		first := live.update()
		if first.Version != "1" || first.Closed || !strings.Contains(first.HTML, p.Transfer.Memo()) || strings.Contains(first.HTML, "<html") {
			t.Errorf("%.300v", first)
		}
		s.Pay(p, 50000)
		part := live.update()
		if part.Closed || part.Say != "Đã nhận 50.000\u00a0₫, còn thiếu 150.000\u00a0₫" || !strings.Contains(part.HTML, "150.000\u00a0₫") || !strings.Contains(part.Title, "150.000\u00a0₫") {
			t.Errorf("%.300v", part)
		}
		s.Pay(p, 150000)
		last := live.update()
		if !last.Closed || last.Say != "Thanh toán thành công" || !strings.Contains(last.HTML, `data-after="5"`) || !strings.Contains(last.HTML, "https://shop.example.test/ok") {
			t.Errorf("%.300v", last)
		}
		live.wantEnd()
		readHTML(t, last.HTML)

		// A payment that has closed is told once.
		again := listen(t, server.URL+s.address(p, "/events"))
		if u := again.update(); !u.Closed {
			t.Errorf("%.300v", u)
		}
		again.wantEnd()
	})
}

// What the page shows already is not sent again, to begin with or after the
// connection was lost; anything else that is said to be seen counts for nothing.
func TestLiveStatusOfWhatIsSeen(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		server := httptest.NewServer(s.pages)
		t.Cleanup(server.Close)
		p := s.open(1000, "")
		address := server.URL + s.address(p, "/events")
		for query, sent := range map[string]bool{"": true, "&seen=": true, "&seen=0": true, "&seen=01": true, "&seen=%ff": true, "&seen=1": false} {
			if u := listen(t, address+query).update(); u.Version != "1" || u.Closed || (u.HTML != "") != sent {
				t.Errorf("%q: %.300v", query, u)
			}
		}
		live := listen(t, address+"&seen=1")
		live.update()
		s.Pay(p, 400)
		part := live.update()
		if part.Version != "2" || part.HTML == "" {
			t.Errorf("%.300v", part)
		}
		// The browser's own word is newer than the address.
		if u := listenAfter(t, address+"&seen=1", "2").update(); u.Version != "2" || u.HTML != "" {
			t.Errorf("%.300v", u)
		}
		s.Pay(p, 600)
		last := live.update()
		if !last.Closed || last.HTML == "" {
			t.Errorf("%.300v", last)
		}
		// The end is told in any case, or the browser would ask for ever.
		again := listenAfter(t, address, last.Version)
		if u := again.update(); !u.Closed || u.HTML != "" {
			t.Errorf("%.300v", u)
		}
		again.wantEnd()
	})
}

func TestLiveStatusOfExpiry(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		server := httptest.NewServer(s.pages)
		t.Cleanup(server.Close)
		p := s.open(1000, "")
		live := listen(t, server.URL+s.address(p, "/events")+"&lang=en")
		live.update()
		s.Advance(31 * time.Minute)
		s.ExpireDue()
		if u := live.update(); !u.Closed || u.Say != "The time to pay has run out" {
			t.Errorf("%.300v", u)
		}
		live.wantEnd()
	})
}

// The stream outlives the server's limits for short answers, and beats every
// fifteen seconds meanwhile.
func TestHeartbeat(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		const limit = 100 * time.Millisecond
		server := httptest.NewUnstartedServer(s.pages)
		server.Config.ReadTimeout, server.Config.WriteTimeout = limit, limit
		server.Start()
		t.Cleanup(server.Close)
		p := s.open(1000, "")
		live := listen(t, server.URL+s.address(p, "/events"))
		live.update()
		manual := s.Clock.(*clock.Manual)
		for start := time.Now(); time.Since(start) < 5*limit; {
			manual.Advance(heartbeat)
			line, ok := live.line()
			if !ok || line != ": still here" {
				t.Fatalf("%q, %v", line, ok)
			}
			// The next beat is asked for before the last one is written.
			if manual.Waiting() == 0 {
				t.Fatal("no next heartbeat")
			}
		}
		if _, err := s.Core.Cancel(t.Context(), p.ID, "merchant", ""); err != nil {
			t.Fatal(err)
		}
		for {
			if u := live.update(); u.Closed {
				break
			}
		}
		live.wantEnd()
	})
}

// A stream does not hold up the server's shutdown.
func TestLiveStatusEndsWithTheServer(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		served := make(chan error, 1)
		go func() {
			served <- httpx.Serve(ctx, httpx.NewServer(s.pages, slog.New(slog.DiscardHandler)), ln, 10*time.Second)
		}()
		p := s.open(1000, "")
		live := listen(t, "http://"+ln.Addr().String()+s.address(p, "/events"))
		live.update()
		stop()
		live.wantEnd()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if s.Reload(p).State != payment.Open {
			t.Error("the end of a stream changed the payment")
		}
	})
}

func TestLiveStatusByHEAD(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		server := httptest.NewServer(s.pages)
		t.Cleanup(server.Close)
		answer, err := http.Head(server.URL + s.address(s.open(1000, ""), "/events"))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != 200 {
			t.Error(answer.StatusCode)
		}
	})
}
