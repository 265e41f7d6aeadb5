package money_test

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/thungan/thungan/money"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in   string
		want money.VND
		err  error
	}{
		{"0", 0, nil}, {"100000", 100000, nil}, {"100000.0", 100000, nil}, {"100000.000000", 100000, nil},
		{"50000.", 50000, nil}, {".0", 0, nil}, {"1e5", 100000, nil}, {"1.5e1", 15, nil}, {"150e-1", 15, nil},
		{"-7", -7, nil}, {"+7", 7, nil}, {"0e999", 0, nil}, {"000000000000000000000000000001", 1, nil},
		{"9223372036854775807", money.Max, nil},
		{"9223372036854775808", 0, money.ErrRange}, {"1e19", 0, money.ErrRange}, {"1e1001", 0, money.ErrRange},
		{"1e99999999999999999999", 0, money.ErrRange}, {strings.Repeat("9", 31), 0, money.ErrRange},
		{"0.5", 0, money.ErrFraction}, {"100000.000001", 0, money.ErrFraction}, {"1e-1", 0, money.ErrFraction},
		{"", 0, money.ErrSyntax}, {".", 0, money.ErrSyntax}, {"-", 0, money.ErrSyntax}, {"1 000", 0, money.ErrSyntax},
		{"1,000", 0, money.ErrSyntax}, {"NaN", 0, money.ErrSyntax}, {"Infinity", 0, money.ErrSyntax}, {"0x10", 0, money.ErrSyntax},
		{"1e", 0, money.ErrSyntax}, {"1_000", 0, money.ErrSyntax}, {"١٢", 0, money.ErrSyntax}, {"--1", 0, money.ErrSyntax},
	} {
		got, err := money.Parse(c.in)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("Parse(%q) = %d, %v; want %d, %v", c.in, got, err, c.want, c.err)
		}
	}
}

// The exact rational arithmetic of math/big is the oracle.
func TestParseAgainstRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`-?[0-9]{1,22}(\.[0-9]{0,7})?(e-?[0-9]{1,2})?`).Draw(t, "s")
		want, ok := new(big.Rat).SetString(strings.Replace(s, ".e", ".0e", 1))
		if !ok {
			t.Fatalf("oracle cannot read %q", s)
		}
		got, err := money.Parse(s)
		switch {
		case !want.IsInt():
			if !errors.Is(err, money.ErrFraction) && !errors.Is(err, money.ErrRange) {
				t.Fatalf("Parse(%q): %v, want a refusal", s, err)
			}
		case !want.Num().IsInt64():
			if !errors.Is(err, money.ErrRange) && got != money.VND(want.Num().Int64()) {
				t.Fatalf("Parse(%q) = %d, %v; want ErrRange", s, got, err)
			}
		case err != nil || int64(got) != want.Num().Int64():
			t.Fatalf("Parse(%q) = %d, %v; want %s", s, got, err, want.Num())
		}
	})
}

func TestAdd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		sum := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
		got, err := money.Add(money.VND(a), money.VND(b))
		if sum.IsInt64() != (err == nil) || err == nil && int64(got) != sum.Int64() {
			t.Fatalf("Add(%d, %d) = %d, %v", a, b, got, err)
		}
	})
}

func TestGrouped(t *testing.T) {
	for in, want := range map[money.VND]string{0: "0", 999: "999", 1000: "1.000", 1250000: "1.250.000", -12345: "-12.345"} {
		if got := in.Grouped(); got != want {
			t.Errorf("%d.Grouped() = %s, want %s", int64(in), got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"1", "1e5", "-0.0", "9e18", "1e-1000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := money.Parse(s)
		if err != nil {
			return
		}
		if back, err := money.Parse(v.String()); err != nil || back != v {
			t.Fatalf("%q -> %d -> %d, %v", s, v, back, err)
		}
	})
}
