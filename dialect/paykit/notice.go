package paykit

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/payment"
)

// Name is the dialect's name in rows, URLs of the admin API and logs.
const Name = "paykit"

// Dialect is how the rest of the gateway tells Paykit merchants of outcomes.
type Dialect struct{}

var _ dialect.Dialect = Dialect{}

// Name is "paykit".
func (Dialect) Name() string { return Name }

// Owes says that every change of state is told, and every refund when it is
// under way and when it closes. Opening is no change (P21), and a payment that
// is paid in part stays OPEN.
func (Dialect) Owes(ev payment.Event) bool { return ev.From != ev.To || ev.RefundID != "" }

// Notice forms an IPN. To https it has the whole payment and, in the header
// secret-key, the receiver's IPN secret in clear; to http it has ids only and
// never the secret, and the receiver has to ask back (source 2). It fails for
// an address that is neither.
func (Dialect) Notice(n dialect.Notice) (dialect.Request, error) {
	u, err := url.Parse(n.URL)
	if err != nil {
		return dialect.Request{}, fmt.Errorf("paykit: IPN address: %w", err)
	}
	headers := map[string]string{
		"Content-Type": "application/json",
		"request-id":   n.RequestID,
	}
	var body any
	switch u.Scheme {
	case "https":
		if n.Secret != "" {
			headers["secret-key"] = n.Secret
		}
		full := fullNotice{RequestAt: datetime(n.At), MID: n.PublicID, Payment: noticePayment(n.Payment)}
		if n.Refund.ID != "" {
			r := refundOf(n.Payment, n.Refund)
			full.Refund = &r
		}
		body = full
	case "http":
		body = thinNotice{RequestAt: datetime(n.At), MID: n.PublicID, PaymentID: n.Payment.Reference, RefundID: n.Refund.Reference}
	default:
		return dialect.Request{}, fmt.Errorf("paykit: an IPN cannot go to scheme %q", u.Scheme)
	}
	text, err := encode(body)
	return dialect.Request{Headers: headers, Body: text}, err
}

// Accepted takes any 2xx (P22).
func (Dialect) Accepted(status int, _ []byte) bool { return 200 <= status && status < 300 }

// waits follow the failed attempts: Standard Webhooks' schedule, ten attempts
// within three and a half days (P23).
var waits = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// Retry returns the wait after the tries-th failure; after the tenth there is
// none.
func (Dialect) Retry(tries int) (time.Duration, bool) {
	if tries < 1 || tries > len(waits) {
		return 0, false
	}
	return waits[tries-1], true
}

// Return is success_url for an approved payment, cancel_url for one that closed
// otherwise, with mid, payment_id and result added to its query in that order.
// A payment of a platform carries the platform's URLs; f is the merchant's own
// profile.
func (Dialect) Return(p payment.Payment, f payment.Profile) string {
	s, known := statuses[p.State]
	if !known || s.status != statusClosed {
		return ""
	}
	base := p.CancelURL
	if s.success {
		base = p.SuccessURL
	}
	if base == "" {
		return ""
	}
	return addQuery(base, "mid="+escape(f.PublicID)+"&payment_id="+escape(p.Reference)+"&result="+s.result)
}

// addQuery puts more behind the query that address has, before its fragment.
// What was there stays as it was, byte for byte.
func addQuery(address, more string) string {
	address, fragment, hasFragment := strings.Cut(address, "#")
	switch {
	case !strings.Contains(address, "?"):
		address += "?"
	case !strings.HasSuffix(address, "?") && !strings.HasSuffix(address, "&"):
		address += "&"
	}
	address += more
	if hasFragment {
		address += "#" + fragment
	}
	return address
}

// escape percent-encodes a query value, a space as %20.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// paymentOf shows a payment as answers have it.
func paymentOf(p payment.Payment) paymentObject {
	s := statuses[p.State]
	o := paymentObject{
		ID:              p.Reference,
		PaymentMethod:   methodOf(p),
		TotalAmount:     amount(p.Amount),
		CapturedAmount:  amount(p.Received),
		RefundedAmount:  amount(p.Refunded),
		RefundingAmount: amount(p.Refunding),
		Currency:        currencyVND,
		Status:          s.status,
		Result:          s.result,
		DueTime:         datetime(p.DueAt),
		StartAt:         datetime(p.CreatedAt),
	}
	if s.result == outcomeApproved {
		o.CompletedAt = datetime(p.CompletedAt)
	}
	return o
}

// refundOf shows a refund of p.
func refundOf(p payment.Payment, r payment.Refund) refundObject {
	s := refundOutcomes[r.State]
	return refundObject{
		ID: r.Reference, PaymentID: p.Reference, Amount: amount(r.Amount), Currency: currencyVND,
		Status: s.status, Result: s.result, StartAt: datetime(r.CreatedAt), CompletedAt: datetime(r.CompletedAt),
	}
}

// noticePayment is paymentOf with a method in any case (P18).
func noticePayment(p payment.Payment) paymentObject {
	o := paymentOf(p)
	if o.PaymentMethod == "" && len(p.Methods) > 0 {
		o.PaymentMethod = methodToWire[p.Methods[0]]
	}
	return o
}

// methodOf is the method that is decided: the chosen one, or the only one; ""
// while the payer may still choose.
func methodOf(p payment.Payment) string {
	if p.Method == "" && len(p.Methods) == 1 {
		return methodToWire[p.Methods[0]]
	}
	return methodToWire[p.Method]
}
