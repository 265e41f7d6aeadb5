package zalopay

import "strings"

// Tables are the codes beside orders and refunds, with their texts.
func Tables() (orders, refunds map[int64]string) {
	orders, refunds = map[int64]string{}, map[int64]string{}
	for code, m := range orderCodes {
		orders[code] = strings.TrimSpace(m.text)
	}
	for code, m := range refundCodes {
		refunds[code] = strings.TrimSpace(m.text)
	}
	return orders, refunds
}
