package id

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/thungan/thungan/internal/clock"
	"pgregory.net/rapid"
)

// fixedCode is a valid code with the characters people get wrong.
const fixedCode = "TG01A0B1Z9KQ"

func TestFixedCode(t *testing.T) {
	if !ValidMemoCode(fixedCode) {
		var v [memoPayload]byte
		for i := range v {
			v[i], _ = symbolValue(rune(fixedCode[2+i]))
		}
		t.Fatalf("check symbol should be %c", alphabet[checkValue(v)])
	}
}

func TestMemoCodeIsValid(t *testing.T) {
	s := newSource()
	for range 2000 {
		code := s.MemoCode()
		if !ValidMemoCode(code) {
			t.Fatalf("made an invalid code %s", code)
		}
	}
	for _, bad := range []string{
		"", "TG", "TG0000000000", strings.ToLower(fixedCode), fixedCode + "0", fixedCode[:11],
		"XX" + fixedCode[2:], "TGO1A0B1Z9KQ", "TG\xff1A0B1Z9KQ", "TG" + strings.Repeat("U", 10),
	} {
		if ValidMemoCode(bad) {
			t.Errorf("%q passed", bad)
		}
	}
}

// The check is linear, so an error is detected or not whatever the code is.
// Weighing the error alone, for every place and every pair of values, is
// therefore a full proof.
func TestCheckDetectsEverySingleErrorAndExchange(t *testing.T) {
	weigh := func(e byte, places ...int) byte {
		var v [memoSymbols]byte
		for _, i := range places {
			v[i] = e
		}
		return checkValue([memoPayload]byte(v[:memoPayload])) ^ v[memoPayload] ^ memoSum
	}
	for i := range memoSymbols {
		for e := byte(1); e < 32; e++ {
			if weigh(e, i) == 0 {
				t.Errorf("place %d, error %d not detected", i, e)
			}
			for j := range i {
				if weigh(e, i, j) == 0 {
					t.Errorf("exchange of places %d and %d, difference %d not detected", j, i, e)
				}
			}
		}
	}
}

// The same on whole codes, without trusting the algebra.
func TestMistypedCodesFail(t *testing.T) {
	s := newSource()
	for range 20 {
		code := s.MemoCode()
		for i := len(memoPrefix); i < memoLen; i++ {
			for _, c := range []byte(alphabet) {
				wrong := code[:i] + string(c) + code[i+1:]
				if wrong != code && ValidMemoCode(wrong) {
					t.Errorf("%s taken for %s", wrong, code)
				}
			}
			if i+1 < memoLen {
				wrong := code[:i] + code[i+1:i+2] + code[i:i+1] + code[i+2:]
				if wrong != code && ValidMemoCode(wrong) {
					t.Errorf("%s taken for %s", wrong, code)
				}
			}
		}
	}
}

func TestFindMemoCodes(t *testing.T) {
	for name, text := range map[string]string{
		"alone":             fixedCode,
		"lower case":        strings.ToLower(fixedCode),
		"in a sentence":     "Nguyen Van A chuyen tien " + fixedCode + " cam on",
		"diacritics":        "thanh toán đơn " + fixedCode + " ạ",
		"glued":             "MBVCB.3278907687.CT" + fixedCode + "FT26063XYZ",
		"glued with T":      "CTT" + fixedCode,
		"glued with TG":     "TGTG" + fixedCode[2:],
		"spaces":            "T G 0 1 A 0 B 1 Z 9 K Q",
		"groups":            "TG-01A0.B1Z9/KQ",
		"line break":        "TG01A0\r\nB1Z9KQ",
		"no-break space":    "TG\u00a001A0\u2013B1Z9KQ",
		"letters for 0, 1":  "tgoiaOblz9kq",
		"letter L":          "TGOLA0B1Z9KQ",
		"after bytes junk":  "\xff\xfe" + fixedCode,
		"after another bad": "TG01A0B1Z9K7 " + fixedCode,
		"twice":             fixedCode + " " + fixedCode,
	} {
		t.Run(name, func(t *testing.T) {
			valid := 0
			for _, f := range FindMemoCodes(text) {
				if !f.Valid {
					continue
				}
				valid++
				if f.Code != fixedCode || f.Reason != "" {
					t.Errorf("found %+v", f)
				}
			}
			if valid != 1 {
				t.Errorf("%d valid codes in %q", valid, text)
			}
		})
	}
}

func TestFindMemoCodesRejects(t *testing.T) {
	for _, tc := range []struct {
		text   string
		code   string
		reason Reason
	}{
		{"TG01A0B1Z9K7", "TG01A0B1Z9K7", ReasonCheck},
		{"TG10A0B1Z9KQ", "TG10A0B1Z9KQ", ReasonCheck},
		{"tien TG01A0B1Z", "TG01A0B1Z", ReasonShort},
		{"TG01A0B1Z9 ", "TG01A0B1Z9", ReasonShort},
		{"TG01A0U1Z9KQ", "TG01A0", ReasonSymbol},
		{"TG01A0    B1Z9KQ", "TG01A0", ReasonSymbol},
		{"TG01A0\xffB1Z9KQ", "TG01A0", ReasonSymbol},
	} {
		found := FindMemoCodes(tc.text)
		if len(found) != 1 || found[0].Valid || found[0].Code != tc.code || found[0].Reason != tc.reason {
			t.Errorf("%q: %+v", tc.text, found)
		}
	}
	for _, text := range []string{"", "T", "TG", "tien hang thang 3", "T\u0300G01A0B1Z9KQ", "TĜ01A0B1Z9KQ"} {
		if found := FindMemoCodes(text); len(found) != 0 {
			t.Errorf("%q: %+v", text, found)
		}
	}
}

func TestFindMemoCodesPlace(t *testing.T) {
	text := "đơn " + "TG-01A0 B1Z9 KQ" + "."
	f := FindMemoCodes(text)[0]
	if text[f.Start:f.End] != "TG-01A0 B1Z9 KQ" {
		t.Errorf("%q", text[f.Start:f.End])
	}
}

func TestFindMemoCodesIsBounded(t *testing.T) {
	s := newSource()
	var many strings.Builder
	for range 1000 {
		many.WriteString(s.MemoCode())
	}
	for name, text := range map[string]string{
		"valid codes":  many.String(),
		"prefixes":     strings.Repeat("TG", 5000),
		"letters T":    strings.Repeat("T", 10_000),
		"separators":   strings.Repeat("T . ", 2500),
		"beyond 10 KB": strings.Repeat("x", 20_000) + fixedCode,
	} {
		start := time.Now()
		valid, rejected := 0, 0
		for _, f := range FindMemoCodes(text) {
			if f.Valid {
				valid++
			} else {
				rejected++
			}
		}
		if valid > maxCandidates || rejected > maxCandidates {
			t.Errorf("%s: %d valid, %d rejected", name, valid, rejected)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

func TestFindMemoCodesInAnyDress(t *testing.T) {
	s := newSource()
	rapid.Check(t, func(t *rapid.T) {
		code := s.MemoCode()
		separator := rapid.SampledFrom([]string{"", "", "", " ", ".", "-", "/", " - "})
		var dressed strings.Builder
		for _, c := range code {
			form := string(c)
			switch {
			case c == '0' && rapid.Bool().Draw(t, "zero"):
				form = "O"
			case c == '1' && rapid.Bool().Draw(t, "one"):
				form = rapid.SampledFrom([]string{"I", "L"}).Draw(t, "letter")
			}
			if rapid.Bool().Draw(t, "lower") {
				form = strings.ToLower(form)
			}
			if dressed.Len() > 0 {
				dressed.WriteString(separator.Draw(t, "separator"))
			}
			dressed.WriteString(form)
		}
		text := rapid.StringN(0, 40, 200).Draw(t, "before") + dressed.String() +
			rapid.StringN(0, 40, 200).Draw(t, "after")
		for _, f := range FindMemoCodes(text) {
			if f.Valid && f.Code == code {
				return
			}
		}
		t.Fatalf("%s not found in %q", code, text)
	})
}

func FuzzFindMemoCodes(f *testing.F) {
	for _, seed := range []string{
		"", fixedCode, "tg 01a0-b1z9.kq", "MBVCB.1.CT" + fixedCode + "X", "TGTGTGTG", "TG\xff", "T G O I L U",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		last := -1
		for _, c := range FindMemoCodes(text) {
			if c.Start <= last || c.End <= c.Start || c.End > len(text) {
				t.Fatalf("place of %+v in %d bytes", c, len(text))
			}
			last = c.Start
			if c.Valid != ValidMemoCode(c.Code) || c.Valid != (c.Reason == "") {
				t.Fatalf("verdict of %+v", c)
			}
			if utf8.RuneCountInString(text[c.Start:c.End]) > memoLen*(maxGap+1) {
				t.Fatalf("too wide: %+v", c)
			}
		}
	})
}

// A code must not look as if another one began inside it: the matcher would
// have to tell people about candidates that nobody wrote.
func TestMemoCodeHasNoOtherInside(t *testing.T) {
	c := clock.NewManual(noon)
	s := NewSource(rand.Reader, c)
	for range 20_000 {
		c.Advance(7777 * time.Millisecond) // a day and a half: the digits that count time take all forms
		if code := s.MemoCode(); strings.Contains(code[1:], memoPrefix) {
			t.Fatal(code)
		}
	}
}

// Codes made in a later tenth of a second stand behind those made before: the
// index that they are looked up by grows at its end.
func TestMemoCodesFollowTime(t *testing.T) {
	// From a moment at which the digits begin anew.
	const round = memoTick * memoBase * memoBase * memoBase * memoBase * memoBase
	c := clock.NewManual(clock.FromMillis(clock.Millis(noon) / round * round))
	s := NewSource(rand.Reader, c)
	last := ""
	for range 5000 {
		code := s.MemoCode()
		if code[:len(memoPrefix)+memoTimed] <= last {
			t.Fatalf("%s after %s", code, last)
		}
		last = code[:len(memoPrefix)+memoTimed]
		c.Advance(memoTick * time.Millisecond)
	}
}
