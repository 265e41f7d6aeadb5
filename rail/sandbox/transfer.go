package sandbox

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
)

// Limits of a transfer.
const (
	maxMemo      = 1000 // characters; what the intake keeps of a memo
	maxReference = 128
	maxRepeat    = 100
)

// transfer is what a payer tells the bank.
type transfer struct {
	BIN, Account string
	Memo         string
	Amount       money.VND
	Reference    string // the bank's own; "" is made up
	At           time.Time
	Repeat       int // how many more times the webhook is sent
}

// made is what became of a transfer.
type made struct {
	Reference  string       `json:"reference"`
	Deliveries []delivery   `json:"deliveries"`
	Credit     *creditView  `json:"credit"`  // null when the gateway kept none
	Payment    *paymentView `json:"payment"` // null when it matched none
	Matched    bool         `json:"matched"`
}

// delivery is the gateway's answer to one webhook.
type delivery struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

type creditView struct {
	ID          string              `json:"id"`
	Outcome     payment.Outcome     `json:"outcome"`
	Amount      money.VND           `json:"amount"`
	Applied     money.VND           `json:"amount_applied"`
	Unapplied   money.VND           `json:"amount_unapplied"`
	Source      string              `json:"source"`
	ExternalID  string              `json:"external_id"`
	BIN         string              `json:"bin"`
	Account     string              `json:"account"`
	Memo        string              `json:"memo"`
	Reference   string              `json:"reference"`
	MerchantID  string              `json:"merchant_id"`
	DuplicateOf string              `json:"duplicate_of"`
	OccurredAt  time.Time           `json:"occurred_at"`
	ReceivedAt  time.Time           `json:"received_at"`
	Explanation payment.Explanation `json:"explanation"`
}

type paymentView struct {
	PaymentID  string        `json:"payment_id"`
	MerchantID string        `json:"merchant_id"`
	Reference  string        `json:"reference"`
	State      payment.State `json:"state"`
	Amount     money.VND     `json:"amount"`
	Received   money.VND     `json:"received"`
}

// bankTransfer answers POST /sandbox/bank-transfers.
func (h *Handler) bankTransfer(w http.ResponseWriter, r *http.Request) {
	in, err := readInput(w, r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	t := h.readTransfer(in)
	if err := in.err(); err != nil {
		h.fail(w, r, err)
		return
	}
	ctx, cancel := detached()
	defer cancel()
	m, err := h.transfer(ctx, t)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	for _, d := range m.Deliveries {
		if d.Status/100 != 2 {
			answer(w, http.StatusBadGateway, struct {
				made
				errorBody
			}{m, errorBody{errorText{payment.CodeInternal, "the gateway did not take the bank's webhook in; see deliveries", map[string][]string{}}}})
			return
		}
	}
	answer(w, http.StatusOK, m)
}

var (
	binForm     = regexp.MustCompile(`^[0-9]{6}$`)
	accountForm = regexp.MustCompile(`^[0-9A-Za-z]{1,19}$`)
)

// readTransfer reads {"vietqr"} or {"bin", "account"}, and what goes with both.
// A payer may change a code's amount and memo in the banking app.
func (h *Handler) readTransfer(in *input) transfer {
	t := transfer{
		Reference: in.text("reference", maxReference),
		At:        in.moment("occurred_at", h.Clock.Now()),
		Repeat:    in.repeat(),
	}
	amount, given := in.amount("amount")
	if in.has("vietqr") {
		t.scan(in)
	} else {
		t.typed(in)
	}
	if in.has("memo") {
		t.Memo = in.text("memo", maxMemo)
	}
	switch {
	case given:
		t.Amount = amount
	case in.has("amount"): // wrong, and said so
	case t.Amount == 0 && len(in.wrong) == 0:
		in.complain("amount", "is missing: the code has none")
	}
	return t
}

// scan reads a QR code as a banking app does: one with a wrong checksum, or
// that is not for a transfer to an account, cannot be paid.
func (t *transfer) scan(in *input) {
	for _, name := range []string{"bin", "account"} {
		if in.has(name) {
			in.complain(name, "is in the code: give vietqr, or bin and account")
		}
	}
	text := in.needed("vietqr", vietqr.MaxPayload)
	if in.wrong["vietqr"] != nil {
		return
	}
	p, _, err := vietqr.DecodeVerified(text)
	var broken *vietqr.DecodeError
	switch {
	case errors.Is(err, vietqr.ErrCRC):
		in.complain("vietqr", "a banking app refuses this code: its CRC is wrong")
	case errors.As(err, &broken):
		in.complain("vietqr", "a banking app cannot read this code: %s", broken.Error())
	case err != nil:
		in.complain("vietqr", "a banking app cannot read this code")
	case p.Service != "" && p.Service != vietqr.ServiceAccount:
		in.complain("vietqr", "the code is not for a transfer to an account (service %s)", p.Service)
	}
	t.BIN, t.Account, t.Memo, t.Amount = p.BIN, p.Account, p.Memo, money.VND(p.Amount)
}

// typed reads a transfer that the payer has typed in.
func (t *transfer) typed(in *input) {
	if !in.has("bin") && !in.has("account") {
		in.complain("vietqr", "is missing: give vietqr, or bin and account")
		return
	}
	t.BIN = in.needed("bin", 6)
	if in.wrong["bin"] == nil && !binForm.MatchString(t.BIN) {
		in.complain("bin", "has to be six digits")
	}
	t.Account = strings.ReplaceAll(in.needed("account", 64), " ", "") // as people print it
	if in.wrong["account"] == nil && !accountForm.MatchString(t.Account) {
		in.complain("account", "has to be 1 to 19 letters and digits")
	}
	if !in.has("amount") {
		in.complain("amount", "is missing")
	}
}

// repeat reads how many more times to send; true is once.
func (in *input) repeat() int {
	switch string(in.members["repeat"]) {
	case "true":
		return 1
	case "false":
		return 0
	}
	return in.number("repeat", 0, maxRepeat)
}

// notice is our generic webhook, as docs/bank-feeds.md describes it.
type notice struct {
	ID         string `json:"id"`
	Direction  string `json:"direction"`
	BIN        string `json:"bin"`
	Account    string `json:"account"`
	Amount     int64  `json:"amount"`
	Currency   string `json:"currency"`
	Memo       string `json:"memo"`
	Reference  string `json:"reference"`
	OccurredAt string `json:"occurred_at"`
}

// transfer moves the money and tells the gateway, as the bank of the account
// does. Each transfer has an id of its own; Repeat sends the very same webhook.
func (h *Handler) transfer(ctx context.Context, t transfer) (made, error) {
	digits, err := h.random(20)
	if err != nil {
		return made{}, err
	}
	if t.Reference == "" {
		t.Reference = "FT" + h.Clock.Now().In(clock.Vietnam).Format("06002") + digits[:8] // the form that several banks use
	}
	n := notice{
		ID: "sandbox-" + digits, Direction: "in", BIN: t.BIN, Account: t.Account, Amount: int64(t.Amount), Currency: "VND",
		Memo: t.Memo, Reference: t.Reference, OccurredAt: t.At.Format(time.RFC3339Nano),
	}
	body, err := json.Marshal(n)
	if err != nil {
		return made{}, err
	}
	m := made{Reference: t.Reference}
	if m.Deliveries, err = h.tell(ctx, body, 1+t.Repeat); err != nil {
		return m, err
	}
	return m, h.found(ctx, &m, n.ID)
}

// tell sends one signed webhook to the bank feed, several times.
func (h *Handler) tell(ctx context.Context, body []byte, times int) ([]delivery, error) {
	f, err := h.Core.Feed(ctx, feedName)
	if err != nil {
		return nil, err
	}
	secret, _, err := h.Core.FeedSecrets(f)
	if err != nil {
		return nil, err
	}
	header := http.Header{"X-Thungan-Signature": {sign(secret, h.Clock.Now(), body)}}
	var sent []delivery
	for range times {
		got, err := call(ctx, h.Feeds, h.Info.BaseURL+"/bank-feeds/"+feedName, header, body)
		if err != nil {
			return sent, err
		}
		sent = append(sent, delivery{got.Status, got.JSON()})
	}
	return sent, nil
}

// sign makes the signature header of our generic webhook. It is written anew
// here, from the description, as any sender's would be.
func sign(key string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(t + "." + string(body)))
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// found looks up what the gateway made of the transfer with this external id.
// It is among the newest credits of the feed, or not there at all.
func (h *Handler) found(ctx context.Context, m *made, externalID string) error {
	for search, page := (core.CreditSearch{Source: feedName, Limit: 10}), 0; page < 10; page++ {
		credits, err := h.Core.Credits(ctx, search)
		if err != nil {
			return err
		}
		for _, c := range credits {
			if c.ExternalID == externalID {
				return h.fill(ctx, m, c)
			}
		}
		if len(credits) < search.Limit {
			return nil
		}
		search.Before, search.Limit = credits[len(credits)-1].ID, core.MaxPage
	}
	return nil
}

func (h *Handler) fill(ctx context.Context, m *made, c payment.Credit) error {
	if c.Explanation.Seen == nil {
		c.Explanation.Seen = []string{}
	}
	m.Credit = &creditView{
		ID: c.ID, Outcome: c.Outcome, Amount: c.Amount, Applied: c.Applied, Unapplied: c.Unapplied,
		Source: c.Source, ExternalID: c.ExternalID, BIN: c.BIN, Account: c.Account, Memo: c.Memo, Reference: c.Reference,
		MerchantID: c.MerchantID, DuplicateOf: c.DuplicateOf, OccurredAt: c.OccurredAt, ReceivedAt: c.ReceivedAt, Explanation: c.Explanation,
	}
	if c.PaymentID == "" {
		return nil
	}
	p, err := h.Core.Payment(ctx, c.PaymentID)
	if err != nil {
		return err
	}
	m.Matched = true
	m.Payment = &paymentView{PaymentID: p.ID, MerchantID: p.MerchantID, Reference: p.Reference, State: p.State, Amount: p.Amount, Received: p.Received}
	return nil
}
