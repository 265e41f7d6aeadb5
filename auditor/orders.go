package auditor

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/thungan/thungan/store"
)

// orders are the rules of the orders of mini apps, and of signing in to them.
var orders = []check{
	{name: "order_payment", statement: `SELECT CAST(o.id AS TEXT), o.payment_id, CAST(o.total AS TEXT), COALESCE(CAST(p.amount AS TEXT), '-') FROM orders o LEFT JOIN payments p ON p.id = o.payment_id
WHERE (o.payment_id = '') <> (o.way = '') OR (o.payment_id = '') <> (o.started_at = 0) OR o.way NOT IN ('', 'online', 'cod', 'bank_transfer')
   OR (o.payment_id <> '' AND (p.id IS NULL OR p.amount <> o.total OR p.merchant_id <> o.merchant_id OR p.dialect <> o.dialect OR p.reference <> CAST(o.id AS TEXT)))`,
		vi: "Đơn %[1]s (%[3]s đồng) không khớp giao dịch %[2]s của nó (%[4]s).", en: "Order %[1]s (%[3]s đồng) does not fit its payment %[2]s (%[4]s)."},
	{name: "order_sum", find: orderSums,
		vi: "Đơn %[1]s ghi tổng %[2]s đồng, các dòng và phí giao hàng cộng lại là %[3]s.", en: "Order %[1]s says a total of %[2]s đồng, its lines and shipping fee sum to %[3]s."},
	{name: "order_state", statement: `SELECT CAST(id AS TEXT), receipt_code FROM orders
WHERE (completed_at > 0 AND canceled_at > 0) OR (payment_id = '' AND (handed_over_at > 0 OR completed_at > 0)) OR version < 1 OR updated_at < created_at`,
		vi: "Đơn %[1]s (biên nhận %[2]s) vừa hoàn tất vừa hủy, hoặc đã giao khi chưa ai trả tiền, hoặc thời gian chạy lùi.",
		en: "Order %[1]s (receipt %[2]s) is completed and canceled, or was delivered before anybody began to pay, or its times run backwards."},
	{name: "order_unpaid", statement: `SELECT CAST(o.id AS TEXT), p.id, p.state FROM orders o JOIN payments p ON p.id = o.payment_id
WHERE o.way IN ('online', 'bank_transfer') AND (o.handed_over_at > 0 OR o.completed_at > 0) AND p.state <> 'approved'`,
		vi: "Đơn %[1]s đã giao hoặc hoàn tất, nhưng giao dịch %[2]s của nó là %[3]s.", en: "Order %[1]s was handed over or completed, and its payment %[2]s is %[3]s."},
	{name: "order_canceled", statement: `SELECT CAST(o.id AS TEXT), p.id, p.state FROM orders o JOIN payments p ON p.id = o.payment_id
LEFT JOIN refunds r ON r.payment_id = p.id
WHERE o.canceled_at > 0 AND (p.state IN ('open', 'processing') OR (p.state = 'approved' AND p.completed_at < o.canceled_at AND r.id IS NULL))`,
		vi: "Đơn %[1]s đã hủy, nhưng giao dịch %[2]s của nó vẫn %[3]s và tiền không được hoàn.", en: "Order %[1]s was canceled, but its payment %[2]s is still %[3]s and no refund was asked for."},
	{name: "receipt_wrong", statement: `SELECT receipt_code, CAST(MIN(id) AS TEXT), CAST(COUNT(*) AS TEXT) FROM orders
GROUP BY receipt_code HAVING COUNT(*) > 1 OR LENGTH(receipt_code) <> 9 OR MIN(LENGTH(receipt_id)) <> 10 OR MAX(LENGTH(receipt_id)) <> 10`,
		vi: "Mã biên nhận %[1]s (đơn %[2]s) sai dạng, hoặc có ở %[3]s đơn: không đối soát được.", en: "Receipt code %[1]s (order %[2]s) has the wrong form, or %[3]s orders have it: they cannot be reconciled."},
	{name: "test_money", statement: `SELECT c.id, p.id, p.dialect FROM bank_credits c JOIN ledger_entries e ON e.credit_id = c.id AND e.kind = 'credit' JOIN payments p ON p.id = e.payment_id
WHERE c.channel = 'cash' AND c.source = 'test' AND p.dialect <> 'tiki-sandbox'`,
		vi: "Khoản tiền thử nghiệm %[1]s (không ai có) đã trả cho giao dịch thật %[2]s của %[3]s.", en: "Test money, %[1]s, which nobody has, went to the real payment %[2]s of %[3]s."},
	{name: "grant_wrong", statement: `SELECT SUBSTR(g.hash, 1, 12), g.kind, g.app FROM grants g LEFT JOIN customers c ON c.id = g.customer_id
WHERE g.kind NOT IN ('session', 'code', 'access', 'refresh') OR c.id IS NULL OR g.expires_at <= g.created_at OR (g.kind = 'session') <> (g.app = '')
   OR (g.kind IN ('code', 'refresh') AND g.used_at >= g.expires_at)`,
		vi: "Mã đăng nhập %[1]s… (%[2]s, ứng dụng %[3]s) không của khách nào, không của ứng dụng nào, hoặc được dùng sau khi hết hạn.",
		en: "Sign-in grant %[1]s… (%[2]s, app %[3]s) is no customer's or no app's, or was used after its end."},
}

// orderSums finds orders whose total is not that of their lines and fee.
func orderSums(ctx context.Context, q store.Query, tell func(...string)) error {
	return each(ctx, q, `SELECT CAST(id AS TEXT), details, CAST(shipping_fee AS TEXT), CAST(total AS TEXT) FROM orders ORDER BY id`, func(c ...string) {
		var details struct {
			Lines []struct {
				Quantity int64 `json:"quantity"`
				Price    int64 `json:"price"`
			} `json:"lines"`
		}
		if err := json.Unmarshal([]byte(c[1]), &details); err != nil {
			tell(c[0], c[3], err.Error())
			return
		}
		sum := number(c[2])
		for _, l := range details.Lines {
			sum += l.Quantity * l.Price
		}
		if sum != number(c[3]) {
			tell(c[0], c[3], strconv.FormatInt(sum, 10))
		}
	})
}
