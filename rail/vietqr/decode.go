package vietqr

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrCRC is returned by DecodeVerified for a payload with a wrong checksum.
var ErrCRC = errors.New("vietqr: wrong CRC")

// DecodeError says where a payload cannot be read. It quotes no value, so it
// may be logged.
type DecodeError struct {
	Object string // dotted path such as "38.01"; empty for the payload itself
	Offset int    // in bytes from the start of the payload
	Reason string
}

func (e *DecodeError) Error() string {
	if e.Object == "" {
		return fmt.Sprintf("vietqr: byte %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("vietqr: object %s at byte %d: %s", e.Object, e.Offset, e.Reason)
}

// DecodeVerified is Decode for callers that act on the result: a wrong CRC is
// ErrCRC. Warnings other than the CRC's are still only warnings.
func DecodeVerified(payload string) (Payload, []Warning, error) {
	p, warnings, err := Decode(payload)
	if err == nil && !p.CRCOK {
		err = ErrCRC
	}
	return p, warnings, err
}

// Decode reads a VietQR payload of at most MaxPayload bytes. It is tolerant:
// what a banking app would still accept is a Warning, and what Payload has no
// name for is kept in Unknown. A wrong CRC is a warning too, with CRCOK false
// (see DecodeVerified).
//
// It is a *DecodeError when the money or its destination would be in doubt:
// broken nesting, a known object twice, no object 38 of VietQR, a currency
// other than the đồng, an amount that is not a whole number, no CRC at the end.
//
// Lengths count characters; when that does not fit, bytes are tried (quirk 2).
func Decode(payload string) (Payload, []Warning, error) {
	if len(payload) > MaxPayload {
		return Payload{}, nil, &DecodeError{"", MaxPayload, "is longer than 4096 bytes"}
	}
	text := strings.Trim(payload, " \t\r\n")
	if text == "" {
		return Payload{}, nil, &DecodeError{"", 0, "is empty"}
	}
	if !utf8.ValidString(text) {
		return Payload{}, nil, &DecodeError{"", invalidUTF8(payload), "is not valid UTF-8"}
	}
	trimmed := strings.Index(payload, text)
	d, err := decode(text, trimmed, false)
	if err != nil && !isASCII(text) {
		if inBytes, bytesErr := decode(text, trimmed, true); bytesErr == nil {
			d, err = inBytes, nil
			d.warn(LengthInBytes, "", "lengths count bytes, not characters")
		}
	}
	if err != nil {
		return Payload{}, nil, err
	}
	if len(text) != len(payload) {
		d.warn(SpaceAround, "", "white space around the payload was dropped")
	}
	return d.payload, d.warnings, nil
}

func invalidUTF8(s string) int {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return i
		}
	}
	return len(s)
}

func decode(text string, base int, inBytes bool) (*decoder, error) {
	d := &decoder{text: text, base: base, inBytes: inBytes}
	all := object{value: text, at: base}
	if err := d.walk("", all, d.rootObject, &d.payload.Unknown.Root); err != nil {
		return nil, err
	}
	if err := d.finish(); err != nil {
		return nil, err
	}
	return d, nil
}

// object is one ID-length-value item; at is where its value starts.
type object struct {
	id    string
	value string
	at    int
}

type decoder struct {
	text     string
	base     int // of text in the caller's string
	inBytes  bool
	payload  Payload
	warnings []Warning

	hasMethod, hasScheme, hasCurrency, hasCountry, hasCRC bool
}

func (d *decoder) warn(code WarningCode, object, text string) {
	d.warnings = append(d.warnings, Warning{Code: code, Object: object, Text: text})
}

func fault(path string, o object, reason string) error {
	return &DecodeError{join(path, o.id), o.at, reason}
}

// walk reads the objects inside a template. known handles one and says
// whether the profile names it; those it does not name go to unknown.
func (d *decoder) walk(path string, template object, known func(object) (bool, error), unknown *[]Field) error {
	var seen [100]bool
	for rest := template; rest.value != ""; {
		o, err := d.next(path, &rest)
		if err != nil {
			return err
		}
		named, err := known(o)
		if err != nil {
			return err
		}
		n := number(o.id)
		if seen[n] && named {
			return fault(path, o, "appears twice")
		}
		if seen[n] {
			d.warn(DuplicateObject, join(path, o.id), "appears twice, both are kept")
		}
		seen[n] = true
		if o.value == "" {
			d.warn(EmptyObject, join(path, o.id), "has length 00")
		}
		if !named {
			*unknown = append(*unknown, Field{ID: o.id, Value: o.value})
		}
	}
	return nil
}

// next cuts the first object off rest.
func (d *decoder) next(path string, rest *object) (object, error) {
	text := rest.value
	if len(text) < 4 {
		return object{}, &DecodeError{path, rest.at, "ends in the middle of an object"}
	}
	if !isDigits(text[:2]) {
		return object{}, &DecodeError{path, rest.at, "an object id must be two digits"}
	}
	o := object{id: text[:2], at: rest.at + 4}
	if !isDigits(text[2:4]) {
		return object{}, fault(path, o, "its length must be two digits")
	}
	size, ok := d.size(text[4:], number(text[2:4]))
	if !ok {
		return object{}, fault(path, o, "its length goes past the end")
	}
	o.value = text[4 : 4+size]
	rest.value = text[4+size:]
	rest.at += 4 + size
	return o, nil
}

// size is the number of bytes that an object of the given length takes up at
// the start of text.
func (d *decoder) size(text string, length int) (int, bool) {
	if d.inBytes {
		fits := length <= len(text) && utf8.ValidString(text[:length])
		return length, fits
	}
	size := 0
	for range length {
		_, n := utf8.DecodeRuneInString(text[size:])
		if n == 0 {
			return 0, false
		}
		size += n
	}
	return size, true
}

func number(digits string) int { return int(digits[0]-'0')*10 + int(digits[1]-'0') }

func (d *decoder) rootObject(o object) (bool, error) {
	p := &d.payload
	if o.at == d.base+4 && o.id != "00" {
		return true, fault("", o, "object 00 must come first")
	}
	if d.hasCRC {
		return true, fault("", o, "stands after object 63, which must be the last")
	}
	switch o.id {
	case "00":
		if o.value != payloadFormat {
			return true, fault("", o, "the payload format must be 01")
		}
	case "01":
		d.initiationMethod(o)
	case "38":
		d.hasScheme = true
		return true, d.scheme(o)
	case "52":
		p.MCC = o.value
		if o.value != "" && (len(o.value) != 4 || !isDigits(o.value)) {
			d.warn(UnexpectedValue, "52", "the category code should be 4 digits")
		}
	case "53":
		d.hasCurrency = true
		if o.value != currencyVND {
			return true, fault("", o, "the currency must be 704 (đồng)")
		}
	case "54":
		return true, d.amount(o)
	case "58":
		d.hasCountry = true
		if o.value != country {
			d.warn(UnexpectedValue, "58", "the country should be VN")
		}
	case "59":
		p.MerchantName = d.textOf("", o, MaxMerchantName)
	case "60":
		p.City = d.textOf("", o, MaxCity)
	case "61":
		p.PostalCode = d.textOf("", o, MaxPostalCode)
	case "62":
		return true, d.walk("62", o, d.dataObject, &p.Unknown.Data)
	case "63":
		d.hasCRC = true
		return true, d.checksum(o)
	default:
		return false, nil
	}
	return true, nil
}

func (d *decoder) initiationMethod(o object) {
	d.hasMethod = true
	d.payload.Dynamic = o.value == "12"
	if o.value != "11" && o.value != "12" {
		d.warn(UnexpectedValue, "01", "the initiation method should be 11 or 12, read as 11")
	}
}

func (d *decoder) amount(o object) error {
	if o.value == "" {
		return nil // reported as an empty object
	}
	amount, dotted, err := parseAmount(o.value)
	switch {
	case err != nil:
		return fault("", o, "the amount "+err.Error())
	case amount == 0:
		d.warn(UnexpectedValue, "54", "the amount is zero, read as none")
	case dotted:
		d.warn(AmountForm, "54", "the amount has a decimal point")
	}
	if len(o.value) > 13 {
		d.warn(TooLong, "54", fmt.Sprintf("%d characters, the limit is 13", len(o.value)))
	}
	d.payload.Amount = amount
	return nil
}

func (d *decoder) scheme(o object) error {
	var hasGUID, hasBeneficiary bool
	err := d.walk("38", o, func(sub object) (bool, error) {
		switch sub.id {
		case "00":
			hasGUID = true
			if sub.value != guid {
				return true, fault("38", sub, "is not VietQR's "+guid)
			}
		case "01":
			hasBeneficiary = true
			return true, d.beneficiary(sub)
		case "02":
			d.payload.Service = sub.value
		default:
			return false, nil
		}
		return true, nil
	}, &d.payload.Unknown.Scheme)
	switch {
	case err != nil:
		return err
	case !hasGUID:
		return fault("", o, "has no scheme identifier (38.00)")
	case !hasBeneficiary:
		return fault("", o, "has no beneficiary (38.01)")
	}
	d.service()
	return nil
}

func (d *decoder) service() {
	switch d.payload.Service {
	case ServiceAccount, ServicePush, ServiceCash:
	case ServiceCard:
		d.warn(CardNumber, "38.01.01", "the account is a full card number, do not store or log it")
	case "":
		d.warn(MissingObject, "38.02", "no service code")
	default:
		d.warn(UnexpectedValue, "38.02", "unknown service code")
	}
}

func (d *decoder) beneficiary(o object) error {
	p := &d.payload
	err := d.walk("38.01", o, func(sub object) (bool, error) {
		switch sub.id {
		case "00":
			p.BIN = sub.value
			if len(sub.value) != 6 || !isDigits(sub.value) {
				return true, fault("38.01", sub, "the BIN must be exactly 6 digits")
			}
		case "01":
			p.Account = sub.value
			if sub.value == "" {
				return true, fault("38.01", sub, "the account is empty")
			}
			d.account(sub.value)
		default:
			return false, nil
		}
		return true, nil
	}, &p.Unknown.Beneficiary)
	switch {
	case err != nil:
		return err
	case p.BIN == "":
		return fault("38", o, "has no BIN (38.01.00)")
	case p.Account == "":
		return fault("38", o, "has no account (38.01.01)")
	}
	return nil
}

func (d *decoder) account(value string) {
	if n := utf8.RuneCountInString(value); n > MaxAccount {
		d.warn(TooLong, "38.01.01", fmt.Sprintf("%d characters, the limit is %d", n, MaxAccount))
	}
	if !isAlphanumeric(value) {
		d.warn(UnexpectedCharacter, "38.01.01", "the account should be letters and digits only")
	}
}

func (d *decoder) dataObject(o object) (bool, error) {
	if field := d.payload.label(number(o.id)); field != nil {
		*field = d.textOf("62", o, MaxLabel)
		return true, nil
	}
	if o.id == "09" {
		d.payload.DataRequest = o.value
		if !validDataRequest(o.value) {
			d.warn(UnexpectedValue, "62.09", "should be made of A, M and E, each at most once")
		}
		return true, nil
	}
	return false, nil
}

// textOf returns the value, with warnings when Encode would not write it.
func (d *decoder) textOf(path string, o object, limit int) string {
	if n := utf8.RuneCountInString(o.value); n > limit {
		d.warn(TooLong, join(path, o.id), fmt.Sprintf("%d characters, the limit is %d", n, limit))
	}
	if !isPrintableASCII(o.value) {
		d.warn(UnexpectedCharacter, join(path, o.id), "has characters other than printable ASCII")
	}
	return o.value
}

func (d *decoder) checksum(o object) error {
	if len(o.value) != 4 {
		return fault("", o, "the CRC must be 4 characters")
	}
	want := string(appendCRC(nil, crc16(d.text[:o.at-d.base])))
	d.payload.CRCOK = strings.EqualFold(o.value, want)
	switch {
	case !d.payload.CRCOK:
		d.warn(WrongCRC, "63", "the CRC should be "+want)
	case o.value != want:
		d.warn(LowerCaseCRC, "63", "the CRC has lower-case letters")
	}
	return nil
}

// finish checks what must be there in every payload.
func (d *decoder) finish() error {
	end := d.base + len(d.text)
	switch {
	case !d.hasScheme:
		return &DecodeError{"", end, "there is no object 38, so it is not VietQR"}
	case !d.hasCRC:
		return &DecodeError{"", end, "there is no object 63 (CRC) at the end"}
	}
	if !d.hasMethod {
		d.warn(MissingObject, "01", "no initiation method, read as static")
	}
	if !d.hasCurrency {
		d.warn(MissingObject, "53", "no currency, read as đồng")
	}
	if !d.hasCountry {
		d.warn(MissingObject, "58", "no country")
	}
	if d.payload.Dynamic && d.payload.Amount == 0 && d.payload.Service != ServiceCash {
		d.warn(MissingObject, "54", "a dynamic code without an amount")
	}
	return nil
}
