package vietqr

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// sealed appends the right CRC object.
func sealed(body string) string {
	body += "6304"
	return string(appendCRC([]byte(body), crc16(body)))
}

// tlv writes one object, its length counted in characters.
func tlv(id, value string) string {
	return fmt.Sprintf("%s%02d%s", id, utf8.RuneCountInString(value), value)
}

const (
	start       = "000201010211"
	beneficiary = "0127" + "0006970403" + "01130011012345678"
	scheme      = "3857" + "0010A000000727" + beneficiary + "0208QRIBFTTA"
	vnd         = "5303704"
	vn          = "5802VN"
)

func TestDecodeTolerates(t *testing.T) {
	plain := Payload{BIN: "970403", Account: "0011012345678", Service: ServiceAccount, CRCOK: true}
	with := func(change func(*Payload)) Payload {
		p := plain
		change(&p)
		return p
	}
	tests := []struct {
		name     string
		text     string
		want     Payload
		warnings []WarningCode
	}{
		{"any order", sealed("0002015802VN" + vnd + scheme + "010211"), plain, nil},
		{"62 before 38", sealed(start + "62080804TG4K" + scheme + vnd + vn),
			with(func(p *Payload) { p.Memo = "TG4K" }), nil},
		{"trailing dot", sealed(start + scheme + vnd + "540650000." + vn),
			with(func(p *Payload) { p.Amount = 50000 }), []WarningCode{AmountForm}},
		{"zero decimals", sealed(start + scheme + vnd + "540850000.00" + vn),
			with(func(p *Payload) { p.Amount = 50000 }), []WarningCode{AmountForm}},
		{"amount of zero", sealed(start + scheme + vnd + "54010" + vn), plain, []WarningCode{UnexpectedValue}},
		{"amount of 15 digits", sealed(start + scheme + vnd + tlv("54", "100000000000000") + vn),
			with(func(p *Payload) { p.Amount = 100000000000000 }), []WarningCode{TooLong}},
		{"empty amount", sealed(start + scheme + vnd + "5400" + vn), plain, []WarningCode{EmptyObject}},
		{"lengths in characters", sealed(start + scheme + vnd + vn + "6213" + "0809Lê Anh Tú"),
			with(func(p *Payload) { p.Memo = "Lê Anh Tú" }), []WarningCode{UnexpectedCharacter}},
		{"lengths in bytes", sealed(start + scheme + vnd + vn + "6215" + "0811Lê Anh Tú"),
			with(func(p *Payload) { p.Memo = "Lê Anh Tú" }), []WarningCode{UnexpectedCharacter, LengthInBytes}},
		{"long account", sealed(start + "3864" + "0010A000000727" + "0134" + "0006970403" + "0120" + strings.Repeat("1", 20) + "0208QRIBFTTA" + vnd + vn),
			with(func(p *Payload) { p.Account = strings.Repeat("1", 20) }), []WarningCode{TooLong}},
		{"odd account", sealed(start + "3857" + "0010A000000727" + "0127" + "0006970403" + "0113001101234567-" + "0208QRIBFTTA" + vnd + vn),
			with(func(p *Payload) { p.Account = "001101234567-" }), []WarningCode{UnexpectedCharacter}},
		{"no service", sealed(start + "3845" + "0010A000000727" + beneficiary + vnd + vn),
			with(func(p *Payload) { p.Service = "" }), []WarningCode{MissingObject}},
		{"other service", sealed(start + "3853" + "0010A000000727" + beneficiary + "0204QRXX" + vnd + vn),
			with(func(p *Payload) { p.Service = "QRXX" }), []WarningCode{UnexpectedValue}},
		{"long merchant name", sealed(start + scheme + vnd + vn + tlv("59", strings.Repeat("M", 26))),
			with(func(p *Payload) { p.MerchantName = strings.Repeat("M", 26) }), []WarningCode{TooLong}},
		{"odd category", sealed(start + scheme + "5203ABC" + vnd + vn),
			with(func(p *Payload) { p.MCC = "ABC" }), []WarningCode{UnexpectedValue}},
		{"odd data request", sealed(start + scheme + vnd + vn + "62060902AA"),
			with(func(p *Payload) { p.DataRequest = "AA" }), []WarningCode{UnexpectedValue}},
		{"empty 62", sealed(start + scheme + vnd + vn + "6200"), plain, []WarningCode{EmptyObject}},
		{"neither method, currency nor country", sealed("000201" + scheme), plain,
			[]WarningCode{MissingObject, MissingObject, MissingObject}},
		{"odd method and country", sealed("000201010213" + scheme + vnd + "5802US"), plain,
			[]WarningCode{UnexpectedValue, UnexpectedValue}},
		{"dynamic without amount", sealed("000201010212" + scheme + vnd + vn),
			with(func(p *Payload) { p.Dynamic = true }), []WarningCode{MissingObject}},
		{"white space around", "\t" + sealed(start+scheme+vnd+vn) + " \r\n", plain, []WarningCode{SpaceAround}},
		{"unknown twice", sealed(start + "2601a2601b" + scheme + vnd + vn),
			with(func(p *Payload) { p.Unknown.Root = []Field{{"26", "a"}, {"26", "b"}} }), []WarningCode{DuplicateObject}},
		{"CRC not hexadecimal", start + scheme + vnd + vn + "6304zzzz",
			with(func(p *Payload) { p.CRCOK = false }), []WarningCode{WrongCRC}},
		{"unknown everywhere", sealed(start + "3867" + "0010A000000727" + "0132" + "0006970403" + "01130011012345678" + "0201b" + "0208QRIBFTTA" + "0501s" + vnd + vn + "62092005extra" + "9902zz"),
			with(func(p *Payload) {
				p.Unknown = Unknown{Root: []Field{{"99", "zz"}}, Scheme: []Field{{"05", "s"}},
					Beneficiary: []Field{{"02", "b"}}, Data: []Field{{"20", "extra"}}}
			}), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, warnings, err := Decode(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("payload (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.warnings, codes(warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s%v", diff, warnings)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := sealed(start + scheme + vnd + vn)
	tests := []struct {
		name   string
		text   string
		object string
		offset int
		reason string // part of it
	}{
		{"empty", "", "", 0, "empty"},
		{"white space only", " \n", "", 0, "empty"},
		{"over 4 KiB", strings.Repeat("0", 4097), "", 4096, "4096"},
		{"not UTF-8", good[:20] + "\xff" + good[20:], "", 20, "UTF-8"},
		{"not a payload", "https://example.com", "", 0, "two digits"},
		{"00 not first", sealed("010211000201" + scheme + vnd + vn), "01", 4, "first"},
		{"other format", sealed("000202010211" + scheme + vnd + vn), "00", 4, "01"},
		{"NAPAS 6.1.1, broken nesting", brokenNesting, "38.01", 60, "middle"},
		{"length past the end", "00020101021", "01", 10, "past the end"},
		{"length not digits", "0002010x0211", "", 6, "two digits"},
		{"length of letters", "000201010x11", "01", 10, "length"},
		{"cut off", good[:len(good)-10], "58", 84, "past the end"},
		{"no CRC", good[:len(good)-8], "", 86, "no object 63"},
		{"short CRC", good[:len(good)-6] + "02AB", "63", 90, "4 characters"},
		{"after the CRC", good + "9902zz", "99", 98, "last"},
		{"no 38", sealed(start + "260300A" + vnd + vn), "", 40, "not VietQR"},
		{"38 empty", sealed(start + "3800" + vnd + vn), "38", 16, "38.00"},
		{"38 of another scheme", sealed(start + "38140010A000000775" + vnd + vn), "38.00", 20, "A000000727"},
		{"38 without beneficiary", sealed(start + "38140010A000000727" + vnd + vn), "38", 16, "38.01"},
		{"38 without scheme id", sealed(start + "3831" + beneficiary + vnd + vn), "38", 16, "38.00"},
		{"no BIN", sealed(start + "3835" + "0010A000000727" + "0117" + "01130011012345678" + vnd + vn), "38.01", 34, "BIN"},
		{"no account", sealed(start + "3828" + "0010A000000727" + "0110" + "0006970403" + vnd + vn), "38.01", 34, "account"},
		{"empty account", sealed(start + "3832" + "0010A000000727" + "0114" + "0006970403" + "0100" + vnd + vn), "38.01.01", 48, "empty"},
		{"BIN of letters", sealed(start + strings.Replace(scheme, "970403", "97040X", 1) + vnd + vn), "38.01.00", 38, "6 digits"},
		{"two accounts", sealed(start + "3862" + "0010A000000727" + "0132" + "0006970403" + "01130011012345678" + "01011" + "0208QRIBFTTA" + vnd + vn), "38.01.01", 65, "twice"},
		{"two 38", sealed(start + scheme + scheme + vnd + vn), "38", 77, "twice"},
		{"two amounts", sealed(start + scheme + vnd + "54041000" + "54049000" + vn), "54", 92, "twice"},
		{"dollars", sealed(start + scheme + "5303840" + vn), "53", 77, "704"},
		{"fraction", sealed(start + scheme + vnd + "54071000.50" + vn), "54", 84, "fraction"},
		{"thousands marks", sealed(start + scheme + vnd + "540650 000" + vn), "54", 84, "digits"},
		{"comma", sealed(start + scheme + vnd + "540650,000" + vn), "54", 84, "digits"},
		{"two dots", sealed(start + scheme + vnd + "54061.000." + vn), "54", 84, "digits"},
		{"only a dot", sealed(start + scheme + vnd + "5401." + vn), "54", 84, "digits"},
		{"negative", sealed(start + scheme + vnd + "5404-100" + vn), "54", 84, "negative"},
		{"beyond int64", sealed(start + scheme + vnd + "542099999999999999999999" + vn), "54", 84, "large"},
		{"broken 62", sealed(start + scheme + vnd + vn + "62060809abXX"[:10]), "62.08", 0, "past the end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, _, err := Decode(tt.text)
			var decodeErr *DecodeError
			if !errors.As(err, &decodeErr) {
				t.Fatalf("Decode = %+v, %v, want a *DecodeError", p, err)
			}
			if tt.name == "broken 62" {
				tt.offset = strings.Index(tt.text, "0809") + 4
			}
			if decodeErr.Object != tt.object || decodeErr.Offset != tt.offset || !strings.Contains(decodeErr.Reason, tt.reason) {
				t.Errorf("refused %+v, want object %q at %d: ...%s...", *decodeErr, tt.object, tt.offset, tt.reason)
			}
			if diff := cmp.Diff(Payload{}, p); diff != "" {
				t.Errorf("half a payload comes with the error:\n%s", diff)
			}
		})
	}
}

func TestDecodeOffsetCountsLeadingSpace(t *testing.T) {
	_, _, err := Decode("  " + brokenNesting)
	var decodeErr *DecodeError
	if !errors.As(err, &decodeErr) || decodeErr.Offset != 62 {
		t.Errorf("got %v, want byte 62", err)
	}
}

func TestDecodeVerified(t *testing.T) {
	if _, _, err := DecodeVerified(twoSchemes); err != nil {
		t.Error(err)
	}
	p, warnings, err := DecodeVerified(twoSchemes[:len(twoSchemes)-1] + "F")
	if !errors.Is(err, ErrCRC) || p.BIN != "970454" || len(warnings) != 1 {
		t.Errorf("wrong CRC: %+v, %v, %v", p, warnings, err)
	}
	var decodeErr *DecodeError
	if _, _, err := DecodeVerified(brokenNesting); !errors.As(err, &decodeErr) {
		t.Errorf("broken nesting: %v", err)
	}
}

// TestEveryTruncationIsRefused: no payload cut short may pass for another one.
func TestEveryTruncationIsRefused(t *testing.T) {
	for _, v := range vectors {
		for n := range v.text {
			if p, _, err := Decode(v.text[:n]); err == nil {
				t.Errorf("%s cut to %d bytes: %+v", v.name, n, p)
			}
		}
	}
}

// TestSingleCharacterChangesAreCaught: a CRC of 16 bits finds every change of
// one byte.
func TestSingleCharacterChangesAreCaught(t *testing.T) {
	for _, v := range vectors {
		if !v.want.CRCOK {
			continue
		}
		for i := range v.text {
			changed := []byte(v.text)
			changed[i] ^= 1
			if _, _, err := DecodeVerified(string(changed)); err == nil {
				t.Errorf("%s changed at byte %d passes", v.name, i)
			}
		}
	}
}

func TestWarningString(t *testing.T) {
	_, warnings, err := Decode(vectors[0].text)
	if err != nil || len(warnings) != 1 || warnings[0].String() != "too_long 62.08: 33 characters, the limit is 25" {
		t.Errorf("%v, %v", warnings, err)
	}
	if got := (Warning{Code: SpaceAround, Text: "x"}).String(); got != "space_around: x" {
		t.Error(got)
	}
}
