package vietqr

import (
	"fmt"
	"log/slog"
	"strings"
)

// Service codes of object 38.02. Encode writes only ServiceAccount.
const (
	ServiceAccount = "QRIBFTTA" // transfer to an account or virtual account
	ServiceCard    = "QRIBFTTC" // transfer to a card; Account is then a full card number
	ServicePush    = "QRPUSH"   // merchant payment through NAPAS
	ServiceCash    = "QRCASH"   // cash withdrawal at an ATM
)

// Limits, in characters (source 1).
const (
	MaxAccount      = 19
	MaxLabel        = 25 // each of 62.01 to 62.08, the memo among them
	MaxMerchantName = 25
	MaxCity         = 15
	MaxPostalCode   = 10

	// MaxPayload is the most bytes that Decode reads.
	MaxPayload = 4096
)

// Payload is a VietQR code of the transfer profile. Empty fields are absent
// from the code. The number in a comment is the object it is written to.
type Payload struct {
	// Dynamic is object 01: true (12) is for one payment, false (11) for many.
	Dynamic bool

	BIN     string // 38.01.00, State Bank issued, exactly 6 digits
	Account string // 38.01.01, account, virtual account or card, at most 19 letters and digits
	Service string // 38.02, one of the Service constants; Encode takes "" as ServiceAccount

	MCC    string // 52, ISO 18245 merchant category, 4 digits
	Amount int64  // 54, đồng; 0 is none, the payer enters it

	MerchantName string // 59, at most 25
	City         string // 60, at most 15
	PostalCode   string // 61, at most 10

	// Labels of object 62, each at most 25, all of 62 together at most 99
	// with 4 for each label. "***" asks the payer for the value.
	BillNumber     string // 62.01, the order or payment id
	MobileNumber   string // 62.02
	StoreLabel     string // 62.03
	LoyaltyNumber  string // 62.04
	ReferenceLabel string // 62.05, MoMo puts its own reference here
	CustomerLabel  string // 62.06
	Terminal       string // 62.07
	Memo           string // 62.08, the only text that reaches the bank statement
	DataRequest    string // 62.09, any of A, M and E, each once

	Unknown Unknown

	// CRCOK is set by Decode: the checksum matches. Encode ignores it and
	// writes the right one.
	CRCOK bool
}

// Unknown holds what Payload has no name for, in the order read, so that it
// survives being decoded and encoded again.
type Unknown struct {
	Root        []Field // 02-37 and 39-51 (other schemes), 55-57 (tips and fees), 64-99
	Scheme      []Field // 38.03-38.99
	Beneficiary []Field // 38.01.02-38.01.99
	Data        []Field // 62.10-62.99
}

// Field is one object kept as it was read. A template's value is not looked into.
type Field struct {
	ID    string // two digits
	Value string // 1 to 99 characters
}

// IsCard says that Account is a card number, which must not be stored or shown whole.
func (p Payload) IsCard() bool { return p.Service == ServiceCard }

// MaskedAccount is Account with all but its last four characters hidden, or
// with all hidden where it has no more than four.
func (p Payload) MaskedAccount() string {
	shown := []rune(p.Account)
	for i := range shown {
		if i < len(shown)-4 || len(shown) <= 4 {
			shown[i] = '*'
		}
	}
	return string(shown)
}

// LogValue keeps account numbers, names and memos out of logs.
func (p Payload) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("bin", p.BIN),
		slog.String("account", p.MaskedAccount()),
		slog.String("service", p.Service),
		slog.Int64("amount", p.Amount),
		slog.Bool("dynamic", p.Dynamic),
	)
}

// firstLabel to lastLabel are the subobjects of 62 that share one format.
const (
	firstLabel = 1
	lastLabel  = 8
)

// labelNames are the labels' names in errors and in JSON.
var labelNames = [lastLabel + 1]string{
	1: "bill_number", 2: "mobile_number", 3: "store_label", 4: "loyalty_number",
	5: "reference_label", 6: "customer_label", 7: "terminal", 8: "memo",
}

// label returns the field of 62.n, nil when n is not a label.
func (p *Payload) label(n int) *string {
	switch n {
	case 1:
		return &p.BillNumber
	case 2:
		return &p.MobileNumber
	case 3:
		return &p.StoreLabel
	case 4:
		return &p.LoyaltyNumber
	case 5:
		return &p.ReferenceLabel
	case 6:
		return &p.CustomerLabel
	case 7:
		return &p.Terminal
	case 8:
		return &p.Memo
	}
	return nil
}

// FieldError says which field of a Payload cannot be encoded and why.
type FieldError struct {
	Field  string // the field's name in JSON lines, such as "memo"
	Object string // its place in the payload, such as "62.08"; may be empty
	Reason string
}

func (e *FieldError) Error() string {
	if e.Object == "" {
		return fmt.Sprintf("vietqr: %s %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("vietqr: %s (%s) %s", e.Field, e.Object, e.Reason)
}

// Validate reports whether Encode would take p; a refusal is a *FieldError.
func (p Payload) Validate() error {
	_, err := Encode(p)
	return err
}

// check applies the limits of one object each; writer checks the sums.
func (p *Payload) check() error {
	switch {
	case len(p.BIN) != 6 || !isDigits(p.BIN):
		return &FieldError{"bin", "38.01.00", "must be exactly 6 digits"}
	case len(p.Account) > MaxAccount || !isAlphanumeric(p.Account):
		return &FieldError{"account", "38.01.01", "must be 1 to 19 letters and digits"}
	case p.Service == ServiceCard:
		return &FieldError{"service", "38.02", "QRIBFTTC is refused: it would show a full card number in clear"}
	case p.Service != "" && p.Service != ServiceAccount:
		return &FieldError{"service", "38.02", "must be QRIBFTTA or empty"}
	case p.MCC != "" && (len(p.MCC) != 4 || !isDigits(p.MCC)):
		return &FieldError{"mcc", "52", "must be 4 digits"}
	case p.DataRequest != "" && !validDataRequest(p.DataRequest):
		return &FieldError{"data_request", "62.09", "must be made of A, M and E, each at most once"}
	}
	if err := p.checkAmount(); err != nil {
		return err
	}
	if err := p.checkTexts(); err != nil {
		return err
	}
	return p.Unknown.check()
}

func (p *Payload) checkAmount() error {
	switch {
	case p.Amount < 0:
		return &FieldError{"amount", "54", "must not be negative"}
	case p.Amount > maxAmount:
		return &FieldError{"amount", "54", "has more than 13 digits"}
	case p.Amount == 0 && p.Dynamic:
		return &FieldError{"amount", "54", "must be above zero in a dynamic code"}
	}
	return nil
}

func (p *Payload) checkTexts() error {
	if reason := textFault(p.MerchantName, MaxMerchantName); reason != "" {
		return &FieldError{"merchant_name", "59", reason}
	}
	if reason := textFault(p.City, MaxCity); reason != "" {
		return &FieldError{"city", "60", reason}
	}
	if reason := textFault(p.PostalCode, MaxPostalCode); reason != "" {
		return &FieldError{"postal_code", "61", reason}
	}
	for n := firstLabel; n <= lastLabel; n++ {
		if reason := textFault(*p.label(n), MaxLabel); reason != "" {
			return &FieldError{labelNames[n], join("62", twoDigits(n)), reason}
		}
	}
	return nil
}

// textFault says what is wrong with a text, "" for nothing.
func textFault(text string, limit int) string {
	if !isPrintableASCII(text) {
		return "must be printable ASCII (Unaccent removes Vietnamese marks)"
	}
	if len(text) > limit {
		return fmt.Sprintf("is %d characters long, the limit is %d", len(text), limit)
	}
	return ""
}

func validDataRequest(s string) bool {
	for i := range len(s) {
		if !strings.Contains("AME", s[i:i+1]) || strings.Contains(s[:i], s[i:i+1]) {
			return false
		}
	}
	return true
}

func (u *Unknown) check() error {
	for _, part := range []struct {
		path, first string
		fields      []Field
	}{
		{"", "02", u.Root},
		{"38", "03", u.Scheme},
		{"38.01", "02", u.Beneficiary},
		{"62", "10", u.Data},
	} {
		for i, field := range part.fields {
			object := join(part.path, field.ID)
			switch {
			case !isID(field.ID):
				return &FieldError{"unknown", part.path, "has an object id that is not two digits"}
			case field.ID < part.first || (part.path == "" && isNamedRoot(field.ID)):
				return &FieldError{"unknown", object, "has a field of its own in Payload"}
			case field.Value == "":
				return &FieldError{"unknown", object, "is empty"}
			case hasID(part.fields[:i], field.ID):
				return &FieldError{"unknown", object, "appears twice"}
			}
		}
	}
	return nil
}

func hasID(fields []Field, id string) bool {
	for _, field := range fields {
		if field.ID == id {
			return true
		}
	}
	return false
}

func isID(id string) bool { return len(id) == 2 && isDigits(id) }

// isNamedRoot tells the root objects which Payload or the codec itself writes.
func isNamedRoot(id string) bool {
	switch id {
	case "00", "01", "38", "52", "53", "54", "58", "59", "60", "61", "62", "63":
		return true
	}
	return false
}

// join makes the dotted path by which errors and warnings name an object.
func join(path, id string) string {
	if path == "" {
		return id
	}
	return path + "." + id
}
