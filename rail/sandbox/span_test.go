package sandbox

import (
	"testing"
	"time"
)

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"31m": 31 * time.Minute, "1h30m": 90 * time.Minute, "1d": 24 * time.Hour, "2d3h": 51 * time.Hour, "0d1s": time.Second,
		"-1m": -time.Minute, "1.5h": 90 * time.Minute, "0d": 0,
	} {
		if got, err := parseSpan(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "1", "1x", "1dd", "1d2", "-1d", "+1d", "1d-2h", "1d+2h", "1.5d", "3h1d", "1d 2h", "99999999999999999999d", "106752d", "106751d24h"} {
		if got, err := parseSpan(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// Whatever is read is what was written: days never wrap around.
func FuzzParseSpan(f *testing.F) {
	for _, seed := range []string{"31m", "2d3h", "106751d23h", "1d-1h", "d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseSpan(text)
		if err != nil {
			if d != 0 {
				t.Errorf("%q: %v with an error", text, d)
			}
			return
		}
		if text[0] != '-' && d < 0 {
			t.Errorf("%q: %v", text, d)
		}
	})
}

// The signature is the one of the published description, worked out by hand
// with another tool.
func TestSign(t *testing.T) {
	got := sign("key of the feed", time.Unix(1772600000, 0), []byte(`{"id":"1"}`))
	const want = "t=1772600000,v1=7354a650c26ed6e0ecabd73779ac227cc32a52e257bcdc0b73007621d91d8c00"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
