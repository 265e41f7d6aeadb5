package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/sandbox/acquirer"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// charged is the answer of cards/pay.
type charged struct {
	Outcome, Code, Text, Method string
	Payment                     *struct {
		ID     string `json:"payment_id"`
		State  string
		Amount int64
	}
}

// sale is a payment as the shop has asked for it.
type sale struct {
	*world
	reference, page string
}

// sell opens a payment by Paykit's API.
func (w *world) sell(amount int, methods ...string) *sale {
	w.t.Helper()
	if len(methods) == 0 {
		methods = []string{"BANK_TRANSFER", "DOMESTIC_CARD", "INTERNATIONAL_CARD"}
	}
	w.sold++
	reference := fmt.Sprintf("THE-%d", w.sold)
	body, err := json.Marshal(map[string]any{
		"available_payment_methods": methods,
		"payment":                   map[string]any{"id": reference, "amount": amount, "currency": "VND", "success_url": "https://shop.example/ok", "cancel_url": "https://shop.example/no"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	r := w.request("POST", "/v2/payment-page-checkout", string(body))
	r.Header.Set("api-key", w.info.Paykit.APIKey)
	r.Header.Set("secret-key", w.info.Paykit.SecretKey)
	var opened struct {
		Result string
		URL    string `json:"checkout_url"`
	}
	a := w.do(r)
	a.decode(w.t, &opened)
	if opened.Result != "SUCCESS" || opened.URL == "" {
		w.t.Fatalf("%d %s", a.status, a.body)
	}
	return &sale{w, reference, opened.URL}
}

// pay plays the payer; fields are put over those of Paykit's domestic card.
func (s *sale) pay(fields map[string]any) answer {
	s.t.Helper()
	all := map[string]any{"checkout_url": s.page, "number": "9704000000000018", "holder": "NGUYEN VAN A", "expiry": "03/07", "otp": "otp"}
	for name, value := range fields {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	body, err := json.Marshal(all)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.post("/sandbox/cards/pay", string(body))
}

// comes checks what paying came to, and what the payment is then.
func (s *sale) comes(a answer, outcome acquirer.Result, state payment.State) charged {
	s.t.Helper()
	var c charged
	a.decode(s.t, &c)
	if a.status != http.StatusOK || c.Outcome != string(outcome) || c.Payment == nil || c.Payment.State != string(state) {
		s.t.Errorf("%d %s, want %s and a payment that is %s", a.status, a.body, outcome, state)
	}
	return c
}

func (s *sale) is() payment.Payment {
	s.t.Helper()
	p, err := s.core.Find(s.t.Context(), s.info.Paykit.MerchantID, "paykit", s.reference)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// wallet is a payer with an app instead of a card.
func wallet(method, action string) map[string]any {
	return map[string]any{"method": method, "action": action, "number": nil, "holder": nil, "expiry": nil, "otp": nil}
}

// Every published card, the expiries and the amounts, through all the pages.
func TestCardsPay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		for _, c := range acquirer.Cards() {
			fields := map[string]any{"number": c.Grouped(), "expiry": c.Date(), "otp": c.OTP, "csc": c.CSC}
			if c.Method == payment.InternationalCard {
				fields["otp"] = nil // the published lists have none
				if c.CSC == "" {
					fields["csc"] = "123"
				}
			}
			state := payment.Open
			if c.Result == acquirer.Approved {
				state = payment.Approved
			}
			sale := w.sell(100_000)
			got := sale.comes(sale.pay(fields), c.Result, state)
			if got.Method != string(c.Method) || got.Text == "" || got.Code == "" {
				t.Errorf("%s: %+v", c.Number, got)
			}
		}
		visa := map[string]any{"number": "5123450000000008", "csc": "100", "otp": nil}
		for date, r := range acquirer.Expiries {
			state := payment.Open
			switch r {
			case acquirer.Approved:
				state = payment.Approved
			case acquirer.Unknown:
				state = payment.Processing
			}
			visa["expiry"] = date
			sale := w.sell(100_000)
			sale.comes(sale.pay(visa), r, state)
		}
		sale := w.sell(100_151)
		sale.comes(sale.pay(nil), acquirer.InsufficientFunds, payment.Open)
		sale = w.sell(100_000)
		sale.comes(sale.pay(map[string]any{"otp": "000000"}), acquirer.WrongOTP, payment.Open)
		sale = w.sell(100_000)
		sale.comes(sale.pay(map[string]any{"number": "5111111111111118", "expiry": "01/39", "csc": "102"}), acquirer.WrongCSC, payment.Open)
		w.balanced()
	})
}

// Three declined cards close the payment; a good one before that pays it.
func TestCardsPayAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		sale := w.sell(100_000)
		declined := map[string]any{"expiry": "05/39"}
		sale.comes(sale.pay(declined), acquirer.Declined, payment.Open)
		sale.comes(sale.pay(declined), acquirer.Declined, payment.Open)
		sale.comes(sale.pay(nil), acquirer.Approved, payment.Approved)
		w.refused(sale.pay(nil), http.StatusConflict, "")

		sale = w.sell(100_000)
		for _, state := range []payment.State{payment.Open, payment.Open, payment.Denied} {
			sale.comes(sale.pay(declined), acquirer.Declined, state)
		}
		f := w.refused(sale.pay(nil), http.StatusConflict, "")
		if f.Error.Code != "invalid_state" || !strings.Contains(f.Error.Message, "denied") {
			t.Errorf("%+v", f)
		}
	})
}

// What is unknown is resolved by the gateway's own question; who walks away is
// found out in the same way.
func TestCardsUnknownAndAway(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		paid, declined, away, silent := w.sell(100_196), w.sell(100_197), w.sell(100_000), w.sell(100_000)
		paid.comes(paid.pay(nil), acquirer.Unknown, payment.Processing)
		declined.comes(declined.pay(nil), acquirer.Unknown, payment.Processing)
		away.comes(away.pay(map[string]any{"action": "walk_away"}), acquirer.WalkedAway, payment.Processing)
		silent.comes(silent.pay(map[string]any{"action": "cancel"}), acquirer.Canceled, payment.Open)
		if err := w.clock.Advance(time.Minute); err != nil {
			t.Fatal(err)
		}
		w.eventually("an unknown card is found to be paid", func() bool { return paid.is().State == payment.Approved })
		w.eventually("an unknown card is found to be declined", func() bool { return declined.is().State == payment.Open })
		if got := away.is().State; got != payment.Processing {
			t.Errorf("a payer who may come back: %s", got)
		}
		// The payer comes back by the same way.
		away.comes(away.pay(nil), acquirer.Approved, payment.Approved)

		gone := w.sell(100_000)
		gone.comes(gone.pay(map[string]any{"action": "walk_away"}), acquirer.WalkedAway, payment.Processing)
		for range 40 {
			if err := w.clock.Advance(time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		w.eventually("the payment of a payer who never came back expires", func() bool { return gone.is().State == payment.Expired })
		w.balanced()
	})
}

// A notice that never comes, comes twice, or late.
func TestCardsNotices(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		for _, amount := range []int{100_120, 100_121, 100_122} {
			sale := w.sell(amount)
			// The gateway asks when the payer returns.
			sale.comes(sale.pay(nil), acquirer.Approved, payment.Approved)
			if err := w.clock.Advance(2 * time.Minute); err != nil {
				t.Fatal(err)
			}
			if p := sale.is(); p.Received != p.Amount {
				t.Errorf("%d: %d received", amount, p.Received)
			}
		}
		w.balanced()
	})
}

// Orders that the acquirer refuses, or whose answer is lost.
func TestCardsCreate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		sale := w.sell(100_201)
		f := w.refused(sale.pay(nil), http.StatusConflict, "")
		if sale.is().State != payment.Open || f.Error.Code != "invalid_state" {
			t.Errorf("%+v, %s", f, sale.is().State)
		}
		sale = w.sell(100_202)
		w.refused(sale.pay(nil), http.StatusConflict, "")
		if sale.is().State != payment.Processing {
			t.Errorf("an order whose answer was lost: %s", sale.is().State)
		}
	})
}

// sellDirect opens a payment by core: Paykit has no word for wallets.
func (w *world) sellDirect(amount int, methods ...payment.Method) *sale {
	w.t.Helper()
	m, err := w.core.Merchant(w.t.Context(), w.info.Paykit.MerchantID)
	if err != nil {
		w.t.Fatal(err)
	}
	w.sold++
	p, err := w.core.Open(w.t.Context(), core.Opening{Merchant: m, Dialect: "paykit", Reference: fmt.Sprintf("THE-%d", w.sold), Amount: money.VND(amount), Methods: methods})
	if err != nil {
		w.t.Fatal(err)
	}
	return &sale{w, p.Reference, w.core.PageURL(w.info.Paykit.MID, p)}
}

func TestWalletsPay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		for _, m := range []payment.Method{payment.MoMo, payment.ZaloPay, payment.VNPayQR} {
			sale := w.sellDirect(100_000, m)
			sale.comes(sale.pay(wallet(string(m), "decline")), acquirer.Declined, payment.Open)
			sale.comes(sale.pay(wallet(string(m), "walk_away")), acquirer.WalkedAway, payment.Processing)
			sale.comes(sale.pay(wallet(string(m), "cancel")), acquirer.Canceled, payment.Open)
			sale = w.sellDirect(100_000, m)
			sale.comes(sale.pay(wallet(string(m), "")), acquirer.Approved, payment.Approved)
		}
		// From a card that was begun to a wallet.
		sale := w.sellDirect(100_000, payment.DomesticCard, payment.MoMo)
		sale.comes(sale.pay(map[string]any{"action": "walk_away"}), acquirer.WalkedAway, payment.Processing)
		sale.comes(sale.pay(wallet("momo", "pay")), acquirer.Approved, payment.Approved)
		sale = w.sellDirect(100_000, payment.MoMo, payment.DomesticCard)
		sale.comes(sale.pay(wallet("momo", "walk_away")), acquirer.WalkedAway, payment.Processing)
		sale.comes(sale.pay(nil), acquirer.Approved, payment.Approved)
		w.balanced()
	})
}

func TestCardsPayRefuses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		sale := w.sell(100_000)
		for _, c := range []struct {
			fields map[string]any
			field  string
			says   string
		}{
			{map[string]any{"checkout_url": nil}, "checkout_url", "missing"},
			{map[string]any{"checkout_url": ""}, "checkout_url", "missing"},
			{map[string]any{"checkout_url": 5}, "checkout_url", "text"},
			{map[string]any{"checkout_url": "https://shop.example/"}, "checkout_url", "no payment page"},
			{map[string]any{"checkout_url": w.server.URL + "/"}, "checkout_url", "no payment page"},
			{map[string]any{"checkout_url": w.server.URL + "/merchant/a/payment/b?key=c"}, "checkout_url", "no payment page"},
			{map[string]any{"checkout_url": w.server.URL + "/merchant/%00/payment/%ff?key=c"}, "checkout_url", "no payment page"},
			{map[string]any{"checkout_url": strings.Split(sale.page, "?")[0]}, "checkout_url", "no payment page"},
			{map[string]any{"checkout_url": sale.page + "x"}, "checkout_url", "no payment page"},
			{map[string]any{"checkout_url": sale.page + strings.Repeat("x", 2000)}, "checkout_url", "2000"},
			{map[string]any{"number": nil}, "number", "missing"},
			{map[string]any{"number": "null"}, "number", "no published test card"},
			{map[string]any{"number": "4242424242424242"}, "number", "no published test card"},
			{map[string]any{"number": 9704000000000018}, "number", "text"},
			{map[string]any{"number": strings.Repeat("9", 41)}, "number", "40"},
			{map[string]any{"holder": nil}, "holder", "missing"},
			{map[string]any{"holder": "A\x00"}, "holder", "control"},
			{map[string]any{"holder": strings.Repeat("A", 65)}, "holder", "64"},
			{map[string]any{"expiry": nil}, "expiry", "missing"},
			{map[string]any{"expiry": "13/07"}, "expiry", "MM/YY"},
			{map[string]any{"expiry": "soon"}, "expiry", "MM/YY"},
			{map[string]any{"otp": nil}, "otp", "missing"},
			{map[string]any{"number": "5123450000000008", "expiry": "01/39", "csc": nil}, "csc", "missing"},
			{map[string]any{"csc": "12345"}, "csc", "4"},
			{map[string]any{"method": "cash"}, "method", "has to be"},
			{map[string]any{"method": "international_card"}, "method", "domestic_card"},
			{map[string]any{"method": "momo"}, "number", "is for cards"},
			{map[string]any{"action": "steal"}, "action", "has to be"},
			{map[string]any{"action": "decline"}, "action", "wallets"},
			{map[string]any{"action": "walk_away", "number": nil}, "method", "missing"},
		} {
			f := w.refused(sale.pay(c.fields), http.StatusBadRequest, c.field)
			if !strings.Contains(strings.Join(f.Error.Fields[c.field], " "), c.says) {
				t.Errorf("%v: %+v", c.fields, f.Error.Fields)
			}
			if strings.Contains(fmt.Sprint(f), "4242") {
				t.Error("the number comes back")
			}
		}
		for _, body := range []string{"", "[]", "null", "{", "\xff", `{"checkout_url":"` + strings.Repeat("x", 70_000) + `"}`} {
			a := w.post("/sandbox/cards/pay", body)
			w.refused(a, map[bool]int{true: http.StatusRequestEntityTooLarge, false: http.StatusBadRequest}[len(body) > 64<<10], "")
		}
		// What only the acquirer's form can know.
		for _, fields := range []map[string]any{{"holder": "TRAN VAN B"}, {"expiry": "04/07"}, {"number": "5123450000000008", "expiry": "01/39", "csc": "12"}} {
			f := w.refused(sale.pay(fields), http.StatusBadRequest, "")
			if !strings.Contains(f.Error.Message, "form says") {
				t.Errorf("%v: %+v", fields, f)
			}
		}
		sale.comes(sale.pay(nil), acquirer.Approved, payment.Approved)
		if f := w.refused(w.sell(100_000, "BANK_TRANSFER").pay(nil), http.StatusConflict, ""); f.Error.Code != "method_not_supported" {
			t.Errorf("%+v", f)
		}
		if a := w.get("/sandbox/cards/pay"); a.status != http.StatusMethodNotAllowed {
			t.Errorf("GET answers %d", a.status)
		}
	})
}

// The page of test cards has them all, as HTML and as JSON.
func TestListOfCards(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		for _, lang := range []string{"vi", "en"} {
			a := w.get("/sandbox/cards?lang=" + lang)
			if a.status != http.StatusOK || !strings.Contains(a.header.Get("Content-Type"), "text/html") {
				t.Fatalf("%d %v", a.status, a.header)
			}
			for _, c := range acquirer.Cards() {
				contains(t, a.body, c.Grouped(), c.Issuer)
			}
			contains(t, a.body, "05/39", "105", "351", "/sandbox/cards/pay", `<html lang="`+lang+`">`)
		}
		r := w.request("GET", "/sandbox/cards", "")
		r.Header.Set("Accept", "application/json")
		var list struct {
			Cards []struct {
				Number, Method, Holder, Expiry, Outcome string
			}
			Expiry map[string]string
		}
		w.do(r).decode(t, &list)
		if len(list.Cards) != len(acquirer.Cards()) || list.Expiry["05/39"] != "declined" || list.Cards[0].Holder == "" {
			t.Errorf("%+v", list)
		}
	})
}

// The start page's buttons pay by card.
func TestDemoByCard(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		for _, by := range []string{"card", "any"} {
			for how, want := range map[string]payment.State{"approved": payment.Approved, "declined": payment.Open, "unknown": payment.Processing, "none": payment.Open} {
				a := w.submit("/sandbox/demo/payments", url.Values{"amount": {"50.000"}, "lang": {"en"}, "method": {by}})
				to, err := url.Parse(a.header.Get("Location"))
				if err != nil || a.status != http.StatusSeeOther {
					t.Fatalf("%d %s", a.status, a.body)
				}
				id := to.Query().Get("payment")
				page := w.get("/?lang=en&payment=" + id)
				contains(t, page.body, `id="card-approved"`, `id="card-unknown"`, "/sandbox/cards/pay")
				if got := strings.Contains(string(page.body), `id="pay-exact"`); got != (by == "any") {
					t.Errorf("%s: a transfer is offered: %t", by, got)
				}
				if a := w.submit("/sandbox/demo/cards", url.Values{"payment": {id}, "how": {how}, "lang": {"en"}}); a.status != http.StatusSeeOther {
					t.Errorf("%s: %d %s", how, a.status, a.body)
				}
				p, err := w.core.Payment(t.Context(), id)
				if err != nil || p.State != want {
					t.Errorf("%s: %s, %v", how, p.State, err)
				}
				page = w.get("/?lang=en&payment=" + id)
				if how == "approved" {
					contains(t, page.body, "The acquirer says that it was captured", "Due from the acquirer", "Tries by card or wallet")
				}
			}
		}
		if a := w.submit("/sandbox/demo/cards", url.Values{"payment": {"nobody"}, "how": {"approved"}}); a.status != http.StatusNotFound {
			t.Errorf("a payment that is none: %d", a.status)
		}
	})
}

// No card number is in the database, in the log, or in any address, after
// every way of paying.
func TestCardNumbersAreNowhere(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		var log bytes.Buffer
		seen := &watcher{next: w.mux}
		w.gateway.set(httpx.Log(slog.New(slog.NewTextHandler(&log, nil)), nil)(seen))
		for _, fields := range []map[string]any{
			nil, {"number": "9704 0000 0000 0018"}, {"expiry": "05/39"}, {"expiry": "05/37"}, {"otp": "wrong"}, {"number": "5123450000000008", "expiry": "01/39", "csc": "100"},
			{"number": "4242424242424242"}, {"holder": "4242424242424242"},
		} {
			w.sell(100_000).pay(fields)
		}
		rows := dump(t, s)
		if len(rows) < 1000 || !strings.Contains(rows, "THE-1") {
			t.Fatalf("the database was not read: %d bytes", len(rows))
		}
		for where, text := range map[string]string{"the database": rows, "the log": log.String(), "an address": strings.Join(seen.addresses(), "\n")} {
			if text == "" {
				t.Errorf("%s is empty", where)
			}
			for _, number := range append(numbers(), "4242424242424242") {
				if strings.Contains(digits(text), number) {
					t.Errorf("%s has the number %s", where, number)
				}
			}
		}
	})
}

func numbers() (all []string) {
	for _, c := range acquirer.Cards() {
		all = append(all, c.Number)
	}
	return all
}

// digits leaves out what stands between the digits of a number.
func digits(text string) string {
	return strings.NewReplacer(" ", "", "-", "", "+", "", "%20", "").Replace(text)
}

// dump is every row of the database as text.
func dump(t *testing.T, s *store.Store) string {
	t.Helper()
	tables := map[string]string{
		"sqlite":   "SELECT name FROM sqlite_master WHERE type = 'table'",
		"postgres": "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()",
	}[s.Engine()]
	var all strings.Builder
	err := s.Snapshot(t.Context(), func(q store.Query) error {
		var names []string
		if err := each(t, q, tables, func(row []any) { names = append(names, fmt.Sprint(row[0])) }); err != nil {
			return err
		}
		for _, name := range names {
			if err := each(t, q, "SELECT * FROM "+name, func(row []any) { fmt.Fprintln(&all, name, row) }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func each(t *testing.T, q store.Query, statement string, tell func(row []any)) error {
	t.Helper()
	rows, err := q(t.Context(), statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, value := range row {
			if raw, ok := value.([]byte); ok {
				row[i] = string(raw)
			}
		}
		tell(row)
	}
	return rows.Err()
}

// watcher notes the addresses that are asked for.
type watcher struct {
	next http.Handler
	mu   sync.Mutex
	all  []string
}

func (v *watcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	v.all = append(v.all, r.URL.String())
	v.mu.Unlock()
	v.next.ServeHTTP(w, r)
}

func (v *watcher) addresses() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.all)
}
