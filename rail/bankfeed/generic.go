package bankfeed

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
)

// Generic reads our own webhook, for a bank or a service that none of the
// others covers. docs/bank-feeds.md has its description.
type Generic struct{}

// SignatureHeader carries the signature of a generic message.
const SignatureHeader = "X-Thungan-Signature"

const (
	modeSigned = "hmac"
	maxRows    = 500 // transactions in one message
)

// Sign makes the header SignatureHeader for a body that is sent at a moment.
func Sign(key string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Kind is "generic".
func (Generic) Kind() string { return "generic" }

// CheckSecret wants a key, or {"keys": ["new", "old"]} while keys are being
// changed.
func (Generic) CheckSecret(secret string) error { return checkSecret(secret, modeSigned) }

// Verify checks the signature over the time and the raw body.
func (Generic) Verify(msg rail.Message, secret string, now time.Time) error {
	s, err := parseSecret(secret, modeSigned)
	if err != nil {
		return unauthorized(err.Error())
	}
	header, err := one(msg.Header, SignatureHeader)
	if err != nil {
		return err
	}
	t, v1, err := signatureParts(header)
	if err != nil {
		return err
	}
	if err := fresh(t, time.Second, now); err != nil {
		return err
	}
	if !s.signed(sha256.New, append([]byte(t+"."), msg.Body...), v1...) {
		return unauthorized("wrong signature")
	}
	return nil
}

// Parse reads one transaction, or {"transactions": [...]} of up to 500.
func (Generic) Parse(body []byte) (rail.Parsed, error) {
	o, err := decodeObject(body)
	if err != nil {
		return rail.Parsed{}, err
	}
	list, many := o["transactions"]
	if !many {
		return parseRows([]any{o}, genericRow), nil
	}
	rows, ok := list.([]any)
	if !ok || len(rows) > maxRows {
		return rail.Parsed{}, fmt.Errorf("transactions is not an array of at most %d", maxRows)
	}
	return parseRows(rows, genericRow), nil
}

func genericRow(r *row) (payment.Credit, bool) {
	bin := r.text("bin")
	if bin != "" && (len(bin) != 6 || strings.Trim(bin, "0123456789") != "") {
		r.fail("bin is %q, not six digits", excerpt(bin))
	}
	return payment.Credit{
		ExternalID:     r.id("id"),
		BIN:            bin,
		Account:        r.account("account"),
		VirtualAccount: r.account("virtual_account"),
		Amount:         r.positive("amount"),
		Currency:       r.currency("currency"),
		Direction:      r.direction("direction", "in", "out"),
		Memo:           r.memo("memo"),
		Reference:      r.short(maxID, "reference"),
		OccurredAt:     r.zoned("occurred_at"),
	}, true
}

// Answer is 200 with {"success": true}, or {"success": false, "error": text}.
// What cannot be read is 422: whoever writes such a sender wants to know.
func (Generic) Answer(err error) rail.Answer {
	if err == nil {
		return providerAnswer(nil)
	}
	code, text := status(err), safeText(err)
	if errors.Is(err, rail.ErrUnreadable) {
		code, text = http.StatusUnprocessableEntity, truncate(err.Error(), maxMemo)
	}
	body := appendJSON(nil, object{"success": false, "error": text})
	return rail.Answer{Status: code, ContentType: jsonType, Body: body}
}
