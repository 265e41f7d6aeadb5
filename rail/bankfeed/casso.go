package bankfeed

import (
	"crypto/sha512"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
)

// Casso reads the webhooks of casso.vn, the old ones (v1) and the signed ones
// (v2), and pulls its list of transactions.
//
// Source: developer.casso.vn; github.com/CassoHQ/casso-webhook-handler-sample
// and casso-webhook-v2-verify-signature.
type Casso struct{}

// The ways in which Casso proves itself. A plain key accepts both, as either
// needs the key; JSON can hold a feed to one.
const (
	modeAny = "any"
	modeV1  = "v1" // secure-token: <key>
	modeV2  = "v2" // X-Casso-Signature: t=<ms>,v1=<HMAC-SHA512>
)

// cassoTest is the bank's reference in the message of Casso's "try it" button
// and of its samples. Nothing moved, so it is no credit (decision B6).
const cassoTest = "MA_GIAO_DICH_THU_NGHIEM"

// Kind is "casso".
func (Casso) Kind() string { return "casso" }

// CheckSecret wants a key, or {"mode": "v1" or "v2" or "any", "key": "..."}.
func (Casso) CheckSecret(secret string) error { return checkSecret(secret, modeAny, modeV1, modeV2) }

// Verify checks the signature where there is one, else the token.
func (Casso) Verify(msg rail.Message, secret string, now time.Time) error {
	s, err := parseSecret(secret, modeAny, modeV1, modeV2)
	if err != nil {
		return unauthorized(err.Error())
	}
	signed := msg.Header.Get("X-Casso-Signature") != ""
	switch {
	case signed && s.Mode != modeV1:
		return s.verifyCassoV2(msg, now)
	case s.Mode == modeV2:
		return unauthorized("no X-Casso-Signature")
	}
	token, err := one(msg.Header, "Secure-Token")
	if err != nil {
		return err
	}
	ok := false
	for _, want := range s.Keys {
		if auth.SameString(token, want) {
			ok = true
		}
	}
	if !ok {
		return unauthorized("wrong secure token")
	}
	return nil
}

func (s secret) verifyCassoV2(msg rail.Message, now time.Time) error {
	header, err := one(msg.Header, "X-Casso-Signature")
	if err != nil {
		return err
	}
	t, v1, err := signatureParts(header)
	if err != nil {
		return err
	}
	if err := fresh(t, time.Millisecond, now); err != nil {
		return err
	}
	body, err := decodeObject(msg.Body)
	if err != nil {
		return unauthorized("the signed text is not JSON: " + err.Error())
	}
	if !s.signed(sha512.New, appendJSON([]byte(t+"."), body), v1...) {
		return unauthorized("wrong signature")
	}
	return nil
}

// Parse reads the transactions: v1 has an array of them in data, v2 one object.
// The external id is Casso's id, and the bank's reference where the id is
// absent or zero.
func (Casso) Parse(body []byte) (rail.Parsed, error) {
	o, err := decodeObject(body)
	if err != nil {
		return rail.Parsed{}, err
	}
	if code, _ := o["error"].(json.Number); code != "" && code != "0" {
		return rail.Parsed{}, errors.New("error is " + excerpt(code.String()) + ", not 0")
	}
	switch data := o["data"].(type) {
	case []any:
		return parseRows(data, cassoRow), nil
	case object:
		return parseRows([]any{data}, cassoRow), nil
	}
	return rail.Parsed{}, errors.New("data is neither an object nor an array")
}

// cassoRow reads a transaction of either webhook or of the API: they differ in
// names only. A negative amount is money out.
func cassoRow(r *row) (payment.Credit, bool) {
	reference := r.short(maxID, "reference", "tid")
	if reference == cassoTest {
		return payment.Credit{}, false
	}
	external := reference
	if id := r.text("id"); id != "" && strings.Trim(id, "0") != "" || reference == "" {
		external = r.id("id")
	}
	amount, ok := r.amount("amount")
	if ok && amount == 0 {
		r.fail("amount is 0, not above zero")
	}
	direction := payment.In
	if amount < 0 {
		amount, direction = -amount, payment.Out
	}
	when := "transactionDateTime"
	if _, v := r.raw(when); v == nil {
		when = "when"
	}
	return payment.Credit{
		ExternalID:     external,
		Account:        r.account("accountNumber", "bank_sub_acc_id", "bankSubAccId", "subAccId"),
		VirtualAccount: r.account("virtualAccountNumber", "virtualAccount", "virtual_account"),
		Amount:         amount,
		Currency:       "VND",
		Direction:      direction,
		Memo:           r.memo("description"),
		Reference:      reference,
		OccurredAt:     r.time(when),
	}, true
}

// Answer is 200 with {"success": true}.
func (Casso) Answer(err error) rail.Answer { return providerAnswer(err) }
