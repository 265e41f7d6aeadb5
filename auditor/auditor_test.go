package auditor_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/thungan/thungan/auditor"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
	_ "modernc.org/sqlite"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func audit(t *testing.T, s *store.Store, lang string) auditor.Report {
	t.Helper()
	r, err := auditor.Audit(t.Context(), s, auditor.Options{Lang: lang, Now: coretest.Start, Most: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if r.Checks != len(auditor.Names()) {
		t.Errorf("%d of %d checks were made", r.Checks, len(auditor.Names()))
	}
	return r
}

// A gateway in which everything has happened once is sound.
func TestSound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		busy(t, coretest.New(t, s))
		for _, f := range audit(t, s, "en").Findings {
			t.Errorf("%s: %s", f.Check, f.Text)
		}
	})
}

// busy does what payers, banks, acquirers, merchants and people do.
func busy(t *testing.T, e *coretest.Env) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	limit := money.VND(1_000_000)
	_, err := e.Core.ChangeMerchant(ctx, coretest.Operator, e.Virtual.Merchant.ID, core.MerchantChange{DailyLimit: &limit})
	must(err)
	e.Virtual.Merchant.DailyLimit = limit

	exact, over, short, late := e.Open(e.Memo, 1000), e.Open(e.Virtual, 1000), e.Open(e.Memo, 1000), e.Open(e.Virtual, 1000)
	e.Pay(exact, 1000)
	e.Pay(exact, 1000) // once too often
	overpaid := e.Pay(over, 1500)
	_, err = e.Core.Return(ctx, coretest.Operator, overpaid.Credit.ID, 200, "a part of it")
	must(err)
	e.Pay(short, 400)
	canceled := e.Open(e.Virtual, 2000)
	_, err = e.Core.Cancel(ctx, canceled.ID, "payer", "")
	must(err)
	stray := e.Take(e.Stray(700))[0]
	out := e.Stray(1)
	out.Direction = payment.Out
	again := e.Credit(exact, 1000)
	e.Take(out, again)
	again.ExternalID += "x"
	e.Take(again)

	conn, err := e.Core.AddConnector(ctx, coretest.Operator, core.NewConnector{
		MerchantID: e.Memo.Merchant.ID, Kind: "test", Methods: []payment.Method{payment.DomesticCard}, Config: []byte(`{}`),
	})
	must(err)
	byCard := func() (payment.Payment, payment.Attempt) {
		p := e.Open(e.Memo, 5000, func(o *core.Opening) { o.Methods = []payment.Method{payment.DomesticCard} })
		a, _, err := e.Core.StartAttempt(ctx, core.Starting{PaymentID: p.ID, Method: payment.DomesticCard, Connector: conn, Reference: func(a payment.Attempt) string { return a.ID }})
		must(err)
		a, err = e.Core.AttemptCreated(ctx, a.ID, payment.Handoff{URL: "https://acquirer.example.test"}, "")
		must(err)
		return p, a
	}
	say := func(a payment.Attempt, outcome payment.AttemptState) {
		t.Helper()
		_, err := e.Core.Resolve(ctx, core.Word{ConnectorID: conn.ID, Reference: a.Reference, Outcome: outcome, ExternalID: "x" + a.ID})
		must(err)
	}
	captured, a := byCard()
	say(a, payment.AttemptDone)
	_, a = byCard()
	say(a, payment.AttemptFailed)
	byCard()
	for i, end := range []payment.RefundState{payment.RefundApproved, payment.RefundDenied, payment.RefundProcessing} {
		_, r, err := e.Core.RefundByOperator(ctx, coretest.Operator, captured.ID, fmt.Sprint("r", i), 1000, "returned")
		must(err)
		_, err = e.Core.ResolveRefund(ctx, r.ID, core.RefundWord{Outcome: end})
		must(err)
	}
	_, _, err = e.Core.RefundByOperator(ctx, coretest.Operator, exact.ID, "", 300, "by hand")
	must(err)

	e.Advance(time.Hour)
	e.ExpireDue()
	e.Pay(late, 1000)
	applied := e.Open(e.Memo, 500)
	_, _, err = e.Core.Apply(ctx, coretest.Operator, stray.Credit.ID, applied.ID, "it is theirs")
	must(err)
	_, err = e.Core.Fold(ctx)
	must(err)
	e.Pay(e.Open(e.Memo, 10), 10)
}

// damages break each rule once. The statements name what they break "broken";
// PAID, LIMIT and CARD stand for ids of sound rows.
var damages = map[string]string{
	"audit_log_broken":  `UPDATE audit_log SET actor = 'nobody' WHERE number = 3`,
	"entry_unbalanced":  `INSERT INTO ledger_postings (entry_id, line, account, amount) VALUES ('broken', 1, 'bank:x', 5)`,
	"entry_single":      `INSERT INTO ledger_entries (id, kind, payment_id, credit_id, actor, reason, at, folded) VALUES ('broken', 'apply', '', '', '', '', 0, FALSE)`,
	"posting_lost":      `INSERT INTO ledger_postings (entry_id, line, account, amount) VALUES ('broken-lost', 1, 'bank:x', 5)`,
	"ledger_total":      `INSERT INTO ledger_postings (entry_id, line, account, amount) VALUES ('broken-total', 1, 'bank:x', 5)`,
	"balance_folded":    `INSERT INTO ledger_balances (account, debit, credit) VALUES ('broken', 1, 0)`,
	"entry_of_nobody":   `INSERT INTO ledger_entries (id, kind, payment_id, credit_id, actor, reason, at, folded) VALUES ('broken-entry', 'apply', 'nobody', '', '', '', 0, FALSE)`,
	"credit_split":      credit("broken-split", "exact", 100, 50),
	"credit_unbooked":   credit("broken-unbooked", "unknown", 100, 0),
	"credit_twice":      `INSERT INTO ledger_entries (id, kind, payment_id, credit_id, actor, reason, at, folded) VALUES ('b1', 'credit', '', 'broken', '', '', 0, FALSE), ('b2', 'credit', '', 'broken', '', '', 0, FALSE)`,
	"credit_invented":   `INSERT INTO ledger_entries (id, kind, payment_id, credit_id, actor, reason, at, folded) VALUES ('broken-invented', 'credit', '', 'nobody', '', '', 0, FALSE)`,
	"credit_told_twice": `DROP INDEX bank_credits_external; ` + credit("broken-twice", "repeated", 1, 0) + `; ` + credit("broken-twice2", "repeated", 1, 0) + `; UPDATE bank_credits SET external_id = 'same', source = 'twice' WHERE id IN ('broken-twice', 'broken-twice2')`,
	"credit_astray":     credit("broken-astray", "repeated", 1, 0) + `; UPDATE bank_credits SET payment_id = 'nobody' WHERE id = 'broken-astray'`,
	"credit_of_another": credit("broken-other", "repeated", 1, 0) + `; UPDATE bank_credits SET payment_id = 'PAID', merchant_id = 'another' WHERE id = 'broken-other'`,
	"message_left":      `INSERT INTO bank_messages (id, feed, body, received_at, processed_at, failure) VALUES ('broken', 'f', '{}', 1, 0, '')`,
	"approved_unpaid":   pay("broken-unpaid", "approved", 100, 99),
	"received_wrong":    pay("broken-received", "open", 100, 7),
	"refunded_wrong":    pay("broken-refunded", "open", 100, 0) + `; UPDATE payments SET refunded = 3 WHERE id = 'broken-refunded'`,
	"refunded_too_much": pay("broken-much", "open", 100, 0) + `; UPDATE payments SET refunding = 101, received = 100 WHERE id = 'broken-much'`,
	"refund_of_nobody":  refund("broken-refund", "nobody", "denied"),
	"sales_wrong":       `UPDATE payments SET refunded = refunded + 1 WHERE id = 'PAID'`,
	"partial_wrong":     pay("broken-partial", "open", 100, 7),
	"excess_wrong":      credit("broken-excess", "over", 100, 0) + `; UPDATE bank_credits SET unapplied = 100 WHERE id = 'broken-excess'`,
	"unapplied_wrong":   credit("broken-unapplied", "late", 100, 0) + `; UPDATE bank_credits SET unapplied = 100 WHERE id = 'broken-unapplied'`,
	"refunding_wrong":   pay("broken-refunding", "approved", 100, 100) + `; UPDATE payments SET refunding = 5 WHERE id = 'broken-refunding'`,
	"unclaimed_wrong":   credit("broken-unclaimed", "unknown", 100, 0) + `; UPDATE bank_credits SET unapplied = 100, merchant_id = '' WHERE id = 'broken-unclaimed'`,
	"limit_wrong":       `UPDATE limit_usage SET used = used + 1`,
	"reference_twice":   `DROP INDEX payments_reference; ` + pay("broken-r1", "open", 1, 0) + `; ` + pay("broken-r2", "open", 1, 0) + `; UPDATE payments SET reference = 'same' WHERE id IN ('broken-r1', 'broken-r2')`,
	"code_twice":        `DROP INDEX payments_match; ` + pay("broken-c1", "open", 1, 0) + `; ` + pay("broken-c2", "open", 1, 0) + `; UPDATE payments SET match_code = 'M:same' WHERE id IN ('broken-c1', 'broken-c2')`,
	"state_unknown":     pay("broken-state", "paid", 1, 0),
	"event_arrow":       event("broken-arrow", 2, "open", "void", "voided", 0),
	"event_chain":       event("broken-chain", 3, "open", "pay", "approved", 0),
	"event_time":        event("broken-time", 2, "open", "choose", "open", 50) + `; ` + event("broken-time", 3, "open", "choose", "open", 40),
	"event_last":        pay("broken-last", "open", 1, 0) + `; ` + event("broken-last", 2, "open", "cancel", "canceled", 0),
	"event_of_nobody":   event("broken-nobody", 2, "open", "choose", "open", 0),
	"paid_by_nobody":    event("broken-pay", 2, "open", "pay", "approved", 0),
	"refund_event":      refund("broken-event", "PAID", "approved"),
	"capture_untaken":   attempt("broken-capture", "done", 1),
	"capture_invented":  credit("broken-invented", "repeated", 1, 0) + `; UPDATE bank_credits SET channel = 'acquirer' WHERE id = 'broken-invented'`,
	"attempt_left":      attempt("broken-attempt", "sent", 1),
	"refund_left":       refund("broken-left", "PAID", "processing"),
	"notice_of_nothing": item("broken-notice", "nobody", "pending", 1<<50),
	"event_untold":      pay("broken-untold", "canceled", 1, 0) + `; UPDATE payments SET notify_url = 'https://shop.example.test', dialect = 'paykit' WHERE id = 'broken-untold'; ` + event("broken-untold", 2, "open", "cancel", "canceled", 0),
	"notice_stuck":      item("broken-stuck", "PAID", "pending", 1),
	"notice_unfinished": item("broken-unfinished", "PAID", "done", 1),
	"attempts_wrong":    item("broken-attempts", "PAID", "pending", 1<<50) + `; UPDATE outbox_items SET attempts = 3 WHERE id = 'broken-attempts'`,

	"payment_of_nobody": pay("broken-merchant", "open", 1, 0) + `; UPDATE payments SET merchant_id = 'nobody' WHERE id = 'broken-merchant'`,
	"account_of_nobody": `INSERT INTO ledger_postings (entry_id, line, account, amount) VALUES ('broken-account', 1, 'acquirer:broken', 5)`,
	"credit_misplaced": credit("broken-misplaced", "repeated", 1, 0) + `; INSERT INTO ledger_entries (id, kind, payment_id, credit_id, actor, reason, at, folded) VALUES ('b3', 'credit', '', 'broken-misplaced', '', '', 0, FALSE);` +
		` INSERT INTO ledger_postings (entry_id, line, account, amount) VALUES ('b3', 1, 'cash:MERCHANT', 1)`,

	"attempt_of_nobody": attempt("broken-orphan", "failed", 1),
	"attempt_state":     attempt("broken-odd", "odd", 1),
	"attempt_amount":    attempt("broken-dear", "failed", 1) + `; UPDATE attempts SET payment_id = 'PAID', amount = 1001 WHERE id = 'broken-dear'`,
	"attempt_number":    attempt("broken-number", "failed", 1) + `; UPDATE attempts SET number = 5 WHERE id = 'broken-number'`,
	"attempt_parallel":  attempt("broken-p1", "sent", 1) + `; ` + attempt("broken-p2", "sent", 1) + `; UPDATE attempts SET payment_id = 'broken-p1', number = 2 WHERE id = 'broken-p2'`,

	"refund_state":     refund("broken-odd", "PAID", "odd"),
	"refund_source":    refund("broken-source", "PAID", "denied") + `; UPDATE refunds SET credit_id = 'nobody' WHERE id = 'broken-source'`,
	"refund_channel":   refund("broken-channel", "PAID", "denied") + `; UPDATE refunds SET connector_id = 'nobody' WHERE id = 'broken-channel'`,
	"refund_overdrawn": credit("broken-overdrawn", "repeated", 1, 0) + `; ` + refund("broken-more", "PAID", "processing") + `; UPDATE refunds SET credit_id = 'broken-overdrawn', connector_id = 'c' WHERE id = 'broken-more'`,
	"refund_unbooked":  refund("broken-unbooked", "broken-payment", "approved"),
	"returned_wrong":   credit("broken-returned", "late", 100, 0) + `; UPDATE bank_credits SET returned = 100 WHERE id = 'broken-returned'`,

	"sale_of_nobody":    sale("broken-sale", "nobody", "", 0),
	"approval_untaken":  pay("broken-approval", "approved", 100, 100) + `; ` + sale("broken-approval", "t", "x", 1),
	"approval_invented": credit("broken-approved", "repeated", 1, 0) + `; UPDATE bank_credits SET channel = 'terminal' WHERE id = 'broken-approved'`,
	"sale_unbatched":    sale("broken-unbatched", "t", "", 3),
	"sale_settled":      terminal("broken-till", 1, "") + `; ` + sale("broken-settled", "broken-till", "x", 1) + `; UPDATE sales SET settled_at = 5 WHERE payment_id = 'broken-settled'`,
	"batch_gap":         terminal("broken-gap", 3, ""),
	"batch_wrong":       `INSERT INTO terminal_batches (terminal_id, number, sales, amount, settled_at) VALUES ('broken-batch', 1, 2, 100, 1)`,
	"terminal_sale":     terminal("broken-newest", 1, "nobody"),
	"terminal_twice":    pay("broken-t1", "processing", 1, 0) + `; ` + pay("broken-t2", "processing", 1, 0) + `; ` + sale("broken-t1", "broken-twice", "", 0) + `; ` + sale("broken-t2", "broken-twice", "", 0),
	"void_wrong":        pay("broken-void", "voided", 100, 0),

	"booking_state":    booking(9001, 1, "lost", ""),
	"plate_twice":      `DROP INDEX bookings_hold; ` + booking(9002, 1, "new", "broken-plate") + `; ` + booking(9003, 1, "new", "broken-plate"),
	"number_twice":     booking(9004, 1, "new", "") + `; ` + bookingOrder(9004, 0),
	"booking_orphan":   booking(9005, 1, "new", ""),
	"booking_canceled": booking(9006, 9007, "canceled", "") + `; ` + bookingOrder(9007, 9006) + `; UPDATE bookings SET version = 2 WHERE id = 9006`,
	"booking_overfull": `INSERT INTO stations (id, code, name, address, area, enabled, priority, calendar) VALUES (9010, '', '', '', '', TRUE, FALSE, '{"slots": [{"weekday": 1, "time": "7h", "capacity": 1}, {"weekday": 1, "time": "9h", "capacity": 5}]}'); ` +
		booking(9011, 1, "new", "") + `; ` + booking(9012, 1, "confirmed", "") + `; UPDATE bookings SET station_id = 9010, day = '2026-03-02', slot = '7h', hold_until = 2 WHERE id IN (9011, 9012)`,
	"bill_wrong":      bookingOrder(9020, 0) + `; UPDATE booking_orders SET tax = 80, total = 1080, lines = '[{"quantity": 2, "price": 500, "tax_bp": 805}]', subtotal = 1000 WHERE id = 9020`,
	"offer_wrong":     bookingOrder(9021, 0) + `; UPDATE booking_orders SET offers = 2 WHERE id = 9021`,
	"offer_stray":     pay("broken-stray", "open", 1, 0) + `; UPDATE payments SET dialect = 'ttdk' WHERE id = 'broken-stray'`,
	"collected_wrong": credit("broken-collected", "repeated", 1, 0) + `; UPDATE bank_credits SET channel = 'partner' WHERE id = 'broken-collected'`,

	"order_payment":  appOrder(9030, "") + `; UPDATE orders SET way = 'online' WHERE id = 9030`,
	"order_sum":      appOrder(9031, "") + `; UPDATE orders SET total = 6 WHERE id = 9031`,
	"order_state":    appOrder(9032, "") + `; UPDATE orders SET completed_at = 5, canceled_at = 6 WHERE id = 9032`,
	"order_unpaid":   pay("broken-unpaid-order", "open", 5, 0) + `; ` + appOrder(9033, "broken-unpaid-order") + `; UPDATE orders SET completed_at = 5 WHERE id = 9033`,
	"order_canceled": pay("broken-canceled-order", "open", 5, 0) + `; ` + appOrder(9034, "broken-canceled-order") + `; UPDATE orders SET canceled_at = 5 WHERE id = 9034`,
	"receipt_wrong":  appOrder(9035, "") + `; UPDATE orders SET receipt_code = 'broken' WHERE id = 9035`,
	"test_money": credit("broken-test", "repeated", 1, 0) + `; UPDATE bank_credits SET channel = 'cash', source = 'test' WHERE id = 'broken-test';` +
		` INSERT INTO ledger_entries (id, kind, payment_id, credit_id, actor, reason, at, folded) VALUES ('b4', 'credit', 'PAID', 'broken-test', '', '', 0, FALSE)`,
	"grant_wrong": `INSERT INTO grants (hash, kind, app, customer_id, scopes, created_at, expires_at, used_at) VALUES ('broken', 'code', 'a', 1, '', 1, 2, 0)`,

	"notice_needless": pay("broken-needless", "open", 1, 0) + `; UPDATE payments SET dialect = 'paykit' WHERE id = 'broken-needless'; ` + event("broken-needless", 99, "open", "choose", "open", 0) + `; ` + item("broken-needless", "broken-needless", "pending", 1<<50),
	"notice_twice":    item("broken-n1", "broken-n", "pending", 1<<50) + `; ` + item("broken-n2", "broken-n", "pending", 1<<50),
	"notice_astray":   item("broken-target", "PAID", "pending", 1<<50) + `; UPDATE outbox_items SET version = 98, merchant_id = 'MERCHANT', dialect = 'test', target = 'https://elsewhere.example.test' WHERE id = 'broken-target'`,
	"notice_postponed": item("broken-later", "PAID", "pending", 1<<50) + `; UPDATE outbox_items SET tries = 1, attempts = 1, version = 97 WHERE id = 'broken-later';` +
		` INSERT INTO outbox_attempts (item_id, number, at, duration, request_id, status, error, answer) VALUES ('broken-later', 1, 1, 1, '', 500, '', '')`,
	"notice_unacknowledged": item("broken-refused", "PAID", "done", 1) + `; UPDATE outbox_items SET last_status = 500, version = 96 WHERE id = 'broken-refused'`,
	"notice_given_up":       item("broken-early", "PAID", "failed", 1) + `; UPDATE outbox_items SET dialect = 'paykit', tries = 9, version = 95 WHERE id = 'broken-early'`,
	"change_of_nothing":     item("broken-change", "", "pending", 1<<50) + `; UPDATE outbox_items SET kind = 'booking' WHERE id = 'broken-change'`,
	"booking_untold": `INSERT INTO profiles (merchant_id, dialect, public_id, notify_url, success_url, cancel_url, notify_secret) VALUES ('MERCHANT', 'ttdk', 'p', 'https://partner.example.test', '', '', ''); ` +
		booking(9040, 1, "closed", "") + `; UPDATE bookings SET version = 2 WHERE id = 9040`,
	"order_untold": bookingOrder(9041, 0) + `; UPDATE booking_orders SET canceled_at = 5 WHERE id = 9041`,
}

func credit(id, outcome string, amount, applied int) string {
	return fmt.Sprintf(`INSERT INTO bank_credits (id, source, external_id, bin, account, virtual_account, amount, currency, direction, memo, reference, order_code, occurred_at, received_at, outcome,
	payment_id, merchant_id, account_id, duplicate_of, applied, unapplied, returned, explanation) VALUES ('%s', 's', '%s', '', '', '', %d, 'VND', 'in', '', '', '', 1, 1, '%s', '', 'M-%s', '', '', %d, 0, 0, '{}')`, id, id, amount, outcome, id, applied)
}

func pay(id, state string, amount, received int) string {
	return fmt.Sprintf(`INSERT INTO payments (id, merchant_id, platform_id, dialect, reference, version, amount, received, refunded, refunding, state, method, methods, account_id, match_code, description, language,
	success_url, cancel_url, notify_url, limit_day, created_at, due_at, updated_at, completed_at) VALUES ('%s', 'MERCHANT', '', 'test', '%s', 1, %d, %d, 0, 0, '%s', '', '', '', '', '', '', '', '', '', '', 1, %d, 1, 1)`, id, id, amount, received, state, 1<<50)
}

func event(id string, version int, from, act, to string, at int) string {
	return fmt.Sprintf(`INSERT INTO payment_events (payment_id, version, act, from_state, to_state, at, actor, reason, credit_id, method, received, refunded, refunding, completed_at)
	VALUES ('%s', %d, '%s', '%s', '%s', %d, '', '', '', '', 0, 0, 0, 0)`, id, version, act, from, to, at)
}

func refund(id, paymentID, state string) string {
	return fmt.Sprintf(`INSERT INTO refunds (id, payment_id, reference, amount, state, created_at, completed_at) VALUES ('%s', '%s', '%s', 1, '%s', 1, 0)`, id, paymentID, id, state)
}

func attempt(id, state string, created int) string {
	return fmt.Sprintf(`INSERT INTO attempts (id, payment_id, merchant_id, number, connector_id, kind, method, reference, external_id, amount, state, handoff, has_left, review, code, note, created_at, updated_at, expires_at, closed_at)
	VALUES ('%s', '%s', '', 1, 'c', '', '', '%s', '', 1, '%s', '{}', FALSE, FALSE, '', '', %d, 1, 1, 0)`, id, id, id, state, created)
}

func item(id, paymentID, state string, due int) string {
	return fmt.Sprintf(`INSERT INTO outbox_items (id, kind, payment_id, version, merchant_id, dialect, target, lane, state, attempts, tries, due_at, lease_until, lease, created_at, finished_at, last_status, last_error)
	VALUES ('%s', 'notice', '%s', 99, '', '', '', '', '%s', 0, 0, %d, 0, '', 1, 0, 0, '')`, id, paymentID, state, due)
}

func sale(paymentID, terminalID, reference string, batch int) string {
	return fmt.Sprintf(`INSERT INTO sales (payment_id, terminal_id, merchant_id, dialect, method, phone, reason, reference, approval, scheme, card, batch, fetched_at, reported_at, settled_at)
	VALUES ('%s', '%s', 'MERCHANT', 'test', 'card_present', '', '', '%s', '', '', '', %d, 0, 0, 0)`, paymentID, terminalID, reference, batch)
}

func terminal(id string, batch int, saleID string) string {
	return fmt.Sprintf(`INSERT INTO terminals (id, merchant_id, public_id, name, city, label, state, methods, max_amount, daily_limit, monthly_limit, batch_limit, sale_id, batch, seen_at, created_at, updated_at, version)
	VALUES ('%s', 'MERCHANT', '%s', '', '', '', 'active', '', 0, 0, 0, 0, '%s', %d, 0, 1, 1, 1)`, id, id, saleID, batch)
}

func booking(id, orderID int, status, plate string) string {
	hold := "NULL"
	if plate != "" {
		hold = "'" + plate + "'"
	}
	return fmt.Sprintf(`INSERT INTO bookings (id, merchant_id, order_id, version, hash, plate, plate_color, vehicle_type, phone, name, email, station_id, day, slot, kind, note, details, status, reason,
	held_until, hold, hold_until, created_at, updated_at) VALUES (%d, 'MERCHANT', %d, 1, '', '%s', 1, 1, '', '', '', 0, '', '', 1, '', '', '%s', '', 0, %s, 0, 1, 1)`, id, orderID, plate, status, hold)
}

func bookingOrder(id, bookingID int) string {
	return fmt.Sprintf(`INSERT INTO booking_orders (id, merchant_id, code, reference, booking_id, version, name, kind, lines, promotion, subtotal, discount, tax, total, phone, payer, offers, method, method_type,
	created_at, updated_at, canceled_at) VALUES (%d, 'MERCHANT', '%d', '%d', %d, 1, '', 9, '[]', '', 0, 0, 0, 0, '', '', 1, '', 0, 1, 1, 0)`, id, id, id, bookingID)
}

// appOrder is an order of 2 + 3 đồng.
func appOrder(id int, paymentID string) string {
	way, started := "", 0
	if paymentID != "" {
		way, started = "online", 1
	}
	return fmt.Sprintf(`INSERT INTO orders (id, merchant_id, dialect, customer_id, reference, extra, version, details, shipping_fee, total, receipt_id, receipt_code, way, payment_id, created_at, updated_at,
	started_at, handed_over_at, completed_at, canceled_at, note, push_page) VALUES (%d, 'MERCHANT', 'test', '1', '', '', 1, '{"lines": [{"name": "x", "quantity": 1, "price": 2}]}', 3, 5, '1000000000', '30000%d', '%s', '%s', 1, 1, %d, 0, 0, 0, '', '')`,
		id, id, way, paymentID, started)
}

// The subjects of damages whose rows are not called "broken".
var subjects = map[string]string{
	"account_of_nobody": "acquirer:broken", "booking_state": "9001", "number_twice": "9004", "booking_orphan": "9005", "booking_canceled": "9006",
	"booking_overfull": "9010 2026-03-02 7h", "bill_wrong": "9020", "offer_wrong": "9021", "order_payment": "9030", "order_sum": "9031", "order_state": "9032",
	"order_unpaid": "9033", "order_canceled": "9034", "booking_untold": "9040", "order_untold": "9041",
	"audit_log_broken": "3", "ledger_total": "", "credit_twice": "broken", "sales_wrong": "MERCHANT", "partial_wrong": "MERCHANT", "refunding_wrong": "MERCHANT",
	"unclaimed_wrong": "gateway:unapplied", "limit_wrong": "LIMIT", "excess_wrong": "M-broken-excess", "unapplied_wrong": "M-broken-unapplied",
}

// Each kind of damage is seen, and named in both languages.
func TestDamage(t *testing.T) {
	for _, name := range auditor.Names() {
		if damages[name] == "" {
			t.Errorf("no damage is planted for %s", name)
		}
	}
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			url := storetest.URL(t, engine)
			s := storetest.Open(t, url)
			e := coretest.New(t, s)
			busy(t, e)
			paid := e.Open(e.Memo, 1000)
			e.Pay(paid, 1000)
			ids := strings.NewReplacer("PAID", paid.ID, "MERCHANT", e.Memo.Merchant.ID, "LIMIT", e.Virtual.Merchant.ID)
			raw := open(t, engine, url)
			for _, name := range auditor.Names() {
				for statement := range strings.SplitSeq(damages[name], "; ") {
					if _, err := raw.ExecContext(t.Context(), ids.Replace(statement)); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
			}
			english, vietnamese := audit(t, s, "en"), audit(t, s, "vi")
			for _, name := range auditor.Names() {
				want, other := subjects[name]
				want = ids.Replace(want)
				if !other {
					want = "broken"
				}
				i := slices.IndexFunc(english.Findings, func(f auditor.Finding) bool {
					return f.Check == name && (strings.HasPrefix(f.Subject, want) || f.Subject == want)
				})
				if i < 0 {
					t.Errorf("%s was not seen", name)
					continue
				}
				f := english.Findings[i]
				if strings.Contains(f.Text, "%!") || !strings.Contains(f.Text, f.Subject) {
					t.Errorf("%s is told as %q", name, f.Text)
				}
				j := slices.IndexFunc(vietnamese.Findings, func(g auditor.Finding) bool { return g.Check == name && g.Subject == f.Subject })
				if j < 0 || strings.Contains(vietnamese.Findings[j].Text, "%!") || vietnamese.Findings[j].Text == f.Text {
					t.Errorf("%s has no Vietnamese", name)
				}
			}
			few, err := auditor.Audit(context.Background(), s, auditor.Options{Now: coretest.Start, Most: 1})
			if err != nil || few.More["event_of_nobody"] == 0 {
				t.Errorf("the rest is not counted: %v, %v", few.More, err)
			}
		})
	}
}

// Each rule is explained to those who meet it.
func TestRulesAreExplained(t *testing.T) {
	text, err := os.ReadFile("../docs/check.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range auditor.Names() {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/check.md says nothing of %s", name)
		}
	}
	for _, found := range regexp.MustCompile("`([a-z]+(?:_[a-z]+)+)`").FindAllStringSubmatch(string(text), -1) {
		if !slices.Contains(auditor.Names(), found[1]) && found[1] != "pg_dump" {
			t.Errorf("docs/check.md speaks of %s, which is no rule", found[1])
		}
	}
	t.Logf("%d rules", len(auditor.Names()))
}

func open(t *testing.T, engine, url string) *sql.DB {
	t.Helper()
	driver, name := "pgx", url
	if engine == "sqlite" {
		driver, name = "sqlite", "file:"+strings.TrimPrefix(url, "sqlite:")+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

// Nothing can be written through a snapshot.
func TestSnapshotIsReadOnly(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		err := s.Snapshot(t.Context(), func(q store.Query) error {
			rows, err := q(t.Context(), `DELETE FROM payments`)
			if err == nil {
				rows.Next()
				err = rows.Err()
				rows.Close()
			}
			return err
		})
		if err == nil {
			t.Error("a snapshot deleted payments")
		}
	})
}
