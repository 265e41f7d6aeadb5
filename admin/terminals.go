package admin

import (
	"regexp"
	"slices"
	"strings"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

type terminalView struct {
	TerminalID   string    `json:"terminal_id"`
	PublicID     string    `json:"public_id"`
	MerchantID   string    `json:"merchant_id"`
	Name         string    `json:"name"`
	City         string    `json:"city"`
	State        string    `json:"state"`
	Methods      []string  `json:"methods"`
	MaxAmount    money.VND `json:"max_amount"`
	DailyLimit   money.VND `json:"daily_limit"`
	MonthlyLimit money.VND `json:"monthly_limit"`
	BatchLimit   money.VND `json:"batch_limit"`
	Batch        int64     `json:"batch"`
	SeenAt       stamp     `json:"seen_at"`
	CreatedAt    stamp     `json:"created_at"`
	UpdatedAt    stamp     `json:"updated_at"`
	Version      int64     `json:"version"`
}

func showTerminal(t payment.Terminal) terminalView {
	methods := make([]string, len(t.Methods))
	for i, m := range t.Methods {
		methods[i] = string(m)
	}
	return terminalView{
		TerminalID: t.ID, PublicID: t.PublicID, MerchantID: t.MerchantID, Name: t.Name, City: t.City, State: string(t.State), Methods: methods,
		MaxAmount: t.MaxAmount, DailyLimit: t.DailyLimit, MonthlyLimit: t.MonthlyLimit, BatchLimit: t.BatchLimit, Batch: t.Batch,
		SeenAt: stamp(t.SeenAt), CreatedAt: stamp(t.CreatedAt), UpdatedAt: stamp(t.UpdatedAt), Version: t.Version,
	}
}

// Limits of a terminal's texts; core checks what is in them.
const (
	maxTerminalID   = 20
	maxTerminalName = 100
	maxCity         = 15
)

var (
	terminalForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	cityForm     = regexp.MustCompile(`^[ -~]+$`)
)

// newTerminalView shows a device's key, once.
type newTerminalView struct {
	Terminal  terminalView `json:"terminal"`
	DeviceKey string       `json:"device_key"`
}

type deviceKeyView struct {
	DeviceKey string `json:"device_key"`
}

// terminalFields are what adding and changing a terminal have in common.
type terminalFields struct {
	name, city                     *string
	methods                        []payment.Method
	most, daily, monthly, unsettle *money.VND
}

func (o *object) terminalFields() terminalFields {
	f := terminalFields{
		name: o.words("name", maxTerminalName), city: o.filled("city", maxCity),
		most: o.amount("max_amount"), daily: o.amount("daily_limit"), monthly: o.amount("monthly_limit"), unsettle: o.amount("batch_limit"),
	}
	if f.city != nil && !cityForm.MatchString(*f.city) {
		o.complain("city", "may have no Vietnamese marks: QR codes cannot carry them")
	}
	for _, m := range o.choices("methods", string(payment.CardPresent), string(payment.BankTransfer)) {
		f.methods = append(f.methods, payment.Method(m))
	}
	return f
}

// choices reads a list of a few words, each once and at least one; nil when it
// is not there or is wrong.
func (o *object) choices(name string, words ...string) []string {
	v, ok := o.value(name)
	if !ok {
		return nil
	}
	given, ok := v.([]any)
	if !ok {
		o.complain(name, "has to be an array, not "+typeName(v))
		return nil
	}
	var chosen []string
	for _, v := range given {
		s, _ := v.(string)
		if !slices.Contains(words, s) || slices.Contains(chosen, s) {
			o.complain(name, "has to be of "+strings.Join(words, ", ")+", each at most once")
			return nil
		}
		chosen = append(chosen, s)
	}
	if len(chosen) == 0 {
		o.complain(name, "may not be empty")
	}
	return chosen
}

func (a *API) addTerminal(c *call) (any, error) {
	m, err := a.merchantOfPath(c)
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("name")
	publicID, f := o.filled("public_id", maxTerminalID), o.terminalFields()
	if publicID != nil && !terminalForm.MatchString(*publicID) {
		o.complain("public_id", "may have letters, digits and - _ only")
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	t, key, err := a.core.AddTerminal(c.ctx(), c.by, core.NewTerminal{
		MerchantID: m.ID, PublicID: or(publicID, ""), Name: *f.name, City: or(f.city, ""), Methods: f.methods,
		MaxAmount: or(f.most, 0), DailyLimit: or(f.daily, 0), MonthlyLimit: or(f.monthly, 0), BatchLimit: or(f.unsettle, 0),
	})
	if err != nil {
		return nil, err
	}
	return newTerminalView{Terminal: showTerminal(t), DeviceKey: key}, nil
}

func (a *API) terminals(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page, merchant := q.page(), q.uuid("merchant_id")
	if err := q.err(); err != nil {
		return nil, err
	}
	read := func(cursor string, limit int) ([]payment.Terminal, error) {
		return a.core.Terminals(c.ctx(), merchant, cursor, limit)
	}
	return readPage(page, read, func(t payment.Terminal) string { return t.ID }, showTerminal)
}

// terminalOfPath loads the terminal that the path names, by our id of it or by
// its public one.
func (a *API) terminalOfPath(c *call) (payment.Terminal, error) {
	name := c.r.PathValue("terminal_id")
	if ours, err := id.Parse(name); err == nil {
		return a.core.Terminal(c.ctx(), ours)
	}
	return a.core.TerminalByPublicID(c.ctx(), name)
}

func (a *API) terminal(c *call) (any, error) {
	t, err := a.terminalOfPath(c)
	if err != nil {
		return nil, err
	}
	return showTerminal(t), nil
}

func (a *API) changeTerminal(c *call) (any, error) {
	t, err := a.terminalOfPath(c)
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	f := o.terminalFields()
	state := o.choice("state", string(payment.TerminalActive), string(payment.TerminalLocked))
	o.needOne("name", "city", "state", "methods", "max_amount", "daily_limit", "monthly_limit", "batch_limit")
	if err := o.err(); err != nil {
		return nil, err
	}
	return shown(showTerminal)(a.core.ChangeTerminal(c.ctx(), c.by, t.ID, core.TerminalChange{
		Name: f.name, City: f.city, State: (*payment.TerminalState)(state), Methods: f.methods,
		MaxAmount: f.most, DailyLimit: f.daily, MonthlyLimit: f.monthly, BatchLimit: f.unsettle,
	}))
}

func (a *API) rotateTerminalKey(c *call) (any, error) {
	t, err := a.terminalOfPath(c)
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(true)
	if err != nil {
		return nil, err
	}
	grace := o.span("grace", maxGrace)
	if err := o.err(); err != nil {
		return nil, err
	}
	key, err := a.core.RotateTerminalKey(c.ctx(), c.by, t.ID, or(grace, 0))
	if err != nil {
		return nil, err
	}
	return deviceKeyView{DeviceKey: key}, nil
}

// reason reads a body of a reason alone.
func (c *call) reason() (string, error) {
	o, err := c.readBody(false)
	if err != nil {
		return "", err
	}
	o.need("reason")
	reason := o.words("reason", maxReason)
	if err := o.err(); err != nil {
		return "", err
	}
	return *reason, nil
}

func (a *API) releaseTerminal(c *call) (any, error) {
	t, err := a.terminalOfPath(c)
	if err != nil {
		return nil, err
	}
	reason, err := c.reason()
	if err != nil {
		return nil, err
	}
	return shown(showSale)(a.core.ReleaseTerminal(c.ctx(), c.by, t.ID, reason))
}

type saleView struct {
	PaymentID    string    `json:"payment_id"`
	TerminalID   string    `json:"terminal_id"`
	Reference    string    `json:"reference"`
	State        string    `json:"state"`
	Method       string    `json:"method"`
	Amount       money.VND `json:"amount"`
	Reason       string    `json:"reason"`
	DeviceRef    string    `json:"device_reference"`
	ApprovalCode string    `json:"approval_code"`
	Scheme       string    `json:"scheme"`
	CardLast4    string    `json:"card_last4"`
	Batch        int64     `json:"batch"`
	CreatedAt    stamp     `json:"created_at"`
	FetchedAt    stamp     `json:"fetched_at"`
	ReportedAt   stamp     `json:"reported_at"`
	PaidAt       stamp     `json:"paid_at"`
	SettledAt    stamp     `json:"settled_at"`
}

func showSale(s payment.Sold) saleView {
	return saleView{
		PaymentID: s.Payment.ID, TerminalID: s.Sale.TerminalID, Reference: s.Payment.Reference, State: string(s.Payment.State), Method: string(s.Sale.Method),
		Amount: s.Payment.Amount, Reason: string(s.Sale.Reason), DeviceRef: s.Sale.Reference, ApprovalCode: s.Sale.Approval, Scheme: string(s.Sale.Scheme),
		CardLast4: s.Sale.Card, Batch: s.Sale.Batch, CreatedAt: stamp(s.Payment.CreatedAt), FetchedAt: stamp(s.Sale.FetchedAt),
		ReportedAt: stamp(s.Sale.ReportedAt), PaidAt: stamp(s.Payment.CompletedAt), SettledAt: stamp(s.Sale.Settled(s.Payment)),
	}
}

func (a *API) terminalSales(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page := q.page()
	if err := q.err(); err != nil {
		return nil, err
	}
	t, err := a.terminalOfPath(c)
	if err != nil {
		return nil, err
	}
	read := func(cursor string, limit int) ([]payment.Sold, error) {
		return a.core.TerminalSales(c.ctx(), t.ID, cursor, limit)
	}
	return readPage(page, read, func(s payment.Sold) string { return s.Payment.ID }, showSale)
}

type batchView struct {
	Number    int64     `json:"number"`
	Sales     int64     `json:"sales"`
	Amount    money.VND `json:"amount"`
	SettledAt stamp     `json:"settled_at"`
}

type batchesView struct {
	Open    batchView   `json:"open"`
	Settled []batchView `json:"settled"`
}

func showBatch(b payment.Batch) batchView {
	return batchView{Number: b.Number, Sales: b.Sales, Amount: b.Amount, SettledAt: stamp(b.SettledAt)}
}

// shownBatches are the settled batches that an answer has at most.
const shownBatches = 100

func (a *API) terminalBatches(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	if err := q.err(); err != nil {
		return nil, err
	}
	t, err := a.terminalOfPath(c)
	if err != nil {
		return nil, err
	}
	open, err := a.core.OpenBatch(c.ctx(), t)
	if err != nil {
		return nil, err
	}
	settled, err := a.core.Batches(c.ctx(), t.ID, shownBatches)
	v := batchesView{Open: showBatch(open), Settled: []batchView{}}
	for _, b := range settled {
		v.Settled = append(v.Settled, showBatch(b))
	}
	return v, err
}

func (a *API) void(c *call) (any, error) {
	paymentID, err := c.pathID("payment_id")
	if err != nil {
		return nil, err
	}
	reason, err := c.reason()
	if err != nil {
		return nil, err
	}
	sold, err := a.core.VoidByOperator(c.ctx(), c.by, paymentID, reason)
	if err != nil {
		return nil, err
	}
	return a.showPaymentDetail(c.ctx(), sold.Payment)
}
