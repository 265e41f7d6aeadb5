package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func settling(external, print string, at time.Duration) store.Settling {
	return store.Settling{
		Credit: payment.Credit{
			ID: ids.New(), Source: "feed", ExternalID: external, Amount: 5, Currency: "VND", Direction: payment.In, OccurredAt: start.Add(at), ReceivedAt: start,
			Outcome: payment.OutcomeUnknown, Explanation: payment.Explanation{Seen: []string{"a", "đ"}},
		},
		Print: print,
	}
}

// count decides that everything is unknown, and counts what it was asked.
type count struct {
	mu    sync.Mutex
	asked []string
}

func (c *count) decide(_ *store.Tx, credit payment.Credit) (payment.Credit, payment.Payment, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, credit.ExternalID)
	credit.MerchantID, credit.Unapplied = "m", credit.Amount
	return credit, payment.Payment{}, nil
}

// fates writes verdicts as one word each.
func fates(verdicts []store.Verdict) string {
	var words []string
	byID := map[string]string{}
	for _, v := range verdicts {
		word := "new"
		switch {
		case v.Replayed:
			word = "replayed " + v.Credit.ExternalID
		case v.Credit.Outcome == payment.OutcomeRepeated:
			word = "repeats " + byID[v.Credit.DuplicateOf]
		default:
			byID[v.Credit.ID] = v.Credit.ExternalID
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// Doubles inside one batch, by id and by look, are told from each other; new
// ones are decided on in the batch's order, known ones not at all.
func TestSettleCredits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		var c count
		settle := func(batch ...store.Settling) string {
			t.Helper()
			verdicts, err := s.SettleCredits(t.Context(), "", start, batch, c.decide)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range verdicts {
				// Doubles know what has become of the first.
				if v.Credit.MerchantID != "m" {
					t.Errorf("verdict %d: %+v", i, v.Credit)
				}
			}
			return fates(verdicts)
		}
		got := settle(
			settling("z", "", 0), settling("b", "look", 0), settling("b", "look", 0), settling("d", "look", 10*time.Minute), settling("a", "", 0),
			settling("e", "look", 10*time.Minute+time.Millisecond), settling("f", "look", 20*time.Minute), settling("g", "look", -time.Hour), settling("h", "look", -50*time.Minute),
		)
		if want := "new, new, replayed b, repeats b, new, new, repeats e, new, repeats g"; got != want {
			t.Errorf("the batch:\n%s, want\n%s", got, want)
		}
		if order := fmt.Sprint(c.asked); order != "[z b a e g]" {
			t.Errorf("decided on %s", order)
		}
		c.asked = nil
		got = settle(settling("h", "other", 0), settling("i", "look", 5*time.Minute), settling("b", "", 0))
		if want := "replayed h, repeats , replayed b"; got != want || len(c.asked) != 0 {
			t.Errorf("the next batch: %s, want %s; decided on %v", got, want, c.asked)
		}
		if got = settle(); got != "" {
			t.Errorf("nothing: %s", got)
		}
	})
}

// A reference that comes back and back is none: from some number on, transfers
// that look alike are each other's no more, and a new one costs no more than the
// one before.
func TestReferencesThatAreNone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		var c count
		settle := func(batch ...store.Settling) []store.Verdict {
			t.Helper()
			verdicts, err := s.SettleCredits(t.Context(), "", start, batch, c.decide)
			if err != nil {
				t.Fatal(err)
			}
			return verdicts
		}
		var batch []store.Settling
		for i := range store.MostOfOnePrint + 2 {
			batch = append(batch, settling(fmt.Sprintf("x%02d", i), "acc|TRANSFER|5", time.Duration(i)*(store.SamePrint+time.Minute)))
		}
		all := settle(batch...)
		if got, want := fates(all), strings.TrimSuffix(strings.Repeat("new, ", len(batch)), ", "); got != want {
			t.Errorf("got %s", got)
		}
		first, last := all[0].Credit, all[len(all)-1].Credit
		again := settle(
			settling("like the first", "acc|TRANSFER|5", first.OccurredAt.Sub(start)), settling("like the last", "acc|TRANSFER|5", last.OccurredAt.Sub(start)))
		if again[0].Credit.DuplicateOf != first.ID || again[1].Credit.Outcome == payment.OutcomeRepeated {
			t.Errorf("%+v\n%+v", again[0].Credit, again[1].Credit)
		}
	})
}

// A decision that fails leaves nothing of its batch, the mark on its message
// neither.
func TestSettleFails(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		m := store.Message{ID: ids.New(), Feed: "feed", Body: []byte("{}"), ReceivedAt: start}
		if err := s.Update(ctx, func(tx *store.Tx) error { return tx.AddMessage(ctx, m) }); err != nil {
			t.Fatal(err)
		}
		fail := func(tx *store.Tx, c payment.Credit) (payment.Credit, payment.Payment, error) {
			if c.ExternalID == "bad" {
				return c, payment.Payment{}, errors.New("odd")
			}
			return c, payment.Payment{}, nil
		}
		_, err := s.SettleCredits(ctx, m.ID, start, []store.Settling{settling("good", "", 0), settling("bad", "", 0)}, fail)
		wantCode(t, "settle", err, payment.CodeInternal)
		waiting := func() (n int) {
			err := s.View(ctx, func(tx *store.Tx) error {
				credits, err := tx.SearchCredits(ctx, store.CreditSearch{Limit: 10})
				messages, err2 := tx.WaitingMessages(ctx, start, 10)
				n = 10*len(credits) + len(messages)
				return errors.Join(err, err2)
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := waiting(); n != 1 {
			t.Errorf("left: %d, want one message", n)
		}
		if _, err = s.SettleCredits(ctx, m.ID, start, []store.Settling{settling("good", "", 0)}, fail); err != nil {
			t.Fatal(err)
		}
		if n := waiting(); n != 10 {
			t.Errorf("left: %d, want one credit", n)
		}
	})
}

// Batches of the same credits in different orders, at once: each is decided on
// once, and nobody waits for the database to find a deadlock.
func TestSettleAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		var c count
		const n = 8
		atOnce(n, func(i int) {
			batch := make([]store.Settling, n)
			for j := range batch {
				k := (i + j) % n
				if i%2 == 1 {
					k = n - 1 - k
				}
				batch[j] = settling(fmt.Sprint("e", k), fmt.Sprint("p", (k+3)%n), 0)
			}
			if _, err := s.SettleCredits(t.Context(), "", start, batch, c.decide); err != nil {
				t.Error(err)
			}
		})
		if len(c.asked) != n {
			t.Errorf("decided %d times on %d credits", len(c.asked), n)
		}
	})
}
