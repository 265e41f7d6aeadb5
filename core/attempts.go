package core

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/pan"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// DefaultMaxAttempts is how often a payer may try to pay by an acquirer.
const DefaultMaxAttempts = 3

// MostAttempts bounds the attempts of a payment, those included that no acquirer
// would take.
const MostAttempts = 20

// DefaultFirstLook is when an acquirer is asked for the first time about an
// attempt of which nobody has told.
const DefaultFirstLook = 30 * time.Second

// creatingAtMost is how long asking an acquirer for a page can take. Whoever
// began an attempt that is still being created then has died, or could not
// write down what it was answered.
const creatingAtMost = time.Minute

// MaxAttempts is how often a payer may try to pay by an acquirer.
func (c *Core) MaxAttempts() int { return c.tries }

// Starting is a payer's wish to pay by an acquirer.
type Starting struct {
	PaymentID string
	Method    payment.Method
	Connector payment.Connector
	// Reference is what the acquirer is to know the attempt by; it looks at ID
	// and CreatedAt alone.
	Reference func(payment.Attempt) string
}

// StartAttempt writes down that an acquirer is about to be asked, before it is.
// While an attempt by the same method is under way, that one is returned and
// fresh is false: the payer goes on with it. It refuses with CodeInvalidState
// while the outcome of another is outstanding or when nothing is to be paid,
// and with CodeConflict while another caller is starting one.
func (c *Core) StartAttempt(ctx context.Context, s Starting) (a payment.Attempt, fresh bool, err error) {
	err = c.update(ctx, "start_attempt", func(w *work) error {
		fresh = false
		p, err := w.LockPayment(ctx, s.PaymentID)
		if err != nil {
			return err
		}
		tried, err := w.PaymentAttempts(ctx, p.ID)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(tried, payment.Attempt.Live); i >= 0 {
			a = tried[i]
			return goesOn(a, s.Method)
		}
		switch {
		case p.State.Closed() || p.Due() == 0:
			return payment.Fail(payment.CodeInvalidState, "the payment is "+string(p.State))
		case !w.now.Before(p.DueAt):
			return payment.Fail(payment.CodeInvalidState, "the payment's time is over")
		case !slices.Contains(p.Methods, s.Method):
			return payment.Fail(payment.CodeMethodNotSupported, "the payment cannot be paid in this way")
		case triesOf(tried) >= w.core.tries, len(tried) >= MostAttempts:
			return payment.Fail(payment.CodeInvalidState, "the payer has tried as often as is allowed")
		}
		a = payment.Attempt{
			ID: w.core.ids.New(), PaymentID: p.ID, MerchantID: p.MerchantID, Number: int64(len(tried)) + 1, ConnectorID: s.Connector.ID, Kind: s.Connector.Kind,
			Method: s.Method, Amount: p.Due(), State: payment.AttemptCreating, CreatedAt: w.now, UpdatedAt: w.now, ExpiresAt: p.DueAt,
		}
		a.Reference = s.Reference(a)
		fresh = true
		if err := w.AddPaymentAttempt(ctx, a); err != nil {
			return err
		}
		if p.Method != s.Method {
			if p, err = w.apply(ctx, p, payment.Step{Act: payment.ActChoose, Actor: ActorPayer, Method: s.Method}); err != nil {
				return err
			}
		}
		return w.enqueue(ctx, KindAttempt, p, a.ID, KindAttempt+":"+a.Kind, w.now.Add(w.core.firstLook))
	})
	return a, fresh, err
}

// goesOn says whether a payer can go on with an attempt that is under way.
func goesOn(a payment.Attempt, m payment.Method) error {
	switch {
	case a.State == payment.AttemptUnknown:
		return payment.Fail(payment.CodeInvalidState, "the outcome of the last try is not known yet")
	case a.State == payment.AttemptCreating:
		return payment.Fail(payment.CodeConflict, "another page is just doing it")
	case a.Method != m:
		return payment.Fail(payment.CodeInvalidState, "another way to pay has been begun; leave it first")
	}
	return nil
}

// triesOf counts the attempts that reached an acquirer.
func triesOf(attempts []payment.Attempt) (n int) {
	for _, a := range attempts {
		if a.Sent() {
			n++
		}
	}
	return n
}

// locked loads an attempt with its payment, which is locked first, as
// everywhere.
func (w *work) locked(ctx context.Context, attemptID string) (payment.Attempt, payment.Payment, error) {
	a, err := w.PaymentAttempt(ctx, attemptID)
	if err != nil {
		return a, payment.Payment{}, err
	}
	p, err := w.LockPayment(ctx, a.PaymentID)
	if err != nil {
		return a, p, err
	}
	a, err = w.PaymentAttempt(ctx, attemptID) // as it is now that nobody else can change it
	return a, p, err
}

// onAttempt runs a verb on a locked attempt and saves it.
func (c *Core) onAttempt(ctx context.Context, verb, id string, fn func(w *work, a *payment.Attempt, p payment.Payment) error) (payment.Attempt, error) {
	var a payment.Attempt
	err := c.update(ctx, verb, func(w *work) (err error) {
		var p payment.Payment
		if a, p, err = w.locked(ctx, id); err != nil {
			return err
		}
		if err := fn(w, &a, p); err != nil {
			return err
		}
		return w.saveAttempt(ctx, &a)
	})
	return a, err
}

func (w *work) saveAttempt(ctx context.Context, a *payment.Attempt) error {
	if w.now.After(a.UpdatedAt) {
		a.UpdatedAt = w.now
	}
	if a.State.Final() && a.ClosedAt.IsZero() {
		a.ClosedAt = a.UpdatedAt
	}
	a.ExternalID, a.Code, a.Text = cut(pan.HideInName(a.ExternalID), maxCreditText), cut(pan.Hide(a.Code), maxCreditText), cut(pan.Hide(a.Text), maxReason)
	return w.SavePaymentAttempt(ctx, *a)
}

// AttemptCreated records that the acquirer has the order, and the way to it. It
// refuses with CodeInvalidState when the payer must not be sent there any more:
// the payment was closed meanwhile, or another attempt may have been begun.
func (c *Core) AttemptCreated(ctx context.Context, id string, h payment.Handoff, externalID string) (payment.Attempt, error) {
	closed := false
	a, err := c.onAttempt(ctx, "attempt_created", id, func(w *work, a *payment.Attempt, p payment.Payment) (err error) {
		if a.State != payment.AttemptCreating {
			return payment.Fail(payment.CodeConflict, "the attempt is "+string(a.State))
		}
		a.State, a.Handoff, a.ExternalID = payment.AttemptSent, h, externalID
		if closed = p.State.Closed() || a.Left; closed {
			a.Left = true
			return nil
		}
		return w.process(ctx, p, a.Method)
	})
	if err == nil && closed {
		err = payment.Fail(payment.CodeInvalidState, "the payment was closed, or tried in another way, meanwhile")
	}
	return a, err
}

// process marks a payment whose payer has gone to an acquirer.
func (w *work) process(ctx context.Context, p payment.Payment, m payment.Method) error {
	if p.State != payment.Open {
		return nil
	}
	_, err := w.apply(ctx, p, payment.Step{Act: payment.ActProcess, Actor: ActorPayer, Method: m})
	return err
}

// AttemptNotCreated records that the acquirer has no order: another may be
// asked.
func (c *Core) AttemptNotCreated(ctx context.Context, id, code, text string) (payment.Attempt, error) {
	return c.onAttempt(ctx, "attempt_not_created", id, func(_ *work, a *payment.Attempt, _ payment.Payment) error {
		if a.State != payment.AttemptCreating {
			return payment.Fail(payment.CodeConflict, "the attempt is "+string(a.State))
		}
		a.State, a.Code, a.Text = payment.AttemptFailed, code, text
		return nil
	})
}

// AttemptUncertain records that the acquirer may have the order. Nobody else is
// asked until it is known.
func (c *Core) AttemptUncertain(ctx context.Context, id, text string) (payment.Attempt, error) {
	return c.onAttempt(ctx, "attempt_uncertain", id, func(w *work, a *payment.Attempt, p payment.Payment) error {
		if a.State != payment.AttemptCreating {
			return payment.Fail(payment.CodeConflict, "the attempt is "+string(a.State))
		}
		a.State, a.Text = payment.AttemptUnknown, text
		return w.process(ctx, p, a.Method)
	})
}

// LeaveAttempt lets a payer choose another way to pay. The acquirer is asked
// about the one that was left all the same. CodeInvalidState when none can be
// left: its outcome is not known, or there is none.
func (c *Core) LeaveAttempt(ctx context.Context, paymentID string) (payment.Payment, error) {
	var p payment.Payment
	err := c.update(ctx, "leave_attempt", func(w *work) (err error) {
		if p, err = w.LockPayment(ctx, paymentID); err != nil {
			return err
		}
		tried, err := w.PaymentAttempts(ctx, p.ID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(tried, payment.Attempt.Live)
		if i < 0 || tried[i].State != payment.AttemptSent || p.State != payment.Processing {
			return payment.Fail(payment.CodeInvalidState, "there is no try that can be left")
		}
		tried[i].Left = true
		if err := w.saveAttempt(ctx, &tried[i]); err != nil {
			return err
		}
		p, err = w.reopen(ctx, p, ActorPayer, "the payer chooses another way to pay")
		return err
	})
	return p, err
}

// reopen lets a payer try again, if there is time.
func (w *work) reopen(ctx context.Context, p payment.Payment, actor, reason string) (payment.Payment, error) {
	p, err := w.apply(ctx, p, payment.Step{Act: payment.ActRetry, Actor: actor, Reason: reason})
	if err == nil && !w.now.Before(p.DueAt) {
		p, err = w.close(ctx, p, payment.ActExpire, ActorSystem, "")
	}
	return p, err
}

// Word is what an acquirer, or a person who asked one, says of an attempt.
type Word struct {
	ConnectorID string
	Reference   string
	ExternalID  string
	// Outcome is AttemptDone, AttemptFailed, AttemptSent (the payer is still at
	// it) or AttemptUnknown (the acquirer cannot tell).
	Outcome  payment.AttemptState
	Amount   money.VND // đồng; 0 when it does not say
	Currency string    // "" when it does not say
	Code     string
	Text     string
	At       time.Time
	Actor    string // "" is the acquirer
}

// Resolved is what became of an attempt by an acquirer's word.
type Resolved struct {
	Attempt payment.Attempt
	Payment payment.Payment
	Told    bool // it was known already; nothing changed
}

// Resolve takes in what an acquirer says of an attempt, however often and by
// whomever: money is taken in once. It refuses with CodePaymentNotFound when
// there is no such attempt, CodeInvalidAmount when amount or currency are not
// the attempt's, and CodeConflict when the word contradicts an earlier one;
// the last two wait for a person.
func (c *Core) Resolve(ctx context.Context, word Word) (Resolved, error) {
	if !storable(word.Reference) {
		return Resolved{}, payment.Fail(payment.CodePaymentNotFound, "no such attempt")
	}
	word.ExternalID, word.Code, word.Text = pan.HideInName(word.ExternalID), pan.Hide(word.Code), pan.Hide(word.Text)
	a, err := view(ctx, c, "resolve", func(tx *store.Tx) (payment.Attempt, error) {
		return tx.PaymentAttemptByReference(ctx, word.ConnectorID, word.Reference)
	})
	if err != nil {
		return Resolved{}, err
	}
	if word.Actor == "" {
		word.Actor = ActorAcquirer
	}
	var r Resolved
	if word.Outcome == payment.AttemptDone {
		if (word.Amount != 0 && word.Amount != a.Amount) || (word.Currency != "" && !strings.EqualFold(word.Currency, "VND")) {
			c.log.Error("an acquirer reports another amount", "attempt", a.ID, "payment_id", a.PaymentID, "asked", int64(a.Amount), "reported", int64(word.Amount), "currency", word.Currency)
			return Resolved{}, c.contradicted(ctx, a, payment.CodeInvalidAmount, "the acquirer reports "+word.Amount.String()+" "+word.Currency+" paid")
		}
		r, err = c.captured(ctx, a, word)
	} else {
		r, err = c.notCaptured(ctx, a, word)
	}
	if payment.CodeOf(err) == payment.CodeConflict {
		c.log.Error("an acquirer contradicts itself", "attempt", a.ID, "payment_id", a.PaymentID, "state", string(r.Attempt.State), "says", string(word.Outcome), "external_id", word.ExternalID)
		return r, c.contradicted(ctx, a, payment.CodeConflict, "the acquirer said "+string(r.Attempt.State)+", then "+string(word.Outcome)+" ("+word.ExternalID+" "+word.Code+")")
	}
	return r, err
}

// contradicted puts an attempt on the list of what a person has to look at.
func (c *Core) contradicted(ctx context.Context, a payment.Attempt, code payment.Code, text string) error {
	_, err := c.onAttempt(ctx, "resolve", a.ID, func(_ *work, a *payment.Attempt, _ payment.Payment) error {
		a.Review, a.Text = true, text
		return nil
	})
	if err != nil {
		return err
	}
	return payment.Fail(code, text)
}

// captured takes the money of an attempt in.
func (c *Core) captured(ctx context.Context, a payment.Attempt, word Word) (Resolved, error) {
	stop := c.timed("resolve")
	w := &work{core: c, now: c.Now()}
	taken, err := w.receive(ctx, Receipt{
		PaymentID: a.PaymentID, Channel: payment.ChannelAcquirer, Method: a.Method, Source: string(payment.ChannelAcquirer) + "/" + a.ConnectorID,
		ExternalID: a.Reference, AccountID: a.ConnectorID, Amount: a.Amount, Actor: word.Actor, OccurredAt: word.At,
	}, func(ctx context.Context) (p payment.Payment, err error) {
		a, p, err = w.locked(ctx, a.ID)
		return p, err
	}, func(ctx context.Context, _ payment.Credit) error {
		if !a.State.Final() {
			a.Review = false // it is known now
		}
		a.State, a.ClosedAt, a.Code, a.Text = payment.AttemptDone, time.Time{}, word.Code, word.Text
		if word.ExternalID != "" {
			a.ExternalID = word.ExternalID
		}
		return w.saveAttempt(ctx, &a)
	})
	stop(err)
	if err != nil {
		return Resolved{}, c.failed("resolve", err)
	}
	c.after(w)
	r := Resolved{Attempt: a, Payment: taken.Payment, Told: taken.Replayed}
	if taken.Replayed {
		if r.Attempt, err = c.Attempt(ctx, a.ID); err != nil {
			return r, err
		}
		switch known := r.Attempt.ExternalID; {
		case word.ExternalID == "" || known == word.ExternalID:
		case known != "":
			return r, payment.Fail(payment.CodeConflict, "another transaction for the same order: charged twice?")
		default:
			// A person had said that it was paid; a refund needs the acquirer's id.
			r.Attempt, err = c.onAttempt(ctx, "resolve", a.ID, func(_ *work, a *payment.Attempt, _ payment.Payment) error {
				a.ExternalID = cmp.Or(a.ExternalID, word.ExternalID)
				return nil
			})
		}
	}
	return r, err
}

// notCaptured takes in every other word.
func (c *Core) notCaptured(ctx context.Context, a payment.Attempt, word Word) (Resolved, error) {
	var r Resolved
	conflict := false
	_, err := c.onAttempt(ctx, "resolve", a.ID, func(w *work, a *payment.Attempt, p payment.Payment) (err error) {
		defer func() { r.Attempt, r.Payment = *a, p }()
		conflict, r.Told = false, a.State == word.Outcome
		switch {
		case a.State.Final():
			// Pending and unknown after a final word are older, or say nothing.
			conflict = a.State == payment.AttemptDone && word.Outcome == payment.AttemptFailed
			return nil
		case word.Outcome == payment.AttemptSent && !a.Sent():
			// It has the order, but no payer was sent there, and none will be
			// any more.
			a.Left = a.Left || a.State == payment.AttemptCreating && w.now.Sub(a.CreatedAt) >= creatingAtMost
			return nil
		}
		a.State, a.Code, a.Text = word.Outcome, word.Code, word.Text
		if a.State.Final() {
			a.Review = false // it is known now
		}
		if word.ExternalID != "" {
			a.ExternalID = word.ExternalID
		}
		if a.State != payment.AttemptFailed || a.Left || p.State != payment.Processing {
			return nil
		}
		tried, err := w.PaymentAttempts(ctx, p.ID)
		if err != nil {
			return err
		}
		if triesOf(tried) >= w.core.tries {
			p, err = w.close(ctx, p, payment.ActDeny, word.Actor, word.Text)
			return err
		}
		p, err = w.reopen(ctx, p, word.Actor, word.Text)
		return err
	})
	if err == nil && conflict {
		err = payment.Fail(payment.CodeConflict, "the acquirer had said that it was paid")
	}
	return r, err
}

// AbandonAttempt puts an attempt whose outcome nobody could find out on the
// list of what a person has to look at.
func (c *Core) AbandonAttempt(ctx context.Context, id, text string) (payment.Attempt, error) {
	return c.onAttempt(ctx, "abandon_attempt", id, func(_ *work, a *payment.Attempt, _ payment.Payment) error {
		if !a.State.Final() {
			a.State, a.Review, a.Text = payment.AttemptUnknown, true, text
		}
		return nil
	})
}

// JudgeAttempt lets a person say what became of an attempt, after asking the
// acquirer: paid or not. CodeInvalidState when it is paid and is to be made
// unpaid: its money can only be refunded.
func (c *Core) JudgeAttempt(ctx context.Context, by Actor, id string, paid bool, reason string) (Resolved, error) {
	if err := checkReason(reason); err != nil {
		return Resolved{}, err
	}
	a, err := c.Attempt(ctx, id)
	if err != nil {
		return Resolved{}, err
	}
	if a.State == payment.AttemptDone && !paid {
		return Resolved{}, payment.Fail(payment.CodeInvalidState, "it is paid; judge it paid, and refund its money")
	}
	word := Word{ConnectorID: a.ConnectorID, Reference: a.Reference, Outcome: payment.AttemptFailed, Text: reason, Actor: by.Name}
	if paid {
		word.Outcome, word.Amount = payment.AttemptDone, a.Amount
	}
	r, err := c.Resolve(ctx, word)
	if err != nil {
		return r, err
	}
	r.Attempt, err = c.onAttempt(ctx, "judge_attempt", id, func(w *work, a *payment.Attempt, _ payment.Payment) error {
		a.Review = false
		return w.audit(ctx, by, "attempt.judge", id, nil, map[string]any{"paid": paid, "state": a.State, "reason": reason})
	})
	return r, err
}

// Attempt returns an attempt to pay, or CodeNotFound.
func (c *Core) Attempt(ctx context.Context, id string) (payment.Attempt, error) {
	return view(ctx, c, "attempt", func(tx *store.Tx) (payment.Attempt, error) { return tx.PaymentAttempt(ctx, id) })
}

// PaymentAttempts lists the attempts to pay a payment, oldest first.
func (c *Core) PaymentAttempts(ctx context.Context, paymentID string) ([]payment.Attempt, error) {
	return view(ctx, c, "attempts", func(tx *store.Tx) ([]payment.Attempt, error) { return tx.PaymentAttempts(ctx, paymentID) })
}

// AttemptsForReview lists the attempts that a person has to look at, newest
// first.
func (c *Core) AttemptsForReview(ctx context.Context, merchantID, before string, limit int) ([]payment.Attempt, error) {
	return view(ctx, c, "attempts", func(tx *store.Tx) ([]payment.Attempt, error) {
		return tx.AttemptsForReview(ctx, merchantID, before, page(limit))
	})
}
