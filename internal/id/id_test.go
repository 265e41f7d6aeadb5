package id

import (
	"bytes"
	"crypto/rand"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/internal/clock"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func newSource() *Source { return NewSource(rand.Reader, clock.NewManual(noon)) }

func TestNewIsMonotonic(t *testing.T) {
	c := clock.NewManual(noon)
	s := NewSource(rand.Reader, c)
	shape := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	last := ""
	// More ids than the counter holds in one millisecond.
	for i := range 20_000 {
		next := s.New()
		if next <= last {
			t.Fatalf("id %d: %s after %s", i, next, last)
		}
		if !shape.MatchString(next) {
			t.Fatalf("not a UUIDv7: %s", next)
		}
		if i%7000 == 0 {
			c.Advance(time.Millisecond)
		}
		last = next
	}
}

func TestNewSurvivesAClockStep(t *testing.T) {
	s := NewSource(rand.Reader, clock.Fixed(noon))
	before := s.New()
	s.clock = clock.Fixed(noon.Add(-time.Hour))
	if after := s.New(); after <= before {
		t.Errorf("%s after %s", after, before)
	}
}

func TestNewConcurrently(t *testing.T) {
	s := newSource()
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				id := s.New()
				mu.Lock()
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != 4000 {
		t.Errorf("%d different ids of 4000", len(seen))
	}
}

func TestParse(t *testing.T) {
	id := newSource().New()
	if got, err := Parse(strings.ToUpper(id)); err != nil || got != id {
		t.Errorf("Parse: %q, %v", got, err)
	}
	if at, err := Time(id); err != nil || !at.Equal(noon) {
		t.Errorf("Time: %v, %v", at, err)
	}
	for name, bad := range map[string]string{
		"empty":     "",
		"short":     id[:35],
		"long":      id + "0",
		"no dashes": strings.ReplaceAll(id, "-", "") + "0000",
		"not hex":   "g" + id[1:],
		"version 4": "01234567-89ab-4def-8123-456789abcdef",
		"variant":   "01234567-89ab-7def-c123-456789abcdef",
		"not UTF-8": "\xff" + id[1:],
		"moved":     strings.Replace(id, "-", "0", 1)[:35] + "-",
	} {
		if _, err := Parse(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Time(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: Time: %v", name, err)
		}
	}
}

func TestVirtualAccount(t *testing.T) {
	s := newSource()
	shape := regexp.MustCompile(`^[0-9]{12}$`)
	for _, prefix := range []string{"9", "V3TG", "9631234"} {
		got, err := s.VirtualAccount(prefix)
		rest, cut := strings.CutPrefix(got, prefix)
		if err != nil || !cut || !shape.MatchString(rest) {
			t.Errorf("%q: %q, %v", prefix, got, err)
		}
	}
	for _, bad := range []string{"", "12345678", "tg", "9-", "9 ", "đ", "\xff"} {
		if got, err := s.VirtualAccount(bad); err == nil {
			t.Errorf("%q gave %q", bad, got)
		}
	}
}

func TestDigitsAreEven(t *testing.T) {
	var counts [10]int
	for _, c := range newSource().digits(100_000) {
		counts[c-'0']++
	}
	for d, n := range counts {
		if n < 9_500 || n > 10_500 { // five standard deviations
			t.Errorf("digit %d: %d of 100000", d, n)
		}
	}
}

func TestSecrets(t *testing.T) {
	s := newSource()
	for _, tc := range []struct {
		name, got, shape string
	}{
		{"key", s.Key(), `^[0-9A-F]{32}$`},
		{"secret", s.Secret(32), `^[0-9A-F]{64}$`},
		{"secret raised", s.Secret(1), `^[0-9A-F]{32}$`},
		{"token", s.Token(24), `^[A-Za-z0-9_-]{32}$`},
		{"token raised", s.Token(-1), `^[A-Za-z0-9_-]{22}$`},
	} {
		if !regexp.MustCompile(tc.shape).MatchString(tc.got) {
			t.Errorf("%s: %q", tc.name, tc.got)
		}
	}
	if one, two := s.Key(), s.Key(); one == two {
		t.Error("two equal keys")
	}
}

func TestNoRandomnessPanics(t *testing.T) {
	s := NewSource(bytes.NewReader([]byte{1, 2, 3}), clock.Fixed(noon))
	defer func() {
		if recover() == nil {
			t.Error("made an id without randomness")
		}
	}()
	s.New()
}
