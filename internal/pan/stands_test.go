package pan

import (
	"testing"

	"pgregory.net/rapid"
)

func TestStands(t *testing.T) {
	for _, card := range []string{
		"4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "4111.1111.1111.1111",
		"The 4111111111111111.", "thẻ:4111111111111111", "https://shop.example/?pan=4111111111111111&x=1", "(5555555555554444)",
		"5105105105105100", "2223003122003222", "378282246310005", "3782 822463 10005", "30569309025904", "3056 930902 5904",
		"3530111333300000", "6011111111111117", "6200000000000005", "6304000000000000000", "2200123456789019",
		"9704000000000018", "9704 0000 0000 0018", "9704 0000 0000 0000 018", "9704000000000000017",
		"４１１１１１１１１１１１１１１１", "４１１１　１１１１　１１１１　１１１１", "4111\u00a01111–1111—1111", "thẻ\u00a04111\u200b111111111111", "٤١١١١١١١١١١١١١١١",
		"don 12 4111 1111 1111 1111", "4111 1111 1111 1111 12/29", "DH12 4111 1111 1111 1111",
	} {
		if !Stands(card) {
			t.Errorf("%q is a card number", card)
		}
	}
	for _, other := range []string{
		"", "ORDER-1", "4111111111111112", "411111111111111", "41111111111111111111111",
		"2026112500000123", "20261125-0000001234", "1764093312345", "1764093312345678", "1234567890123456", "0000000000000000",
		"0912345678", "+84 912 345 678", "9704361234567", // a BIN and seven digits
		"356938035643809", "490154203237518", // IMEIs
		"4005900036766", "4222222222222", "8934563138165", // EAN-13
		"4200205123456", "19031234567890", // account numbers
		"２０２６１１２５０００００１２３", "ＤＨ４１１１１１１１１１１１１１１１", "DH４１１１１１１１１１１１１１１１",
		"DH4111111111111111", "4111111111111111X", "thẻ4111111111111111của", "A_4111111111111111", "4111111111111111_1",
		"4111  1111  1111  1111", "411 111 111 111 111 1", "4.111.111.111.111.111", "12/4/2026 500.000",
		"01890000-4111-7111-8111-111111111111", "id=01890000-4111-7111-8111-111111111111;",
	} {
		if Stands(other) {
			t.Errorf("%q is no card number", other)
		}
	}
}

// What is refused in a field would be masked in a log, so nothing that the
// stricter rule knows can reach one.
func TestStandsIsStricterThanMask(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[0-9a-z _.-]{0,8}([0-9]{3,6}[ .-]?){0,6}[0-9]{0,19}[a-z ]{0,3}`).Draw(t, "text")
		if Stands(s) && !Has(s) {
			t.Fatalf("%q", s)
		}
	})
}

// Hide takes out what Stands knows, and nothing else.
func TestHide(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"THANH TOAN TGK7Q2M9X 0912345678": "THANH TOAN TGK7Q2M9X 0912345678",
		"4111111111111111":                "411111…1111",
		"CT tu 9704 0000 0000 0018 toi 4111.1111.1111.1111 ND TG12": "CT tu 970400…0018 toi 411111…1111 ND TG12",
		"4111111111111111 5555555555554444 12":                      "411111…1111 555555…4444 12",
		"thẻ ４１１１１１１１１１１１１１１１ của Lan":                              "thẻ 411111…1111 của Lan",
		"FT26325000000001 DH4111111111111111":                       "FT26325000000001 DH4111111111111111",
		"2026112500000123.1764093312345":                            "2026112500000123.1764093312345",
	} {
		if got := Hide(in); got != want || Stands(in) != (in != want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[0-9a-z _-]{0,8}([0-9０-９]{3,6}[ .-]?){0,6}[0-9]{0,19}[a-z ]{0,3}`).Draw(t, "text")
		hidden := Hide(s)
		if Stands(s) != (hidden != s) || Stands(hidden) {
			t.Fatalf("%q -> %q", s, hidden)
		}
	})
}

func FuzzStands(f *testing.F) {
	for _, seed := range []string{"", "4111 1111-1111.1111", "9704000000000018", "\xff4111111111111111\xff", "DH4111111111111111 4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if Stands(s) && !Stands("thẻ "+s+" nhé") {
			t.Fatalf("%q is a card number only when it is alone", s)
		}
	})
}

// Two names that differ stay two names: money is told apart by them.
func TestHideInName(t *testing.T) {
	for _, name := range []string{"4111111111111111", "FT26-4111111111111111", "bank/4111111111111111:1", "2026-4111111111111111", ""} {
		if got := HideInName(name); got != name {
			t.Errorf("%q became %q", name, got)
		}
	}
	for _, text := range []string{"paid with 4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"} {
		if got := HideInName(text); Stands(got) || got == text {
			t.Errorf("%q became %q", text, got)
		}
	}
}
