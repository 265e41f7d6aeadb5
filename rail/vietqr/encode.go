package vietqr

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	payloadFormat = "01"         // object 00
	guid          = "A000000727" // object 38.00, NAPAS' application identifier
	currencyVND   = "704"        // object 53
	country       = "VN"         // object 58
)

// Encode writes p as a VietQR payload, objects in ascending order. It is
// strict; a refusal is a *FieldError:
//
//   - every limit named in Payload holds, texts are printable ASCII;
//   - a dynamic code has an amount, since it stands for one known payment. A
//     static code may have one (a price on a sticker) or not;
//   - Service is ServiceAccount or empty. QRPUSH and QRCASH are for NAPAS
//     members to issue, and QRIBFTTC would publish a card number;
//   - fields in Unknown have ids that Payload does not name, each once.
//
// NAPAS lets one instant transfer move less than 500 million đồng; Encode
// does not enforce this, as banks route larger ones differently.
func Encode(p Payload) (string, error) {
	if err := p.check(); err != nil {
		return "", err
	}
	if p.Service == "" {
		p.Service = ServiceAccount
	}
	return build(&p)
}

// Rebuild writes p again as it was decoded: profile limits, service codes and
// the amount rule of Encode are not applied, only what the form itself needs
// (values of at most 99 characters, valid UTF-8, two-digit ids). It is for
// codes that another party made, and for wires which are documented to break a
// limit (quirk 3). Objects come in ascending order with a right CRC, lengths in
// characters, the amount as a plain integer. A refusal is a *FieldError.
func Rebuild(p Payload) (string, error) {
	switch {
	case p.BIN == "":
		return "", &FieldError{"bin", "38.01.00", "is missing"}
	case p.Account == "":
		return "", &FieldError{"account", "38.01.01", "is missing"}
	case p.Amount < 0:
		return "", &FieldError{"amount", "54", "must not be negative"}
	}
	for _, field := range p.Unknown.Root {
		if isNamedRoot(field.ID) {
			return "", &FieldError{"unknown", field.ID, "has a field of its own in Payload"}
		}
	}
	return build(&p)
}

func build(p *Payload) (string, error) {
	var room [256]byte // enough for usual payloads, so that appending does not allocate
	w := writer{buf: room[:0], rest: sortedByID(p.Unknown.Root)}

	w.root("00", payloadFormat)
	w.root("01", initiationMethod(p.Dynamic))

	w.flushBefore("38")
	scheme := w.open("38")
	w.object("00", guid)
	beneficiary := w.open("01")
	w.object("00", p.BIN)
	w.object("01", p.Account)
	w.objects(p.Unknown.Beneficiary)
	w.close(beneficiary, "38.01")
	w.optional("02", p.Service)
	w.objects(p.Unknown.Scheme)
	w.close(scheme, "38")

	w.root("52", p.MCC)
	w.root("53", currencyVND)
	if p.Amount > 0 {
		w.root("54", strconv.FormatInt(p.Amount, 10))
	}
	w.root("58", country)
	w.root("59", p.MerchantName)
	w.root("60", p.City)
	w.root("61", p.PostalCode)
	w.additionalData(p)
	w.objects(w.rest)
	if w.err != nil {
		return "", w.err
	}
	w.buf = append(w.buf, "6304"...)
	w.buf = appendCRC(w.buf, crc16(w.buf))
	return string(w.buf), nil
}

func initiationMethod(dynamic bool) string {
	if dynamic {
		return "12"
	}
	return "11"
}

func sortedByID(fields []Field) []Field {
	byID := func(a, b Field) int { return strings.Compare(a.ID, b.ID) }
	if slices.IsSortedFunc(fields, byID) {
		return fields
	}
	sorted := slices.Clone(fields)
	slices.SortStableFunc(sorted, byID)
	return sorted
}

// writer appends objects to one buffer; the first fault stays in err.
type writer struct {
	buf  []byte
	rest []Field // unknown root objects still to be written, ascending
	err  error
}

// root writes a known root object and, before it, the unknown ones of lower id.
func (w *writer) root(id, value string) {
	w.flushBefore(id)
	w.optional(id, value)
}

func (w *writer) flushBefore(id string) {
	for len(w.rest) > 0 && w.rest[0].ID < id {
		w.object(w.rest[0].ID, w.rest[0].Value)
		w.rest = w.rest[1:]
	}
}

func (w *writer) additionalData(p *Payload) {
	w.flushBefore("62")
	data := w.open("62")
	for n := firstLabel; n <= lastLabel; n++ {
		w.optional(twoDigits(n), *p.label(n))
	}
	w.optional("09", p.DataRequest)
	w.objects(p.Unknown.Data)
	if len(w.buf) == data { // 62 must hold something when it is there
		w.buf = w.buf[:data-4]
		return
	}
	w.close(data, "62")
}

// open starts a template and returns where its value begins.
func (w *writer) open(id string) int {
	w.buf = append(w.buf, id...)
	w.buf = append(w.buf, "00"...)
	return len(w.buf)
}

// close writes the length of the template whose value began at start.
func (w *writer) close(start int, object string) {
	length := utf8.RuneCount(w.buf[start:])
	if length > 99 {
		w.fail(object, fmt.Sprintf("is %d characters long in all, the limit is 99", length))
	}
	copy(w.buf[start-2:], twoDigits(length))
}

func (w *writer) objects(fields []Field) {
	for _, field := range fields {
		w.object(field.ID, field.Value)
	}
}

func (w *writer) optional(id, value string) {
	if value != "" {
		w.object(id, value)
	}
}

func (w *writer) object(id, value string) {
	length := len(value)
	if !isASCII(value) {
		length = utf8.RuneCountInString(value)
		if !utf8.ValidString(value) {
			w.fail(id, "is not valid UTF-8")
		}
	}
	if length > 99 {
		w.fail(id, fmt.Sprintf("is %d characters long, the limit is 99", length))
	}
	if !isID(id) {
		w.fail("", "has an object id that is not two digits")
	}
	w.buf = append(w.buf, id...)
	w.buf = append(w.buf, twoDigits(length)...)
	w.buf = append(w.buf, value...)
}

func (w *writer) fail(object, reason string) {
	if w.err == nil {
		w.err = &FieldError{"payload", object, reason}
	}
}

const digitPairs = "0001020304050607080910111213141516171819" +
	"2021222324252627282930313233343536373839" +
	"4041424344454647484950515253545556575859" +
	"6061626364656667686970717273747576777879" +
	"8081828384858687888990919293949596979899"

// twoDigits prints 0 to 99; anything above has been refused already.
func twoDigits(n int) string {
	n = min(n, 99)
	return digitPairs[2*n : 2*n+2]
}
