package ttdk

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/payment"
)

// Name is the dialect's name in rows, URLs of the admin API and logs.
const Name = "ttdk"

// Dialect is how the rest of the gateway tells TTDK partners of outcomes.
type Dialect struct{}

var (
	_ dialect.Dialect = Dialect{}
	_ dialect.Booker  = Dialect{}
)

// Name is "ttdk".
func (Dialect) Name() string { return Name }

// Owes says that every change of state is told. Opening is none: the caller has
// just been told (T20).
func (Dialect) Owes(ev payment.Event) bool { return ev.From != ev.To }

// Notice forms an order webhook: the order as the event left its payment. A
// payment that no order is known for is told from itself alone.
func (Dialect) Notice(n dialect.Notice) (dialect.Request, error) {
	o := booking.Order{
		Code: n.Payment.Reference, Name: n.Payment.Description, Kind: 9, Bill: booking.Bill{Subtotal: n.Payment.Amount, Total: n.Payment.Amount},
		CreatedAt: n.Payment.CreatedAt, UpdatedAt: n.Event.At,
	}
	if n.Order != nil {
		o = *n.Order
		if o.CanceledAt.After(n.Event.At) {
			o.CanceledAt = time.Time{} // that came later, and is told by itself
		}
		o.UpdatedAt = n.Event.At
	}
	return signed(orderNotice{Data: showOrder(o, &n.Payment)}, n.PublicID, n.Key, n.Secret, n.RequestID, n.At)
}

// BookingNotice forms a schedule webhook, or an order webhook for a change of
// the order itself.
func (Dialect) BookingNotice(n dialect.BookingNotice) (dialect.Request, error) {
	var body any
	switch ch := n.Changed; {
	case ch.Booking != nil:
		body = showScheduleNotice(*ch.Booking)
	case ch.Order != nil:
		body = orderNotice{Data: showOrder(*ch.Order, ch.Payment)}
	default:
		return dialect.Request{}, fmt.Errorf("ttdk: there is nothing to tell")
	}
	return signed(body, n.PublicID, n.Key, n.Secret, n.RequestID, n.At)
}

// nonceLen is how long a nonce is, in hexadecimal digits.
const nonceLen = 16

// signed forms a webhook. The body is not signed; what is, is new for every
// attempt (source 2, Webhook_Authentication).
func signed(body any, clientID, key, secret, requestID string, at time.Time) (dialect.Request, error) {
	if secret == "" {
		return dialect.Request{}, dialect.ErrNoSecret
	}
	text, err := httpx.EncodeJSON(body)
	if err != nil {
		return dialect.Request{}, err
	}
	timestamp := strconv.FormatInt(at.UnixMilli(), 10)
	// Different for every attempt, as its id is, and nobody can foretell it.
	nonce := mac(secret, "nonce|"+requestID)[:nonceLen]
	return dialect.Request{
		Headers: map[string]string{
			"Content-Type": "application/json",
			"timestamp":    timestamp,
			"nonce":        nonce,
			"signature":    sign(clientID, key, secret, timestamp, nonce),
		},
		Body: text,
	}, nil
}

// sign is the signature of a webhook: lower-case hexadecimal HMAC-SHA256.
func sign(clientID, key, secret, timestamp, nonce string) string {
	return mac(secret, clientID+"|"+key+"|"+timestamp+"|"+nonce)
}

func mac(secret, text string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}

// Accepted takes any 2xx; the documents name 200.
func (Dialect) Accepted(status int, _ []byte) bool { return 200 <= status && status < 300 }

// Webhooks are tried again after 5 s, 10 s, 20 s ...: fifteen attempts within
// 23 hours (T21).
const (
	firstWait = 5 * time.Second
	waits     = 14
)

// Retry returns the wait after the tries-th failure; each is twice the one
// before.
func (Dialect) Retry(tries int) (time.Duration, bool) {
	if tries < 1 || tries > waits {
		return 0, false
	}
	return firstWait << (tries - 1), true
}

// Return is nowhere: the wire has no address for the payer's browser.
func (Dialect) Return(payment.Payment, payment.Profile) string { return "" }

// showOrder shows an order. Its payment may be nil.
func showOrder(o booking.Order, p *payment.Payment) order {
	v := order{
		OrderID: o.ID, RefID: o.Code, Name: o.Name, Code: o.Code, Status: stageOf(o, p), PaymentStatus: statusOf(o, p),
		SubTotal: o.Subtotal, Discount: o.Discount, Tax: o.Tax, Total: o.Total, MethodType: o.MethodType, Kind: o.Kind, Category: 1,
		SalesChannel: salesChannel, PaymentInfo: "{}", CreatedAt: zulu(o.CreatedAt), UpdatedAt: zulu(o.UpdatedAt),
	}
	if p != nil {
		v.Paid, v.PaymentTime = p.Received, local(p.CompletedAt)
	}
	return v
}

func showSchedule(b booking.Booking) schedule {
	s := stages[b.Status]
	return schedule{
		ID: b.ID, Plate: b.Plate, PlateColor: b.PlateColor, VehicleType: b.VehicleType, Phone: b.Phone, Name: b.Name, Email: b.Email,
		Date: showDate(b.Date), Time: b.Time, Serial: b.ID, Code: b.Code(), Status: s.status, Note: b.Note, Kind: b.Kind, Hash: b.Hash,
		Confirm: s.confirm, CancelReason: b.Reason, CreatedAt: zulu(b.CreatedAt), UpdatedAt: zulu(b.UpdatedAt),
	}
}

func showScheduleNotice(b booking.Booking) scheduleNotice {
	n := scheduleNotice{Data: showSchedule(b)}
	n.Customer.Identifier = b.Phone
	n.Vehicle.Identity, n.Vehicle.Color, n.Vehicle.Type = b.Plate, plateColors[b.PlateColor], b.VehicleType
	return n
}

// showDate turns a date as it is kept into the wire's.
func showDate(s string) string {
	t, err := time.Parse(booking.DateLayout, s)
	if err != nil {
		return ""
	}
	return t.Format(dateLayout)
}

// readDate is the reverse; "" stays.
func readDate(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	t, err := time.Parse(dateLayout, s)
	if err != nil {
		return "", booking.Refuse(booking.BadDate)
	}
	return t.Format(booking.DateLayout), nil
}
