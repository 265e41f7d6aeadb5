package vietqr

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

//go:embed banks.csv
var builtinCSV []byte

// Support tells what a bank's own app can do with VietQR. Whatever it says, any
// listed bank can in principle receive a transfer.
type Support uint8

const (
	SupportUnknown Support = iota // no source found
	ReceiveOnly                   // receives transfers, its app cannot scan and pay
	ScanAndPay                    // its app scans and pays
)

// Bank is a bank, wallet or finance company that receives transfers.
type Bank struct {
	BIN       string // 6 digits; the key, as some institutions have two
	Code      string // as in vietqr.io's list, such as "VCB"; other lists differ
	ShortName string // such as "Vietcombank"
	Name      string // full Vietnamese name
	SWIFT     string // may be empty
	Support   Support
}

// BankTable is a set of banks by BIN, in ascending order. It never changes once
// made, so any number of goroutines may read it.
type BankTable struct {
	banks []Bank
}

var builtinBanks = sync.OnceValue(func() *BankTable {
	banks, err := ParseBanks(bytes.NewReader(builtinCSV))
	if err != nil {
		panic(err) // a fault of the build; the package's tests read the same file
	}
	return NewBankTable(banks)
})

// BuiltinBanks is the table compiled into the program (source 5).
func BuiltinBanks() *BankTable { return builtinBanks() }

// Banks lists the built-in banks by BIN.
func Banks() []Bank { return builtinBanks().All() }

// LookupBIN finds a built-in bank by its BIN.
func LookupBIN(bin string) (Bank, bool) { return builtinBanks().LookupBIN(bin) }

// LookupBank finds built-in banks by code or name, see BankTable.LookupBank.
func LookupBank(name string) []Bank { return builtinBanks().LookupBank(name) }

// NewBankTable makes a table; of two banks with one BIN the later one stays.
func NewBankTable(banks []Bank) *BankTable { return new(BankTable).With(banks) }

// With returns a table in which banks are added to t's, each replacing the one
// of the same BIN. Operators use it to follow renamed and new banks without
// waiting for a release:
//
//	extra, err := vietqr.ParseBanks(file)
//	table := vietqr.BuiltinBanks().With(extra)
func (t *BankTable) With(banks []Bank) *BankTable {
	byBIN := make(map[string]Bank, len(t.banks)+len(banks))
	for _, bank := range slices.Concat(t.banks, banks) {
		byBIN[bank.BIN] = bank
	}
	merged := make([]Bank, 0, len(byBIN))
	for _, bank := range byBIN {
		merged = append(merged, bank)
	}
	slices.SortFunc(merged, func(a, b Bank) int { return strings.Compare(a.BIN, b.BIN) })
	return &BankTable{banks: merged}
}

// All lists the table's banks by BIN; the slice is the caller's own.
func (t *BankTable) All() []Bank { return slices.Clone(t.banks) }

// LookupBIN finds a bank by its BIN.
func (t *BankTable) LookupBIN(bin string) (Bank, bool) {
	i, found := slices.BinarySearchFunc(t.banks, bin, func(b Bank, bin string) int {
		return strings.Compare(b.BIN, bin)
	})
	if !found {
		return Bank{}, false
	}
	return t.banks[i], true
}

// LookupBank finds banks by what a person types: a code ("vcb"), a short name
// ("Vietcom bank"), a SWIFT code or a BIN. Letter case, Vietnamese marks and
// everything but letters and digits are ignored. A match on the code hides
// matches on names. Several banks come back where one institution has several
// BINs (CIMB); none where nothing matches.
func (t *BankTable) LookupBank(name string) []Bank {
	want := foldName(name)
	if want == "" {
		return nil
	}
	var byCode, byName []Bank
	for _, bank := range t.banks {
		switch want {
		case foldName(bank.Code), bank.BIN:
			byCode = append(byCode, bank)
		case foldName(bank.ShortName), foldName(bank.SWIFT):
			byName = append(byName, bank)
		}
	}
	if byCode != nil {
		return byCode
	}
	return byName
}

func foldName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return -1
	}, Unaccent(name))
}

// Limits of a bank list.
const (
	maxBankFile = 1 << 20 // bytes
	maxBankText = 200     // characters of one cell
)

// ParseBanks reads a list of banks: CSV in UTF-8 with a header line. The
// columns are bin, code, short_name (all three needed), name, swift and
// transfer_supported (1 scans and pays, 0 receives only, empty unknown), in any
// order; others are ignored. An error names the line; a BIN listed twice, an
// empty list and a file over 1 MiB are errors.
func ParseBanks(r io.Reader) ([]Bank, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBankFile+1))
	if err != nil {
		return nil, fmt.Errorf("bank list: %w", err)
	}
	if len(text) > maxBankFile {
		return nil, errors.New("bank list: over 1 MiB")
	}
	if !utf8.Valid(text) {
		return nil, errors.New("bank list: not valid UTF-8")
	}
	rows := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte(byteOrderMark))))
	header, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("bank list: no header line: %w", err)
	}
	columns, err := bankColumns(header)
	if err != nil {
		return nil, err
	}
	return readBanks(rows, columns)
}

const byteOrderMark = "\uFEFF"

func readBanks(rows *csv.Reader, columns map[string]int) ([]Bank, error) {
	var banks []Bank
	seen := make(map[string]bool)
	for {
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("bank list: %w", err)
		}
		line, _ := rows.FieldPos(0)
		bank, err := bankOf(row, columns)
		if err == nil && seen[bank.BIN] {
			err = errors.New("the BIN is listed twice")
		}
		if err != nil {
			return nil, fmt.Errorf("bank list: line %d: %w", line, err)
		}
		seen[bank.BIN] = true
		banks = append(banks, bank)
	}
	if len(banks) == 0 {
		return nil, errors.New("bank list: no banks")
	}
	return banks, nil
}

func bankColumns(header []string) (map[string]int, error) {
	columns := make(map[string]int)
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := columns[name]; twice {
			return nil, fmt.Errorf("bank list: column %q appears twice", name)
		}
		columns[name] = i
	}
	for _, name := range []string{"bin", "code", "short_name"} {
		if _, ok := columns[name]; !ok {
			return nil, fmt.Errorf("bank list: no column %q", name)
		}
	}
	return columns, nil
}

func bankOf(row []string, columns map[string]int) (Bank, error) {
	cell := func(name string) string {
		i, ok := columns[name]
		if !ok {
			return ""
		}
		return strings.TrimSpace(row[i])
	}
	bank := Bank{
		BIN:       cell("bin"),
		Code:      cell("code"),
		ShortName: cell("short_name"),
		Name:      cell("name"),
		SWIFT:     cell("swift"),
	}
	switch {
	case len(bank.BIN) != 6 || !isDigits(bank.BIN):
		return Bank{}, errors.New("bin must be exactly 6 digits")
	case bank.Code == "":
		return Bank{}, errors.New("code is missing")
	case bank.ShortName == "":
		return Bank{}, errors.New("short_name is missing")
	}
	for _, text := range []string{bank.Code, bank.ShortName, bank.Name, bank.SWIFT} {
		if utf8.RuneCountInString(text) > maxBankText {
			return Bank{}, errors.New("a cell is over 200 characters")
		}
	}
	switch cell("transfer_supported") {
	case "":
		bank.Support = SupportUnknown
	case "0":
		bank.Support = ReceiveOnly
	case "1":
		bank.Support = ScanAndPay
	default:
		return Bank{}, errors.New("transfer_supported must be 1, 0 or empty")
	}
	return bank, nil
}
