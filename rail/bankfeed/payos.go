package bankfeed

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
)

// PayOS reads the webhooks of payos.vn. It is no Puller: payOS answers only
// for an order code that one names, and has no list of transactions (decision
// B10).
//
// Source: payos.vn/docs, pages du-lieu-tra-ve/webhook and
// tich-hop-webhook/kiem-tra-du-lieu-voi-signature.
type PayOS struct{}

const modeChecksum = "checksum"

// When the address of a webhook is registered, payOS sends its documented
// sample, signed with the shop's own key. Nothing moved (decision B6).
const (
	payosTestAccount   = "12345678"
	payosTestReference = "TF230204212323"
)

// Kind is "payos".
func (PayOS) Kind() string { return "payos" }

// CheckSecret wants the shop's checksum key.
func (PayOS) CheckSecret(secret string) error { return checkSecret(secret, modeChecksum) }

// Verify checks the signature inside the body. It has no time in it: a replay
// is stopped by its external id.
func (PayOS) Verify(msg rail.Message, secret string, _ time.Time) error {
	s, err := parseSecret(secret, modeChecksum)
	if err != nil {
		return unauthorized(err.Error())
	}
	body, err := decodeObject(msg.Body)
	if err != nil {
		return unauthorized("the body is not JSON: " + err.Error())
	}
	data, ok := body["data"].(object)
	if !ok {
		return unauthorized("no data to be signed")
	}
	signature, _ := body["signature"].(string)
	if !s.signed(sha256.New, payosText(data), signature) {
		return unauthorized("wrong signature")
	}
	return nil
}

// payosText is what payOS signs: key=value of every field of data, sorted by
// key and joined by &, without any escaping. Null stands for nothing, and so
// do the words null and undefined; arrays are JSON with sorted keys.
func payosText(data object) []byte {
	var b []byte
	for i, key := range slices.Sorted(maps.Keys(data)) {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(b, key...), '=')
		switch v := data[key].(type) {
		case nil:
		case string:
			if v != "null" && v != "undefined" {
				b = append(b, v...)
			}
		case json.Number:
			b = append(b, v...)
		default:
			b = appendJSON(b, v)
		}
	}
	return b
}

// Parse reads the one transaction. The external id is payOS's reference, which
// is the bank's.
func (PayOS) Parse(body []byte) (rail.Parsed, error) {
	o, err := decodeObject(body)
	if err != nil {
		return rail.Parsed{}, err
	}
	data, ok := o["data"].(object)
	if !ok {
		return rail.Parsed{}, errors.New("data is not an object")
	}
	return parseRows([]any{data}, payosRow), nil
}

func payosRow(r *row) (payment.Credit, bool) {
	if r.text("accountNumber") == payosTestAccount && r.text("reference") == payosTestReference {
		return payment.Credit{}, false
	}
	// Only "00" tells of money; other codes report an order that failed.
	if code := r.text("code"); code != "" && code != "00" {
		return payment.Credit{}, false
	}
	reference := r.id("reference")
	return payment.Credit{
		ExternalID:     reference,
		Account:        r.account("accountNumber"),
		VirtualAccount: r.account("virtualAccountNumber"),
		Amount:         r.positive("amount"),
		Currency:       r.currency("currency"),
		Direction:      payment.In,
		Memo:           r.memo("description"),
		Reference:      reference,
		OrderCode:      r.short(maxID, "orderCode"),
		OccurredAt:     r.time("transactionDateTime"),
	}, true
}

// Answer is 200 with {"success": true}, also for an order we do not know:
// payOS registers an address only after such an answer.
func (PayOS) Answer(err error) rail.Answer { return providerAnswer(err) }
