package vietqr

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestBuiltinBanks(t *testing.T) {
	banks := Banks()
	if len(banks) != 71 {
		t.Errorf("%d banks, want 71", len(banks))
	}
	if !slices.IsSortedFunc(banks, func(a, b Bank) int { return strings.Compare(a.BIN, b.BIN) }) {
		t.Error("not in order")
	}
	banks[0].BIN = "000000"
	if Banks()[0].BIN == "000000" {
		t.Error("the caller can change the table")
	}
	for _, bank := range Banks() {
		if got, ok := LookupBIN(bank.BIN); !ok || got != bank {
			t.Errorf("LookupBIN(%s) = %+v, %v", bank.BIN, got, ok)
		}
		if !slices.Contains(LookupBank(bank.Code), bank) {
			t.Errorf("LookupBank(%s) misses %s", bank.Code, bank.BIN)
		}
	}
}

func TestLookupBIN(t *testing.T) {
	want := Bank{"970436", "VCB", "Vietcombank", "Ngân hàng TMCP Ngoại Thương Việt Nam", "BFTVVNVX", ScanAndPay}
	if got, ok := LookupBIN("970436"); !ok || got != want {
		t.Errorf("got %+v, %v", got, ok)
	}
	for bin, want := range map[string]Support{"970408": ReceiveOnly, "999888": SupportUnknown} {
		if got, _ := LookupBIN(bin); got.Support != want {
			t.Errorf("%s: support %d, want %d", bin, got.Support, want)
		}
	}
	for _, bin := range []string{"", "000000", "97043", "9704366", "999999", "abcdef"} {
		if got, ok := LookupBIN(bin); ok || got != (Bank{}) {
			t.Errorf("LookupBIN(%q) = %+v", bin, got)
		}
	}
}

func TestLookupBank(t *testing.T) {
	for name, want := range map[string]string{
		"VCB":           "970436",
		"vietcombank":   "970436",
		"Vietcom bank":  "970436",
		"BFTVVNVX":      "970436",
		"970436":        "970436",
		"mb":            "970422",
		"MB-Bank":       "970422",
		"bvb":           "970438", // BaoVietBank's code; BVBank is 970454
		"BV Bank":       "970454",
		"Bảo Việt Bank": "970438",
		"cimb":          "422589 970459",
		"":              "",
		"   ":           "",
		"銀行":            "",
		"no such bank":  "",
	} {
		var bins []string
		for _, bank := range LookupBank(name) {
			bins = append(bins, bank.BIN)
		}
		if got := strings.Join(bins, " "); got != want {
			t.Errorf("LookupBank(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestOperatorsBanks(t *testing.T) {
	extra, err := ParseBanks(strings.NewReader(byteOrderMark +
		"Short_Name, bin ,comment,code\r\n" +
		"VCBNeo,970444,renamed,VCBNEO\r\n" +
		"\"Ví, mới\",971099,new,VIMOI\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	table := BuiltinBanks().With(extra)
	if got := len(table.All()); got != 72 {
		t.Errorf("%d banks, want 72", got)
	}
	if bank, _ := table.LookupBIN("970444"); bank.ShortName != "VCBNeo" || bank.SWIFT != "" {
		t.Errorf("not overridden: %+v", bank)
	}
	if found := table.LookupBank("vi moi"); len(found) != 1 || found[0].BIN != "971099" {
		t.Errorf("not added: %+v", found)
	}
	if bank, _ := LookupBIN("970444"); bank.ShortName != "CBBank" {
		t.Errorf("the built-in table changed: %+v", bank)
	}
	var out bytes.Buffer
	line := sealed(start + strings.Replace(scheme, "970403", "971099", 1) + vnd + vn)
	if err := DecodeLinesWith(table, strings.NewReader(line), &out); err != nil || !strings.Contains(out.String(), `"bank":"Ví, mới"`) {
		t.Errorf("%v: %s", err, &out)
	}
	if bank, _ := NewBankTable(append(extra, Bank{BIN: "971099", Code: "X"})).LookupBIN("971099"); bank.Code != "X" {
		t.Errorf("the later of two does not win: %+v", bank)
	}
}

func TestParseBanksRefuses(t *testing.T) {
	const header = "bin,code,short_name,transfer_supported\n"
	for name, tt := range map[string]struct{ text, want string }{
		"empty":             {"", "no header line"},
		"header only":       {header, "no banks"},
		"no bin column":     {"code,short_name\nA,B\n", `no column "bin"`},
		"no code column":    {"bin,short_name\n970436,B\n", `no column "code"`},
		"column twice":      {"bin,code,short_name,BIN\n", "twice"},
		"short BIN":         {header + "97043,A,B,1\n", "line 2: bin"},
		"BIN of letters":    {header + "970436,A,B,1\n97043X,A,B,1\n", "line 3: bin"},
		"no code":           {header + "970436, ,B,1\n", "line 2: code"},
		"no short name":     {header + "970436,A,,1\n", "line 2: short_name"},
		"odd support":       {header + "970436,A,B,yes\n", "line 2: transfer_supported"},
		"too few cells":     {header + "970436,A\n", "wrong number of fields"},
		"BIN twice":         {header + "970436,A,B,1\n970436,C,D,1\n", "line 3: the BIN is listed twice"},
		"open quote":        {header + "970436,\"A,B,1\n", "bank list"},
		"long cell":         {header + "970436,A," + strings.Repeat("ệ", 201) + ",1\n", "200 characters"},
		"not UTF-8":         {header + "970436,A,\xff,1\n", "UTF-8"},
		"over a mebibyte":   {header + strings.Repeat("#", 1<<20), "1 MiB"},
		"UTF-16 from Excel": {"\xff\xfeb\x00i\x00n\x00", "UTF-8"},
	} {
		if banks, err := ParseBanks(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v, want ...%s...", name, banks, err, tt.want)
		}
	}
	broken := errors.New("broken disk")
	if _, err := ParseBanks(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("read fault lost: %v", err)
	}
}
