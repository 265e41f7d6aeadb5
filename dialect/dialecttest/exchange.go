package dialecttest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Exchanges are golden files, testdata/*.txtar, one case a file. The sections
// of a case are done in order:
//
//	-- do --         steps, one a line: see steps
//	-- request --    a request; {name} stands for a value of Names
//	-- response --   what it is answered: status, some headers, body
//	-- notice REFERENCE --   the notice of the newest event
//	-- owed REFERENCE --     what has been or will be told of it, one act a line
//	-- return REFERENCE --   where the payer is sent back to
//
// In what is compared, values of Names and whatever is random are replaced by
// {name}. The clock begins at Start and stands still but for the step advance.
type Exchanges struct {
	Dialect dialect.Dialect
	Handler func(g *Gateway) http.Handler

	// Names are the words for the credentials of g, and other values that
	// differ from run to run.
	Names func(g *Gateway) map[string]string

	// Sign adds to a request what is computed from it; may be nil.
	Sign func(g *Gateway, r *http.Request, body []byte)

	// Learn finds in an answer what later sections call by a name of the
	// result; nil for nothing. The first value of a name keeps it, a second one
	// is name-2, and so on.
	Learn func(body string) map[string]string

	// Hide replaces what is random in a body beside Names; may be nil.
	Hide func(body string) string

	// Apart gives each case a database of its own, for protocols whose ids are
	// numbers.
	Apart bool

	// Steps are steps of the dialect's own; may be nil.
	Steps map[string]func(t *testing.T, g *Gateway, arguments []string)
}

// shownHeaders are those of an answer that are part of a protocol.
var shownHeaders = []string{"Allow", "Content-Type", "Retry-After"}

// Run runs every case of dir on both engines, and has the auditor judge what
// they leave.
func (e Exchanges) Run(t *testing.T, dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	check(t, err)
	if len(files) == 0 {
		t.Fatalf("no cases in %s", dir)
	}
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		for _, file := range files {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
				if e.Apart {
					own := storetest.Open(t, storetest.URL(t, db.Engine()))
					e.run(t, own, file)
					sound(t, own)
					return
				}
				e.run(t, db, file)
			})
		}
		sound(t, db)
	})
}

func (e Exchanges) run(t *testing.T, db *store.Store, file string) {
	script, err := txtar.ParseFile(file)
	check(t, err)
	g := NewGateway(t, db, e.Dialect)
	c := &exchange{Exchanges: e, g: g, handler: e.Handler(g), names: e.Names(g)}
	changed := false
	for i, section := range script.Files {
		got, compared := c.section(t, section)
		if !compared || got == string(section.Data) {
			continue
		}
		if *update {
			script.Files[i].Data, changed = []byte(got), true
			continue
		}
		t.Errorf("%s, section %d (%s):\n got:\n%s\nwant:\n%s", file, i+1, section.Name, got, section.Data)
	}
	if changed {
		check(t, os.WriteFile(file, txtar.Format(script), 0o644))
	}
}

// exchange is one case under way.
type exchange struct {
	Exchanges
	g        *Gateway
	handler  http.Handler
	names    map[string]string
	response string
	from     string          // the caller's address, "" for httptest's
	refunds  core.RefundWord // what the acquirer says when it is asked for a refund
}

// section does one section, and returns the text that it ought to have when it
// is one that is compared.
func (c *exchange) section(t *testing.T, s txtar.File) (got string, compared bool) {
	kind, argument, _ := strings.Cut(c.named(s.Name), " ")
	switch kind {
	case "do":
		for line := range strings.Lines(string(s.Data)) {
			if step := strings.Fields(c.named(line)); len(step) > 0 {
				c.do(t, step)
			}
		}
		return "", false
	case "request":
		c.response = c.request(t, string(s.Data))
		return "", false
	case "response":
		return c.response, true
	case "notice":
		p := c.g.Find(t, c.Dialect, argument)
		r := c.g.Notice(t, c.Dialect, p, p.NotifyTo)
		var b strings.Builder
		fmt.Fprintf(&b, "POST %s\n", p.NotifyTo)
		for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
			fmt.Fprintf(&b, "%s: %s\n", name, r.Headers[name])
		}
		return c.hidden(b.String() + "\n" + pretty(r.Body)), true
	case "owed":
		return c.owed(t, c.g.Find(t, c.Dialect, argument)), true
	case "return":
		p := c.g.Find(t, c.Dialect, argument)
		f, err := c.g.Core.Profile(t.Context(), p.MerchantID, c.Dialect.Name())
		check(t, err)
		return c.hidden(c.Dialect.Return(p, f) + "\n"), true
	}
	t.Fatalf("no section is called %q", s.Name)
	return "", false
}

// owed lists the acts that the merchant is told of.
func (c *exchange) owed(t *testing.T, p payment.Payment) string {
	items, err := c.g.Core.Notices(t.Context(), core.NoticeSearch{PaymentID: p.ID})
	check(t, err)
	var b strings.Builder
	for _, i := range items {
		told, err := c.g.Core.Told(t.Context(), p.ID, i.Version)
		check(t, err)
		fmt.Fprintln(&b, strings.TrimSpace(string(told.Event.Act)+" "+told.Refund.Reference))
	}
	return b.String()
}

// request makes one request and returns the answer as text.
func (c *exchange) request(t *testing.T, text string) string {
	text = c.named(text)
	head, body, _ := strings.Cut(text, "\n\n")
	body = strings.TrimSuffix(body, "\n")
	lines := bufio.NewScanner(strings.NewReader(head))
	lines.Scan()
	method, target, _ := strings.Cut(lines.Text(), " ")
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), ":")
		if !ok {
			t.Fatalf("header %q", lines.Text())
		}
		r.Header.Add(name, strings.TrimSpace(value))
	}
	if c.from != "" {
		r.RemoteAddr = c.from
	}
	if c.Sign != nil {
		c.Sign(c.g, r, []byte(body))
	}
	stop := c.g.answerRefunds(t, c.refunds)
	a := serve(c.handler, r)
	stop()
	c.learn(a.body)
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", a.status)
	for _, name := range shownHeaders {
		if v := a.header.Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	return c.hidden(b.String() + "\n" + pretty([]byte(a.body)))
}

// named puts the values of Names, and what was learnt, into a text.
func (c *exchange) named(text string) string {
	for name, value := range c.names {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// learn takes from an answer what is called by name from now on.
func (c *exchange) learn(body string) {
	if c.Learn == nil {
		return
	}
	for name, value := range c.Learn(body) {
		if value == "" || slices.Contains(slices.Collect(maps.Values(c.names)), value) {
			continue
		}
		free := name
		for n := 2; c.names[free] != ""; n++ {
			free = fmt.Sprintf("%s-%d", name, n)
		}
		c.names[free] = value
	}
}

// pretty indents JSON; its numbers stay as they were written.
func pretty(body []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") != nil {
		return string(body) + "\n"
	}
	return b.String() + "\n"
}

var (
	pageKey    = regexp.MustCompile(`\?key=[A-Za-z0-9_-]{22}`)
	qrText     = regexp.MustCompile(`000201[0-9]{2}[^"\n]*6304[0-9A-F]{4}`)
	supportKey = regexp.MustCompile(`"[0-9a-f]{32}"`)
)

// hidden replaces what differs from run to run. A VietQR text is decoded, so
// that the file shows what it asks for.
func (c *exchange) hidden(text string) string {
	text = pageKey.ReplaceAllString(text, "?key={page-key}")
	text = supportKey.ReplaceAllString(text, `"{support-code}"`)
	text = qrText.ReplaceAllStringFunc(text, func(qr string) string {
		p, _, err := vietqr.DecodeVerified(qr)
		if err != nil {
			return qr
		}
		memo := "no memo"
		if p.Memo != "" {
			memo = "{memo}"
		}
		return fmt.Sprintf("{vietqr: %s %s %d %s}", p.BIN, p.Account, p.Amount, memo)
	})
	if c.Hide != nil {
		text = c.Hide(text)
	}
	for name, value := range c.names {
		if value != "" {
			text = strings.ReplaceAll(text, value, "{"+name+"}")
		}
	}
	return text
}

// do takes one step:
//
//	shop|other|platform active|locked|closed
//	limits MIN MAX DAILY      of shop, in đồng; 0 is none
//	accounts off              of shop
//	notify URL                shop's registered address; - for none
//	credit REFERENCE AMOUNT   a transfer arrives for shop's payment
//	apply REFERENCE           an operator applies the late money of that payment
//	cancel REFERENCE          by the payer
//	advance DURATION          of the clock
//	connector                 shop is connected to an acquirer of both card methods
//	pay REFERENCE             by card; decline REFERENCE: the card is declined
//	refunds WORD              what the acquirer says of refunds from now on: approved, denied, insufficient or pending
//	refunded REFERENCE REFUND approved|denied   what it, or a person, says later of one that is under way
//	refund REFERENCE REFUND AMOUNT   an operator refunds what was paid by bank transfer
func (c *exchange) do(t *testing.T, step []string) {
	g, ctx := c.g, t.Context()
	number := func(i int) money.VND {
		n, err := strconv.ParseInt(step[i], 10, 64)
		check(t, err)
		return money.VND(n)
	}
	change := func(p Party, ch core.MerchantChange) {
		_, err := g.Core.ChangeMerchant(ctx, Operator, p.ID, ch)
		check(t, err)
	}
	switch step[0] {
	case "shop", "other", "platform":
		state := payment.MerchantState(step[1])
		change(map[string]Party{"shop": g.Shop, "other": g.Other, "platform": g.Platform}[step[0]], core.MerchantChange{State: &state})
	case "limits":
		least, most, daily := number(1), number(2), number(3)
		change(g.Shop, core.MerchantChange{MinAmount: &least, MaxAmount: &most, DailyLimit: &daily})
	case "accounts":
		accounts, err := g.Core.ReceivingAccounts(ctx, g.Shop.ID)
		check(t, err)
		for _, a := range accounts {
			check(t, g.Core.EnableReceivingAccount(ctx, Operator, a.ID, false))
		}
	case "notify":
		url := strings.TrimPrefix(step[1], "-")
		change(g.Shop, core.MerchantChange{Profiles: map[string]core.ProfileChange{c.Dialect.Name(): {NotifyURL: &url}}})
	case "credit":
		g.Credit(t, g.Find(t, c.Dialect, step[1]), number(2))
	case "apply":
		c.apply(t, g.Find(t, c.Dialect, step[1]))
	case "cancel":
		_, err := g.Core.Cancel(ctx, g.Find(t, c.Dialect, step[1]).ID, "payer", "")
		check(t, err)
	case "advance":
		d, err := time.ParseDuration(step[1])
		check(t, err)
		g.Advance(t, d)
	case "connector":
		g.Connect(t)
	case "pay", "decline":
		g.Card(t, g.Find(t, c.Dialect, step[1]), step[0] == "pay")
	case "refunds":
		c.refunds = map[string]core.RefundWord{
			"approved":     {Outcome: payment.RefundApproved, ExternalID: "theirs", Code: "00"},
			"denied":       {Outcome: payment.RefundDenied, Code: "13"},
			"insufficient": {Outcome: payment.RefundDenied, Code: "51", Failure: payment.CodeInsufficient},
			"pending":      {Outcome: payment.RefundProcessing, Code: "05"},
		}[step[1]]
	case "refunded":
		r, err := g.Core.FindRefund(ctx, g.Find(t, c.Dialect, step[1]).ID, step[2])
		check(t, err)
		if r.Manual {
			_, err = g.Core.JudgeRefund(ctx, Operator, r.ID, step[3] == "approved", "by hand")
		} else {
			_, err = g.Core.ResolveRefund(ctx, r.ID, core.RefundWord{Outcome: payment.RefundState(step[3])})
		}
		check(t, err)
	case "refund":
		_, _, err := g.Core.RefundByOperator(ctx, Operator, g.Find(t, c.Dialect, step[1]).ID, step[2], number(3), "goods came back")
		check(t, err)
	default:
		own, ok := c.Steps[step[0]]
		if !ok {
			t.Fatalf("no step is called %q", step[0])
		}
		own(t, g, step[1:])
	}
}

func (c *exchange) apply(t *testing.T, p payment.Payment) {
	credits, err := c.g.Core.Credits(t.Context(), core.CreditSearch{PaymentID: p.ID, Unapplied: true})
	check(t, err)
	for _, credit := range credits {
		_, _, err := c.g.Core.Apply(t.Context(), Operator, credit.ID, p.ID, "the payer wrote to us")
		check(t, err)
	}
}
