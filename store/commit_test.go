package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
	"pgregory.net/rapid"
)

// wish is one request to the committer, and what one-by-one execution would
// say to it.
type wish struct {
	kind      string
	reference string
	amount    money.VND
}

var errPoison = errors.New("poison")

// Random mixes of fresh, duplicate, limited, poisoned and given up requests,
// all at once: each gets its own verdict, neighbours never fail, and what is in
// the database is what was answered.
func TestCommitterAgainstOneByOne(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		round := 0
		rapid.Check(t, func(rt *rapid.T) {
			round++
			if round > 25 {
				return // a database is slow; the first rounds have seen the mixes
			}
			prefix := fmt.Sprintf("r%d-", round)
			kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"fresh", "fresh", "fresh", "duplicate", "taken", "limited", "fails", "panics", "writes and fails", "gone"}), 1, 60).Draw(rt, "kinds")
			limit := money.VND(rapid.IntRange(0, 8).Draw(rt, "limit")) * 1000
			known := newPayment(prefix+"known", payment.MemoMatch(prefix+"KNOWN"), 1000)
			if verdicts, err := s.OpenPayments(t.Context(), []store.Opening{{Payment: known}}); err != nil || verdicts[0] != nil {
				rt.Fatal(verdicts, err)
			}

			answers := make([]error, len(kinds))
			var callers sync.WaitGroup
			for i, kind := range kinds {
				callers.Go(func() {
					answers[i] = ask(t.Context(), s, wish{kind: kind, reference: fmt.Sprintf("%s%d", prefix, i), amount: 1000}, prefix, limit)
				})
			}
			callers.Wait()

			var used money.VND
			for i, kind := range kinds {
				reference, err := fmt.Sprintf("%s%d", prefix, i), answers[i]
				exists := found(t, s, reference)
				switch kind {
				case "fresh":
					if err != nil || !exists {
						rt.Errorf("a fresh payment: %v, exists %v", err, exists)
					}
				case "duplicate":
					if payment.CodeOf(err) != payment.CodeDuplicateReference {
						rt.Errorf("a duplicate: %v", err)
					}
				case "taken":
					if !errors.Is(err, store.ErrCodeTaken) || exists {
						rt.Errorf("a taken code: %v, exists %v", err, exists)
					}
				case "limited":
					if refused := payment.CodeOf(err) == payment.CodeTotalLimit; exists == refused || (err != nil && !refused) {
						rt.Errorf("a limited payment: %v, exists %v", err, exists)
					}
					if exists {
						used += 1000
					}
				case "gone":
					if err == nil && !exists {
						rt.Error("a payment was answered and is not there")
					}
				default:
					if err == nil || exists {
						rt.Errorf("%s: %v, exists %v", kind, err, exists)
					}
				}
			}
			if used > limit && limit > 0 {
				rt.Errorf("%d đồng opened above a limit of %d", used, limit)
			}
			if n := howMany(kinds, "limited"); limit > 0 && used != min(money.VND(n)*1000, limit) {
				rt.Errorf("%d đồng opened of %d wanted, the limit is %d", used, n*1000, limit)
			}
		})
	})
}

// ask sends one request as its caller would.
func ask(ctx context.Context, s *store.Store, w wish, prefix string, limit money.VND) error {
	p := newPayment(w.reference, payment.MemoMatch(w.reference), w.amount)
	o := store.Opening{Payment: p}
	switch w.kind {
	case "duplicate":
		o.Payment.Reference = prefix + "known"
	case "taken":
		o.Payment.Transfer.Code = payment.MemoMatch(prefix + "KNOWN")
	case "limited":
		if limit == 0 {
			limit = 1 // less than any payment: all are refused
		}
		o.DailyLimit, o.Payment.LimitDay = limit, prefix
	case "gone":
		given, giveUp := context.WithCancel(ctx)
		giveUp()
		ctx = given
	case "fails":
		return s.Group(ctx, func(*store.Tx) error { return errPoison })
	case "panics":
		return s.Group(ctx, func(*store.Tx) error { panic("poison") })
	case "writes and fails":
		return s.Group(ctx, func(tx *store.Tx) error {
			if err := tx.PutSetting(context.Background(), w.reference, "half"); err != nil {
				return err
			}
			return errPoison
		})
	}
	verdicts, err := s.OpenPayments(ctx, []store.Opening{o})
	if err != nil {
		return err
	}
	return verdicts[0]
}

func found(t *testing.T, s *store.Store, reference string) bool {
	t.Helper()
	var there bool
	err := s.View(t.Context(), func(tx *store.Tx) error {
		if half, err := tx.Setting(t.Context(), reference); err != nil || half != "" {
			there = true
			return err
		}
		like := newPayment(reference, "", 1)
		_, err := tx.PaymentByReference(t.Context(), like.MerchantID, like.Dialect, reference)
		there = err == nil
		if payment.CodeOf(err) == payment.CodePaymentNotFound {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return there
}

func howMany(kinds []string, kind string) (n int) {
	for _, k := range kinds {
		if k == kind {
			n++
		}
	}
	return n
}

// While a commit takes long the queue fills; whoever comes then is told to come
// back and has done nothing. Those in the queue are all committed.
func TestCommitterQueueIsBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		const writers, queue = 4, 4096
		release, started := make(chan struct{}), make(chan struct{}, 64)
		var held sync.WaitGroup
		for range writers {
			held.Go(func() {
				_ = s.Group(t.Context(), func(*store.Tx) error {
					started <- struct{}{}
					<-release
					return nil
				})
			})
			<-started
			if s.Engine() == "sqlite" {
				break // one writer
			}
		}
		answers := make(chan error, queue+100)
		var callers sync.WaitGroup
		for i := range queue + 100 {
			callers.Go(func() {
				answers <- s.Group(t.Context(), func(tx *store.Tx) error {
					return tx.PutSetting(context.Background(), fmt.Sprintf("q%d", i), "there")
				})
			})
		}
		for range 100 {
			if err := <-answers; payment.CodeOf(err) != payment.CodeBusy {
				t.Fatalf("above the bound: %v", err)
			}
		}
		close(release)
		callers.Wait()
		held.Wait()
		for range queue {
			if err := <-answers; err != nil {
				t.Fatalf("in the queue: %v", err)
			}
		}
	})
}

// Closing commits what waits and refuses what comes later.
func TestCommitterDrains(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			url := storetest.URL(t, engine)
			s := open(t, url)
			if _, err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			const n = 200
			answers := make([]error, n)
			var callers, asked sync.WaitGroup
			asked.Add(n)
			for i := range n {
				callers.Go(func() {
					asked.Done()
					verdicts, err := s.OpenPayments(t.Context(), []store.Opening{{Payment: newPayment(fmt.Sprintf("d%d", i), payment.MemoMatch(fmt.Sprintf("D%d", i)), 1)}})
					if answers[i] = err; err == nil {
						answers[i] = verdicts[0]
					}
				})
			}
			asked.Wait()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			callers.Wait()
			if err := s.Group(t.Context(), func(*store.Tx) error { return nil }); payment.CodeOf(err) != payment.CodeBusy {
				t.Errorf("after the end: %v", err)
			}
			again := storetest.Open(t, url)
			for i, err := range answers {
				if err != nil && payment.CodeOf(err) != payment.CodeBusy {
					t.Errorf("request %d: %v", i, err)
				}
				if there := found(t, again, fmt.Sprintf("d%d", i)); there != (err == nil) {
					t.Errorf("request %d: answered %v, exists %v", i, err, there)
				}
			}
		})
	}
}

// Callers at ten times the pool only queue, with a pool of two and of one: no
// code waits for a second connection while it holds one.
func TestCallersBeyondThePool(t *testing.T) {
	for _, size := range []string{"1", "2"} {
		t.Run(size, func(t *testing.T) {
			s := storetest.Open(t, storetest.URL(t, "postgres")+"&pool_max_conns="+size)
			atOnce(20, func(i int) {
				reference := fmt.Sprintf("p%d", i)
				verdicts, err := s.OpenPayments(t.Context(), []store.Opening{{Payment: newPayment(reference, payment.MemoMatch(reference), 1)}})
				if err != nil || verdicts[0] != nil {
					t.Error(verdicts, err)
				}
				if err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.PutSetting(t.Context(), reference, "x") }); err != nil {
					t.Error(err)
				}
				if !found(t, s, reference) {
					t.Errorf("%s is not there", reference)
				}
			})
		})
	}
}

// A caller who goes away while its request waits has done nothing, and is told
// so; one whose request is being written is told that nobody knows.
func TestCallersWhoGo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		begun, release := make(chan struct{}), make(chan struct{})
		hold := func(ctx context.Context) chan error {
			answer := make(chan error, 1)
			go func() {
				answer <- s.Group(ctx, func(tx *store.Tx) error {
					begun <- struct{}{}
					<-release
					return tx.PutSetting(context.Background(), "taken up", "x")
				})
			}()
			<-begun
			return answer
		}
		going, goes := context.WithCancel(t.Context())
		gone := hold(going)
		var others []chan error
		for s.Engine() == "postgres" && len(others) < 3 { // it has four writers
			others = append(others, hold(t.Context()))
		}
		put := func(ctx context.Context, name string) error {
			return s.Group(ctx, func(tx *store.Tx) error { return tx.PutSetting(context.Background(), name, "x") })
		}
		goes()
		wantCode(t, "in the queue", put(going, "in the queue"), payment.CodeBusy)
		if err := <-gone; payment.CodeOf(err) != payment.CodeInternal || !store.Uncertain(err) {
			t.Errorf("taken up: %v", err)
		}
		close(release)
		for _, other := range others {
			wantCode(t, "one who stays", <-other, "")
		}
		wantCode(t, "after them", put(t.Context(), "last"), "")
		err := s.View(t.Context(), func(tx *store.Tx) error {
			for name, want := range map[string]string{"taken up": "x", "in the queue": "", "last": "x"} {
				if got, err := tx.Setting(t.Context(), name); got != want || err != nil {
					t.Errorf("%s: %q, %v", name, got, err)
				}
			}
			return nil
		})
		wantCode(t, "read", err, "")
	})
}

// A crowd of single transactions does not keep a payment waiting.
func TestPaymentsDoNotWaitForCrowds(t *testing.T) {
	for engine, url := range map[string]string{"sqlite": storetest.URL(t, "sqlite"), "postgres": storetest.URL(t, "postgres") + "&pool_max_conns=1"} {
		t.Run(engine, func(t *testing.T) {
			s := storetest.Open(t, url)
			const crowd = 100
			begun, release := make(chan struct{}), make(chan struct{})
			var done atomic.Int64
			var callers, asked sync.WaitGroup
			callers.Go(func() {
				_ = s.Update(t.Context(), func(*store.Tx) error { close(begun); <-release; return nil })
			})
			<-begun
			asked.Add(crowd)
			for range crowd {
				callers.Go(func() {
					asked.Done()
					if err := s.Update(t.Context(), func(tx *store.Tx) error { done.Add(1); return nil }); err != nil {
						t.Error(err)
					}
				})
			}
			asked.Wait()
			opened := make(chan int64)
			go func() {
				verdicts, err := s.OpenPayments(t.Context(), []store.Opening{{Payment: newPayment("o", payment.MemoMatch("O"), 1)}})
				if err != nil || verdicts[0] != nil {
					t.Error(verdicts, err)
				}
				opened <- done.Load()
			}()
			for s.WriteWaits() == 0 { // the payment's
				runtime.Gosched()
			}
			close(release)
			if before := <-opened; before > crowd/4 {
				t.Errorf("%d of %d came before the payment", before, crowd)
			}
			callers.Wait()
		})
	}
}
