package notify_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/notify"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// wire is a protocol that tells everything it is given.
type wire struct{}

func (wire) Name() string                                   { return "wire" }
func (wire) Owes(payment.Event) bool                        { return true }
func (wire) Accepted(status int, body []byte) bool          { return status/100 == 2 && string(body) != "no" }
func (wire) Return(payment.Payment, payment.Profile) string { return "" }
func (wire) Retry(tries int) (wait time.Duration, again bool) {
	return time.Duration(tries) * time.Minute, tries < 3
}
func (wire) Notice(n dialect.Notice) (r dialect.Request, err error) {
	r.Headers = map[string]string{"Content-Type": "application/json", "request-id": n.RequestID, "secret-key": n.Secret}
	r.Body, err = json.Marshal(told{
		At: n.At, To: n.URL, Merchant: n.PublicID, Profile: n.Profile.PublicID,
		Version: n.Payment.Version, State: n.Payment.State, Received: int64(n.Payment.Received), Act: n.Event.Act,
	})
	return r, err
}

// told is the body of a notice.
type told struct {
	At       time.Time
	To       string
	Merchant string
	Profile  string
	Version  int64
	State    payment.State
	Received int64
	Act      payment.Act
}

// bench is a gateway with a sender that may reach this machine.
type bench struct {
	*coretest.Env
	*testing.T
	sender *notify.Sender
}

// each runs a test on either engine and looks for goroutines that stay.
func each(t *testing.T, test func(b *bench), opts ...coretest.Option) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		e := coretest.New(t, s, append(opts, coretest.WithDialect(wire{}))...)
		b := &bench{Env: e, T: t, sender: &notify.Sender{Core: e.Core, Clock: e.Clock, IDs: e.IDs, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}}
		b.use(guard.Options{AllowLoopback: true, Timeout: 250 * time.Millisecond, UserAgent: "Thungan/test"})
		test(b)
	})
}

func (b *bench) use(o guard.Options) {
	client := guard.New(o)
	b.sender.Client = client
	b.Cleanup(client.CloseIdle)
}

// serve is a receiver until the end of the test.
func (b *bench) serve(h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	b.Cleanup(s.Close)
	return s
}

// paid opens a payment whose notices go to an address, and pays it.
func (b *bench) paid(notifyURL string) payment.Payment {
	b.Helper()
	p := b.Open(b.Memo, 100_000, func(o *core.Opening) { o.NotifyURL = notifyURL })
	b.Pay(p, p.Amount)
	return p
}

// notices are the items of a payment, oldest first.
func (b *bench) notices(p payment.Payment) []store.Item {
	b.Helper()
	items, err := b.Core.Notices(b.Context(), core.NoticeSearch{PaymentID: p.ID})
	if err != nil {
		b.Fatal(err)
	}
	return items
}
