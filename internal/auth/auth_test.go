package auth

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/thungan/thungan/internal/clock"
)

func TestHash(t *testing.T) {
	h := Hash("SECRET")
	if len(h) != 64 || strings.ToLower(h) != h {
		t.Errorf("%q", h)
	}
	// Stored hashes must stay valid: printf 'thungan auth v1\0SECRET' | sha256sum
	if want := "423e75cc5085261a2b3bfb23be74007cd5b34e818267406f94ec736d9a7bd0d4"; h != want {
		t.Errorf("%s, want %s", h, want)
	}
	for _, tc := range []struct {
		secret, hash string
		want         bool
	}{
		{"SECRET", h, true},
		{"secret", h, false},
		{"", h, false},
		{"SECRET", "", false},
		{"SECRET", h[:63], false},
		{"SECRET", h + "0", false},
		{"SECRET", strings.ToUpper(h), false},
		{h, h, false},
	} {
		if Equal(tc.secret, tc.hash) != tc.want {
			t.Errorf("Equal(%q, %q)", tc.secret, tc.hash)
		}
	}
}

func TestSameString(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		if SameString(a, b) != (a == b) || !SameString(a, a) {
			t.Fatalf("%q %q", a, b)
		}
	})
}

func TestDigestOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.String(), 2, 4)
		a, b := texts.Draw(t, "a"), texts.Draw(t, "b")
		if (DigestOf(a...) == DigestOf(b...)) != slices.Equal(a, b) {
			t.Fatalf("%q %q", a, b)
		}
	})
	if DigestOf("a", "bc") == DigestOf("ab", "c") || DigestOf("a", "b") == DigestOf("a", "b", "") {
		t.Error("the same characters shared out differently")
	}
}

func newThrottle(perMinute, burst, maxKeys int) (*Throttle, *clock.Manual) {
	c := clock.NewManual(time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC))
	return NewThrottle(c, perMinute, burst, maxKeys), c
}

func TestThrottleAllow(t *testing.T) {
	th, c := newThrottle(6, 3, 10)
	for i := range 3 {
		if ok, _ := th.Allow("a"); !ok {
			t.Fatalf("call %d refused", i)
		}
	}
	ok, wait := th.Allow("a")
	if ok || wait != 10*time.Second {
		t.Fatalf("%v, wait %v", ok, wait)
	}
	if ok, _ := th.Allow("b"); !ok {
		t.Error("another key is slowed down")
	}
	c.Advance(4 * time.Second)
	if _, wait := th.Allow("a"); wait.Round(time.Millisecond) != 6*time.Second {
		t.Errorf("wait %v", wait)
	}
	c.Advance(wait)
	if ok, _ := th.Allow("a"); !ok {
		t.Error("refused after the time told")
	}
	c.Advance(time.Hour)
	for range 3 {
		th.Allow("a")
	}
	if ok, _ := th.Allow("a"); ok {
		t.Error("more than the burst after a long rest")
	}
}

func TestThrottleFail(t *testing.T) {
	th, c := newThrottle(60, 2, 10)
	for range 100 {
		if ok, wait := th.Check("a"); !ok || wait != 0 {
			t.Fatal("Check takes tokens")
		}
	}
	for range 50 {
		th.Fail("a")
	}
	ok, wait := th.Check("a")
	if ok || wait != 3*time.Second {
		t.Errorf("%v, wait %v; the debt is one burst", ok, wait)
	}
	c.Advance(wait)
	if ok, _ := th.Check("a"); !ok {
		t.Error("refused after the time told")
	}
}

// Whoever waits the time told gets in, for every rate.
func TestThrottleTellsTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		th, c := newThrottle(rapid.IntRange(0, 5000).Draw(t, "rate"), rapid.IntRange(0, 20).Draw(t, "burst"), 3)
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			ok, wait := th.Allow("a")
			if ok != (wait == 0) {
				t.Fatalf("%v, wait %v", ok, wait)
			}
			c.Advance(wait)
			if !ok {
				if ok, wait := th.Allow("a"); !ok {
					t.Fatalf("refused again for %v", wait)
				}
			}
		}
	})
}

func TestThrottleForgetsTheOldest(t *testing.T) {
	th, _ := newThrottle(1, 1, 100)
	th.Fail("kept")
	th.Fail("lost")
	for i := range 99 {
		th.Fail("kept")
		th.Fail(fmt.Sprint("k", i))
	}
	if ok, _ := th.Check("kept"); ok {
		t.Error("forgot a key in use")
	}
	if ok, _ := th.Check("lost"); !ok {
		t.Error("remembers more keys than allowed")
	}
	for i := range 100_000 {
		th.Allow(fmt.Sprint(i))
	}
	if len(th.buckets) != 100 || th.recent.Len() != 100 {
		t.Errorf("%d buckets, %d in the list", len(th.buckets), th.recent.Len())
	}
}

func TestThrottleConcurrently(t *testing.T) {
	th, _ := newThrottle(1, 50, 4)
	var wg sync.WaitGroup
	var mu sync.Mutex
	allowed := 0
	for range 10 {
		wg.Go(func() {
			for range 20 {
				if ok, _ := th.Allow("a"); ok {
					mu.Lock()
					allowed++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if allowed != 50 {
		t.Errorf("%d calls allowed of a burst of 50", allowed)
	}
}

func TestAddrKey(t *testing.T) {
	for addr, want := range map[string]string{
		"203.0.113.7":        "203.0.113.7",
		"::ffff:203.0.113.7": "203.0.113.7",
		"2001:db8:1:2:3::4":  "2001:db8:1:2::/64",
		"fe80::1%eth0":       "fe80::/64",
	} {
		if got := AddrKey(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
	if got := AddrKey(netip.Addr{}); got != "invalid IP" {
		t.Errorf("no address: %q", got)
	}
}
