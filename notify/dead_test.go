package notify_test

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/store"
)

// watch is the sender, with a stop watch for first attempts at some lanes.
type watch struct {
	outbox.Handler
	clock clock.Clock
	lanes map[string]bool

	sync.Mutex
	worst time.Duration
	done  int // acknowledged at the first attempt
}

func (w *watch) Attempt(ctx context.Context, i store.Item) outbox.Result {
	waited := w.clock.Now().Sub(i.CreatedAt)
	r := w.Handler.Attempt(ctx, i)
	if w.lanes[i.Lane] && i.Attempts == 0 {
		w.Lock()
		defer w.Unlock()
		w.worst = max(w.worst, waited)
		if r.Done {
			w.done++
		}
	}
	return r
}

func (w *watch) told() (done int, worst time.Duration) {
	w.Lock()
	defer w.Unlock()
	return w.done, w.worst
}

// deadReceivers are addresses where nobody answers as one should: a third takes
// connections and is silent, a third is closed, a third answers 500.
func (b *bench) deadReceivers(n int) (urls []string) {
	for k := range n {
		if k%3 == 2 {
			urls = append(urls, b.serve(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "sập rồi", 500) }).URL)
			continue
		}
		// The queue of the kernel takes connections; nobody reads them.
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		urls = append(urls, "http://"+silent.Addr().String())
		if k%3 == 1 {
			silent.Close()
			continue
		}
		b.Cleanup(func() { silent.Close() })
	}
	return urls
}

// No notice waits behind another: with 90 of 100 receivers dead and thousands of
// notices for them, the first attempts at the other ten are all under way
// within five seconds.
func TestDeadReceiversDelayNobody(t *testing.T) {
	notices := 60
	if testing.Short() {
		notices = 5 // the race detector makes SQLite, which is Go too, ten times slower
	}
	each(t, func(b *bench) {
		b.use(guard.Options{AllowLoopback: true})
		w := &watch{Handler: b.sender, clock: b.Env.Clock, lanes: map[string]bool{}}
		var urls []string
		for range 10 { // before the dead ones: these must not get a port that one of them has freed
			s := b.serve(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
			urls = append(urls, s.URL)
			w.lanes[s.Listener.Addr().String()] = true
		}
		urls = append(urls, b.deadReceivers(90)...)
		var items []store.Item
		for range notices {
			p := b.paid("http://127.0.0.1:1/nobody")
			for _, target := range urls {
				items = append(items, store.Item{PaymentID: p.ID, Version: 2, MerchantID: p.MerchantID, Dialect: "wire", Target: target})
			}
		}
		rand.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })

		wake := make(chan struct{}, 1)
		runner := outbox.New(outbox.Config{
			Store: b.Env.Store, Clock: b.Env.Clock, Node: "node", Handlers: map[string]outbox.Handler{core.KindNotice: w}, Wake: wake,
			Limits: outbox.Limits{Drain: time.Millisecond}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { runner.Run(ctx) })
		defer running.Wait()
		defer stop()
		for len(items) > 0 {
			part := items[:min(len(items), 500)]
			items = items[len(part):]
			b.enqueue(part)
			select {
			case wake <- struct{}{}:
			default:
			}
		}
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for late := time.After(30 * time.Second); ; {
			done, worst := w.told()
			if done == 10*notices {
				b.Logf("the last first attempt began after %v", worst)
				if worst > 5*time.Second {
					b.Errorf("the last first attempt began after %v", worst)
				}
				return
			}
			select {
			case <-tick.C:
			case <-late:
				b.Fatalf("only %d notices were acknowledged", done)
			}
		}
	}, coretest.WithClock(clock.System()))
}

// enqueue adds notices that are due now.
func (b *bench) enqueue(items []store.Item) {
	b.Helper()
	now := b.Env.Clock.Now()
	err := b.Env.Store.Update(b.Context(), func(tx *store.Tx) error {
		for _, i := range items {
			target, err := url.Parse(i.Target)
			if err != nil {
				return err
			}
			i.ID, i.Kind, i.Lane, i.State, i.DueAt, i.CreatedAt = b.IDs.New(), core.KindNotice, target.Host, store.ItemPending, now, now
			if err := tx.AddItem(b.Context(), i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
