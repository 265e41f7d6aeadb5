// Package acquiring drives the connectors of rail/card: it sends payers to
// acquirers, takes in what acquirers tell, asks about what nobody told, and has
// refunds made.
//
// Whatever is about to be asked of an acquirer is written down first, the call
// comes second, and its result third, through a verb of core. So a process that
// dies in between leaves a question that another one asks, never a second
// charge.
package acquiring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

// Prefix is where acquirers and returning payers reach the Service.
const Prefix = "/acquirers/"

// callTime bounds one call of an acquirer.
const callTime = 20 * time.Second

// Config is what a Service is made of.
type Config struct {
	Core       *core.Core
	Clock      clock.Clock
	Log        *slog.Logger
	Connectors []card.Connector
	PublicURL  string    // where acquirers and payers reach the gateway, without a trailing slash
	HTTP       card.Doer // see NewDoer
	// TrustedProxies may say whose request they pass on (X-Forwarded-For).
	TrustedProxies []netip.Prefix
	// FirstLook is the shortest time between two questions about one attempt;
	// 0 is core.DefaultFirstLook.
	FirstLook time.Duration
}

// Service drives the connectors. It is safe for concurrent use.
type Service struct {
	Config
	kinds map[string]card.Connector
	wrong *auth.Throttle
}

// Notices with a wrong signature that one address may send: a burst, then so
// many a minute.
const (
	wrongAtOnce    = 100
	wrongPerMinute = 60
	wrongAddresses = 10_000
)

// New makes a Service. Mount it under Prefix.
func New(c Config) *Service {
	c.FirstLook = cmp.Or(c.FirstLook, core.DefaultFirstLook)
	s := &Service{Config: c, kinds: map[string]card.Connector{}, wrong: auth.NewThrottle(c.Clock, wrongPerMinute, wrongAtOnce, wrongAddresses)}
	for _, k := range c.Connectors {
		s.kinds[k.Kind()] = k
	}
	return s
}

// Kinds lists the acquirers that can be connected to, with what each is for.
func (s *Service) Kinds() map[string][]payment.Method {
	kinds := map[string][]payment.Method{}
	for name, k := range s.kinds {
		kinds[name] = k.Methods()
	}
	return kinds
}

// Check says what is wrong with a connector that is about to be kept.
func (s *Service) Check(kind string, methods []payment.Method, config []byte) error {
	k, ok := s.kinds[kind]
	if !ok {
		return payment.Fail(payment.CodeInvalidRequest, fmt.Sprintf("kind is one of %v", slices.Sorted(func(yield func(string) bool) {
			for name := range s.kinds {
				if !yield(name) {
					return
				}
			}
		})))
	}
	for _, m := range methods {
		if !slices.Contains(k.Methods(), m) {
			return payment.Fail(payment.CodeInvalidRequest, fmt.Sprintf("methods: %s takes %v, not %s", kind, k.Methods(), m))
		}
	}
	if config == nil {
		return nil // left as it is
	}
	if err := k.CheckConfig(config); err != nil {
		text := err.Error()
		if coded, ok := errors.AsType[*payment.Error](err); ok {
			text = coded.Text
		}
		return payment.Fail(payment.CodeInvalidRequest, "config: "+text)
	}
	return nil
}

// NotifyURL is the address that an acquirer sends a connector's notices to.
func (s *Service) NotifyURL(connectorID string) string {
	return s.PublicURL + Prefix + url.PathEscape(connectorID) + "/notify"
}

// returnURL is where an attempt's payer comes back to. Its key keeps strangers
// from learning the payment page's address.
func (s *Service) returnURL(a payment.Attempt) string {
	return s.PublicURL + Prefix + url.PathEscape(a.ConnectorID) + "/return/" + a.ID + "/" + s.Core.AttemptKey(a.ID)
}

// dealing finds a connector's kind and what its calls need.
func (s *Service) dealing(conn payment.Connector) (card.Connector, card.Dealing, error) {
	k, ok := s.kinds[conn.Kind]
	if !ok {
		return nil, card.Dealing{}, &payment.Error{Code: payment.CodeInternal, Cause: errors.New("acquiring: no connector of kind " + conn.Kind)}
	}
	config, err := s.Core.ConnectorConfig(conn)
	if err != nil {
		return nil, card.Dealing{}, err
	}
	return k, card.Dealing{Config: config, HTTP: s.HTTP, Now: s.Clock.Now(), NotifyURL: s.NotifyURL(conn.ID)}, nil
}

// dealingFor is dealing for one attempt.
func (s *Service) dealingFor(ctx context.Context, a payment.Attempt) (card.Connector, card.Dealing, error) {
	conn, err := s.Core.Connector(ctx, a.ConnectorID)
	if err != nil {
		return nil, card.Dealing{}, err
	}
	k, d, err := s.dealing(conn)
	d.ReturnURL = s.returnURL(a)
	return k, d, err
}

// Another page may be asking the acquirer at the same moment: it is waited for.
const (
	othersTime = 5 * time.Second
	othersLook = 50 * time.Millisecond
)

// errNobody is for when no acquirer could be asked: the payer may try again.
var errNobody = payment.Fail(payment.CodeBusy, "no acquirer could be reached")

// Start sends a payer to an acquirer: to the one that the payer is at already,
// else to the first of the merchant's connectors that can take the order. It
// refuses as core.StartAttempt does, with CodeMethodNotSupported when the
// merchant has no connector for the method, CodeBusy when no acquirer could be
// reached, and CodeInvalidState when the outcome is uncertain.
func (s *Service) Start(ctx context.Context, paymentID string, method payment.Method, payerIP string) (payment.Handoff, error) {
	// A payer who closes the page does not stop what has begun.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*callTime)
	defer cancel()
	p, err := s.Core.Payment(ctx, paymentID)
	if err != nil {
		return payment.Handoff{}, err
	}
	connectors, err := s.Core.ConnectorsFor(ctx, p.MerchantID, method)
	if err != nil {
		return payment.Handoff{}, err
	}
	if len(connectors) == 0 {
		return payment.Handoff{}, payment.Fail(payment.CodeMethodNotSupported, "the merchant cannot take this payment method")
	}
	for _, conn := range connectors {
		k, d, err := s.dealing(conn)
		if err != nil {
			s.Log.ErrorContext(ctx, "connector cannot be used", "connector", conn.ID, "kind", conn.Kind, "error", err.Error())
			continue
		}
		a, fresh, err := s.begin(ctx, core.Starting{PaymentID: paymentID, Method: method, Connector: conn, Reference: k.Reference})
		if err != nil || !fresh {
			return a.Handoff, err
		}
		d.ReturnURL = s.returnURL(a)
		handoff, next, err := s.create(ctx, k, d, a, p, payerIP)
		if !next {
			return handoff, err
		}
	}
	return payment.Handoff{}, errNobody
}

// begin writes an attempt down; it waits while another page is doing the same.
func (s *Service) begin(ctx context.Context, start core.Starting) (payment.Attempt, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, othersTime)
	defer cancel()
	for {
		a, fresh, err := s.Core.StartAttempt(ctx, start)
		if payment.CodeOf(err) != payment.CodeConflict {
			return a, fresh, err
		}
		select {
		case <-ctx.Done():
			return a, false, err
		case <-time.After(othersLook):
		}
	}
}

// create asks an acquirer for a page. Next says that it has no order, so that
// another may be asked.
func (s *Service) create(ctx context.Context, k card.Connector, d card.Dealing, a payment.Attempt, p payment.Payment, payerIP string) (_ payment.Handoff, next bool, _ error) {
	merchant, err := s.Core.Merchant(ctx, p.MerchantID)
	if err != nil {
		_, undone := s.Core.AttemptNotCreated(ctx, a.ID, "", "the gateway's own fault: nobody was asked")
		return payment.Handoff{}, false, errors.Join(err, undone)
	}
	order := card.Order{Attempt: a, Description: p.Description, Language: p.Language, PayerIP: payerIP, Merchant: merchant.Name}
	call, cancel := context.WithTimeout(ctx, callTime)
	created, err := k.Create(call, d, order)
	cancel()
	switch {
	case err == nil:
		a, err = s.Core.AttemptCreated(ctx, a.ID, created.Handoff, created.ExternalID)
		return a.Handoff, false, err
	case errors.Is(err, card.ErrUncertain):
		s.Log.WarnContext(ctx, "acquirer did not answer", "kind", a.Kind, "attempt", a.ID, "payment_id", p.ID, "error", err.Error())
		if _, err := s.Core.AttemptUncertain(ctx, a.ID, err.Error()); err != nil {
			return payment.Handoff{}, false, err
		}
		return payment.Handoff{}, false, payment.Fail(payment.CodeInvalidState, "whether the acquirer has the order is not known yet")
	}
	s.Log.WarnContext(ctx, "acquirer took no order", "kind", a.Kind, "attempt", a.ID, "payment_id", p.ID, "error", err.Error())
	if _, err := s.Core.AttemptNotCreated(ctx, a.ID, "", err.Error()); err != nil {
		return payment.Handoff{}, false, err
	}
	return payment.Handoff{}, true, nil
}

// Leave lets a payer choose another way to pay; see core.LeaveAttempt.
func (s *Service) Leave(ctx context.Context, paymentID string) error {
	_, err := s.Core.LeaveAttempt(ctx, paymentID)
	return err
}

// Attempts lists the attempts to pay a payment, oldest first.
func (s *Service) Attempts(ctx context.Context, paymentID string) ([]payment.Attempt, error) {
	return s.Core.PaymentAttempts(ctx, paymentID)
}
