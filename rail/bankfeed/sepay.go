package bankfeed

import (
	"crypto/sha256"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
)

// SePay reads the webhooks of sepay.vn, those of its Bank Hub too, and pulls
// its list of transactions.
//
// Source: developer.sepay.vn, pages tich-hop-webhook, xac-thuc, bao-mat,
// xu-ly-loi, doi-soat-giao-dich and bankhub/thong-bao-bien-dong-so-du.
type SePay struct{}

// The ways in which SePay proves itself. It also offers "none", which no feed
// accepts, and OAuth 2, which would make us an authorization server.
const (
	modeAPIKey = "apikey" // Authorization: Apikey <key>
	modeHMAC   = "hmac"   // X-SePay-Signature and X-SePay-Timestamp
)

// Kind is "sepay".
func (SePay) Kind() string { return "sepay" }

// CheckSecret wants a key, or {"mode": "apikey" or "hmac", "key": "..."}.
func (SePay) CheckSecret(secret string) error { return checkSecret(secret, modeAPIKey, modeHMAC) }

// Verify accepts only the mode that the feed's secret names.
func (SePay) Verify(msg rail.Message, secret string, now time.Time) error {
	s, err := parseSecret(secret, modeAPIKey, modeHMAC)
	if err != nil {
		return unauthorized(err.Error())
	}
	if s.Mode == modeHMAC {
		return s.verifySePayHMAC(msg, now)
	}
	header, err := one(msg.Header, "Authorization")
	if err != nil {
		return err
	}
	scheme, key, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Apikey") {
		return unauthorized("the Authorization header is not of the Apikey scheme")
	}
	ok := false
	for _, want := range s.Keys {
		if auth.SameString(strings.TrimSpace(key), want) {
			ok = true
		}
	}
	if !ok {
		return unauthorized("wrong API key")
	}
	return nil
}

func (s secret) verifySePayHMAC(msg rail.Message, now time.Time) error {
	header, err := one(msg.Header, "X-SePay-Signature")
	if err != nil {
		return err
	}
	at, err := one(msg.Header, "X-SePay-Timestamp")
	if err != nil {
		return err
	}
	signature, ok := strings.CutPrefix(header, "sha256=")
	if !ok {
		return unauthorized("the signature is not of the form sha256=...")
	}
	if err := fresh(at, time.Second, now); err != nil {
		return err
	}
	if !s.signed(sha256.New, append([]byte(at+"."), msg.Body...), signature) {
		return unauthorized("wrong signature")
	}
	return nil
}

// Parse reads one transaction. Its external id is SePay's id, or the Bank
// Hub's transaction_id.
func (SePay) Parse(body []byte) (rail.Parsed, error) {
	o, err := decodeObject(body)
	if err != nil {
		return rail.Parsed{}, err
	}
	read := sepayWebhook
	if _, hub := o["transaction_id"]; hub {
		read = sepayBankHub
	}
	return parseRows([]any{o}, read), nil
}

// sepayWebhook reads the body of the usual webhook.
func sepayWebhook(r *row) (payment.Credit, bool) {
	return payment.Credit{
		ExternalID:     r.id("id"),
		Account:        r.account("accountNumber"),
		VirtualAccount: r.account("subAccount"),
		Amount:         r.positive("transferAmount"),
		Currency:       "VND",
		Direction:      r.direction("transferType", "in", "out"),
		Memo:           r.memo("content", "description"),
		Reference:      r.short(maxID, "referenceCode"),
		OrderCode:      r.short(maxID, "code"),
		OccurredAt:     r.time("transactionDate"),
	}, true
}

// sepayBankHub reads the body of a Bank Hub webhook.
func sepayBankHub(r *row) (payment.Credit, bool) {
	return payment.Credit{
		ExternalID:     r.id("transaction_id"),
		Account:        r.account("account_number"),
		VirtualAccount: r.account("va"),
		Amount:         r.positive("amount"),
		Currency:       "VND",
		Direction:      r.direction("transfer_type", "credit", "debit"),
		Memo:           r.memo("content"),
		Reference:      r.short(maxID, "reference_code"),
		OrderCode:      r.short(maxID, "payment_code"),
		OccurredAt:     r.time("transaction_date"),
	}, true
}

// Answer is 200 with {"success": true}; SePay sends again for half an hour on
// anything but 2xx.
func (SePay) Answer(err error) rail.Answer { return providerAnswer(err) }
