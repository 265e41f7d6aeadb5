package vietqr

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func drawPayload(t *rapid.T) Payload {
	text := func(label string, limit int) string {
		return rapid.StringOfN(rapid.Map(rapid.IntRange(32, 126), func(c int) rune { return rune(c) }), 0, limit, -1).Draw(t, label)
	}
	p := Payload{
		Dynamic:      rapid.Bool().Draw(t, "dynamic"),
		BIN:          rapid.StringMatching(`[0-9]{6}`).Draw(t, "bin"),
		Account:      rapid.StringMatching(`[0-9A-Za-z]{1,19}`).Draw(t, "account"),
		Service:      ServiceAccount,
		MCC:          rapid.StringMatching(`([0-9]{4})?`).Draw(t, "mcc"),
		Amount:       rapid.Int64Range(1, maxAmount).Draw(t, "amount"),
		MerchantName: text("merchant", MaxMerchantName),
		City:         text("city", MaxCity),
		PostalCode:   text("postal", MaxPostalCode),
		DataRequest:  rapid.SampledFrom([]string{"", "A", "ME", "AME"}).Draw(t, "data request"),
		CRCOK:        true,
	}
	if !p.Dynamic && rapid.Bool().Draw(t, "no amount") {
		p.Amount = 0
	}
	room := 99 - 7 // the data request
	for n := firstLabel; n <= lastLabel && room > 4; n++ {
		*p.label(n) = text(labelNames[n], min(MaxLabel, room-4))
		room -= 4 + len(*p.label(n))
	}
	if room > 4 {
		p.Unknown.Data = drawFields(t, "62", 10, 99, 1, room-4)
	}
	p.Unknown.Root = drawFields(t, "root", 2, 99, 5, 99)
	p.Unknown.Scheme = drawFields(t, "38", 3, 99, 1, 15)
	p.Unknown.Beneficiary = drawFields(t, "38.01", 2, 99, 1, 10)
	return p
}

// drawFields draws at most count unknown objects of any text, ascending.
func drawFields(t *rapid.T, label string, first, last, count, limit int) []Field {
	var fields []Field
	for range rapid.IntRange(0, count).Draw(t, label+" count") {
		id := twoDigits(rapid.IntRange(first, last).Draw(t, label+" id"))
		value := rapid.StringN(1, limit, -1).Draw(t, label+" value")
		if hasID(fields, id) || label == "root" && isNamedRoot(id) {
			continue
		}
		fields = append(fields, Field{id, value})
	}
	return sortedByID(fields)
}

func TestEncodeThenDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPayload(t)
		text, err := Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		got, warnings, err := Decode(text)
		if err != nil || len(warnings) != 0 {
			t.Fatal(text, warnings, err)
		}
		if diff := cmp.Diff(p, got); diff != "" {
			t.Fatalf("%s\n(-want +got):\n%s", text, diff)
		}
		if again, err := Encode(got); err != nil || again != text {
			t.Fatalf("second time %q, %v, first %q", again, err, text)
		}
	})
}

// TestShuffledObjects: the order between 00 and 63 does not matter, and unknown
// templates come through.
func TestShuffledObjects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPayload(t)
		text, err := Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		middle := rapid.Permutation(rootObjects(text[6:len(text)-8])).Draw(t, "order")
		shuffled := sealed(text[:6] + strings.Join(middle, ""))
		got, _, err := Decode(shuffled)
		if err != nil || !got.CRCOK {
			t.Fatal(shuffled, err)
		}
		if again, err := Encode(got); err != nil || again != text {
			t.Fatalf("%q, %v, want %q", again, err, text)
		}
	})
}

// rootObjects splits a payload, written apart from the decoder on purpose.
func rootObjects(text string) []string {
	var objects []string
	runes := []rune(text)
	for len(runes) > 0 {
		size := 4 + int(runes[2]-'0')*10 + int(runes[3]-'0')
		objects = append(objects, string(runes[:size]))
		runes = runes[size:]
	}
	return objects
}

func TestMutatedPayloads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(vectors[rapid.IntRange(0, len(vectors)-1).Draw(t, "vector")].text)
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			at := rapid.IntRange(0, len(text)).Draw(t, "at")
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				text = slices.Insert(text, at, rapid.SliceOfN(rapid.Byte(), 1, 4).Draw(t, "bytes")...)
			case 1:
				text = slices.Delete(text, at, min(at+rapid.IntRange(1, 4).Draw(t, "n"), len(text)))
			default:
				if at < len(text) {
					text[at] = rapid.SampledFrom([]byte("0123456789.A ")).Draw(t, "byte")
				}
			}
		}
		checkDecode(t, string(text))
	})
}

type failer interface {
	Helper()
	Fatalf(string, ...any)
}

// checkDecode holds for any text whatever: what Decode takes, Rebuild can write
// and Decode reads back the same.
func checkDecode(t failer, text string) {
	t.Helper()
	p, _, err := Decode(text)
	if err != nil {
		if err.Error() == "" || !utf8.ValidString(err.Error()) {
			t.Fatalf("error text %q", err.Error())
		}
		return
	}
	again, err := Rebuild(p)
	if err != nil {
		t.Fatalf("Rebuild of %q: %v", text, err)
	}
	got, _, err := Decode(again)
	if err != nil {
		t.Fatalf("Decode of %q, rebuilt from %q: %v", again, text, err)
	}
	want := p
	want.CRCOK = true
	want.Unknown.Root = sortedByID(want.Unknown.Root)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%q rebuilt as %q (-want +got):\n%s", text, again, diff)
	}
	if strict, err := Encode(p); err == nil && p.Service != "" && strict != again {
		t.Fatalf("Encode %q, Rebuild %q", strict, again)
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.text)
	}
	f.Add(brokenNesting)
	f.Add(sealed(start + scheme + vnd + vn + "6215" + "0811Lê Anh Tú"))
	f.Add(sealed("000201" + vnd + "5406500.00" + "62022001" + scheme + "99000000"))
	f.Fuzz(func(t *testing.T, text string) { checkDecode(t, text) })
}

// checkLines: every line has one answer, which is valid UTF-8 of one line.
func checkLines(t *testing.T, run func(io.Reader, io.Writer) error, input []byte) []string {
	var out bytes.Buffer
	if err := run(bytes.NewReader(input), &out); err != nil {
		t.Fatal(err)
	}
	want := bytes.Count(input, []byte("\n"))
	if len(input) > 0 && input[len(input)-1] != '\n' {
		want++
	}
	answers := strings.SplitAfter(out.String(), "\n")
	if last := len(answers) - 1; last != want || answers[last] != "" || !utf8.Valid(out.Bytes()) {
		t.Fatalf("%d lines in, out: %q", want, answers)
	}
	return answers[:want]
}

func FuzzDecodeLines(f *testing.F) {
	f.Add([]byte(vectors[0].text + "\n\r\n\xff\n" + vectors[11].text))
	f.Add([]byte(sealed(start+scheme+vnd+vn+"6217"+"0813\"<\u2028\\\x01&>é,{}\t") + "\n"))
	f.Fuzz(func(t *testing.T, input []byte) {
		for _, line := range checkLines(t, DecodeLines, input) {
			if !json.Valid([]byte(line)) {
				t.Fatalf("not JSON: %q", line)
			}
		}
	})
}

func FuzzEncodeLines(f *testing.F) {
	f.Add([]byte(`{"bin":"970436","account":"001","amount":50000.0,"memo":"a"}` + "\n\n[]\n"))
	f.Add([]byte(`{"bin":"970436","account":"001","amount":"7","dynamic":false,"terminal":null}`))
	f.Add([]byte(`{"bin":"970436","account":"Đ","unaccent":true,"memo":"\ud800"}`))
	f.Fuzz(func(t *testing.T, input []byte) {
		for _, line := range checkLines(t, EncodeLines, input) {
			if json.Valid([]byte(line)) && line[0] == '{' {
				continue
			}
			p, warnings, err := Decode(strings.TrimSuffix(line, "\n"))
			if err != nil || len(warnings) > 0 || !p.CRCOK {
				t.Fatalf("%q: %v, %v", line, warnings, err)
			}
		}
	})
}
