package vietqr

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func valid() Payload {
	return Payload{Dynamic: true, BIN: "970436", Account: "0011012345678", Amount: 180000, Memo: "TG4K7Q2M"}
}

func TestEncodeRefuses(t *testing.T) {
	long := strings.Repeat("x", 26)
	tests := []struct {
		name   string
		change func(*Payload)
		field  string
		object string
	}{
		{"no BIN", func(p *Payload) { p.BIN = "" }, "bin", "38.01.00"},
		{"short BIN", func(p *Payload) { p.BIN = "97043" }, "bin", "38.01.00"},
		{"long BIN", func(p *Payload) { p.BIN = "9704366" }, "bin", "38.01.00"},
		{"letters in BIN", func(p *Payload) { p.BIN = "97043A" }, "bin", "38.01.00"},
		{"BIN in other digits", func(p *Payload) { p.BIN = "٩٧٠" }, "bin", "38.01.00"},
		{"no account", func(p *Payload) { p.Account = "" }, "account", "38.01.01"},
		{"long account", func(p *Payload) { p.Account = strings.Repeat("1", 20) }, "account", "38.01.01"},
		{"space in account", func(p *Payload) { p.Account = "0011 0123" }, "account", "38.01.01"},
		{"mark in account", func(p *Payload) { p.Account = "ĐA123" }, "account", "38.01.01"},
		{"card service", func(p *Payload) { p.Service = ServiceCard }, "service", "38.02"},
		{"push service", func(p *Payload) { p.Service = ServicePush }, "service", "38.02"},
		{"lower-case service", func(p *Payload) { p.Service = "qribftta" }, "service", "38.02"},
		{"negative amount", func(p *Payload) { p.Amount = -1 }, "amount", "54"},
		{"negative static amount", func(p *Payload) { p.Amount, p.Dynamic = -1, false }, "amount", "54"},
		{"amount of 14 digits", func(p *Payload) { p.Amount = 10_000_000_000_000 }, "amount", "54"},
		{"dynamic without amount", func(p *Payload) { p.Amount = 0 }, "amount", "54"},
		{"MCC of 3 digits", func(p *Payload) { p.MCC = "549" }, "mcc", "52"},
		{"MCC of letters", func(p *Payload) { p.MCC = "54A9" }, "mcc", "52"},
		{"long memo", func(p *Payload) { p.Memo = long }, "memo", "62.08"},
		{"marks in memo", func(p *Payload) { p.Memo = "thanh toán" }, "memo", "62.08"},
		{"line end in memo", func(p *Payload) { p.Memo = "a\nb" }, "memo", "62.08"},
		{"memo not UTF-8", func(p *Payload) { p.Memo = "a\xff" }, "memo", "62.08"},
		{"long bill number", func(p *Payload) { p.BillNumber = long }, "bill_number", "62.01"},
		{"long mobile number", func(p *Payload) { p.MobileNumber = long }, "mobile_number", "62.02"},
		{"long store label", func(p *Payload) { p.StoreLabel = long }, "store_label", "62.03"},
		{"long loyalty number", func(p *Payload) { p.LoyaltyNumber = long }, "loyalty_number", "62.04"},
		{"long reference label", func(p *Payload) { p.ReferenceLabel = long }, "reference_label", "62.05"},
		{"long customer label", func(p *Payload) { p.CustomerLabel = long }, "customer_label", "62.06"},
		{"long terminal", func(p *Payload) { p.Terminal = long }, "terminal", "62.07"},
		{"long merchant name", func(p *Payload) { p.MerchantName = long }, "merchant_name", "59"},
		{"long city", func(p *Payload) { p.City = "THANH PHO HO CHI" }, "city", "60"},
		{"long postal code", func(p *Payload) { p.PostalCode = "70000070000" }, "postal_code", "61"},
		{"data request twice", func(p *Payload) { p.DataRequest = "AA" }, "data_request", "62.09"},
		{"data request unknown", func(p *Payload) { p.DataRequest = "X" }, "data_request", "62.09"},
		{"62 too long in all", func(p *Payload) {
			p.BillNumber, p.StoreLabel, p.Terminal, p.Memo = long[:25], long[:25], long[:25], long[:25]
		}, "payload", "62"},
		{"unknown id of one digit", func(p *Payload) { p.Unknown.Root = []Field{{"7", "x"}} }, "unknown", ""},
		{"unknown id of letters", func(p *Payload) { p.Unknown.Data = []Field{{"1x", "x"}} }, "unknown", "62"},
		{"named id among unknown", func(p *Payload) { p.Unknown.Root = []Field{{"54", "1"}} }, "unknown", "54"},
		{"CRC among unknown", func(p *Payload) { p.Unknown.Root = []Field{{"63", "ABCD"}} }, "unknown", "63"},
		{"account among unknown", func(p *Payload) { p.Unknown.Beneficiary = []Field{{"01", "1"}} }, "unknown", "38.01.01"},
		{"service among unknown", func(p *Payload) { p.Unknown.Scheme = []Field{{"02", "1"}} }, "unknown", "38.02"},
		{"memo among unknown", func(p *Payload) { p.Unknown.Data = []Field{{"08", "1"}} }, "unknown", "62.08"},
		{"empty unknown", func(p *Payload) { p.Unknown.Root = []Field{{"80", ""}} }, "unknown", "80"},
		{"unknown twice", func(p *Payload) { p.Unknown.Root = []Field{{"80", "a"}, {"80", "b"}} }, "unknown", "80"},
		{"unknown of 100", func(p *Payload) { p.Unknown.Root = []Field{{"80", strings.Repeat("x", 100)}} }, "payload", "80"},
		{"unknown not UTF-8", func(p *Payload) { p.Unknown.Root = []Field{{"80", "\xc3"}} }, "payload", "80"},
		{"38 too long in all", func(p *Payload) { p.Unknown.Scheme = []Field{{"03", strings.Repeat("x", 60)}} }, "payload", "38"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := valid()
			tt.change(&p)
			text, err := Encode(p)
			var fieldErr *FieldError
			if !errors.As(err, &fieldErr) {
				t.Fatalf("Encode = %q, %v, want a *FieldError", text, err)
			}
			if fieldErr.Field != tt.field || fieldErr.Object != tt.object || fieldErr.Reason == "" {
				t.Errorf("refused %+v, want field %s, object %s", *fieldErr, tt.field, tt.object)
			}
			if p.Validate() == nil {
				t.Error("Validate accepts what Encode refuses")
			}
		})
	}
}

func TestEncodeLimits(t *testing.T) {
	full := strings.Repeat("~", 25)
	p := Payload{
		Dynamic: true, BIN: "970436", Account: strings.Repeat("Z", 19), MCC: "0000", Amount: 9_999_999_999_999,
		MerchantName: full, City: full[:15], PostalCode: full[:10],
		BillNumber: full, Terminal: full, Memo: full, DataRequest: "MEA", CRCOK: true,
	}
	text, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	got, warnings, err := Decode(text)
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	if got.Account != p.Account || got.Amount != p.Amount || got.Memo != full || got.DataRequest != "MEA" {
		t.Errorf("%+v", got)
	}
}

func TestEncodeStatic(t *testing.T) {
	const want = "00020101021138570010A00000072701270006970403011300110123456780208QRIBFTTA53037045802VN63049E6F"
	got, err := Encode(Payload{BIN: "970403", Account: "0011012345678"})
	if err != nil || got != want {
		t.Errorf("Encode = %q, %v, want %q", got, err, want)
	}
	priced, err := Encode(Payload{BIN: "970403", Account: "0011012345678", Amount: 20000})
	if err != nil || !strings.Contains(priced, "010211") || !strings.Contains(priced, "540520000") {
		t.Errorf("static code with a price: %q, %v", priced, err)
	}
}

func TestEncodeOrdersUnknown(t *testing.T) {
	p := valid()
	p.Unknown = Unknown{
		Root:        []Field{{"80", "zz"}, {"64", "0002vi0104Quán"}, {"26", "aa"}, {"55", "01"}},
		Scheme:      []Field{{"05", "s"}},
		Beneficiary: []Field{{"02", "b"}},
		Data:        []Field{{"50", "0003abc"}},
	}
	text, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	const body = "000201" + "010212" + "2602aa" +
		"3867" + "0010A000000727" + "0132" + "0006970436" + "01130011012345678" + "0201b" + "0208QRIBFTTA" + "0501s" +
		"5303704" + "5406180000" + "550201" + "5802VN" +
		"6223" + "0808TG4K7Q2M" + "50070003abc" + "64140002vi0104Quán" + "8002zz" + "6304"
	if text[:len(text)-4] != body {
		t.Errorf("got\n%s want\n%s", text, body)
	}
	if p.Unknown.Root[0].ID != "80" {
		t.Error("Encode reordered the caller's slice")
	}
}

func TestRebuildRefuses(t *testing.T) {
	for name, p := range map[string]Payload{
		"no BIN":          {Account: "1"},
		"no account":      {BIN: "970436"},
		"negative amount": {BIN: "970436", Account: "1", Amount: -1},
		"long memo":       {BIN: "970436", Account: "1", Memo: strings.Repeat("x", 100)},
		"62 too long":     {BIN: "970436", Account: "1", Memo: strings.Repeat("x", 50), Terminal: strings.Repeat("x", 50)},
		"not UTF-8":       {BIN: "970436", Account: "1", City: "\xff"},
		"second CRC":      {BIN: "970436", Account: "1", Unknown: Unknown{Root: []Field{{"63", "ABCD"}}}},
		"bad id":          {BIN: "970436", Account: "1", Unknown: Unknown{Data: []Field{{"x", "1"}}}},
	} {
		var fieldErr *FieldError
		if text, err := Rebuild(p); !errors.As(err, &fieldErr) {
			t.Errorf("%s: Rebuild = %q, %v, want a *FieldError", name, text, err)
		}
	}
}

func TestUnaccent(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"plain TEXT 09~":           "plain TEXT 09~",
		"Lê Anh Tú":                "Le Anh Tu",
		"Le\u0302 Anh Tu\u0301":    "Le Anh Tu",
		"â\u0301 o\u031b\u0309":    "a o",
		"Đặng Thị Ngọc Huyền":      "Dang Thi Ngoc Huyen",
		"ĐƯỜNG QUỐC LỘ, phường Mỹ": "DUONG QUOC LO, phuong My",
		"ÐÀ NẴNG":                  "DA NANG", // U+00D0, not U+0110
		"quẻ bói, kỹ nghệ, ỡm ờ":   "que boi, ky nghe, om o",
		"銀行 €5":                    "銀行 €5",
		"a\xffb":                   "a\uFFFDb",
	} {
		if got := Unaccent(in); got != want {
			t.Errorf("Unaccent(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestUnaccentCoversVietnamese holds the table against the language's 134
// marked letters: 67 of each case.
func TestUnaccentCoversVietnamese(t *testing.T) {
	const lower = "àáảãạăằắẳẵặâầấẩẫậèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵđ"
	if n := len([]rune(lower)); n != 67 {
		t.Fatalf("%d letters", n)
	}
	for _, letter := range lower + strings.ToUpper(lower) {
		if got := Unaccent(string(letter)); len(got) != 1 || !isPrintableASCII(got) {
			t.Errorf("Unaccent(%c) = %q", letter, got)
		}
	}
}

func TestLogValueHidesAccount(t *testing.T) {
	var log bytes.Buffer
	p := Payload{BIN: "970403", Account: "9704031101234567", Service: ServiceCard, Memo: "secret", MerchantName: "NGUYEN"}
	slog.New(slog.NewTextHandler(&log, nil)).Info("decoded", "qr", p)
	text := log.String()
	for _, hidden := range []string{p.Account, "secret", "NGUYEN"} {
		if strings.Contains(text, hidden) {
			t.Errorf("%q is in the log: %s", hidden, text)
		}
	}
	if !strings.Contains(text, "************4567") || !p.IsCard() {
		t.Errorf("log: %s", text)
	}
	if got := (Payload{Account: "1234"}).MaskedAccount(); got != "****" {
		t.Errorf("short account shown as %q", got)
	}
}
