package tiki

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
)

// The dialect's names in rows, URLs of the admin API and logs: an app is known
// in both environments, with a key pair in each.
const (
	Name        = "tiki"
	SandboxName = "tiki-sandbox"
)

// Dialect is how the rest of the gateway tells apps of outcomes.
type Dialect struct {
	Sandbox bool // the environment for tests
}

var (
	_ dialect.Named    = Dialect{}
	_ dialect.Ordering = Dialect{}
	_ dialect.Stopping = Dialect{}
)

// Name is "tiki" or "tiki-sandbox".
func (d Dialect) Name() string {
	if d.Sandbox {
		return SandboxName
	}
	return Name
}

// SignsNotices says that IPNs are signed with the app's own key pair.
func (Dialect) SignsNotices() bool { return true }

// NamesKeys says that they carry its key.
func (Dialect) NamesKeys() bool { return true }

// Owes says that the end of a payment is told, unless the app's back end itself
// brought it about (T17).
func (Dialect) Owes(ev payment.Event) bool {
	return ev.From != ev.To && ev.To.Closed() && ev.Actor != core.ActorMerchant
}

// OwesOrder says that only what is paid online is told (T17).
func (Dialect) OwesOrder(o order.Order, _ payment.Event) bool { return o.Way == order.Online }

// Notice forms and signs an IPN. Nothing in it but the timestamp and the
// signature differs between attempts (T19).
func (Dialect) Notice(n dialect.Notice) (dialect.Request, error) {
	if u, err := url.Parse(n.URL); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return dialect.Request{}, errors.New("tiki: an IPN goes to an http or https address")
	}
	if n.Secret == "" {
		return dialect.Request{}, dialect.ErrNoSecret
	}
	o := order.Order{ID: n.Payment.Reference, Total: n.Payment.Amount, Way: order.Online}
	if n.Purchase != nil {
		o = *n.Purchase
	}
	body, err := httpx.EncodeJSON(notice{
		Order:            orderOf(core.PlacedOrder{Order: o, Payment: n.Payment}),
		MessageID:        messageID(n.Event),
		MessageType:      messageNotification,
		MessageCreatedAt: n.Event.At.In(clock.Vietnam).Format(time.RFC3339),
	})
	if err != nil {
		return dialect.Request{}, err
	}
	stamp := strconv.FormatInt(n.At.UnixMilli(), 10)
	return dialect.Request{
		Headers: map[string]string{
			"Content-Type": "application/json", headerClientID: n.Key, headerTimestamp: stamp,
			headerSignature: Sign(n.Key, n.Secret, stamp, body),
		},
		Body: body,
	}, nil
}

// messageID names an event in the form of the platform's ids (T9).
func messageID(ev payment.Event) string {
	sum := sha256.Sum256([]byte(ev.PaymentID + "/" + strconv.FormatInt(ev.Version, 10)))
	return order.Number(ev.At, binary.BigEndian.Uint32(sum[:4]))
}

// Accepted takes any 2xx.
func (Dialect) Accepted(status int, _ []byte) bool { return 200 <= status && status < 300 }

// Stops says that any answer below 500 ends the delivery (T18).
func (Dialect) Stops(status int) bool { return 100 <= status && status < 500 }

// waits follow the failed attempts (source 2, IPN).
var waits = []time.Duration{
	time.Minute, 5 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// Retry returns the wait after the tries-th failure; after the eighth there is
// none.
func (Dialect) Retry(tries int) (time.Duration, bool) {
	if tries < 1 || tries > len(waits) {
		return 0, false
	}
	return waits[tries-1], true
}

// Return is the return_url of the payment, with the order's id and how the
// payment ended.
func (Dialect) Return(p payment.Payment, _ payment.Profile) string {
	base := p.SuccessURL
	if base == "" || !p.State.Closed() {
		return ""
	}
	result := "failed"
	if p.State == payment.Approved {
		result = "succeed"
	}
	return addQuery(base, "order_id="+url.QueryEscape(p.Reference)+"&status="+result)
}

// addQuery puts more behind the query that address has, before its fragment.
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
