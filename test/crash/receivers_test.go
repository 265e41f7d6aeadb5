package crash

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// promised is how soon a notice is under way, whatever others' receivers do.
const promised = 5 * time.Second

// street is receivers of notifications of which one is well.
type street struct {
	urls   map[string]string // by kind
	ports  []string
	inside atomic.Int64 // connections to what nobody may be led to
}

// metadata is where clouds keep a machine's secrets: a favourite of those who look for a way inside.
const metadata = "http://169.254.169.254/latest/meta-data/"

func newStreet(t *testing.T) *street {
	s := &street{urls: map[string]string{"into the network": metadata + "ipn"}}
	quiet := log.New(io.Discard, "", 0)
	serve := func(kind string, secure bool, h http.HandlerFunc) {
		server := httptest.NewUnstartedServer(h)
		server.Config.ErrorLog = quiet
		if secure {
			server.TLS = &tls.Config{Certificates: []tls.Certificate{nobodysCertificate(t)}}
			server.StartTLS()
		} else {
			server.Start()
		}
		t.Cleanup(func() {
			server.CloseClientConnections()
			server.Close()
		})
		s.add(t, kind, server.URL)
	}
	// What must not be reached: it has no port that notifications may go to.
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { s.inside.Add(1) }))
	t.Cleanup(trap.Close)

	over := make(chan struct{})
	serve("slow", false, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is it seen when the sender goes
		select {
		case <-over:
		case <-time.After(30 * time.Second):
		case <-r.Context().Done():
		}
	})
	serve("endless", false, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		for text := make([]byte, 32<<10); ; {
			if _, err := w.Write(text); err != nil {
				return
			}
		}
	})
	serve("endless headers", false, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
		for i := 0; err == nil; i++ {
			_, err = fmt.Fprintf(conn, "X-%d: %s\r\n", i, strings.Repeat("x", 1000))
		}
	})
	serve("redirects to the cloud's metadata", false, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, metadata, http.StatusTemporaryRedirect)
	})
	serve("redirects inside", false, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, trap.URL, http.StatusFound) })
	serve("gone", false, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	serve("too many", false, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	serve("broken TLS", true, func(http.ResponseWriter, *http.Request) {})
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { plain.Close() })
	s.add(t, "silent", "http://"+plain.Addr().String()) // the kernel takes connections; nobody reads them
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	s.add(t, "dead", "http://"+dead.Addr().String())
	t.Cleanup(func() { close(over) }) // before the servers are closed
	return s
}

func (s *street) add(t *testing.T, kind, address string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	s.urls[kind], s.ports = address+"/ipn", append(s.ports, u.Port())
}

// TestReceivers has eleven receivers of twelve dead, slow, endless, misleading or otherwise ill. The first attempt at the
// healthy one comes in time, nothing inside the network is dialled, and memory stays within bounds. Rounds are events.
func TestReceivers(t *testing.T) {
	engines(t, func(t *testing.T, database string) {
		r := newTrial(t, 240)
		s := newSite(t, database)
		street := newStreet(t)
		s.serving = []string{"--allow-ipn-ports", strings.Join(street.ports, ",")}
		n := s.start()
		l := quiet(s, n)
		kinds := slices.Sorted(func(yield func(string) bool) {
			for kind := range street.urls {
				if !yield(kind) {
					return
				}
			}
		})
		// At first all are sent to the healthy one, so that the program has its usual size.
		l.sell(r, r.rounds/10, func(int) string { return "" })
		before := n.memory()
		worst, done := atomic.Int64{}, make(chan struct{})
		var watching sync.WaitGroup
		watching.Go(func() {
			for {
				worst.Store(max(worst.Load(), n.memory()))
				select {
				case <-done:
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
		told := l.sell(r, r.rounds, func(i int) string {
			if i%(len(kinds)+1) == 0 {
				return ""
			}
			return street.urls[kinds[i%(len(kinds)+1)-1]]
		})
		waited := s.arrivals(told)
		for _, kind := range kinds {
			s.wasTried(n, kind, street.urls[kind])
		}
		close(done)
		watching.Wait()

		p99 := waited[len(waited)*99/100]
		r.add("events", int64(r.rounds))
		r.most("ms until a healthy receiver was told (p99)", p99.Milliseconds())
		grown := (worst.Load() - before) >> 20
		r.most("MiB grown", grown)
		if p99 > promised {
			t.Errorf("the first attempts at the healthy receiver began within %s (p99), promised are %s", p99, promised)
		}
		bound := int64(64)
		if s.sqlite() {
			bound += 64 // its page cache
		}
		if grown > bound {
			t.Errorf("the program has grown by %d MiB, %d are allowed", grown, bound)
		}
		if reached := street.inside.Load(); reached > 0 {
			t.Errorf("%d requests were led inside", reached)
		}
		for _, fault := range l.finish().faults {
			t.Error(fault)
		}
		s.audit()
		n.kill() // it would wait for the slow ones
	})
}

// sell makes orders, each told to an address, pays them, and says when the bank's notice of each was answered.
func (l *load) sell(r *trial, count int, address func(i int) string) map[string]time.Time {
	told := map[string]time.Time{}
	var mu sync.Mutex
	var group sync.WaitGroup
	jobs := make(chan int)
	for range shoppers {
		random := rand.New(rand.NewPCG(r.random.Uint64(), 0))
		group.Go(func() {
			for i := range jobs {
				o := &order{
					reference: fmt.Sprintf("%s-E%d", l.name, loads.Add(1)), amount: 10_000 + random.Int64N(5_000_000), plan: exact, description: "bún bò",
					due: time.Now().Add(2 * time.Hour).UTC().Truncate(time.Second), ipn: address(i),
				}
				payload, ok := l.create(o, random)
				start := time.Now() // not later: the notice may overtake the answer
				if !ok || !l.pay(o, payload, random) {
					l.fault("%s was not sold", o.reference)
				}
				if o.ipn == "" {
					mu.Lock()
					told[o.reference] = start
					mu.Unlock()
				}
			}
		})
	}
	for i := range count {
		jobs <- i
	}
	close(jobs)
	group.Wait()
	return told
}

// arrivals waits until the healthy receiver was told of all payments, and says how long each took, the shortest first.
func (s *site) arrivals(told map[string]time.Time) []time.Duration {
	s.t.Helper()
	var waited []time.Duration
	for start := time.Now(); ; {
		waited = waited[:0]
		arrived := s.receiver.arrivals()
		for reference, from := range told {
			if at, ok := arrived[reference]; ok {
				waited = append(waited, at.Sub(from))
			}
		}
		if len(waited) == len(told) {
			break
		}
		if time.Since(start) > patience {
			s.t.Fatalf("the healthy receiver was told of %d of %d payments", len(waited), len(told))
		}
		time.Sleep(20 * time.Millisecond)
	}
	slices.Sort(waited)
	return waited
}

// wasTried wants to find a recorded attempt at a receiver, which says what was wrong.
func (s *site) wasTried(n *node, kind, address string) {
	s.t.Helper()
	type shown struct {
		URL          string    `json:"url"`
		State        string    `json:"state"`
		AttemptsMade int       `json:"attempts_made"`
		LastStatus   int       `json:"last_status"`
		LastError    string    `json:"last_error"`
		CreatedAt    time.Time `json:"created_at"`
		DueAt        time.Time `json:"due_at"`
	}
	for start := time.Now(); time.Since(start) < patience; time.Sleep(100 * time.Millisecond) {
		list, err := all[shown](s.t.Context(), s, n, "/notifications")
		if err != nil {
			s.t.Fatal(err)
		}
		for _, item := range list {
			if item.URL != address || item.AttemptsMade == 0 {
				continue
			}
			ok := item.State == "pending" && item.LastError != ""
			switch kind {
			case "gone":
				ok = item.State == "failed" && item.LastStatus == http.StatusGone
			case "too many":
				ok = ok && item.DueAt.Sub(item.CreatedAt) >= time.Hour
			case "endless":
				ok = ok && item.LastStatus == http.StatusInternalServerError
			case "redirects inside", "redirects to the cloud's metadata":
				ok = ok && item.LastStatus/100 == 3
			}
			if !ok {
				s.t.Errorf("%s: %+v", kind, item)
			}
			return
		}
	}
	s.t.Errorf("%s: no attempt was made at %s within %s", kind, address, patience)
}

// memory is what the node's process has for itself, in bytes.
func (n *node) memory() int64 {
	f, err := os.Open("/proc/" + strconv.Itoa(n.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// nobodysCertificate is signed by nobody but itself.
func nobodysCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nobody"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(crand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
