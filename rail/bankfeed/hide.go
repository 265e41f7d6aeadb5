package bankfeed

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/thungan/thungan/internal/pan"
)

// names are the members of messages by which transactions, orders and the
// receiving account are told apart (see pan.HideInName).
var names = map[string]bool{
	"id": true, "tid": true, "transaction_id": true, "reference": true, "referenceCode": true, "reference_code": true, "reference_number": true,
	"code": true, "payment_code": true, "orderCode": true, "account": true, "accountNumber": true, "account_number": true,
	"virtual_account": true, "virtualAccount": true, "virtualAccountNumber": true, "va": true, "sub_account": true, "subAccount": true,
	"subAccId": true, "bankSubAccId": true, "bank_sub_acc_id": true,
}

// hide masks the card numbers in a message that is to be kept: payers write them
// into the text of a transfer, and the payer's account can be one. A number that
// is hidden becomes a text.
func hide(body []byte) []byte {
	if bytes.IndexByte(body, '\\') < 0 && !pan.Stands(string(body)) {
		return body
	}
	var out []byte
	copied, changed := 0, false
	err := eachToken(body, func(start, end int, name string, part json.Token) {
		var text string
		switch v := part.(type) {
		case string:
			text = v
		case json.Number:
			text = v.String()
		default:
			return
		}
		hide := pan.Hide
		if names[name] {
			hide = pan.HideInName
		}
		if hidden := hide(text); hidden != text {
			out = appendJSON(append(out, body[copied:start]...), hidden)
			copied, changed = end, true
		}
	})
	switch {
	case err != nil:
		return []byte(pan.Hide(string(body)))
	case !changed:
		return body
	}
	return append(out, body[copied:]...)
}

// eachToken calls fn with every token of a JSON text and where it stands. Name
// is the member's that it is the value of, "" for names and what is in a list.
func eachToken(body []byte, fn func(start, end int, name string, part json.Token)) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	type level struct {
		object, valued bool // in an object; a name has been read
		name           string
	}
	levels := []level{{}}
	for {
		before := int(d.InputOffset())
		part, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		end := int(d.InputOffset())
		start := end - len(bytes.TrimLeft(body[before:end], " \t\r\n,:"))
		in := &levels[len(levels)-1]
		if part == json.Delim('}') || part == json.Delim(']') {
			levels = levels[:len(levels)-1]
			continue
		}
		if in.object && !in.valued {
			fn(start, end, "", part)
			in.name, _ = part.(string)
			in.valued = true
			continue
		}
		in.valued = false
		if open, ok := part.(json.Delim); ok {
			levels = append(levels, level{object: open == '{'})
			continue
		}
		fn(start, end, in.name, part)
	}
}
