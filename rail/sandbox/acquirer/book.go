package acquirer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

// order is one order with everything that happened to it. It has no card
// number.
type order struct {
	ID          string         `json:"id"`
	Token       string         `json:"token"` // names its pages, unguessable
	Merchant    string         `json:"merchant"`
	Name        string         `json:"name"`
	Reference   string         `json:"reference"`
	Amount      money.VND      `json:"amount"`
	Method      payment.Method `json:"method"`
	Description string         `json:"description"`
	Language    string         `json:"language"`
	ReturnURL   string         `json:"return_url"`
	NotifyURL   string         `json:"notify_url"`
	CreatedAt   time.Time      `json:"created_at"`
	ExpiresAt   time.Time      `json:"expires_at"`

	Pending *pending `json:"pending,omitempty"` // a card is in, the payer's word is not
	Wrong   int      `json:"wrong,omitempty"`   // passwords; another card is no way to more guesses

	Result   Result    `json:"result"`
	Later    Result    `json:"later,omitempty"` // what an unknown one becomes at SettleAt
	SettleAt time.Time `json:"settle_at,omitzero"`
	PaidAt   time.Time `json:"paid_at,omitzero"`
	Scheme   string    `json:"scheme,omitempty"`
	Last4    string    `json:"last4,omitempty"`
	Telling  telling   `json:"telling,omitzero"`

	Refunds []refund `json:"refunds,omitempty"`
}

// pending is what the card has decided already, before its holder is known to
// be there.
type pending struct {
	Plan   Plan   `json:"plan"`
	OTP    string `json:"otp"`
	Secure bool   `json:"secure"` // a 3-D Secure page, not a bank's OTP page
	Scheme string `json:"scheme"`
	Last4  string `json:"last4"`
}

// telling is a notice that is still to be sent.
type telling struct {
	At    time.Time `json:"at,omitzero"` // zero when there is nothing to tell
	Tries int       `json:"tries,omitempty"`
	More  int       `json:"more,omitempty"` // how many more times it is sent after it was taken
}

type refund struct {
	ID       string       `json:"id"`
	Amount   money.VND    `json:"amount"`
	Actor    string       `json:"actor"`
	Outcome  card.Outcome `json:"outcome"`
	Later    card.Outcome `json:"later,omitempty"`
	SettleAt time.Time    `json:"settle_at,omitzero"`
	Code     string       `json:"code"`
	Text     string       `json:"text"`
	At       time.Time    `json:"at,omitzero"`
	Telling  telling      `json:"telling,omitzero"`
}

// settle makes what is due by now: an order that nobody paid has failed, an
// unknown one is known.
func (o *order) settle(now time.Time) {
	switch {
	case o.Result == Waiting && !now.Before(o.ExpiresAt):
		o.Result, o.Pending = WalkedAway, nil
	case o.Result == Unknown && !o.SettleAt.IsZero() && !now.Before(o.SettleAt):
		o.Result, o.Later = o.Later, ""
		if o.Result == Approved {
			o.PaidAt = o.SettleAt
		}
	}
	for i := range o.Refunds {
		if r := &o.Refunds[i]; r.Later != "" && !now.Before(r.SettleAt) {
			r.Outcome, r.Later = r.Later, ""
			r.Code, r.Text, r.At = "00", "refunded", r.SettleAt
			if r.Outcome != card.Done {
				r.Code, r.Text, r.At = "05", "refund denied", time.Time{}
			}
		}
	}
}

// refunded is what was given back or may yet be.
func (o *order) refunded() (sum money.VND) {
	for _, r := range o.Refunds {
		if r.Outcome != card.Failed {
			sum += r.Amount // at most the order's amount: each refund was checked
		}
	}
	return sum
}

func (o *order) refund(id string) *refund {
	i := slices.IndexFunc(o.Refunds, func(r refund) bool { return r.ID == id })
	if i < 0 {
		return nil
	}
	return &o.Refunds[i]
}

// clone is a copy that shares nothing which changes.
func (o *order) clone() order {
	c := *o
	c.Refunds = slices.Clone(o.Refunds)
	if o.Pending != nil {
		p := *o.Pending
		c.Pending = &p
	}
	return c
}

// keepOrders is how many orders the book holds; the oldest are forgotten.
const keepOrders = 2000

// book is all orders, in memory and in a file: one JSON object a line, the last
// one of an order counts. It is safe for concurrent use.
type book struct {
	mu      sync.Mutex
	file    *os.File // nil for memory only
	orders  []*order // oldest first
	byToken map[string]*order
	byRef   map[[2]string]*order // merchant and reference
}

// openBook reads the file of an earlier run, "" for none, and writes it anew
// with what still counts.
func openBook(path string) (*book, error) {
	b := &book{byToken: map[string]*order{}, byRef: map[[2]string]*order{}}
	if path == "" {
		return b, nil
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		var o order
		// A line that was cut off in the middle of a write is as if it had
		// not been written.
		if json.Unmarshal(lines.Bytes(), &o) == nil && o.Token != "" {
			b.put(&o)
		}
	}
	var whole bytes.Buffer
	for _, o := range b.orders {
		line, err := json.Marshal(o)
		if err != nil {
			return nil, err
		}
		whole.Write(append(line, '\n'))
	}
	if err := os.WriteFile(path+".new", whole.Bytes(), 0o600); err != nil {
		return nil, err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, err
	}
	b.file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	return b, err
}

// put adds or replaces an order; mu is held, or nobody else is there yet.
func (b *book) put(o *order) {
	if old := b.byToken[o.Token]; old != nil {
		*old = *o
		return
	}
	b.orders = append(b.orders, o)
	b.byToken[o.Token], b.byRef[[2]string{o.Merchant, o.Reference}] = o, o
	if len(b.orders) > keepOrders {
		gone := b.orders[0]
		b.orders = b.orders[1:]
		delete(b.byToken, gone.Token)
		delete(b.byRef, [2]string{gone.Merchant, gone.Reference})
	}
}

// save writes an order's newest state; mu is held.
func (b *book) save(o *order) error {
	if b.file == nil {
		return nil
	}
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = b.file.Write(append(line, '\n'))
	return err
}

// add keeps a new order.
func (b *book) add(o order) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(&o)
	return b.save(&o)
}

// change lets act change an order and keeps what it did; act's error leaves the
// order as it was. The order that is returned is a copy.
func (b *book) change(find func(*book) *order, act func(*order) error) (order, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := find(b)
	if o == nil {
		return order{}, errNoOrder
	}
	c := o.clone()
	if err := act(&c); err != nil {
		return o.clone(), err
	}
	if err := b.save(&c); err != nil {
		return o.clone(), err
	}
	*o = c
	return o.clone(), nil
}

// look is change for those who only want to know, with what is due by now.
func (b *book) look(find func(*book) *order, now time.Time) (order, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := find(b)
	if o == nil {
		return order{}, false
	}
	c := o.clone()
	c.settle(now)
	return c, true
}

var errNoOrder = errors.New("acquirer: no such order")

func byToken(token string) func(*book) *order {
	return func(b *book) *order { return b.byToken[token] }
}

func byReference(merchant, reference string) func(*book) *order {
	return func(b *book) *order { return b.byRef[[2]string{merchant, reference}] }
}

// due is a notice whose time has come: of an order, or of one of its refunds.
type due struct{ token, refundID string }

// dues lists the notices that are due, and tells when the next one will be;
// zero for never.
func (b *book) dues(now time.Time) (all []due, next time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	look := func(t telling, d due) {
		switch {
		case t.At.IsZero():
		case !t.At.After(now):
			all = append(all, d)
		case next.IsZero() || t.At.Before(next):
			next = t.At
		}
	}
	for _, o := range b.orders {
		look(o.Telling, due{token: o.Token})
		for _, r := range o.Refunds {
			look(r.Telling, due{token: o.Token, refundID: r.ID})
		}
	}
	return all, next
}

func (b *book) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}
