package auditor_test

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"

	"github.com/thungan/thungan/auditor"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/dialect/appotapay"
	"github.com/thungan/thungan/dialect/paykit"
	"github.com/thungan/thungan/dialect/tiki"
	"github.com/thungan/thungan/dialect/ttdk"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// dialects are those of the program. A new one needs a row in the auditor's
// tables of what is told and how often it is tried.
var dialects = []dialect.Dialect{paykit.Dialect{}, appotapay.Dialect{}, ttdk.Dialect{}, tiki.Dialect{}, tiki.Dialect{Sandbox: true}}

// history is one event of a payment, with all that decides whether it is told.
type history struct {
	id      string
	dialect dialect.Dialect
	ev      payment.Event
	way     order.Way // of the order that the payment is for; "" for none
}

func (h history) owed() bool {
	o, orders := h.dialect.(dialect.Ordering)
	return h.dialect.Owes(h.ev) && (h.way == "" || !orders || o.OwesOrder(order.Order{Way: h.way}, h.ev))
}

// histories are all moves of payments, by whomever, in every dialect.
func histories() (all []history) {
	for _, d := range dialects {
		ways := []order.Way{""}
		if _, orders := d.(dialect.Ordering); orders {
			ways = []order.Way{"", order.Online, order.OnDelivery, order.ByTransfer}
		}
		for _, a := range payment.Arrows {
			for _, actor := range []string{"payer", "merchant", "system"} {
				for _, way := range ways {
					h := history{id: fmt.Sprintf("h-%04d", len(all)), dialect: d, way: way}
					h.ev = payment.Event{PaymentID: h.id, Version: 2, Act: a.Act, From: a.From, To: a.To, Actor: actor}
					if a.Act == payment.ActRefund || a.Act == payment.ActRefunded || a.Act == payment.ActRefundDenied {
						h.ev.RefundID = h.id
					}
					all = append(all, h)
				}
			}
		}
	}
	return all
}

func exec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// subjectsOf are what a rule finds.
func subjectsOf(t *testing.T, s *store.Store, name string) []string {
	t.Helper()
	report, err := auditor.Audit(t.Context(), s, auditor.Options{Most: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	found := []string{}
	for _, f := range report.Findings {
		if f.Check == name {
			found = append(found, f.Subject)
		}
	}
	slices.Sort(found)
	return found
}

// The auditor's own words for what is told say the same of every event as the
// dialects do: an event that is owed is missed when nobody is to be told, and a
// notice of another is one too many.
func TestOwes(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			url := storetest.URL(t, engine)
			s := storetest.Open(t, url)
			raw := open(t, engine, url)
			owed, other := []string{}, []string{}
			exec(t, raw, "BEGIN")
			for i, h := range histories() {
				exec(t, raw, pay(h.id, string(h.ev.To), 100, 0),
					fmt.Sprintf(`UPDATE payments SET dialect = '%s', notify_url = 'https://shop.example.test' WHERE id = '%s'`, h.dialect.Name(), h.id),
					event(h.id, 2, string(h.ev.From), string(h.ev.Act), string(h.ev.To), 1),
					fmt.Sprintf(`UPDATE payment_events SET actor = '%s', refund_id = '%s' WHERE payment_id = '%s'`, h.ev.Actor, h.ev.RefundID, h.id))
				if h.ev.RefundID != "" {
					exec(t, raw, refund(h.id, h.id, "processing"), `UPDATE refunds SET told = TRUE WHERE id = '`+h.id+`'`)
				}
				if h.way != "" {
					exec(t, raw, appOrder(10_000+i, h.id), fmt.Sprintf(`UPDATE orders SET way = '%s' WHERE payment_id = '%s'`, h.way, h.id))
				}
				if h.owed() {
					owed = append(owed, h.id)
				} else {
					other = append(other, h.id)
				}
			}
			exec(t, raw, "COMMIT")
			told := func(id string) string {
				h := histories()[number(t, id)]
				return fmt.Sprintf("%s: %s --%s--> %s by %s, order %q", h.dialect.Name(), h.ev.From, h.ev.Act, h.ev.To, h.ev.Actor, h.way)
			}
			differ(t, "is owed and not missed", owed, subjectsOf(t, s, "event_untold"), told)
			differ(t, "is missed and not owed", subjectsOf(t, s, "event_untold"), owed, told)

			exec(t, raw, "BEGIN")
			for _, h := range histories() {
				exec(t, raw, item(h.id, h.id, "pending", 1<<50))
			}
			exec(t, raw, "UPDATE outbox_items SET version = 2", "COMMIT")
			if missed := subjectsOf(t, s, "event_untold"); len(missed) > 0 {
				t.Errorf("missed in spite of notices: %v", missed)
			}
			differ(t, "is not owed, and its notice is not found needless", other, subjectsOf(t, s, "notice_needless"), told)
			differ(t, "is owed, and its notice is found needless", subjectsOf(t, s, "notice_needless"), other, told)

			// A refund that ended at once is told of its end alone.
			exec(t, raw, "UPDATE refunds SET told = FALSE", "DELETE FROM outbox_items")
			for _, id := range subjectsOf(t, s, "event_untold") {
				if h := histories()[number(t, id)]; h.ev.Act == payment.ActRefund {
					t.Errorf("%s is missed though it ended at once", told(id))
				}
			}
		})
	}
}

func number(t *testing.T, id string) (n int) {
	t.Helper()
	if _, err := fmt.Sscanf(id, "h-%d", &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func differ(t *testing.T, how string, all, but []string, told func(id string) string) {
	t.Helper()
	for _, id := range all {
		if !slices.Contains(but, id) {
			t.Errorf("%s %s", told(id), how)
		}
	}
}

// Who has no address is not told, and nobody is missed who had none then; an
// address that was changed since is still one that notices may have gone to.
func TestAddresses(t *testing.T) {
	const none, first, second = `{"ipn_url":""}`, `{"ipn_url":"https://a.example.test?x=1\u0026y=2"}`, `{"ipn_url":"https://b.example.test"}`
	type change struct {
		at            int
		before, after string
	}
	enrol := func(address string) change { return change{1, "", address} }
	cases := map[string]struct {
		own, registered string   // addresses of the payment and the profile
		changes         []change // of the profile; the event is at 100
		target          string   // of its notice, "" when there is none
		untold, astray  bool
	}{
		"no address":              {changes: []change{enrol(none)}},
		"registered":              {registered: "https://b.example.test", changes: []change{enrol(second)}, untold: true},
		"own":                     {own: "https://c.example.test", changes: []change{enrol(none)}, untold: true},
		"registered later":        {registered: "https://b.example.test", changes: []change{enrol(none), {200, none, second}}},
		"registered before":       {registered: "https://b.example.test", changes: []change{enrol(none), {50, none, second}}, untold: true},
		"taken away":              {changes: []change{enrol(second), {200, second, none}}},
		"changed":                 {registered: "https://b.example.test", changes: []change{enrol(first), {200, first, second}}, untold: true},
		"told":                    {registered: "https://b.example.test", changes: []change{enrol(second)}, target: "https://b.example.test"},
		"told where it was":       {registered: "https://b.example.test", changes: []change{enrol(first), {200, first, second}}, target: "https://a.example.test?x=1&y=2"},
		"told before it was none": {changes: []change{enrol(second), {200, second, none}}, target: "https://b.example.test"},
		"told elsewhere":          {registered: "https://b.example.test", changes: []change{enrol(second)}, target: "https://b.example.tes", astray: true},
		"not to its own":          {own: "https://c.example.test", registered: "https://b.example.test", changes: []change{enrol(second)}, target: "https://b.example.test", astray: true},
		"to its own":              {own: "https://c.example.test", registered: "https://b.example.test", changes: []change{enrol(second)}, target: "https://c.example.test"},
	}
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			url := storetest.URL(t, engine)
			s := storetest.Open(t, url)
			raw := open(t, engine, url)
			for name, c := range cases {
				for _, platform := range []bool{false, true} {
					id := fmt.Sprintf("%s, platform=%v", name, platform)
					m, f, who := id+"-m", "", id+"-m"
					if platform {
						f = id + "-f"
						who = f
					}
					for _, id := range []string{id + "-m", id + "-f"} {
						exec(t, raw, fmt.Sprintf(`INSERT INTO merchants (id, kind, name, state, min_amount, max_amount, daily_limit, created_at, updated_at, version) VALUES ('%s', '', '', '', 0, 0, 0, 1, 1, 1)`, id))
					}
					exec(t, raw, fmt.Sprintf(`INSERT INTO profiles (merchant_id, dialect, public_id, notify_url, success_url, cancel_url, notify_secret) VALUES ('%s', 'paykit', '%s', '%s', '', '', '')`, who, id, c.registered))
					for i, ch := range c.changes {
						act := "profile.change"
						if i == 0 {
							act = "merchant.enrol"
						}
						exec(t, raw, fmt.Sprintf(`INSERT INTO audit_log (id, at, actor, address, act, subject, before, after) VALUES ('%s-%d', %d, '', '', '%s', '%s/paykit', '%s', '%s')`, id, i, ch.at, act, who, ch.before, ch.after))
					}
					exec(t, raw, pay(id, "canceled", 100, 0), event(id, 2, "open", "cancel", "canceled", 100),
						fmt.Sprintf(`UPDATE payments SET dialect = 'paykit', notify_url = '%s', merchant_id = '%s', platform_id = '%s' WHERE id = '%s'`, c.own, m, f, id))
					if c.target != "" {
						exec(t, raw, item(id, id, "pending", 1<<50), fmt.Sprintf(`UPDATE outbox_items SET version = 2, merchant_id = '%s', dialect = 'paykit', target = '%s' WHERE id = '%s'`, m, c.target, id))
					}
				}
			}
			untold, astray := subjectsOf(t, s, "event_untold"), subjectsOf(t, s, "notice_astray")
			for name, c := range cases {
				for _, platform := range []bool{false, true} {
					id := fmt.Sprintf("%s, platform=%v", name, platform)
					if got := slices.Contains(untold, id); got != c.untold {
						t.Errorf("%s: untold: %v", id, got)
					}
					if got := slices.Contains(astray, id); got != c.astray {
						t.Errorf("%s: astray: %v", id, got)
					}
				}
			}
		})
	}
}

// The auditor knows how often each dialect tries, and which answers end its
// delivery before.
func TestSchedules(t *testing.T) {
	url := storetest.URL(t, "sqlite")
	s := storetest.Open(t, url)
	raw := open(t, "sqlite", url)
	want := []string{}
	for _, d := range dialects {
		length := 1
		for _, more := d.Retry(length); more; _, more = d.Retry(length) {
			length++
		}
		stopping, stops := d.(dialect.Stopping)
		for _, status := range []int{0, 99, 100, 302, 400, 410, 499, 500, 503} {
			for _, tries := range []int{1, length - 1, length, length + 1} {
				id := fmt.Sprintf("%s %d %d", d.Name(), status, tries)
				exec(t, raw, item(id, "p", "failed", 1), fmt.Sprintf(`UPDATE outbox_items SET dialect = '%s', tries = %d, last_status = %d WHERE id = '%s'`, d.Name(), tries, status, id))
				if tries < length && status != 410 && !(stops && stopping.Stops(status)) {
					want = append(want, id)
				}
			}
		}
	}
	slices.Sort(want)
	if got := subjectsOf(t, s, "notice_given_up"); !slices.Equal(got, want) {
		t.Errorf("given up too early:\n%v\nwant\n%v", got, want)
	}
}
