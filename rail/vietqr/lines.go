package vietqr

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// MaxLine is the most bytes of one input line, its line end not counted.
const MaxLine = 64 << 10

// EncodeLines reads one JSON object a line and writes one VietQR payload a
// line. For a line that cannot be encoded it writes {"error": "..."} instead,
// so that output line n always answers input line n: also for blank lines,
// and for lines over MaxLine. The error returned is one of r or w.
//
// The members, all but bin and account optional, null meaning absent:
//
//	bin, account, memo, bill_number, terminal, merchant_name, city, mcc,
//	postal_code, mobile_number, store_label, loyalty_number, reference_label,
//	customer_label, data_request, service    strings, limits as in Payload
//	amount     đồng; a number or a string of digits, a fraction only of zeros
//	           ("50000.0"), no exponent; 0 is none
//	dynamic    boolean; when absent, true if amount is above zero
//	unaccent   boolean; true runs Unaccent over the texts first, otherwise
//	           Vietnamese marks are refused
//
// Names are case-sensitive; members with other names are ignored.
func EncodeLines(r io.Reader, w io.Writer) error {
	return eachLine(r, w, func(line []byte) (string, error) {
		p, err := payloadFromJSON(line)
		if err != nil {
			return "", err
		}
		return Encode(p)
	})
}

// DecodeLines reads one VietQR payload a line and writes one JSON object a
// line, with {"error": "..."} for what Decode refuses, line by line as in
// EncodeLines. The members are those which EncodeLines reads, and
//
//	bank       the bank's short name, empty when the BIN is not listed
//	service    QRIBFTTA, QRIBFTTC, QRPUSH, QRCASH or what else was there
//	unknown    [{"object": "26", "value": "..."}], absent when there are none
//	crc_ok     boolean
//	warnings   list of strings, see Warning; empty when there are none
//
// amount is a number, 0 when the payload has none. Members from postal_code to
// data_request are absent when empty.
func DecodeLines(r io.Reader, w io.Writer) error {
	return DecodeLinesWith(BuiltinBanks(), r, w)
}

// DecodeLinesWith is DecodeLines with the operator's own bank table.
func DecodeLinesWith(banks *BankTable, r io.Reader, w io.Writer) error {
	return eachLine(r, w, func(line []byte) (string, error) {
		p, warnings, err := Decode(string(line))
		if err != nil {
			return "", err
		}
		return jsonText(decodedLine(banks, p, warnings)), nil
	})
}

// Faults of a line as such.
var (
	errEmptyLine = errors.New("the line is empty")
	errLongLine  = errors.New("the line is longer than 65536 bytes")
)

// eachLine writes one answer for each line of r. Output is held back only
// while more input is at hand, so the two ends may converse.
func eachLine(r io.Reader, w io.Writer, answer func([]byte) (string, error)) error {
	in := bufio.NewReaderSize(r, MaxLine+2) // a full line with CR LF
	out := bufio.NewWriter(w)
	for {
		line, lineErr, err := readLine(in)
		if err == io.EOF {
			return out.Flush()
		}
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		text := ""
		if lineErr == nil {
			text, lineErr = answer(line)
		}
		if lineErr != nil {
			text = jsonText(struct {
				Error string `json:"error"`
			}{strings.TrimPrefix(lineErr.Error(), "vietqr: ")})
		}
		out.WriteString(text)
		out.WriteByte('\n') // a fault of w comes back from Flush
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

// readLine returns the next line without its line end. lineErr is a fault of
// that line alone; err is io.EOF after the last line, or a fault of the reader.
func readLine(in *bufio.Reader) (line []byte, lineErr, err error) {
	line, err = in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return nil, errLongLine, skipLine(in)
	}
	if err == io.EOF && len(line) > 0 {
		err = nil // the last line has no line end
	}
	if err != nil {
		return nil, nil, err
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	switch {
	case len(line) > MaxLine:
		return nil, errLongLine, nil
	case len(bytes.TrimSpace(line)) == 0:
		return nil, errEmptyLine, nil
	}
	return line, nil, nil
}

func skipLine(in *bufio.Reader) error {
	for {
		_, err := in.ReadSlice('\n')
		switch err {
		case bufio.ErrBufferFull:
			continue
		case io.EOF: // the long line was the last one; the next read says so
			return nil
		}
		return err
	}
}

func payloadFromJSON(line []byte) (Payload, error) {
	members, err := jsonMembers(line)
	if err != nil {
		return Payload{}, err
	}
	var p Payload
	for _, member := range textMembers(&p) {
		if err := readMember(members, member.name, "a string", member.target); err != nil {
			return Payload{}, err
		}
	}
	if p.Amount, err = amountMember(members["amount"]); err != nil {
		return Payload{}, err
	}
	p.Dynamic = p.Amount > 0
	if err := readMember(members, "dynamic", "true or false", &p.Dynamic); err != nil {
		return Payload{}, err
	}
	var unaccent bool
	if err := readMember(members, "unaccent", "true or false", &unaccent); err != nil {
		return Payload{}, err
	}
	if unaccent {
		for _, member := range textMembers(&p) {
			*member.target = Unaccent(*member.target)
		}
	}
	return p, nil
}

func jsonMembers(line []byte) (map[string]json.RawMessage, error) {
	line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte(byteOrderMark)))
	if !utf8.Valid(line) {
		return nil, errors.New("the line is not valid UTF-8")
	}
	if len(line) == 0 || line[0] != '{' {
		return nil, errors.New("the line is not a JSON object")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return nil, fmt.Errorf("the line is not valid JSON: %w", err)
	}
	return members, nil
}

type textMember struct {
	name   string
	target *string
}

func textMembers(p *Payload) []textMember {
	members := []textMember{
		{"bin", &p.BIN},
		{"account", &p.Account},
		{"service", &p.Service},
		{"mcc", &p.MCC},
		{"merchant_name", &p.MerchantName},
		{"city", &p.City},
		{"postal_code", &p.PostalCode},
		{"data_request", &p.DataRequest},
	}
	for n := firstLabel; n <= lastLabel; n++ {
		members = append(members, textMember{labelNames[n], p.label(n)})
	}
	return members
}

// readMember sets target unless the member is absent or null.
func readMember(members map[string]json.RawMessage, name, kind string, target any) error {
	raw := members[name]
	if isAbsent(raw) {
		return nil
	}
	if json.Unmarshal(raw, target) != nil {
		return &FieldError{name, "", "must be " + kind}
	}
	return nil
}

func isAbsent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func amountMember(raw json.RawMessage) (int64, error) {
	if isAbsent(raw) {
		return 0, nil
	}
	digits := string(raw)
	if digits[0] == '"' {
		if err := json.Unmarshal(raw, &digits); err != nil {
			return 0, &FieldError{"amount", "54", "must be a number or a string of digits"}
		}
	}
	amount, _, err := parseAmount(digits)
	if err != nil {
		return 0, &FieldError{"amount", "54", err.Error()}
	}
	return amount, nil
}

type jsonPayload struct {
	BIN            string      `json:"bin"`
	Bank           string      `json:"bank"`
	Account        string      `json:"account"`
	Service        string      `json:"service"`
	Amount         int64       `json:"amount"`
	Memo           string      `json:"memo"`
	BillNumber     string      `json:"bill_number"`
	Terminal       string      `json:"terminal"`
	MerchantName   string      `json:"merchant_name"`
	City           string      `json:"city"`
	MCC            string      `json:"mcc"`
	Dynamic        bool        `json:"dynamic"`
	PostalCode     string      `json:"postal_code,omitempty"`
	MobileNumber   string      `json:"mobile_number,omitempty"`
	StoreLabel     string      `json:"store_label,omitempty"`
	LoyaltyNumber  string      `json:"loyalty_number,omitempty"`
	ReferenceLabel string      `json:"reference_label,omitempty"`
	CustomerLabel  string      `json:"customer_label,omitempty"`
	DataRequest    string      `json:"data_request,omitempty"`
	Unknown        []jsonField `json:"unknown,omitempty"`
	CRCOK          bool        `json:"crc_ok"`
	Warnings       []string    `json:"warnings"`
}

type jsonField struct {
	Object string `json:"object"`
	Value  string `json:"value"`
}

func decodedLine(banks *BankTable, p Payload, warnings []Warning) jsonPayload {
	bank, _ := banks.LookupBIN(p.BIN)
	texts := make([]string, 0, len(warnings))
	for _, warning := range warnings {
		texts = append(texts, warning.String())
	}
	return jsonPayload{
		BIN: p.BIN, Bank: bank.ShortName, Account: p.Account, Service: p.Service,
		Amount: p.Amount, Memo: p.Memo, BillNumber: p.BillNumber, Terminal: p.Terminal,
		MerchantName: p.MerchantName, City: p.City, MCC: p.MCC, Dynamic: p.Dynamic,
		PostalCode: p.PostalCode, MobileNumber: p.MobileNumber, StoreLabel: p.StoreLabel,
		LoyaltyNumber: p.LoyaltyNumber, ReferenceLabel: p.ReferenceLabel,
		CustomerLabel: p.CustomerLabel, DataRequest: p.DataRequest,
		Unknown: unknownFields(&p.Unknown), CRCOK: p.CRCOK, Warnings: texts,
	}
}

func unknownFields(u *Unknown) []jsonField {
	var fields []jsonField
	add := func(path string, part []Field) {
		for _, field := range part {
			fields = append(fields, jsonField{join(path, field.ID), field.Value})
		}
	}
	add("", u.Root)
	add("38", u.Scheme)
	add("38.01", u.Beneficiary)
	add("62", u.Data)
	return fields
}

// jsonText marshals plain structs of strings, numbers and booleans, which
// cannot fail.
func jsonText(v any) string {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err)
	}
	return string(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
}
