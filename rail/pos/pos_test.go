package pos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/internal/pan/pantest"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/pos"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// world is a terminal with its gateway.
type world struct {
	*coretest.Env
	http.Handler
	payment.Terminal
	key string
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		e := coretest.New(t, s)
		w := &world{Env: e, Handler: pos.New(pos.Config{Core: e.Core, Clock: e.Clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})}
		w.Terminal, w.key = w.terminal(t)
		test(t, w)
	})
}

func (w *world) terminal(t *testing.T) (payment.Terminal, string) {
	t.Helper()
	terminal, key, err := w.Core.AddTerminal(t.Context(), coretest.Operator, core.NewTerminal{MerchantID: w.Env.Memo.Merchant.ID, Name: "Quầy 1"})
	if err != nil {
		t.Fatal(err)
	}
	return terminal, key
}

// sell opens a card sale.
func (w *world) sell(t *testing.T, amount money.VND) payment.Sold {
	t.Helper()
	o := w.Opening(w.Env.Memo, amount)
	o.Methods = []payment.Method{payment.CardPresent}
	s, err := w.Core.OpenSale(t.Context(), core.Selling{Opening: o, Terminal: w.PublicID})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answer is what the API said.
type answer struct {
	status int
	body   string
	header http.Header
}

// get reads a member of the answer, as JSON.
func (a answer) get(path ...string) string {
	var v any
	_ = json.Unmarshal([]byte(a.body), &v)
	for _, name := range path {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	text, _ := json.Marshal(v)
	return strings.Trim(string(text), `"`)
}

func (w *world) as(key, method, path, body string) answer {
	r := httptest.NewRequest(method, "/pos/v1/"+path, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	got := httptest.NewRecorder()
	w.ServeHTTP(got, r)
	return answer{got.Code, got.Body.String(), got.Header()}
}

func (w *world) ask(method, path, body string) answer { return w.as(w.key, method, path, body) }

func (w *world) wants(t *testing.T, name string, a answer, status int, parts ...string) answer {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: %d %s, want %d", name, a.status, a.body, status)
	}
	for _, part := range parts {
		if !strings.Contains(a.body, part) {
			t.Errorf("%s: no %s in %s", name, part, a.body)
		}
	}
	return a
}

// A device's day: idle, a sale, its approval told twice, void, settlement.
func TestDay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if a := w.ask("POST", "sales/next", ""); a.status != 204 || a.body != "" {
			t.Errorf("idle: %+v", a)
		}
		w.wants(t, "who am I", w.ask("GET", "terminal", ""), 200, `"terminal_id":"`+w.PublicID+`"`, `"merchant":"Quán Phở Memo"`, `"batch":{"number":1,"sales":0,"amount":0,"settled_at":null}`)
		s := w.sell(t, 45_000)
		next := w.wants(t, "next", w.ask("POST", "sales/next", `{"wait_seconds":5}`), 200, `"state":"processing"`, `"amount":45000`, `"reference":"`+s.Payment.Reference+`"`)
		id := next.get("sale_id")
		if id != s.Payment.ID {
			t.Errorf("sale %s", id)
		}
		again := w.ask("POST", "sales/next", `{}`)
		if again.body != next.body {
			t.Errorf("the same sale comes again as\n%s\nnot\n%s", again.body, next.body)
		}
		approved := `{"outcome":"approved","reference":"RRN-1","approval_code":"A1B2C3","scheme":"visa","card_last4":"0018","at":"2026-03-04T12:00:00+07:00"}`
		first := w.wants(t, "approved", w.ask("POST", "sales/"+id+"/report", approved), 200, `"state":"approved"`, `"batch":1`, `"scheme":"visa"`, `"card_last4":"0018"`, `"device_reference":"RRN-1"`)
		if second := w.ask("POST", "sales/"+id+"/report", approved); second.body != first.body || second.status != 200 {
			t.Errorf("told again:\n%s\n%s", second.body, first.body)
		}
		w.wants(t, "declined now", w.ask("POST", "sales/"+id+"/report", `{"outcome":"declined"}`), 409, `"code":"invalid_state"`)
		w.wants(t, "another approval", w.ask("POST", "sales/"+id+"/report", strings.Replace(approved, "RRN-1", "RRN-2", 1)), 409, `"code":"not_taken"`, `"state":"approved"`)
		w.wants(t, "find", w.ask("GET", "sales/"+id, ""), 200, `"device_reference":"RRN-1"`)

		voided := w.wants(t, "void", w.ask("POST", "sales/"+id+"/void", `{"reason":"nhập sai"}`), 200, `"state":"voided"`)
		if a := w.ask("POST", "sales/"+id+"/void", ""); a.body != voided.body {
			t.Errorf("voided again: %s", a.body)
		}
		w.wants(t, "an empty batch", w.ask("POST", "batches/1/settle", ""), 200, `"sales":0`, `"settled_at":null`)

		other := w.sell(t, 60_000)
		w.wants(t, "approved without being fetched", w.ask("POST", "sales/"+other.Payment.ID+"/report", `{"outcome":"approved","reference":"RRN-3"}`), 200, `"state":"approved"`)
		settled := w.wants(t, "settle", w.ask("POST", "batches/1/settle", ""), 200, `"number":1`, `"sales":1`, `"amount":60000`, `"settled_at":"2026-`)
		w.Advance(time.Hour)
		if a := w.ask("POST", "batches/1/settle", ""); a.body != settled.body {
			t.Errorf("settled again: %s", a.body)
		}
		w.wants(t, "void after settlement", w.ask("POST", "sales/"+other.Payment.ID+"/void", ""), 409, `"code":"invalid_state"`)
		w.wants(t, "the next batch", w.ask("GET", "terminal", ""), 200, `"number":2`)
		list := w.wants(t, "list", w.ask("GET", "sales", ""), 200, id, other.Payment.ID)
		if strings.Index(list.body, id) < strings.Index(list.body, other.Payment.ID) {
			t.Error("the newest is not first")
		}
		w.Balances()
	})
}

// A sale that has ended: what the device says later is recorded, and it is told
// to reverse the charge.
func TestLateApproval(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.sell(t, 45_000)
		w.ask("POST", "sales/next", "")
		w.Advance(core.SaleDue + core.SaleGrace)
		if _, err := w.Core.ExpireSales(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			w.wants(t, "late", w.ask("POST", "sales/"+s.Payment.ID+"/report", `{"outcome":"approved","reference":"RRN-1"}`), 409, `"code":"not_taken"`, `"state":"expired"`)
		}
		credits, err := w.Core.Credits(t.Context(), core.CreditSearch{PaymentID: s.Payment.ID})
		if err != nil || len(credits) != 1 || credits[0].Unapplied != 45_000 {
			t.Errorf("%+v %v", credits, err)
		}
		// A person decides that it counts: the sale is in the batch after all.
		if _, _, err := w.Core.Apply(t.Context(), coretest.Operator, credits[0].ID, s.Payment.ID, "the goods are gone"); err != nil {
			t.Fatal(err)
		}
		w.wants(t, "settle", w.ask("POST", "batches/1/settle", ""), 200, `"sales":1`)
		w.Balances()
	})
}

// The key comes behind Bearer, in any letter case, and only there.
func TestAuthorization(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for header, want := range map[string]int{"Bearer " + w.key: 200, "bearer " + w.key: 200, w.key: 401, "Basic " + w.key: 401, "Bearer": 401, "Bearer x " + w.key: 401} {
			r := httptest.NewRequest("GET", "/pos/v1/terminal", nil)
			r.Header.Set("Authorization", header)
			got := httptest.NewRecorder()
			if w.ServeHTTP(got, r); got.Code != want {
				t.Errorf("%s: %d %s", header, got.Code, got.Body)
			}
		}
	})
}

// Whoever is not the device gets nothing; guessing is slowed down.
func TestStrangers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.sell(t, 45_000)
		_, foreign := w.terminal(t)
		for _, c := range [][3]string{
			{"GET", "sales/" + s.Payment.ID, ""}, {"POST", "sales/" + s.Payment.ID + "/report", `{"outcome":"approved","reference":"X"}`},
			{"POST", "sales/" + s.Payment.ID + "/void", ""}, {"GET", "sales/x", ""}, {"POST", "sales/%00/void", ""}, {"POST", "batches/7/settle", ""},
			{"POST", "batches/-1/settle", ""}, {"POST", "batches/x/settle", ""}, {"GET", "nothing", ""}, {"GET", "sales/" + s.Payment.ID + "/x", ""},
		} {
			w.wants(t, c[1], w.as(foreign, c[0], c[1], c[2]), 404, `{"error":{"code":`)
		}
		if a := w.as(foreign, "POST", "sales/next", ""); a.status != 204 {
			t.Errorf("another terminal is handed the sale: %+v", a)
		}
		for _, c := range [][2]string{{"DELETE", "terminal"}, {"GET", "sales/next"}, {"PUT", "sales"}} {
			if a := w.ask(c[0], c[1], ""); a.status != 405 || a.header.Get("Allow") == "" {
				t.Errorf("%v: %+v", c, a)
			}
		}
		tries := 0
		for ; w.as("guess", "GET", "terminal", "").status == 401; tries++ {
			if tries > 500 {
				t.Fatal("guessing is not slowed down")
			}
		}
		if a := w.ask("GET", "terminal", ""); a.status != 429 || a.header.Get("Retry-After") == "" || tries < 10 {
			t.Errorf("after %d guesses: %+v", tries, a)
		}
	})
}

// Each field of a report: wrong type, too long, unknown, no text.
func TestReportFields(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.sell(t, 45_000)
		path := "sales/" + s.Payment.ID + "/report"
		for body, want := range map[string]int{
			"": 422, "{}": 422, "[]": 400, "null": 400, "{": 400, "{} {}": 400, `{"outcome":null}`: 422, `{"outcome":1}`: 422, `{"outcome":"maybe"}`: 422,
			`{"outcome":"approved"}`: 422, `{"outcome":"approved","reference":""}`: 422, `{"outcome":"approved","reference":5}`: 422,
			`{"outcome":"approved","reference":"` + strings.Repeat("x", 65) + `"}`: 422, `{"outcome":"approved","reference":"a\u0000"}`: 422,
			`{"outcome":"approved","reference":"4111111111111111"}`: 422, `{"outcome":"approved","reference":"x","card_last4":"4111111111111111"}`: 422,
			`{"outcome":"approved","reference":"x","card_last4":"12"}`: 422, `{"outcome":"approved","reference":"x","scheme":"diners"}`: 422,
			`{"outcome":"approved","reference":"x","approval_code":"` + strings.Repeat("1", 13) + `"}`: 422, `{"outcome":"approved","reference":"x","at":"yesterday"}`: 422,
			`{"outcome":"declined","reason":"mood"}`: 422, `{"outcome":"cancelled","reason":"declined"}`: 422, "\xff": 400, strings.Repeat("[", 100): 400,
			`{"x":"` + strings.Repeat("x", 17<<10) + `"}`: 413,
		} {
			w.wants(t, fmt.Sprintf("%.60s", body), w.ask("POST", path, body), want, `{"error":{"code":"invalid_request","message":"`)
		}
		for _, body := range []string{`{"wait_seconds":-1}`, `{"wait_seconds":26}`, `{"wait_seconds":"1"}`, `{"wait_seconds":1.5}`} {
			w.wants(t, body, w.ask("POST", "sales/next", body), 422)
		}
		w.wants(t, "a reason that is too long", w.ask("POST", "sales/"+s.Payment.ID+"/void", `{"reason":"`+strings.Repeat("x", 1001)+`"}`), 422)
		w.wants(t, "a reason", w.ask("POST", path, `{"outcome":"declined","reason":"insufficient_funds","unknown":[{}]}`), 200, `"state":"denied"`, `"reason":"insufficient_funds"`)
		locked := payment.TerminalLocked
		if _, err := w.Core.ChangeTerminal(t.Context(), coretest.Operator, w.Terminal.ID, core.TerminalChange{State: &locked}); err != nil {
			t.Fatal(err)
		}
		w.wants(t, "locked", w.ask("POST", "sales/next", ""), 409, `"code":"terminal_unusable"`)
	})
}

// A card number is refused by the rule that all texts keep to, and a host's own
// reference that only looks like one is not.
func TestCardNumberInAReport(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for reference, want := range map[string]int{
			"4111111111111111": 422, "4111 1111 1111 1111": 422, "9704 0000 0000 0018": 422, "the card 5555-5555-5555-4444": 422, "４１１１１１１１１１１１１１１１": 422,
			"2026112500000123": 200, "490154203237518": 200, "RRN4111111111111111": 200, "032600000018": 200,
		} {
			s := w.sell(t, 45_000)
			a := w.ask("POST", "sales/"+s.Payment.ID+"/report", `{"outcome":"approved","reference":"`+reference+`"}`)
			if a.status != want || want == 422 && (strings.Contains(a.body, "1111") || !strings.Contains(a.body, "card number")) {
				t.Errorf("%q: %d %s, want %d", reference, a.status, a.body, want)
			}
			if want == 422 {
				w.ask("POST", "sales/"+s.Payment.ID+"/report", `{"outcome":"timed_out"}`)
			}
		}
	})
}

// No field of a device's requests lets a card number in.
func TestCardNumbersStayOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var numbers pantest.Numbers
		s := w.sell(t, 45_000)
		paths := []string{"sales/next", "sales/" + s.Payment.ID + "/report", "sales/" + s.Payment.ID + "/void", "batches/1/settle"}
		bodies := []string{
			`{"wait_seconds":0}`, `{"reason":"x"}`, `{"outcome":"declined","reason":"insufficient_funds"}`,
			`{"outcome":"approved","reference":"RRN-1","approval_code":"A1","scheme":"visa","card_last4":"0018","at":"2026-03-04T12:00:00+07:00"}`,
		}
		look := func(a answer) {
			t.Helper()
			for _, where := range numbers.Find(a.body) {
				t.Errorf("%s shows: %s", where, a.body)
			}
		}
		for _, path := range paths {
			for _, body := range bodies {
				var value any
				if err := json.Unmarshal([]byte(body), &value); err != nil {
					t.Fatal(err)
				}
				pantest.Replace(value, func(field string, put func(any)) {
					for _, form := range pantest.Forms {
						put(numbers.Write(form, path+" "+field))
						text, _ := json.Marshal(value)
						look(w.ask("POST", path, string(text)))
					}
				})
			}
			look(w.as(numbers.Next("key"), "POST", path, "{}"))
			look(w.ask("GET", "sales/"+numbers.Next("path")+"?x="+numbers.Next("query"), ""))
			look(w.ask("POST", "batches/"+numbers.Next("batch")+"/settle", "{}"))
		}
		storetest.Texts(t, w.Store, func(table, column, text string) {
			for _, where := range numbers.Find(text) {
				t.Errorf("%s.%s has %s: %q", table, column, where, text)
			}
		})
	})
}

// A device that waits is answered the moment a sale is opened, and let go when
// its time is over.
func TestWait(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		got := make(chan answer)
		go func() { got <- w.ask("POST", "sales/next", `{"wait_seconds":25}`) }()
		s := w.sell(t, 45_000)
		if a := <-got; a.status != 200 || a.get("sale_id") != s.Payment.ID {
			t.Errorf("%+v", a)
		}
		w.ask("POST", "sales/"+s.Payment.ID+"/report", `{"outcome":"timed_out"}`)
		ctx, hangUp := context.WithCancel(t.Context())
		hangUp()
		r := httptest.NewRequestWithContext(ctx, "POST", "/pos/v1/sales/next", strings.NewReader(`{"wait_seconds":25}`))
		r.Header.Set("Authorization", "Bearer "+w.key)
		idle := httptest.NewRecorder()
		w.ServeHTTP(idle, r)
		if idle.Code == 200 {
			t.Errorf("%s", idle.Body)
		}
	})
}
