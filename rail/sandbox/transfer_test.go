package sandbox_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func TestBankTransfer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		p := w.created("50.000")
		code := core.VietQR(p)

		m := w.transfer(map[string]any{"vietqr": code, "amount": 20000})
		if !m.Matched || m.Credit.Outcome != "short" || m.Payment.State != "open" || m.Payment.Received != 20000 || m.Payment.Amount != 50000 {
			t.Errorf("short: %+v", m)
		}
		m = w.transfer(map[string]any{"vietqr": code, "amount": 35000, "repeat": 2, "reference": "FT-ONE"})
		if m.Credit.Outcome != "over" || m.Credit.AmountUnapplied != 5000 || m.Payment.State != "approved" || len(m.Deliveries) != 3 || m.Reference != "FT-ONE" {
			t.Errorf("over: %+v", m)
		}
		for _, d := range m.Deliveries {
			if d.Status != 200 || !d.Body.Success {
				t.Errorf("delivery %+v", d)
			}
		}
		if m.Payment.PaymentID != p.ID || m.Payment.Reference != p.Reference || m.Payment.MerchantID != p.MerchantID || m.Payment.Received != 55000 {
			t.Errorf("payment %+v", m.Payment)
		}
		if m.Credit.Explanation.By != "memo" || m.Credit.Explanation.Code != p.Transfer.Memo() {
			t.Errorf("explanation %+v", m.Credit.Explanation)
		}
		first := m.Credit.ID

		// The same transfer, told by another webhook.
		m = w.transfer(map[string]any{"vietqr": code, "amount": 35000, "reference": "FT-ONE"})
		if m.Credit.Outcome != "repeated" || m.Credit.DuplicateOf != first || m.Payment.Received != 55000 {
			t.Errorf("repeated: %+v", m)
		}
		m = w.transfer(map[string]any{"vietqr": code})
		if m.Credit.Outcome != "duplicate" || m.Credit.AmountUnapplied != 50000 || !m.Matched {
			t.Errorf("duplicate: %+v", m)
		}
		credits, err := w.core.Credits(t.Context(), core.CreditSearch{Source: "sandbox"})
		if err != nil || len(credits) != 4 {
			t.Errorf("%d credits, %v", len(credits), err)
		}
		w.balanced()
	})
}

func TestBankTransferByHand(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		p := w.created("50000")
		to := p.Transfer
		m := w.transfer(map[string]any{"bin": to.BIN, "account": to.Number, "memo": "wrong memo", "amount": 50000})
		if m.Matched || m.Payment != nil || m.Credit.Outcome != "unknown" || m.Credit.AmountUnapplied != 50000 {
			t.Errorf("wrong memo: %+v", m)
		}
		m = w.transfer(map[string]any{"bin": "970422", "account": "19001", "amount": 1, "memo": nil, "repeat": nil, "reference": nil, "occurred_at": nil})
		if m.Matched || m.Credit.Outcome != "unknown" || !strings.HasPrefix(m.Reference, "FT") || m.Credit.Reference != m.Reference {
			t.Errorf("an account that nobody knows: %+v", m)
		}
		m = w.transfer(map[string]any{
			"bin": to.BIN, "account": "0000 0012 34567", "memo": "NGUYEN VAN A " + strings.ToLower(to.Memo()) + " ck", "amount": 5e4,
			"repeat": true, "occurred_at": "2026-03-04T12:00:00+07:00",
		})
		if !m.Matched || m.Payment.State != "approved" || len(m.Deliveries) != 2 {
			t.Errorf("by hand: %+v", m)
		}
		w.balanced()
	})
}

func TestBankTransferLate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		p := w.created("50000")
		code := core.VietQR(p)
		if a := w.post("/sandbox/clock", `{"advance":"31m"}`); a.status != 200 {
			t.Fatal(string(a.body))
		}
		m := w.transfer(map[string]any{"vietqr": code})
		if m.Credit.Outcome != "late" || m.Payment.State != "expired" || !m.Matched {
			t.Errorf("late: %+v", m)
		}
		w.balanced()
	})
}

func TestBankTransferBadInput(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		code := core.VietQR(w.created("50000"))
		broken := code[:len(code)-1] + "!"
		byHand := func(amount string) string {
			return `{"bin":"970436","account":"1","amount":` + amount + `}`
		}
		with := func(field string) string { return `{"vietqr":"` + code + `",` + field + `}` }
		for _, c := range []struct {
			body, field string
			status      int
		}{
			{``, "", 400},
			{`null`, "", 400},
			{`[]`, "", 400},
			{`"x"`, "", 400},
			{`{`, "", 400},
			{`{} {}`, "", 400},
			{"{\"vietqr\":\"\xff\"}", "", 400},
			{strings.Repeat("[", 100) + strings.Repeat("]", 100), "", 400},
			{`{"memo":"` + strings.Repeat("x", 64<<10) + `"}`, "", 413},
			{`{}`, "vietqr", 400},
			{`{"vietqr":null}`, "vietqr", 400},
			{`{"vietqr":""}`, "vietqr", 400},
			{`{"vietqr":7}`, "vietqr", 400},
			{`{"vietqr":"` + broken + `"}`, "vietqr", 400},
			{`{"vietqr":"not a code"}`, "vietqr", 400},
			{`{"vietqr":"` + strings.Repeat("0", 5000) + `"}`, "vietqr", 400},
			{with(`"bin":"970436"`), "bin", 400},
			{with(`"account":"1"`), "account", 400},
			{with(`"amount":"50000"`), "amount", 400},
			{with(`"amount":true`), "amount", 400},
			{with(`"amount":[]`), "amount", 400},
			{with(`"amount":0`), "amount", 400},
			{with(`"amount":-1`), "amount", 400},
			{with(`"amount":0.5`), "amount", 400},
			{with(`"amount":1e-2`), "amount", 400},
			{with(`"amount":10000000000000`), "amount", 400},
			{with(`"amount":1e999999`), "amount", 400},
			{with(`"amount":` + strings.Repeat("9", 31)), "amount", 400},
			{with(`"memo":1`), "memo", 400},
			{with(`"memo":"` + strings.Repeat("é", 1001) + `"`), "memo", 400},
			{with(`"memo":"a\u0000b"`), "memo", 400},
			{with(`"reference":{}`), "reference", 400},
			{with(`"reference":"` + strings.Repeat("x", 129) + `"`), "reference", 400},
			{with(`"reference":"a\nb"`), "reference", 400},
			{with(`"repeat":-1`), "repeat", 400},
			{with(`"repeat":1.5`), "repeat", 400},
			{with(`"repeat":101`), "repeat", 400},
			{with(`"repeat":"1"`), "repeat", 400},
			{with(`"occurred_at":"yesterday"`), "occurred_at", 400},
			{with(`"occurred_at":"2026-03-04 12:00:00"`), "occurred_at", 400},
			{with(`"occurred_at":"1999-03-04T12:00:00Z"`), "occurred_at", 400},
			{with(`"occurred_at":""`), "occurred_at", 400},
			{with(`"occurred_at":1772600000`), "occurred_at", 400},
			{`{"bin":"970436","amount":1}`, "account", 400},
			{`{"account":"1","amount":1}`, "bin", 400},
			{`{"bin":"97043","account":"1","amount":1}`, "bin", 400},
			{`{"bin":"97043x","account":"1","amount":1}`, "bin", 400},
			{`{"bin":970436,"account":"1","amount":1}`, "bin", 400},
			{`{"bin":"970436","account":"` + strings.Repeat("1", 20) + `","amount":1}`, "account", 400},
			{`{"bin":"970436","account":"a-b","amount":1}`, "account", 400},
			{`{"bin":"970436","account":1,"amount":1}`, "account", 400},
			{`{"bin":"970436","account":"1"}`, "amount", 400},
			{byHand("null"), "amount", 400},
			{byHand("1.5"), "amount", 400},
		} {
			t.Run(fmt.Sprintf("%.60q", c.body), func(t *testing.T) {
				w.t = t
				w.refused(w.post("/sandbox/bank-transfers", c.body), c.status, c.field)
			})
		}
		w.t = t
		// All that is wrong is told at once.
		f := w.refused(w.post("/sandbox/bank-transfers", `{"bin":1,"account":2,"amount":"x","memo":3}`), 400, "bin")
		if len(f.Error.Fields) != 4 {
			t.Errorf("fields %v", f.Error.Fields)
		}
		credits, err := w.core.Credits(t.Context(), core.CreditSearch{Source: "sandbox"})
		if err != nil || len(credits) != 0 {
			t.Errorf("bad input made %d credits, %v", len(credits), err)
		}
		if a := w.get("/sandbox/bank-transfers"); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST" {
			t.Errorf("GET: %d %v", a.status, a.header)
		}
		w.refused(w.get("/sandbox/nothing"), 404, "")
	})
}

// What the gateway does not take in is told as that, with its answer.
func TestBankTransferNotTaken(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		off := false
		if _, err := w.core.ChangeFeed(t.Context(), operator, "sandbox", nil, nil, &off); err != nil {
			t.Fatal(err)
		}
		a := w.post("/sandbox/bank-transfers", `{"bin":"970436","account":"1","amount":1}`)
		w.refused(a, http.StatusBadGateway, "")
		var m struct {
			Deliveries []struct {
				Status int
				Body   json.RawMessage
			}
		}
		a.decode(t, &m)
		if len(m.Deliveries) != 1 || m.Deliveries[0].Status != 404 {
			t.Errorf("%s", a.body)
		}
	})
}

// A page of another site must not make the sandbox move money.
func TestOtherSitesAreRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		for _, path := range []string{"/sandbox/bank-transfers", "/sandbox/clock", "/sandbox/demo/payments"} {
			r := w.request("POST", path, `{}`)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			w.refused(w.do(r), http.StatusForbidden, "")
		}
	})
}

func TestClock(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		p := w.created("50000")
		for _, c := range []struct{ body, field string }{
			{`{}`, "advance"}, {`{"advance":null}`, "advance"}, {`{"advance":""}`, "advance"}, {`{"advance":31}`, "advance"}, {`{"advance":"soon"}`, "advance"},
			{`{"advance":"0s"}`, "advance"}, {`{"advance":"-1m"}`, "advance"}, {`{"advance":"99999d"}`, "advance"}, {`{"advance":"1d-1h"}`, "advance"},
			{`{"advance":"` + strings.Repeat("1", 100) + `h"}`, "advance"}, {`[]`, ""}, {``, ""},
		} {
			w.refused(w.post("/sandbox/clock", c.body), 400, c.field)
		}
		var before, after struct {
			Now      string
			Offset   string
			Advanced string
		}
		w.get("/sandbox/clock").decode(t, &before)
		if before.Offset != "0s" || w.saved != 0 {
			t.Errorf("a refused move moved: %+v", before)
		}
		a := w.post("/sandbox/clock", `{"advance":"1d31m"}`)
		a.decode(t, &after)
		if a.status != 200 || after.Offset != "24h31m0s" || after.Advanced != "24h31m0s" || w.saved.String() != "24h31m0s" || after.Now <= before.Now {
			t.Errorf("%d %s, saved %v", a.status, a.body, w.saved)
		}
		// What fell due has expired by the time of the answer; no worker runs here.
		if p, err := w.core.Payment(t.Context(), p.ID); err != nil || p.State != payment.Expired {
			t.Errorf("the payment is %s, %v", p.State, err)
		}
		w.saveFails = errors.New("disk full")
		if a := w.post("/sandbox/clock", `{"advance":"1m"}`); a.status != 500 || strings.Contains(string(a.body), "disk") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}
