package paykit

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCheckDecimal(t *testing.T) {
	const (
		digits = "Ensure that there are no more than 30 digits in total."
		places = "Ensure that there are no more than 6 decimal places."
		whole  = "Ensure that there are no more than 24 digits before the decimal point."
	)
	nines := func(n int) string { return strings.Repeat("9", n) }
	for _, c := range []struct{ in, want string }{
		{"100000", ""},
		{"100000.000000", ""},
		{"0.000001", ""},
		{".5", ""},
		{"5.", ""},
		{"+5", ""},
		{"1e5", ""},
		{"1E+5", ""},
		{"100e-6", ""},
		{" \t\n 7\u00a0\x1c ", ""},
		{"000000000000000000000000000000000000001", ""},
		{nines(24), ""},
		{nines(24) + ".999999", ""},
		{strings.Repeat(" ", 2000) + "1", ""},

		{"", msgNumber},
		{"   ", msgNumber},
		{".", msgNumber},
		{"-", msgNumber},
		{"e5", msgNumber},
		{"1e", msgNumber},
		{"1e+", msgNumber},
		{"1e+-5", msgNumber},
		{"1e5.0", msgNumber},
		{"1.2.3", msgNumber},
		{"--1", msgNumber},
		{"1 000", msgNumber},
		{"100,000", msgNumber},
		{"1_000", msgNumber}, // P10
		{"١٢٣", msgNumber},   // P10
		{"0x10", msgNumber},
		{"NaN", msgNumber},
		{"sNaN", msgNumber},
		{"Infinity", msgNumber},
		{"-inf", msgNumber},
		{"1e9999999999999999999", msgNumber},
		{"a\x00b", msgNumber},

		{strings.Repeat("9", 1001), msgNumberLong},
		{strings.Repeat("9", 1000), digits},
		{nines(31), digits},
		{nines(24) + ".9999999", digits},
		{"1e30", digits},
		{"1e-31", digits},
		{"1e999999999999999999", digits},
		{"1e-999999999999999999", digits},
		{"0e999", digits}, // digits are counted as written, also of zero
		{"0.0000001", places},
		{"1.0000000", places},
		{nines(23) + ".9999999", places},
		{nines(25), whole},
		{"1e24", whole},

		{"0", msgNumberMin},
		{"0.000000", msgNumberMin},
		{"-0", msgNumberMin},
		{"-1", msgNumberMin},
		{"-0.000001", msgNumberMin},
	} {
		if _, got := checkDecimal(c.in); got != c.want {
			t.Errorf("%.40q: %q, want %q", c.in, got, c.want)
		}
	}
}

// Whatever is accepted is above zero, below 10^24 and whole in millionths; its
// amount is that number when it is a whole number of đồng, and 0 else (P10,
// P11). A plain number with those properties is accepted.
func TestDecimalsAgainstBig(t *testing.T) {
	million, bound := big.NewRat(1_000_000, 1), new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(24), nil))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[+-]?[0-9]{0,26}(\.[0-9]{0,8})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "text")
		kept, message := checkDecimal(text)
		value, parsed := new(big.Rat).SetString(text)
		if !parsed {
			if message == "" {
				t.Fatalf("%q is no number", text)
			}
			return
		}
		fits := value.Sign() > 0 && value.Cmp(bound) < 0 && new(big.Rat).Mul(value, million).IsInt()
		if message == "" && !fits {
			t.Fatalf("%q was accepted", text)
		}
		if message != "" {
			if plain := !strings.ContainsAny(text, "eE") && strings.Count(text, "") < 20 && len(text)-strings.IndexByte(text+".", '.') <= 7; plain && fits {
				t.Fatalf("%q: %s", text, message)
			}
			return
		}
		want := int64(0)
		if value.IsInt() && value.Num().IsInt64() {
			want = value.Num().Int64()
		}
		if got := amountOf(kept); int64(got) != want {
			t.Fatalf("%q is %d đồng, want %d", text, got, want)
		}
	})
}

func TestParseDatetime(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UTC()
	}
	for in, want := range map[string]string{
		"2025-03-04T05:06:07.000123Z":       "2025-03-04T05:06:07.000123Z",
		"2025-03-04T05:06:07Z":              "2025-03-04T05:06:07Z",
		"2025-03-04T05:06:07":               "2025-03-04T05:06:07Z", // P12
		"2025-03-04T05:06":                  "2025-03-04T05:06:00Z",
		"2025-03-04 05:06:07+07:00":         "2025-03-03T22:06:07Z",
		"2025-03-04T05:06:07+0730":          "2025-03-03T21:36:07Z",
		"2025-03-04T05:06:07-03":            "2025-03-04T08:06:07Z",
		"2025-03-04T05:06:07.5 -00:00":      "2025-03-04T05:06:07.5Z",
		"2025-3-4T5:6:7,25Z":                "2025-03-04T05:06:07.25Z",
		"2025-03-04T05:06:07.123456999999Z": "2025-03-04T05:06:07.123456Z",
		"2024-02-29T00:00:00Z":              "2024-02-29T00:00:00Z",
		"9999-12-31T23:59:59Z":              "9999-12-31T23:59:59Z",
		"2025-03-04T05:06:07.000000+23:59":  "2025-03-03T05:07:07Z",
	} {
		got, message := parseDatetime(in)
		if message != "" || !got.Equal(at(want)) || got.Location() != time.UTC {
			t.Errorf("%q: %v %q, want %s", in, got, message, want)
		}
	}
	for in, want := range map[string]string{
		"":                                   msgDatetime,
		"2025-03-04":                         msgDatetime, // P12
		"20250304T050607Z":                   msgDatetime,
		"2025-W10-2T05:06:07Z":               msgDatetime,
		"2025-02-29T05:06:07Z":               msgDatetime,
		"2025-13-01T05:06:07Z":               msgDatetime,
		"2025-00-01T05:06:07Z":               msgDatetime,
		"2025-03-04T24:00:00Z":               msgDatetime,
		"2025-03-04T05:60:00Z":               msgDatetime,
		"2025-03-04T05:06:60Z":               msgDatetime,
		"2025-03-04t05:06:07Z":               msgDatetime,
		"2025-03-04T05:06:07z":               msgDatetime,
		"2025-03-04T05:06:07+24:00":          msgDatetime,
		"2025-03-04T05:06:07.1234567890123Z": msgDatetime,
		"2025-03-04T05:06:07Z ":              msgDatetime,
		" 2025-03-04T05:06:07Z":              msgDatetime,
		"2025-03-04T05:06:07ZZ":              msgDatetime,
		"٢٠٢٥-03-04T05:06:07Z":               msgDatetime,
		"0000-01-01T00:00:00Z":               msgDatetime,
		"12025-03-04T05:06:07Z":              msgDatetime,
		"1741064767":                         msgDatetime,
		"tomorrow":                           msgDatetime,
		"0001-01-01T00:00:00+01:00":          msgDatetimeOut,
		"9999-12-31T23:59:59-00:01":          msgDatetimeOut,
	} {
		if got, message := parseDatetime(in); message != want || !got.IsZero() {
			t.Errorf("%q: %v %q, want %q", in, got, message, want)
		}
	}
}

// Every moment in every offset comes back, and what we send we can read.
func TestDatetimeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// From year 2 to 9998: an offset moves the edge years out of range.
		sec := rapid.Int64Range(-62_104_060_800, 253_370_764_799).Draw(t, "second")
		micros := rapid.Int64Range(0, 999_999).Draw(t, "microsecond")
		minutes := rapid.IntRange(-1439, 1439).Draw(t, "offset")
		want := time.Unix(sec, micros*1000).UTC()
		local := want.In(time.FixedZone("", minutes*60))
		sign, m := '+', minutes
		if m < 0 {
			sign, m = '-', -m
		}
		for _, text := range []string{
			want.Format(timeLayout),
			local.Format("2006-01-02T15:04:05.000000") + fmt.Sprintf("%c%02d:%02d", sign, m/60, m%60),
		} {
			got, message := parseDatetime(text)
			if message != "" || !got.Equal(want) {
				t.Fatalf("%s: %v %s", text, got, message)
			}
		}
	})
}

func TestValidURL(t *testing.T) {
	for in, want := range map[string]bool{
		"https://shop.example.com/ok":            true,
		"http://shop.example.com":                true,
		"HTTPS://SHOP.EXAMPLE.COM/":              true,
		"https://shop.example.com.":              true,
		"https://shop.example.com:8443/a?b=c#d":  true,
		"https://shop.example.com?x=1":           true,
		"https://shop.example.com#top":           true,
		"http://localhost:8080/ipn":              true,
		"http://127.0.0.1:9000/ipn":              true,
		"http://[::1]:9000/ipn":                  true,
		"https://[2001:db8::1]/":                 true,
		"https://thanh-toán.vn/đơn?x=đ":          true,
		"https://xn--thanh-ton-e4a.xn--j6w193g/": true,
		"https://a-b.c1.vn/":                     true,
		"https://shop.vn/?key=wc_order_1&a=%2Fb": true,

		"":                                                  false,
		"shop.example.com":                                  false,
		"//shop.example.com":                                false,
		"ftp://shop.example.com":                            false, // P13
		"javascript://shop.example.com/%0a":                 false,
		"javascript:alert(1)":                               false,
		"data:text/html,x":                                  false,
		"https://user:pass@shop.example.com/":               false, // P13
		"https://@shop.example.com/":                        false,
		"http:shop.example.com":                             false,
		"http:///ok":                                        false,
		"http://shop":                                       false,
		"http://shop.c":                                     false,
		"http://shop.123":                                   false,
		"http://1.2.3":                                      false,
		"http://256.1.1.1":                                  false,
		"http://01.2.3.4":                                   false,
		"http://my_shop.example.com":                        false,
		"http://-shop.example.com":                          false,
		"http://shop-.example.com":                          false,
		"http://shop..example.com":                          false,
		"http://.example.com":                               false,
		"http://shop.xn--":                                  false,
		"http://shop.example.com:":                          false,
		"http://shop.example.com:99999":                     false,
		"http://shop.example.com:x":                         false,
		"http://[::1":                                       false,
		"http://[::g]/":                                     false,
		"http://[fe80::1%25eth0]/":                          false,
		"http://[127.0.0.1]/":                               false,
		"http://shop.example.com/a b":                       false,
		"http://shop.example.com/\n":                        false,
		"http://shop.example.com/\u3000":                    false,
		"http://shop.example.com/\x00":                      false,
		"http://shop.example.com/%zz":                       false,
		"http://good.example.com\\@evil.vn":                 false,
		"http://" + strings.Repeat("a", 64) + ".vn":         false,
		"http://" + strings.Repeat("abcdefghi.", 26) + "vn": false,
		"http://shop.😀.vn":                                  false,
	} {
		if got := validURL(in); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}
