package auditor

import (
	"slices"
	"strings"
)

// arrows are the moves that a payment may make, as "from>act>to".
var arrows = []string{
	"open>choose>open", "open>part>open", "open>pay>approved", "open>process>processing", "open>deny>denied", "open>cancel>canceled", "open>expire>expired",
	"processing>part>processing", "processing>pay>approved", "processing>retry>open", "processing>deny>denied",
	"approved>late>approved", "approved>excess>approved", "approved>void>voided",
	"approved>refund>approved", "approved>refunded>approved", "approved>refund_denied>approved",
	"expired>late>expired", "expired>part>expired", "expired>pay>approved",
	"canceled>late>canceled", "canceled>part>canceled", "canceled>pay>approved",
	"denied>late>denied", "denied>part>denied", "denied>pay>approved",
	"voided>late>voided",
}

// quoted is a list of texts for IN.
func quoted(texts []string) string { return "'" + strings.Join(texts, "', '") + "'" }

// Money that is held for somebody; the rest of the accounts say whose it is.
const holdings = `(p.account LIKE 'bank:%' OR p.account LIKE 'acquirer:%' OR p.account LIKE 'terminal:%' OR p.account LIKE 'cash:%' OR p.account LIKE 'partner:%')`

// balanceOf compares what stands on an account of each merchant with what the
// rows say; owed selects merchant_id and amount.
func balanceOf(account, owed string) string {
	return `SELECT merchant_id, CAST(CAST(SUM(booked) AS BIGINT) AS TEXT), CAST(CAST(SUM(owed) AS BIGINT) AS TEXT) FROM (
    SELECT SUBSTR(p.account, 10, 36) AS merchant_id, -p.amount AS booked, 0 AS owed FROM ledger_postings p WHERE p.account LIKE 'merchant:%:` + account + `'
    UNION ALL
    SELECT merchant_id, 0 AS booked, amount AS owed FROM (` + owed + `) AS rows_
) AS both_ GROUP BY merchant_id HAVING SUM(booked) <> SUM(owed)`
}

// checks are the rules, I1 to I8 of the project's invariants among them.
var checks = slices.Concat(moneyPath, acquirers, terminals, bookings, orders, notices)

// moneyPath are the rules of the ledger, of money that came in and of payments.
var moneyPath = []check{
	// I1: the ledger.
	{name: "entry_unbalanced", statement: `SELECT entry_id, CAST(CAST(SUM(amount) AS BIGINT) AS TEXT) FROM ledger_postings GROUP BY entry_id HAVING SUM(amount) <> 0`,
		vi: "Bút toán %[1]s lệch %[2]s đồng: nợ và có không bằng nhau.", en: "Ledger entry %[1]s is off by %[2]s đồng: debits and credits differ."},
	{name: "entry_single", statement: `SELECT e.id, CAST(COUNT(p.line) AS TEXT) FROM ledger_entries e LEFT JOIN ledger_postings p ON p.entry_id = e.id GROUP BY e.id HAVING COUNT(p.line) < 2`,
		vi: "Bút toán %[1]s chỉ có %[2]s dòng.", en: "Ledger entry %[1]s has only %[2]s lines."},
	{name: "posting_lost", statement: `SELECT p.entry_id, p.account, CAST(p.amount AS TEXT) FROM ledger_postings p LEFT JOIN ledger_entries e ON e.id = p.entry_id WHERE e.id IS NULL`,
		vi: "Dòng sổ của tài khoản %[2]s (%[3]s đồng) thuộc bút toán %[1]s không tồn tại.", en: "A posting of %[3]s đồng to %[2]s belongs to entry %[1]s, which does not exist."},
	{name: "ledger_total", statement: `SELECT CAST(CAST(SUM(amount) AS BIGINT) AS TEXT) FROM ledger_postings HAVING SUM(amount) <> 0`,
		vi: "Tổng toàn sổ cái là %[1]s đồng, phải bằng 0.", en: "The whole ledger sums to %[1]s đồng instead of 0."},
	{name: "balance_folded", statement: `SELECT account, CAST(CAST(SUM(kept) AS BIGINT) AS TEXT), CAST(CAST(SUM(actual) AS BIGINT) AS TEXT) FROM (
    SELECT account, debit - credit AS kept, 0 AS actual FROM ledger_balances
    UNION ALL
    SELECT p.account, 0 AS kept, p.amount AS actual FROM ledger_postings p JOIN ledger_entries e ON e.id = p.entry_id WHERE e.folded
) AS both_ GROUP BY account HAVING SUM(kept) <> SUM(actual)`,
		vi: "Số dư lưu của tài khoản %[1]s là %[2]s đồng, các dòng sổ cộng lại là %[3]s.", en: "The kept balance of %[1]s is %[2]s đồng; its postings sum to %[3]s."},
	{name: "entry_of_nobody", statement: `SELECT e.id, e.payment_id FROM ledger_entries e LEFT JOIN payments p ON p.id = e.payment_id WHERE e.payment_id <> '' AND p.id IS NULL`,
		vi: "Bút toán %[1]s thuộc giao dịch %[2]s không tồn tại.", en: "Ledger entry %[1]s is for payment %[2]s, which does not exist."},
	{name: "account_of_nobody", statement: `SELECT p.account, CAST(CAST(SUM(p.amount) AS BIGINT) AS TEXT) FROM ledger_postings p GROUP BY p.account
HAVING NOT (p.account = 'gateway:unapplied' OR p.account LIKE 'bank:unknown:%'
   OR (p.account LIKE 'bank:%' AND EXISTS (SELECT 1 FROM receiving_accounts a WHERE a.id = SUBSTR(p.account, 6)))
   OR (p.account LIKE 'acquirer:%' AND EXISTS (SELECT 1 FROM connectors k WHERE k.id = SUBSTR(p.account, 10)))
   OR (p.account LIKE 'terminal:%' AND EXISTS (SELECT 1 FROM terminals t WHERE t.id = SUBSTR(p.account, 10)))
   OR (p.account LIKE 'cash:%' AND EXISTS (SELECT 1 FROM merchants m WHERE m.id = SUBSTR(p.account, 6)))
   OR (p.account LIKE 'partner:%' AND EXISTS (SELECT 1 FROM merchants m WHERE m.id = SUBSTR(p.account, 9)))
   OR (p.account LIKE 'merchant:%' AND SUBSTR(p.account, 46) IN (':sales', ':partial', ':excess', ':unapplied', ':refunding') AND EXISTS (SELECT 1 FROM merchants m WHERE m.id = SUBSTR(p.account, 10, 36))))`,
		vi: "Tài khoản sổ cái %[1]s (%[2]s đồng) không của người bán, tài khoản nhận tiền, kết nối hay máy nào.", en: "The ledger account %[1]s (%[2]s đồng) is no merchant's, receiving account's, connector's or terminal's."},

	// I3: each credit is in the ledger once, and all of it has a place.
	{name: "credit_split", statement: `SELECT id, CAST(amount AS TEXT), CAST(applied + unapplied + returned AS TEXT) FROM bank_credits
WHERE applied < 0 OR unapplied < 0 OR returned < 0
   OR applied + unapplied + returned <> CASE WHEN outcome IN ('exact', 'short', 'over', 'late', 'duplicate', 'unknown') THEN amount ELSE 0 END`,
		vi: "Khoản tiền vào %[1]s là %[2]s đồng nhưng các phần của nó cộng lại là %[3]s.", en: "Credit %[1]s is of %[2]s đồng, its parts sum to %[3]s."},
	{name: "credit_unbooked", statement: `SELECT c.id, CAST(c.amount AS TEXT), CAST(CAST(COALESCE(SUM(p.amount), 0) AS BIGINT) AS TEXT) FROM bank_credits c
LEFT JOIN ledger_entries e ON e.credit_id = c.id AND e.kind = 'credit'
LEFT JOIN ledger_postings p ON p.entry_id = e.id AND ` + holdings + `
GROUP BY c.id, c.amount, c.outcome
HAVING COALESCE(SUM(p.amount), 0) <> CASE WHEN c.outcome IN ('exact', 'short', 'over', 'late', 'duplicate', 'unknown') THEN c.amount ELSE 0 END`,
		vi: "Khoản tiền vào %[1]s là %[2]s đồng nhưng sổ cái ghi %[3]s.", en: "Credit %[1]s is of %[2]s đồng, the ledger has %[3]s of it."},
	{name: "credit_twice", statement: `SELECT credit_id, CAST(COUNT(*) AS TEXT) FROM ledger_entries WHERE kind = 'credit' AND credit_id <> '' GROUP BY credit_id HAVING COUNT(*) > 1`,
		vi: "Khoản tiền vào %[1]s được ghi sổ %[2]s lần.", en: "Credit %[1]s was booked %[2]s times."},
	{name: "credit_invented", statement: `SELECT e.id, e.credit_id FROM ledger_entries e LEFT JOIN bank_credits c ON c.id = e.credit_id WHERE e.kind = 'credit' AND c.id IS NULL`,
		vi: "Bút toán %[1]s ghi khoản tiền vào %[2]s không tồn tại.", en: "Ledger entry %[1]s books credit %[2]s, which does not exist."},
	{name: "credit_told_twice", statement: `SELECT MIN(id), source, external_id FROM bank_credits GROUP BY source, external_id HAVING COUNT(*) > 1`,
		vi: "Nguồn %[2]s có hai khoản tiền vào cùng mã %[3]s (một là %[1]s).", en: "Source %[2]s has two credits of id %[3]s (one is %[1]s)."},
	{name: "credit_astray", statement: `SELECT c.id, c.payment_id FROM bank_credits c LEFT JOIN payments p ON p.id = c.payment_id WHERE c.payment_id <> '' AND p.id IS NULL`,
		vi: "Khoản tiền vào %[1]s thuộc giao dịch %[2]s không tồn tại.", en: "Credit %[1]s is for payment %[2]s, which does not exist."},
	{name: "credit_of_another", statement: `SELECT c.id, c.merchant_id, p.merchant_id FROM bank_credits c JOIN payments p ON p.id = c.payment_id WHERE c.merchant_id <> p.merchant_id`,
		vi: "Khoản tiền vào %[1]s là của người bán %[2]s nhưng gắn với giao dịch của %[3]s.", en: "Credit %[1]s is merchant %[2]s's, its payment merchant %[3]s's."},
	{name: "message_left", now: true, statement: `SELECT id, feed FROM bank_messages WHERE processed_at = 0 AND received_at < $1`,
		vi: "Tin báo của nguồn %[2]s (%[1]s) đã nhận hơn một giờ mà chưa xử lý.", en: "A message of feed %[2]s (%[1]s) came over an hour ago and was not processed."},

	// I4 and I5: payments and their money.
	{name: "payment_of_nobody", statement: `SELECT p.id, p.merchant_id, p.platform_id FROM payments p LEFT JOIN merchants m ON m.id = p.merchant_id LEFT JOIN merchants f ON f.id = p.platform_id
WHERE m.id IS NULL OR (p.platform_id <> '' AND f.id IS NULL)`,
		vi: "Giao dịch %[1]s là của người bán %[2]s (qua nền tảng %[3]s) không tồn tại.", en: "Payment %[1]s is of merchant %[2]s (by platform %[3]s), one of whom does not exist."},
	{name: "approved_unpaid", statement: `SELECT id, CAST(amount AS TEXT), CAST(received AS TEXT) FROM payments WHERE state = 'approved' AND (received < amount OR completed_at = 0)`,
		vi: "Giao dịch %[1]s đã duyệt với %[3]s trên %[2]s đồng.", en: "Payment %[1]s is approved with %[3]s of %[2]s đồng."},
	{name: "received_wrong", statement: `SELECT p.id, CAST(p.received AS TEXT), CAST(CAST(COALESCE(SUM(c.applied + CASE WHEN c.outcome = 'over' THEN c.unapplied ELSE 0 END), 0) AS BIGINT) AS TEXT)
FROM payments p LEFT JOIN bank_credits c ON c.payment_id = p.id AND c.payment_id <> ''
WHERE p.received <> 0 OR c.id IS NOT NULL
GROUP BY p.id, p.received
HAVING p.received <> COALESCE(SUM(c.applied + CASE WHEN c.outcome = 'over' THEN c.unapplied ELSE 0 END), 0)`,
		vi: "Giao dịch %[1]s ghi nhận %[2]s đồng, các khoản tiền vào của nó là %[3]s.", en: "Payment %[1]s says it received %[2]s đồng, its credits say %[3]s."},
	{name: "refunded_wrong", statement: `SELECT p.id, CAST(p.refunded AS TEXT) || ' + ' || CAST(p.refunding AS TEXT), CAST(CAST(SUM(CASE WHEN r.state = 'approved' THEN r.amount ELSE 0 END) AS BIGINT) AS TEXT) || ' + ' || CAST(CAST(SUM(CASE WHEN r.state = 'processing' THEN r.amount ELSE 0 END) AS BIGINT) AS TEXT)
FROM payments p LEFT JOIN refunds r ON r.payment_id = p.id
WHERE p.refunded <> 0 OR p.refunding <> 0 OR r.id IS NOT NULL
GROUP BY p.id, p.refunded, p.refunding
HAVING p.refunded <> COALESCE(SUM(CASE WHEN r.state = 'approved' THEN r.amount ELSE 0 END), 0) OR p.refunding <> COALESCE(SUM(CASE WHEN r.state = 'processing' THEN r.amount ELSE 0 END), 0)`,
		vi: "Giao dịch %[1]s ghi đã hoàn + đang hoàn là %[2]s, các lệnh hoàn tiền là %[3]s.", en: "Payment %[1]s says %[2]s refunded + being refunded, its refunds say %[3]s."},
	{name: "refunded_too_much", statement: `SELECT id, CAST(refunded + refunding AS TEXT), CAST(received AS TEXT) FROM payments
WHERE refunded < 0 OR refunding < 0 OR refunded + refunding > CASE WHEN received < amount THEN received ELSE amount END`,
		vi: "Giao dịch %[1]s hoàn %[2]s đồng trên %[3]s đã nhận.", en: "Payment %[1]s refunds %[2]s đồng of %[3]s received."},
	{name: "refund_of_nobody", statement: `SELECT r.id, r.payment_id FROM refunds r LEFT JOIN payments p ON p.id = r.payment_id WHERE p.id IS NULL`,
		vi: "Lệnh hoàn tiền %[1]s thuộc giao dịch %[2]s không tồn tại.", en: "Refund %[1]s is of payment %[2]s, which does not exist."},
	{name: "sales_wrong", statement: balanceOf("sales", `SELECT merchant_id, amount - refunded - refunding AS amount FROM payments WHERE state = 'approved'`),
		vi: "Doanh thu của người bán %[1]s trên sổ là %[2]s đồng, theo các giao dịch là %[3]s.", en: "The sales of merchant %[1]s are booked as %[2]s đồng, the payments say %[3]s."},
	{name: "partial_wrong", statement: balanceOf("partial", `SELECT merchant_id, received AS amount FROM payments WHERE state NOT IN ('approved', 'voided') AND received <> 0`),
		vi: "Tiền trả một phần của người bán %[1]s trên sổ là %[2]s đồng, theo các giao dịch là %[3]s.", en: "The partial payments of merchant %[1]s are booked as %[2]s đồng, the payments say %[3]s."},
	{name: "excess_wrong", statement: balanceOf("excess", `SELECT merchant_id, unapplied AS amount FROM bank_credits WHERE outcome = 'over' AND unapplied <> 0`),
		vi: "Tiền thừa phải trả lại của người bán %[1]s trên sổ là %[2]s đồng, theo các khoản tiền vào là %[3]s.", en: "The excess owed back by merchant %[1]s is booked as %[2]s đồng, the credits say %[3]s."},
	{name: "unapplied_wrong", statement: balanceOf("unapplied", `SELECT merchant_id, unapplied AS amount FROM bank_credits WHERE outcome <> 'over' AND unapplied <> 0 AND merchant_id <> ''`),
		vi: "Tiền chưa phân bổ của người bán %[1]s trên sổ là %[2]s đồng, theo các khoản tiền vào là %[3]s.", en: "The unapplied money of merchant %[1]s is booked as %[2]s đồng, the credits say %[3]s."},
	{name: "refunding_wrong", statement: balanceOf("refunding", `SELECT merchant_id, refunding AS amount FROM payments WHERE refunding <> 0`),
		vi: "Tiền đang hoàn của người bán %[1]s trên sổ là %[2]s đồng, theo các giao dịch là %[3]s.", en: "The money being refunded by merchant %[1]s is booked as %[2]s đồng, the payments say %[3]s."},
	{name: "unclaimed_wrong", statement: `SELECT 'gateway:unapplied', CAST(CAST(SUM(booked) AS BIGINT) AS TEXT), CAST(CAST(SUM(owed) AS BIGINT) AS TEXT) FROM (
    SELECT -amount AS booked, 0 AS owed FROM ledger_postings WHERE account = 'gateway:unapplied'
    UNION ALL
    SELECT 0 AS booked, unapplied AS owed FROM bank_credits WHERE merchant_id = '' AND outcome IN ('late', 'duplicate', 'unknown')
) AS both_ HAVING SUM(booked) <> SUM(owed)`,
		vi: "Tiền không rõ của ai trên sổ (%[1]s) là %[2]s đồng, theo các khoản tiền vào là %[3]s.", en: "Money of nobody (%[1]s) is booked as %[2]s đồng, the credits say %[3]s."},
	{name: "limit_wrong", statement: `SELECT u.merchant_id, CAST(u.used AS TEXT), CAST(CAST(COALESCE(SUM(p.amount), 0) AS BIGINT) AS TEXT) FROM limit_usage u
LEFT JOIN payments p ON p.merchant_id = u.merchant_id AND p.limit_day = u.day AND p.state IN ('open', 'processing', 'approved')
GROUP BY u.merchant_id, u.day, u.used HAVING u.used <> COALESCE(SUM(p.amount), 0)`,
		vi: "Hạn mức ngày của người bán %[1]s đã dùng %[2]s đồng, các giao dịch cộng lại là %[3]s.", en: "Merchant %[1]s has used %[2]s đồng of a day's limit, the payments sum to %[3]s."},

	// I2 and I7: one payment for one reference.
	{name: "reference_twice", statement: `SELECT MIN(id), merchant_id, reference FROM payments GROUP BY merchant_id, dialect, reference HAVING COUNT(*) > 1`,
		vi: "Người bán %[2]s có hai giao dịch cùng mã %[3]s (một là %[1]s).", en: "Merchant %[2]s has two payments of reference %[3]s (one is %[1]s)."},
	{name: "code_twice", statement: `SELECT MIN(id), match_code FROM payments WHERE match_code <> '' GROUP BY match_code HAVING COUNT(*) > 1`,
		vi: "Hai giao dịch dùng chung mã chuyển khoản %[2]s (một là %[1]s).", en: "Two payments share the transfer code %[2]s (one is %[1]s)."},

	// I8: states move along the arrows, and time does not run backwards.
	{name: "state_unknown", statement: `SELECT id, state FROM payments WHERE state NOT IN ('open', 'processing', 'approved', 'denied', 'canceled', 'expired', 'voided')`,
		vi: "Giao dịch %[1]s có trạng thái lạ %[2]s.", en: "Payment %[1]s has an unknown state, %[2]s."},
	{name: "event_arrow", statement: `SELECT payment_id, CAST(version AS TEXT), from_state || ' -> ' || act || ' -> ' || to_state FROM payment_events WHERE from_state || '>' || act || '>' || to_state NOT IN (` + quoted(arrows) + `)`,
		vi: "Giao dịch %[1]s đi sai ở phiên bản %[2]s: %[3]s.", en: "Payment %[1]s moved where it may not, at version %[2]s: %[3]s."},
	{name: "event_chain", statement: `SELECT payment_id, CAST(version AS TEXT), CAST(before_ AS TEXT) FROM (
    SELECT payment_id, version, from_state, LAG(version) OVER (PARTITION BY payment_id ORDER BY version) AS before_, LAG(to_state) OVER (PARTITION BY payment_id ORDER BY version) AS stood FROM payment_events
) AS chain WHERE version <> COALESCE(before_, 1) + 1 OR from_state <> COALESCE(stood, 'open')`,
		vi: "Lịch sử của giao dịch %[1]s đứt ở phiên bản %[2]s.", en: "The history of payment %[1]s is broken at version %[2]s."},
	{name: "event_time", statement: `SELECT payment_id, CAST(version AS TEXT) FROM (
    SELECT payment_id, version, at, LAG(at) OVER (PARTITION BY payment_id ORDER BY version) AS before_ FROM payment_events
) AS chain WHERE at < before_`,
		vi: "Thời gian của giao dịch %[1]s chạy lùi ở phiên bản %[2]s.", en: "Time runs backwards in payment %[1]s at version %[2]s."},
	{name: "event_last", statement: `SELECT p.id, p.state || ' v' || CAST(p.version AS TEXT), COALESCE(e.to_state || ' v' || CAST(e.version AS TEXT), '-') FROM payments p
LEFT JOIN (SELECT payment_id, MAX(version) AS version FROM payment_events GROUP BY payment_id) AS last ON last.payment_id = p.id
LEFT JOIN payment_events e ON e.payment_id = last.payment_id AND e.version = last.version
WHERE p.version <> COALESCE(e.version, 1) OR p.state <> COALESCE(e.to_state, 'open') OR p.received <> COALESCE(e.received, 0)
   OR p.refunded <> COALESCE(e.refunded, 0) OR p.refunding <> COALESCE(e.refunding, 0)`,
		vi: "Giao dịch %[1]s là %[2]s, sự kiện cuối của nó là %[3]s, hoặc số tiền khác nhau.", en: "Payment %[1]s is %[2]s, its last event %[3]s, or their amounts differ."},
	{name: "event_of_nobody", statement: `SELECT e.payment_id, CAST(e.version AS TEXT) FROM payment_events e LEFT JOIN payments p ON p.id = e.payment_id WHERE p.id IS NULL`,
		vi: "Sự kiện %[2]s thuộc giao dịch %[1]s không tồn tại.", en: "Event %[2]s is of payment %[1]s, which does not exist."},
	{name: "paid_by_nobody", statement: `SELECT e.payment_id, CAST(e.version AS TEXT) FROM payment_events e LEFT JOIN bank_credits c ON c.id = e.credit_id WHERE e.act = 'pay' AND c.id IS NULL`,
		vi: "Giao dịch %[1]s được duyệt ở phiên bản %[2]s mà không có khoản tiền vào nào.", en: "Payment %[1]s was approved at version %[2]s by no credit."},
	{name: "refund_event", statement: `SELECT r.id, r.state, CAST(COUNT(e.version) AS TEXT) FROM refunds r
LEFT JOIN payment_events e ON e.payment_id = r.payment_id AND e.refund_id = r.id
  AND e.act = CASE r.state WHEN 'approved' THEN 'refunded' WHEN 'denied' THEN 'refund_denied' ELSE 'refund' END
GROUP BY r.id, r.state HAVING COUNT(e.version) <> 1`,
		vi: "Lệnh hoàn tiền %[1]s ở trạng thái %[2]s có %[3]s sự kiện tương ứng, phải có một.", en: "Refund %[1]s is %[2]s and has %[3]s events of that, not one."},
}
