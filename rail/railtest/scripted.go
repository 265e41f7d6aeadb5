package railtest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

// Scripted is a connector to an acquirer that has no wire: it answers what a
// test says. It takes no refunds; see ScriptedRefunder.
type Scripted struct {
	Name  string           // its kind; "" is "scripted"
	Takes []payment.Method // nil for both card methods

	mu      sync.Mutex
	answers answers
	calls   []string
}

type answers struct {
	create      func(ctx context.Context, o card.Order) (card.Created, error)
	query       func(ctx context.Context, a payment.Attempt) (card.Report, error)
	refund      func(ctx context.Context, r card.Refund) (card.Report, error)
	queryRefund func(ctx context.Context, r card.Refund) (card.Report, error)
}

// OnCreate, OnQuery, OnRefund and OnQueryRefund say what calls are answered
// from now on. Until then there is a page for every order, everything is
// pending, and refunds are made at once.
func (s *Scripted) OnCreate(fn func(ctx context.Context, o card.Order) (card.Created, error)) {
	s.set(func(a *answers) { a.create = fn })
}

// OnQuery: see OnCreate.
func (s *Scripted) OnQuery(fn func(ctx context.Context, a payment.Attempt) (card.Report, error)) {
	s.set(func(a *answers) { a.query = fn })
}

// OnRefund: see OnCreate.
func (s *Scripted) OnRefund(fn func(ctx context.Context, r card.Refund) (card.Report, error)) {
	s.set(func(a *answers) { a.refund = fn })
}

// OnQueryRefund: see OnCreate.
func (s *Scripted) OnQueryRefund(fn func(ctx context.Context, r card.Refund) (card.Report, error)) {
	s.set(func(a *answers) { a.queryRefund = fn })
}

func (s *Scripted) set(change func(*answers)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.answers)
}

// called notes a call and returns what it is answered.
func (s *Scripted) called(what string) answers {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, what)
	return s.answers
}

// Calls lists the calls since it was last asked: "create", "query", "refund"
// and "query refund".
func (s *Scripted) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// Kind implements card.Connector.
func (s *Scripted) Kind() string {
	if s.Name == "" {
		return "scripted"
	}
	return s.Name
}

// Methods implements card.Connector.
func (s *Scripted) Methods() []payment.Method {
	if s.Takes == nil {
		return []payment.Method{payment.DomesticCard, payment.InternationalCard}
	}
	return slices.Clone(s.Takes)
}

// ScriptedConfig is a sound configuration of a Scripted.
const ScriptedConfig = `{"secret":"s3cret-of-the-acquirer"}`

// CheckConfig wants a secret and nothing else.
func (s *Scripted) CheckConfig(config []byte) error {
	var members map[string]any
	if err := json.Unmarshal(config, &members); err != nil {
		return errors.New("is no JSON object")
	}
	for name := range members {
		if name != "secret" {
			return errors.New("has an unknown member " + name)
		}
	}
	if secret, _ := members["secret"].(string); secret == "" {
		return errors.New("secret is missing")
	}
	return nil
}

// Reference is made of the attempt's id.
func (s *Scripted) Reference(a payment.Attempt) string { return "ref-" + a.ID }

// Create implements card.Connector.
func (s *Scripted) Create(ctx context.Context, d card.Dealing, o card.Order) (card.Created, error) {
	if fn := s.called("create").create; fn != nil {
		return fn(ctx, o)
	}
	back := url.Values{"back": {d.ReturnURL}}
	return card.Created{Handoff: payment.Handoff{URL: "https://acquirer.example.test/" + o.Attempt.Reference + "?" + back.Encode()}}, nil
}

// Query implements card.Connector.
func (s *Scripted) Query(ctx context.Context, _ card.Dealing, a payment.Attempt) (card.Report, error) {
	if fn := s.called("query").query; fn != nil {
		return fn(ctx, a)
	}
	return card.Report{Outcome: card.Pending, Code: "01", Text: "the payer has not paid yet"}, nil
}

// SayPaid and SayDeclined are what the acquirer says of an attempt in those cases.
func SayPaid(a payment.Attempt) card.Report {
	return card.Report{Outcome: card.Done, Reference: a.Reference, ExternalID: "tx-" + a.ID, Amount: a.Amount, Currency: "VND", Code: "00", Text: "paid"}
}

// SayDeclined: see SayPaid.
func SayDeclined(a payment.Attempt) card.Report {
	return card.Report{Outcome: card.Failed, Reference: a.Reference, Code: "51", Text: "the card's balance does not cover it"}
}

// scriptedNotice is the body of a notice; the signature that is right is "good".
type scriptedNotice struct {
	Signature string
	card.Report
}

// ScriptedNotice is the body of a notice that says r.
func ScriptedNotice(r card.Report, signature string) []byte {
	body, err := json.Marshal(scriptedNotice{signature, r})
	if err != nil {
		panic(err)
	}
	return body
}

// GoodSignature is the one that is right.
const GoodSignature = "good"

// VerifyReturn reads ?signature=.
func (s *Scripted) VerifyReturn(_ card.Dealing, m card.Message) (card.Report, error) {
	values, err := m.Values()
	if err != nil || values.Get("signature") != GoodSignature {
		return card.Report{}, payment.Fail(payment.CodeUnauthorized, "wrong signature")
	}
	return card.Report{Outcome: card.Done}, nil
}

// VerifyNotify reads what ScriptedNotice writes.
func (s *Scripted) VerifyNotify(_ card.Dealing, m card.Message) (card.Report, error) {
	var n scriptedNotice
	if err := json.Unmarshal(m.Body, &n); err != nil {
		return card.Report{}, payment.Fail(payment.CodeInvalidRequest, "no notice")
	}
	if n.Signature != GoodSignature {
		return card.Report{}, payment.Fail(payment.CodeUnauthorized, "wrong signature")
	}
	return n.Report, nil
}

// Acknowledge answers "ack taken", "ack told" or "ack" and the code.
func (s *Scripted) Acknowledge(told bool, err error) card.Answer {
	word := "taken"
	switch code := payment.CodeOf(err); {
	case code != "":
		word = string(code)
	case told:
		word = "told"
	}
	return card.Answer{Status: http.StatusAccepted, ContentType: "text/x-ack", Body: []byte("ack " + word)}
}

// ScriptedRefunder is a Scripted that gives money back by itself.
type ScriptedRefunder struct {
	Scripted
	Twice bool // it takes the same refund twice for one
}

// Refund implements card.Refunder.
func (s *ScriptedRefunder) Refund(ctx context.Context, _ card.Dealing, r card.Refund) (card.Report, error) {
	if fn := s.called("refund").refund; fn != nil {
		return fn(ctx, r)
	}
	return SayRefunded(r.Refund), nil
}

// QueryRefund implements card.Refunder.
func (s *ScriptedRefunder) QueryRefund(ctx context.Context, _ card.Dealing, r card.Refund) (card.Report, error) {
	if fn := s.called("query refund").queryRefund; fn != nil {
		return fn(ctx, r)
	}
	return card.Report{Outcome: card.Unknown, Code: "91", Text: "no such refund"}, nil
}

// Repeatable implements card.Refunder.
func (s *ScriptedRefunder) Repeatable() bool { return s.Twice }

// SayRefunded is what the acquirer says of a refund that it has made.
func SayRefunded(r payment.Refund) card.Report {
	return card.Report{Outcome: card.Done, OfRefund: true, Reference: r.ID, ExternalID: "rf-" + r.ID, Amount: r.Amount, Code: "00", Text: "refunded"}
}

// SayRefused is what it says of one that it will not make; reason may be "".
func SayRefused(r payment.Refund, reason payment.Code) card.Report {
	return card.Report{Outcome: card.Failed, OfRefund: true, Reference: r.ID, Code: "13", Text: "refused", Reason: reason}
}

var (
	_ card.Connector = (*Scripted)(nil)
	_ card.Refunder  = (*ScriptedRefunder)(nil)
)
