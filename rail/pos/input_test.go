package pos

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/thungan/thungan/internal/pan"
)

func FuzzInput(f *testing.F) {
	f.Add([]byte(`{"outcome":"approved","reference":"RRN-1","wait_seconds":25,"at":"2026-03-04T12:00:00+07:00"}`))
	f.Add([]byte(`{"outcome":null,"reference":"\ud800","wait_seconds":1e9}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := decode(body)
		if err != nil {
			return
		}
		for _, name := range []string{"outcome", "reference"} {
			s, err := in.text(name)
			if err == nil && (!utf8.ValidString(s) || strings.ContainsRune(s, 0) || utf8.RuneCountInString(s) > maxText || pan.Stands(s)) {
				t.Errorf("%q is taken as %q", body, s)
			}
		}
		if n, err := in.number("wait_seconds", 25); err == nil && (n < 0 || n > 25) {
			t.Errorf("%q is taken as %d", body, n)
		}
		if at, err := in.moment("at"); err == nil && !at.IsZero() && (at.Year() < 1999 || at.Year() > 2101) {
			t.Errorf("%q is taken as %v", body, at)
		}
	})
}
