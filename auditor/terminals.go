package auditor

// terminals are the rules of sales at terminals, of the batches that they are
// settled in, and of voids.
var terminals = []check{
	{name: "sale_of_nobody", statement: `SELECT s.payment_id, s.terminal_id FROM sales s LEFT JOIN payments p ON p.id = s.payment_id LEFT JOIN terminals t ON t.id = s.terminal_id
WHERE p.id IS NULL OR t.id IS NULL OR s.merchant_id <> p.merchant_id OR s.merchant_id <> t.merchant_id OR s.dialect <> p.dialect`,
		vi: "Lần bán %[1]s tại máy %[2]s: giao dịch hoặc máy không tồn tại, hoặc là của người bán khác.", en: "Sale %[1]s at terminal %[2]s: its payment or terminal does not exist, or is another merchant's."},
	{name: "approval_untaken", statement: `SELECT s.payment_id, s.terminal_id, s.reference FROM sales s JOIN payments p ON p.id = s.payment_id
LEFT JOIN bank_credits c ON c.source = 'terminal/' || s.terminal_id AND c.external_id = s.payment_id || '/' || s.reference
WHERE s.reference <> '' AND (c.id IS NULL OR c.channel <> 'terminal' OR c.amount <> p.amount)`,
		vi: "Lần bán %[1]s đã được máy %[2]s duyệt (mã %[3]s) nhưng không có khoản tiền vào tương ứng.", en: "Sale %[1]s was approved by terminal %[2]s (id %[3]s), and no credit of its amount was taken in."},
	{name: "approval_invented", statement: `SELECT c.id, c.payment_id, c.source FROM bank_credits c
LEFT JOIN sales s ON s.payment_id = SUBSTR(c.external_id, 1, 36) AND c.source = 'terminal/' || s.terminal_id AND s.reference <> ''
WHERE c.channel = 'terminal' AND s.payment_id IS NULL`,
		vi: "Khoản tiền vào %[1]s của giao dịch %[2]s (%[3]s) không thuộc lần bán nào mà máy đã duyệt.", en: "Credit %[1]s of payment %[2]s (%[3]s) belongs to no sale that the terminal approved."},
	{name: "sale_unbatched", statement: `SELECT payment_id, terminal_id, CAST(batch AS TEXT) FROM sales
WHERE batch < 0 OR (batch > 0) <> (reference <> '') OR (method <> 'card_present' AND (batch <> 0 OR fetched_at <> 0 OR reported_at <> 0))`,
		vi: "Lần bán %[1]s tại máy %[2]s ở lô %[3]s: chỉ và mọi lần bán bằng thẻ mà máy đã duyệt thuộc một lô.",
		en: "Sale %[1]s at terminal %[2]s is in batch %[3]s: card sales that the device approved are in one, all of them and no others."},
	{name: "sale_settled", statement: `SELECT s.payment_id, CAST(s.batch AS TEXT), CAST(s.settled_at AS TEXT) FROM sales s JOIN terminals t ON t.id = s.terminal_id
LEFT JOIN terminal_batches b ON b.terminal_id = s.terminal_id AND b.number = s.batch
WHERE s.settled_at <> COALESCE(b.settled_at, 0) OR s.batch > t.batch`,
		vi: "Lần bán %[1]s ở lô %[2]s ghi kết toán lúc %[3]s, lô đó không như vậy.", en: "Sale %[1]s of batch %[2]s says it was settled at %[3]s; its batch says otherwise."},
	{name: "batch_gap", statement: `SELECT t.id, CAST(t.batch AS TEXT), CAST(COUNT(b.number) AS TEXT) FROM terminals t LEFT JOIN terminal_batches b ON b.terminal_id = t.id
GROUP BY t.id, t.batch HAVING t.batch < 1 OR COUNT(b.number) <> t.batch - 1 OR COALESCE(MAX(b.number), 0) <> t.batch - 1
UNION ALL
SELECT b.terminal_id, '-', CAST(COUNT(*) AS TEXT) FROM terminal_batches b LEFT JOIN terminals t ON t.id = b.terminal_id WHERE t.id IS NULL GROUP BY b.terminal_id`,
		vi: "Máy %[1]s đang ở lô %[2]s nhưng có %[3]s lô đã kết toán.", en: "Terminal %[1]s is at batch %[2]s and has %[3]s settled ones."},
	// A sale that was paid while it was offered counted when its batch was
	// settled. One that a person paid with late money may have counted or not.
	{name: "batch_wrong", statement: `SELECT b.terminal_id || '/' || CAST(b.number AS TEXT), CAST(b.sales AS TEXT) || ' (' || CAST(b.amount AS TEXT) || ')',
    CAST(COALESCE(x.high, 0) AS TEXT) || ' (' || CAST(CAST(COALESCE(x.high_amount, 0) AS BIGINT) AS TEXT) || ')' FROM terminal_batches b
LEFT JOIN (
    SELECT s.terminal_id, s.batch, COUNT(*) AS high, SUM(p.amount) AS high_amount,
        SUM(CASE WHEN e.payment_id IS NULL THEN 0 ELSE 1 END) AS low, SUM(CASE WHEN e.payment_id IS NULL THEN 0 ELSE p.amount END) AS low_amount
    FROM sales s JOIN payments p ON p.id = s.payment_id
    LEFT JOIN payment_events e ON e.payment_id = p.id AND e.act = 'pay' AND e.from_state IN ('open', 'processing')
    WHERE s.batch > 0 AND p.state = 'approved' GROUP BY s.terminal_id, s.batch
) AS x ON x.terminal_id = b.terminal_id AND x.batch = b.number
WHERE b.sales < 1 OR b.settled_at <= 0 OR b.sales > COALESCE(x.high, 0) OR b.sales < COALESCE(x.low, 0)
   OR b.amount > COALESCE(x.high_amount, 0) OR b.amount < COALESCE(x.low_amount, 0)`,
		vi: "Lô %[1]s ghi %[2]s lần bán (đồng), các lần bán của nó cộng lại là %[3]s.", en: "Batch %[1]s says %[2]s sales (đồng), its sales sum to %[3]s."},
	{name: "terminal_sale", statement: `SELECT t.id, t.sale_id FROM terminals t LEFT JOIN sales s ON s.payment_id = t.sale_id AND s.terminal_id = t.id AND s.method = 'card_present'
WHERE t.sale_id <> '' AND s.payment_id IS NULL`,
		vi: "Máy %[1]s ghi lần bán mới nhất là %[2]s, không phải lần bán bằng thẻ của máy đó.", en: "Terminal %[1]s has %[2]s for its newest sale, which is no card sale of its own."},
	{name: "terminal_twice", statement: `SELECT s.terminal_id, CAST(COUNT(*) AS TEXT) FROM sales s JOIN payments p ON p.id = s.payment_id
WHERE s.method = 'card_present' AND p.state = 'processing' GROUP BY s.terminal_id HAVING COUNT(*) > 1`,
		vi: "Máy %[1]s đang làm %[2]s lần bán bằng thẻ cùng lúc, chỉ được một.", en: "Terminal %[1]s has %[2]s card sales under way at once, not one."},
	{name: "void_wrong", statement: `SELECT p.id, CAST(p.received AS TEXT), CAST(COUNT(e.id) AS TEXT) FROM payments p
LEFT JOIN sales s ON s.payment_id = p.id AND s.method = 'card_present' LEFT JOIN ledger_entries e ON e.payment_id = p.id AND e.kind = 'void'
WHERE p.state = 'voided' OR e.id IS NOT NULL
GROUP BY p.id, p.state, p.received, p.refunded, p.refunding, s.payment_id
HAVING p.state <> 'voided' OR COUNT(e.id) <> 1 OR p.received <> 0 OR p.refunded <> 0 OR p.refunding <> 0 OR s.payment_id IS NULL`,
		vi: "Giao dịch %[1]s đã hủy sau khi duyệt: còn ghi nhận %[2]s đồng, có %[3]s bút toán hủy, hoặc không phải lần bán bằng thẻ tại máy.",
		en: "Payment %[1]s was voided: it says it received %[2]s đồng, has %[3]s entries of that, or is no card sale at a terminal."},
}
