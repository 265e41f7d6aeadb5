package auditor

// held is the account where the money of credit c lies, by the way on which it
// came.
const held = `CASE c.channel WHEN 'acquirer' THEN 'acquirer:' || c.account_id WHEN 'terminal' THEN 'terminal:' || c.account_id
    WHEN 'cash' THEN 'cash:' || c.merchant_id WHEN 'partner' THEN 'partner:' || c.merchant_id
    ELSE CASE WHEN c.account_id = '' THEN 'bank:unknown:' || c.source ELSE 'bank:' || c.account_id END END`

// acquirers are the rules of attempts at acquirers, of refunds, and of where
// money of each channel lies.
var acquirers = []check{
	// Attempts at acquirers.
	{name: "capture_untaken", statement: `SELECT a.id, a.payment_id FROM attempts a
LEFT JOIN bank_credits c ON c.source = 'acquirer/' || a.connector_id AND c.external_id = a.reference
WHERE a.state = 'done' AND (c.id IS NULL OR c.amount <> a.amount)`,
		vi: "Lần thanh toán %[1]s của giao dịch %[2]s đã thu tiền nhưng không có khoản tiền vào tương ứng.", en: "Attempt %[1]s of payment %[2]s is done, and no credit of its amount was taken in."},
	{name: "capture_invented", statement: `SELECT c.id, c.payment_id FROM bank_credits c
LEFT JOIN attempts a ON c.source = 'acquirer/' || a.connector_id AND c.external_id = a.reference AND a.state = 'done'
WHERE c.channel = 'acquirer' AND a.id IS NULL`,
		vi: "Khoản thu %[1]s của giao dịch %[2]s không có lần thanh toán nào.", en: "Capture %[1]s of payment %[2]s belongs to no attempt that is done."},
	{name: "attempt_left", now: true, statement: `SELECT a.id, a.payment_id, a.state FROM attempts a
LEFT JOIN outbox_items o ON o.kind = 'attempt' AND o.target = a.id AND o.payment_id = a.payment_id AND o.state = 'pending'
WHERE a.state IN ('creating', 'sent', 'unknown') AND NOT a.review AND o.id IS NULL AND a.created_at < $1`,
		vi: "Lần thanh toán %[1]s của giao dịch %[2]s (%[3]s) không ai hỏi lại, cũng không ai được giao xem.", en: "Attempt %[1]s of payment %[2]s is %[3]s; nobody asks about it and no person was given it."},
	{name: "refund_left", now: true, statement: `SELECT r.id, r.payment_id FROM refunds r
LEFT JOIN outbox_items o ON o.kind = 'refund' AND o.target = r.id AND o.payment_id = r.payment_id AND o.state = 'pending'
WHERE r.state = 'processing' AND NOT r.manual AND NOT r.review AND o.id IS NULL AND r.created_at < $1`,
		vi: "Lệnh hoàn tiền %[1]s của giao dịch %[2]s không ai theo, cũng không ai được giao xem.", en: "Refund %[1]s of payment %[2]s is under way; nobody asks about it and no person was given it."},
	{name: "attempt_of_nobody", statement: `SELECT a.id, a.payment_id, a.connector_id FROM attempts a
LEFT JOIN payments p ON p.id = a.payment_id LEFT JOIN connectors k ON k.id = a.connector_id
WHERE p.id IS NULL OR k.id IS NULL OR a.merchant_id <> p.merchant_id OR a.merchant_id <> k.merchant_id OR a.kind <> k.kind`,
		vi: "Lần thanh toán %[1]s: giao dịch %[2]s hoặc kết nối %[3]s của nó không tồn tại, hoặc là của người bán khác.",
		en: "Attempt %[1]s: its payment %[2]s or its connector %[3]s does not exist, or is another merchant's."},
	{name: "attempt_state", statement: `SELECT id, state, CAST(amount AS TEXT) FROM attempts
WHERE state NOT IN ('creating', 'sent', 'unknown', 'done', 'failed') OR (state IN ('done', 'failed')) <> (closed_at > 0)
   OR (closed_at > 0 AND closed_at < created_at) OR updated_at < created_at OR amount <= 0`,
		vi: "Lần thanh toán %[1]s (%[2]s, %[3]s đồng): trạng thái, số tiền hoặc các mốc thời gian không khớp nhau.",
		en: "Attempt %[1]s (%[2]s, %[3]s đồng): its state, amount and times do not agree."},
	{name: "attempt_amount", statement: `SELECT a.id, CAST(a.amount AS TEXT), CAST(p.amount AS TEXT) FROM attempts a JOIN payments p ON p.id = a.payment_id WHERE a.amount > p.amount`,
		vi: "Lần thanh toán %[1]s đòi %[2]s đồng, giao dịch chỉ là %[3]s.", en: "Attempt %[1]s asks for %[2]s đồng, its payment for %[3]s."},
	{name: "attempt_number", statement: `SELECT payment_id, CAST(COUNT(*) AS TEXT), CAST(MAX(number) AS TEXT) FROM attempts GROUP BY payment_id HAVING MIN(number) <> 1 OR MAX(number) <> COUNT(*)`,
		vi: "Giao dịch %[1]s có %[2]s lần thanh toán, nhưng lần cuối mang số %[3]s.", en: "Payment %[1]s has %[2]s attempts, the last of which is numbered %[3]s."},
	{name: "attempt_parallel", statement: `SELECT payment_id, CAST(COUNT(*) AS TEXT) FROM attempts WHERE state IN ('creating', 'sent', 'unknown') AND NOT has_left GROUP BY payment_id HAVING COUNT(*) > 1`,
		vi: "Giao dịch %[1]s có %[2]s lần thanh toán cùng đang diễn ra: có thể bị trừ tiền hai lần.", en: "Payment %[1]s has %[2]s attempts under way at once: it may be charged twice."},

	// Refunds, by the way that the money goes back on.
	{name: "refund_state", statement: `SELECT id, state, CAST(amount AS TEXT) FROM refunds
WHERE state NOT IN ('processing', 'approved', 'denied') OR amount <= 0 OR (state = 'approved') <> (completed_at > 0) OR (completed_at > 0 AND completed_at < created_at)`,
		vi: "Lệnh hoàn tiền %[1]s (%[2]s, %[3]s đồng): trạng thái, số tiền hoặc các mốc thời gian không khớp nhau.",
		en: "Refund %[1]s (%[2]s, %[3]s đồng): its state, amount and times do not agree."},
	{name: "refund_source", statement: `SELECT r.id, r.payment_id, r.credit_id FROM refunds r LEFT JOIN bank_credits c ON c.id = r.credit_id
WHERE (r.credit_id <> '' AND (c.id IS NULL OR c.payment_id <> r.payment_id))
   OR (r.connector_id = '' AND NOT r.manual AND r.credit_id <> '')`,
		vi: "Lệnh hoàn tiền %[1]s của giao dịch %[2]s lấy từ khoản %[3]s không phải của giao dịch đó, hoặc không có ai trả.",
		en: "Refund %[1]s of payment %[2]s is taken from credit %[3]s, which is not that payment's, or nobody is to pay it."},
	{name: "refund_channel", statement: `SELECT r.id, r.connector_id, r.attempt_id FROM refunds r
LEFT JOIN attempts a ON a.id = r.attempt_id LEFT JOIN bank_credits c ON c.id = r.credit_id
WHERE r.connector_id <> '' AND (a.id IS NULL OR c.id IS NULL OR a.connector_id <> r.connector_id OR a.state <> 'done'
   OR c.channel <> 'acquirer' OR c.account_id <> r.connector_id OR c.external_id <> a.reference)`,
		vi: "Lệnh hoàn tiền %[1]s qua kết nối %[2]s không khớp lần thu tiền %[3]s mà nó hoàn.", en: "Refund %[1]s by connector %[2]s does not fit attempt %[3]s, whose capture it gives back."},
	{name: "refund_overdrawn", statement: `SELECT c.id, CAST(CAST(SUM(r.amount) AS BIGINT) AS TEXT), CAST(c.applied AS TEXT) FROM refunds r JOIN bank_credits c ON c.id = r.credit_id
WHERE r.connector_id <> '' AND r.state <> 'denied' GROUP BY c.id, c.applied HAVING SUM(r.amount) > c.applied`,
		vi: "Khoản thu %[1]s bị hoàn qua đơn vị thanh toán %[2]s đồng, chỉ có %[3]s để hoàn.", en: "Of capture %[1]s the acquirer is to refund %[2]s đồng, there are %[3]s."},
	{name: "refund_unbooked", statement: `SELECT payment_id, CAST(CAST(SUM(paid) AS BIGINT) AS TEXT), CAST(CAST(SUM(booked) AS BIGINT) AS TEXT) FROM (
    SELECT payment_id, credit_id, amount AS paid, 0 AS booked FROM refunds WHERE state = 'approved'
    UNION ALL
    SELECT e.payment_id, e.credit_id, 0 AS paid, -l.amount AS booked FROM ledger_entries e
    JOIN bank_credits c ON c.id = e.credit_id JOIN ledger_postings l ON l.entry_id = e.id AND l.account = ` + held + `
    WHERE e.kind = 'refunded'
) AS both_ GROUP BY payment_id, credit_id HAVING SUM(paid) <> SUM(booked)`,
		vi: "Giao dịch %[1]s đã hoàn %[2]s đồng, sổ ghi %[3]s ra khỏi nơi giữ khoản tiền đó.", en: "Of payment %[1]s %[2]s đồng were refunded, %[3]s are booked out of where that money lay."},
	{name: "returned_wrong", statement: `SELECT credit_id, CAST(CAST(SUM(kept) AS BIGINT) AS TEXT), CAST(CAST(SUM(booked) AS BIGINT) AS TEXT) FROM (
    SELECT id AS credit_id, returned AS kept, 0 AS booked FROM bank_credits WHERE returned <> 0
    UNION ALL
    SELECT e.credit_id, 0 AS kept, -l.amount AS booked FROM ledger_entries e
    JOIN bank_credits c ON c.id = e.credit_id JOIN ledger_postings l ON l.entry_id = e.id AND l.account = ` + held + `
    WHERE e.kind IN ('returned', 'void')
) AS both_ GROUP BY credit_id HAVING SUM(kept) <> SUM(booked)`,
		vi: "Khoản tiền vào %[1]s ghi đã trả lại %[2]s đồng, sổ ghi %[3]s.", en: "Of credit %[1]s %[2]s đồng are said to have gone back, %[3]s are booked so."},
	{name: "credit_misplaced", statement: `SELECT c.id, c.channel, p.account FROM ledger_entries e JOIN bank_credits c ON c.id = e.credit_id
JOIN ledger_postings p ON p.entry_id = e.id AND ` + holdings + `
WHERE e.kind = 'credit' AND p.account <> ` + held,
		vi: "Khoản tiền vào %[1]s (kênh %[2]s) bị ghi vào tài khoản %[3]s, không phải nơi giữ nó.", en: "Credit %[1]s (channel %[2]s) is booked to %[3]s, which is not where it lies."},
}
