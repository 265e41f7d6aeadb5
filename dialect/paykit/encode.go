package paykit

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/thungan/thungan/internal/httpx"
)

// appender is an answer or notice that writes itself; encoding/json makes the
// same text of it by reflection, at five times the cost. The tests hold the two
// against each other.
type appender interface {
	appendTo(b []byte) []byte
}

// encode writes JSON as it is sent: compact, < > & as they are.
func encode(v any) ([]byte, error) { return appendJSON(make([]byte, 0, 1024), v) }

func appendJSON(b []byte, v any) ([]byte, error) {
	if a, ok := v.(appender); ok {
		return a.appendTo(b), nil
	}
	text, err := httpx.EncodeJSON(v)
	return append(b, text...), err
}

// text writes a string.
func text(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		// encoding/json also escapes the two line ends of JavaScript.
		if c < ' ' || c == '"' || c == '\\' || c == '\u2028' || c == '\u2029' || (c == utf8.RuneError && size == 1) {
			b, _ = appendJSON(b, s) // a string can always be encoded
			return b
		}
		i += size
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func (d datetime) appendTo(b []byte) []byte {
	return time.Time(d).UTC().AppendFormat(b, `"`+timeLayout+`"`)
}

func (a amount) appendTo(b []byte) []byte {
	return append(strconv.AppendInt(b, int64(a), 10), ".0"...)
}

// open writes what every answer begins with, and no end. Error is not told:
// nothing that writes itself has one.
func (e envelope) open(b []byte) []byte {
	b = e.ResponseAt.appendTo(append(b, `{"response_at":`...))
	b = text(append(b, `,"result":`...), e.Result)
	if e.GatewayCode != "" {
		b = text(append(b, `,"gateway_code":`...), e.GatewayCode)
	}
	return b
}

func (r checkoutResponse) appendTo(b []byte) []byte {
	b = r.open(b)
	b = text(append(b, `,"checkout_url":`...), r.CheckoutURL)
	b = r.Payment.appendTo(append(b, `,"payment":`...))
	return append(r.BankTransfer.appendMember(b), '}')
}

func (r retrievePaymentResponse) appendTo(b []byte) []byte {
	b = r.open(b)
	b = r.Payment.appendTo(append(b, `,"payment":`...))
	b = append(b, `,"refunds":[`...)
	for i, one := range r.Refunds {
		if i > 0 {
			b = append(b, ',')
		}
		b = one.appendTo(b)
	}
	b = append(b, ']')
	return append(r.BankTransfer.appendMember(b), '}')
}

func (r refundResponse) appendTo(b []byte) []byte {
	b = r.open(b)
	b = r.Payment.appendTo(append(b, `,"payment":`...))
	b = r.Refund.appendTo(append(b, `,"refund":`...))
	return append(b, '}')
}

func (p paymentObject) appendTo(b []byte) []byte {
	b = text(append(b, `{"id":`...), p.ID)
	if p.PaymentMethod != "" {
		b = text(append(b, `,"payment_method":`...), p.PaymentMethod)
	}
	b = p.TotalAmount.appendTo(append(b, `,"total_amount":`...))
	b = p.CapturedAmount.appendTo(append(b, `,"captured_amount":`...))
	b = p.RefundedAmount.appendTo(append(b, `,"refunded_amount":`...))
	b = p.RefundingAmount.appendTo(append(b, `,"refunding_amount":`...))
	b = text(append(b, `,"currency":`...), p.Currency)
	b = text(append(b, `,"status":`...), p.Status)
	if p.Result != "" {
		b = text(append(b, `,"result":`...), p.Result)
	}
	b = p.DueTime.appendTo(append(b, `,"due_time":`...))
	b = p.StartAt.appendTo(append(b, `,"start_at":`...))
	if !p.CompletedAt.IsZero() {
		b = p.CompletedAt.appendTo(append(b, `,"completed_at":`...))
	}
	return append(b, '}')
}

func (r refundObject) appendTo(b []byte) []byte {
	b = text(append(b, `{"id":`...), r.ID)
	b = text(append(b, `,"payment_id":`...), r.PaymentID)
	b = r.Amount.appendTo(append(b, `,"amount":`...))
	b = text(append(b, `,"currency":`...), r.Currency)
	b = text(append(b, `,"status":`...), r.Status)
	if r.Result != "" {
		b = text(append(b, `,"result":`...), r.Result)
	}
	b = r.StartAt.appendTo(append(b, `,"start_at":`...))
	if !r.CompletedAt.IsZero() {
		b = r.CompletedAt.appendTo(append(b, `,"completed_at":`...))
	}
	return append(b, '}')
}

// appendMember writes the last member of an answer, nothing for nil.
func (t *bankTransferObject) appendMember(b []byte) []byte {
	if t == nil {
		return b
	}
	b = text(append(b, `,"bank_transfer_payment":{"vietqr_data":`...), t.VietQRData)
	b = text(append(b, `,"status":`...), t.Status)
	return append(b, '}')
}

func (n fullNotice) appendTo(b []byte) []byte {
	b = n.RequestAt.appendTo(append(b, `{"request_at":`...))
	b = text(append(b, `,"mid":`...), n.MID)
	b = n.Payment.appendTo(append(b, `,"payment":`...))
	if n.Refund != nil {
		b = n.Refund.appendTo(append(b, `,"refund":`...))
	}
	return append(b, '}')
}

func (n thinNotice) appendTo(b []byte) []byte {
	b = n.RequestAt.appendTo(append(b, `{"request_at":`...))
	b = text(append(b, `,"mid":`...), n.MID)
	b = text(append(b, `,"payment_id":`...), n.PaymentID)
	if n.RefundID != "" {
		b = text(append(b, `,"refund_id":`...), n.RefundID)
	}
	return append(b, '}')
}
