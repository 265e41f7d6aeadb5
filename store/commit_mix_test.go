package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
	"pgregory.net/rapid"
)

// Mixes that are harder on the committer than those of
// TestCommitterAgainstOneByOne: rows that only one engine takes, callers who
// leave while they wait, two who want the same, functions that hold the writer,
// several openings to a request, and transactions beside it, from more callers
// than there are connections. Each has the verdict that it would have had alone.
func TestCommitterMixes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		round := 0
		rapid.Check(t, func(rt *rapid.T) {
			if round++; round > 20 {
				return // a database is slow; the first rounds have seen the mixes
			}
			prefix := fmt.Sprintf("m%d-", round)
			kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"fresh", "fresh", "batch", "twin", "poisoned row", "leaves", "holds", "fails late", "beside"}), 20, 160).Draw(rt, "kinds")
			patience := rapid.IntRange(0, 50).Draw(rt, "patience")
			answers := make([][]error, len(kinds))
			atOnce(len(kinds), func(i int) { answers[i] = wishFor(t.Context(), s, kinds[i], fmt.Sprintf("%s%d", prefix, i), patience) })
			for i, kind := range kinds {
				reference := fmt.Sprintf("%s%d", prefix, i)
				judge(rt, t, s, kind, reference, answers[i])
			}
		})
	})
}

// wishFor makes the requests of a kind and returns their answers.
func wishFor(ctx context.Context, s *store.Store, kind, reference string, patience int) []error {
	fresh := func(reference string) store.Opening {
		return store.Opening{Payment: newPayment(reference, payment.MemoMatch(reference), 1000)}
	}
	one := func(ctx context.Context, batch ...store.Opening) []error {
		verdicts, err := s.OpenPayments(ctx, batch)
		if err != nil {
			return []error{err}
		}
		return verdicts
	}
	switch kind {
	case "batch": // the third is the first again
		return one(ctx, fresh(reference), fresh(reference+"b"), fresh(reference))
	case "twin":
		answers := make([]error, 2)
		atOnce(2, func(i int) {
			twin := fresh(reference)
			twin.Payment.Transfer.Code = payment.MemoMatch(fmt.Sprintf("%s/%d", reference, i))
			answers[i] = one(ctx, twin)[0]
		})
		return answers
	case "poisoned row": // PostgreSQL takes no NUL
		o := fresh(reference)
		o.Payment.Description = "a\x00b"
		return one(ctx, o)
	case "leaves":
		given, leave := context.WithCancel(ctx)
		go func() {
			for range patience {
				runtime.Gosched()
			}
			leave()
		}()
		return one(given, fresh(reference))
	case "holds":
		return []error{s.Group(ctx, func(tx *store.Tx) error {
			for n := range 20 {
				if err := tx.PutSetting(context.Background(), reference, fmt.Sprint(n)); err != nil {
					return err
				}
				runtime.Gosched()
			}
			return nil
		})}
	case "fails late":
		return []error{s.Group(ctx, func(tx *store.Tx) error {
			err := tx.PutSetting(context.Background(), reference, "half")
			return errors.Join(err, errPoison)
		})}
	case "beside":
		return []error{s.Update(ctx, func(tx *store.Tx) error { return tx.PutSetting(ctx, reference, "whole") })}
	}
	return one(ctx, fresh(reference))
}

func judge(rt *rapid.T, t *testing.T, s *store.Store, kind, reference string, answers []error) {
	exists := found(t, s, reference)
	duplicate := func(err error) bool { return payment.CodeOf(err) == payment.CodeDuplicateReference }
	ok := false
	switch kind {
	case "fresh", "holds", "beside":
		ok = answers[0] == nil && exists
	case "batch":
		ok = len(answers) == 3 && answers[0] == nil && answers[1] == nil && duplicate(answers[2]) && exists && found(t, s, reference+"b")
	case "twin":
		ok = exists && ((answers[0] == nil && duplicate(answers[1])) || (answers[1] == nil && duplicate(answers[0])))
	case "poisoned row":
		ok = answers[0] == nil && exists
		if s.Engine() == "postgres" {
			ok = payment.CodeOf(answers[0]) == payment.CodeInvalidRequest && !exists
		}
	case "leaves": // who left may have got it all the same, but no answer lies
		ok = answers[0] != nil || exists
	case "fails late":
		ok = errors.Is(answers[0], errPoison) && !exists
	}
	if !ok {
		rt.Errorf("%s: %v, exists %v", kind, answers, exists)
	}
}

// The server stops under load, once in order and once by a kill, and comes back:
// what was answered is there, what was refused as busy is not, and the committer
// works again. Callers are ten times the pool.
func TestCommitterWhileTheServerStops(t *testing.T) {
	for name, stop := range map[string]func(*pgtest.Server) error{
		"restarted": func(s *pgtest.Server) error { return s.Stop(pgtest.Fast) },
		"killed":    (*pgtest.Server).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			server := pgtest.NewServer(t, true)
			s := storetest.Open(t, server.URL()+"&pool_max_conns=2")
			var mu sync.Mutex
			answers := map[string]error{}
			loaded, ended := make(chan struct{}), make(chan struct{})
			var callers sync.WaitGroup
			for caller := range 20 {
				callers.Go(func() {
					for n := 0; ; n++ {
						select {
						case <-ended:
							return
						default:
						}
						reference := fmt.Sprintf("s%d-%d", caller, n)
						verdicts, err := s.OpenPayments(t.Context(), []store.Opening{{Payment: newPayment(reference, payment.MemoMatch(reference), 1)}})
						if err == nil {
							err = verdicts[0]
						}
						mu.Lock()
						if answers[reference] = err; len(answers) == 500 {
							close(loaded)
						}
						mu.Unlock()
						if err != nil {
							return // one refusal each is enough
						}
					}
				})
			}
			<-loaded
			if err := stop(server); err != nil {
				t.Fatal(err)
			}
			callers.Wait() // each was refused: nobody hangs
			close(ended)
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			refused := 0
			for reference, err := range answers {
				there := found(t, s, reference)
				switch payment.CodeOf(err) {
				case "":
					if !there {
						t.Errorf("%s was answered and is gone", reference)
					}
				case payment.CodeBusy:
					if refused++; there {
						t.Errorf("%s was refused and is there", reference)
					}
				case payment.CodeInternal: // its commit was under way
				default:
					t.Errorf("%s: %v", reference, err)
				}
			}
			if refused == 0 {
				t.Error("nobody was refused")
			}
			verdicts, err := s.OpenPayments(t.Context(), []store.Opening{{Payment: newPayment("after", payment.MemoMatch("AFTER"), 1)}})
			if err != nil || verdicts[0] != nil {
				t.Errorf("after the start: %v %v", verdicts, err)
			}
		})
	}
}

// On SQLite callers beyond the connections only queue as well, writers and
// readers.
func TestCallersBeyondTheConnectionsOfSQLite(t *testing.T) {
	s := storetest.Open(t, storetest.URL(t, "sqlite"))
	atOnce(10*max(4, runtime.NumCPU()), func(i int) {
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
}
