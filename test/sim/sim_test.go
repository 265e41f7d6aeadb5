package sim

import (
	"bufio"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thungan/thungan/auditor"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

var (
	seed  = flag.Uint64("sim.seed", 0, "the one seed to run; 0 runs those of testdata/seeds.txt and some new ones")
	fresh = flag.Int("sim.fresh", 6, "how many new seeds to run")
	days  = flag.Int("sim.days", 2, "how many days each seed lives")
)

const (
	shopsOfSeed = 5
	salesOfDay  = 12
)

// TestSeeds lives the days of each seed. A seed that fails is printed; put it
// into testdata/seeds.txt, with what was wrong, once that is mended.
func TestSeeds(t *testing.T) {
	seeds := known(t)
	if *seed != 0 {
		seeds = []uint64{*seed}
	} else {
		start := uint64(time.Now().UnixNano())
		for i := range *fresh {
			seeds = append(seeds, start+uint64(i))
		}
	}
	for _, s := range seeds {
		t.Run(strconv.FormatUint(s, 10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { story(t, s, *days) }) // nobody waits for real
		})
	}
}

func known(t *testing.T) (seeds []uint64) {
	f, err := os.Open("testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, n)
	}
	return seeds
}

// story lives some days and a quiet week after them, then judges.
func story(t testing.TB, seed uint64, days int) {
	w := newWorld(t, seed, shopsOfSeed)
	for range days {
		w.day(salesOfDay)
	}
	// Everything that is under way comes to its end.
	w.weather, w.faults = 0, 0
	for _, s := range w.shops {
		s.down = false
	}
	for range 8 {
		end := w.now().Add(24 * time.Hour)
		w.every(time.Hour, end, func() { w.expire(); w.work() })
		w.every(8*time.Hour, end, func() { w.catchUp(); w.operate() })
		w.live(end)
	}
	w.judge()
}

// judge compares the gateway with the truth outside of it.
func (w *world) judge() {
	t := w.t
	t.Helper()
	report, err := auditor.Audit(w.ctx(), w.store, auditor.Options{Now: w.now()})
	w.must(err)
	for _, f := range report.Findings {
		t.Errorf("seed %d: %s: %s", w.seed, f.Check, f.Text)
	}
	for _, x := range w.sales {
		w.agree(x)
		if x.state == payment.Open || x.state == payment.Processing {
			t.Errorf("seed %d: %s is %s still", w.seed, x.reference, x.state)
		}
		events, err := w.core.Events(w.ctx(), x.p.ID)
		w.must(err)
		for _, ev := range events[1:] {
			if deaf := x.shop.deaf[fmt.Sprint(x.reference, " ", ev.Version)]; ev.From != ev.To && x.shop.told[x.reference][ev.Version] != ev.To && deaf <= len(waits) {
				t.Errorf("seed %d: the shop was not told that %s became %s; it was tried %d times", w.seed, x.reference, ev.To, deaf)
			}
		}
	}
	balances, sum, err := w.core.TrialBalance(w.ctx())
	w.must(err)
	if sum != 0 {
		t.Errorf("seed %d: the ledger sums to %d", w.seed, sum)
	}
	by := map[string]money.VND{}
	var acquired, owed money.VND
	for _, b := range balances {
		by[string(b.Account)] = b.Balance
		if strings.HasPrefix(string(b.Account), "acquirer:") {
			acquired += b.Balance
		}
	}
	for _, s := range w.shops {
		var bank money.VND
		for _, tr := range w.transfer {
			if tr.credit.Account == s.party.Account.Number {
				bank += tr.credit.Amount
			}
		}
		if got := by["bank:"+s.party.Account.ID]; got != bank-s.paid {
			t.Errorf("seed %d: the ledger has %d at the bank of %s, the bank %d", w.seed, got, s.party.Merchant.Name, bank-s.paid)
		}
		owed -= s.back
	}
	if owed += w.acquirer.holds(); owed != acquired {
		t.Errorf("seed %d: the ledger has %d at the acquirer, the acquirer %d", w.seed, acquired, owed)
	}
	left, err := w.core.Notices(w.ctx(), core.NoticeSearch{State: "pending"})
	w.must(err)
	if len(left) > 0 {
		t.Errorf("seed %d: %d notices are under way still", w.seed, len(left))
	}
}

// One seed is one story, to the last row, with every fault in its place.
func TestSameSeedSameStory(t *testing.T) {
	faults := 0
	for _, seed := range []uint64{42, 43, 44} {
		var stories [2][]string
		for i := range stories {
			synctest.Test(t, func(t *testing.T) {
				var lines []string
				w := newWorld(t, seed, 3)
				w.faults = 0.3
				w.day(salesOfDay)
				for _, x := range w.sales {
					events, err := w.core.Events(w.ctx(), x.p.ID)
					w.must(err)
					for _, ev := range events {
						lines = append(lines, x.reference+" "+ev.At.Format(time.RFC3339Nano)+" "+string(ev.Act)+" "+strconv.FormatInt(int64(ev.Received), 10))
					}
				}
				for _, name := range slices.Sorted(maps.Keys(w.struck)) {
					faults += w.struck[name]
					lines = append(lines, name+" "+strconv.Itoa(w.struck[name]))
				}
				stories[i] = append(lines, strconv.Itoa(w.dice.Int()), strconv.Itoa(w.deaths))
			})
		}
		if first, second := stories[0], stories[1]; len(first) < salesOfDay*3 || !slices.Equal(first, second) {
			t.Errorf("two stories of seed %d differ (%d and %d lines)", seed, len(first), len(second))
		}
	}
	if faults < 200 {
		t.Errorf("there were only %d faults", faults)
	}
}

// The stories are worth living: in a few of them everything happens that the
// simulation is there for.
func TestStoriesAreEventful(t *testing.T) {
	seen := map[string]int{}
	live := func(t *testing.T, seed uint64) {
		w := newWorld(t, seed, shopsOfSeed)
		w.faults = 0.2
		w.day(salesOfDay)
		w.day(salesOfDay)
		for fault, times := range w.struck {
			seen[fault] += times
		}
		credits, err := w.core.Credits(w.ctx(), core.CreditSearch{Limit: 200})
		w.must(err)
		for _, c := range credits {
			seen[string(c.Channel)+" "+string(c.Outcome)]++
		}
		for _, x := range w.sales {
			seen["payment "+string(x.state)]++
			attempts, err := w.core.PaymentAttempts(w.ctx(), x.p.ID)
			w.must(err)
			for _, a := range attempts {
				seen["attempt "+string(a.State)]++
				if a.Left {
					seen["attempt left"]++
				}
			}
			for _, r := range x.refunds {
				seen["refund "+string(r.State)]++
			}
		}
		seen["death"] += w.deaths
	}
	for seed := uint64(1); seed <= 8; seed++ {
		synctest.Test(t, func(t *testing.T) { live(t, seed) })
	}
	wanted := []string{
		"bank exact", "bank short", "bank over", "bank late", "bank duplicate", "bank unknown", "acquirer exact", "acquirer duplicate",
		"payment approved", "payment expired", "payment canceled", "attempt done", "attempt failed", "attempt left",
		"refund approved", "refund denied", "death", "a sync fails, and the gateway dies", "a commit's answer is lost, and the gateway dies",
	}
	for _, m := range mishaps {
		wanted = append(wanted, m.name)
	}
	for _, want := range wanted {
		if seen[want] == 0 {
			t.Errorf("there was no %q in any story: %v", want, seen)
		}
	}
	t.Log(seen)
}

// BenchmarkMerchantDays says how many merchant-days a minute of CPU is worth.
func BenchmarkMerchantDays(b *testing.B) {
	n := 0
	before := cpu(b)
	for b.Loop() {
		story(b, uint64(n+1), 2)
		n++
	}
	merchantDays := float64(n * shopsOfSeed * 2)
	b.ReportMetric(merchantDays/(cpu(b)-before).Minutes(), "merchant-days/CPU-min")
}

// cpu is the processor time of this process so far.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
