package auditor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/thungan/thungan/store"
)

// bookings are the rules of bookings at stations, of their orders, and of what
// partners have collected (the TTDK Partner API).
var bookings = []check{
	{name: "booking_state", statement: `SELECT CAST(id AS TEXT), status, COALESCE(hold, '') FROM bookings
WHERE status NOT IN ('new', 'confirmed', 'canceled', 'closed') OR (hold IS NOT NULL AND (hold <> plate OR status NOT IN ('new', 'confirmed')))`,
		vi: "Lịch hẹn %[1]s có trạng thái lạ (%[2]s), hoặc giữ biển số %[3]s không còn là của nó.", en: "Booking %[1]s has an unknown state (%[2]s), or holds a plate that is not its own any more (%[3]s)."},
	{name: "plate_twice", statement: `SELECT hold, CAST(MIN(id) AS TEXT), CAST(COUNT(*) AS TEXT) FROM bookings WHERE hold IS NOT NULL GROUP BY hold HAVING COUNT(*) > 1`,
		vi: "Biển số %[1]s có %[3]s lịch hẹn cùng lúc (một là %[2]s).", en: "Plate %[1]s has %[3]s bookings ahead at once (one is %[2]s)."},
	{name: "number_twice", statement: `SELECT CAST(b.id AS TEXT) FROM bookings b JOIN booking_orders o ON o.id = b.id`,
		vi: "Số %[1]s vừa là lịch hẹn vừa là đơn: đối tác không biết đang nói về cái nào.", en: "Number %[1]s is a booking and an order: nobody can tell which is meant."},
	{name: "booking_orphan", statement: `SELECT CAST(b.id AS TEXT), CAST(b.order_id AS TEXT) FROM bookings b LEFT JOIN booking_orders o ON o.id = b.order_id
WHERE o.id IS NULL OR o.booking_id <> b.id OR o.merchant_id <> b.merchant_id
UNION ALL
SELECT CAST(o.booking_id AS TEXT), CAST(o.id AS TEXT) FROM booking_orders o LEFT JOIN bookings b ON b.id = o.booking_id AND b.order_id = o.id WHERE o.booking_id <> 0 AND b.id IS NULL
UNION ALL
SELECT CAST(b.id AS TEXT), 'station ' || CAST(b.station_id AS TEXT) FROM bookings b LEFT JOIN stations s ON s.id = b.station_id WHERE b.station_id <> 0 AND s.id IS NULL`,
		vi: "Lịch hẹn %[1]s và đơn hay trạm của nó (%[2]s) không khớp nhau, hoặc một bên không tồn tại.", en: "Booking %[1]s and its order or station (%[2]s) do not fit each other, or one does not exist."},
	{name: "booking_canceled", statement: `SELECT CAST(b.id AS TEXT), b.status, CAST(o.id AS TEXT) FROM bookings b JOIN booking_orders o ON o.id = b.order_id
WHERE (b.status = 'canceled' AND b.version > 1 AND o.canceled_at = 0) OR (b.status <> 'canceled' AND o.canceled_at > 0)`,
		vi: "Lịch hẹn %[1]s là %[2]s, đơn %[3]s của nó thì ngược lại: một bên đã hủy, một bên chưa.", en: "Booking %[1]s is %[2]s, its order %[3]s is not: only one of the two is canceled."},
	{name: "booking_overfull", find: overfull,
		vi: "Trạm và ngày, giờ %[1]s có %[2]s lịch hẹn, chỉ đủ chỗ cho %[3]s.", en: "The station, day and time %[1]s have %[2]s bookings and room for %[3]s."},
	{name: "bill_wrong", find: bills,
		vi: "Đơn %[1]s ghi %[2]s đồng (tạm tính + thuế - giảm = tổng), các dòng của nó cho ra %[3]s.", en: "Order %[1]s says %[2]s đồng (subtotal + tax - discount = total), its lines give %[3]s."},
	{name: "offer_wrong", statement: `SELECT CAST(o.id AS TEXT), o.reference, CAST(o.total AS TEXT), COALESCE(p.state || ' ' || CAST(p.amount AS TEXT), '-') FROM booking_orders o
LEFT JOIN payments p ON p.merchant_id = o.merchant_id AND p.dialect = 'ttdk' AND p.reference = o.reference
WHERE o.reference <> CASE WHEN o.offers <= 1 THEN o.code ELSE o.code || '~' || CAST(o.offers AS TEXT) END
   OR p.amount <> o.total OR (p.state = 'open' AND o.canceled_at > 0)`,
		vi: "Đơn %[1]s (%[2]s, %[3]s đồng) có giao dịch hiện tại không khớp: %[4]s.", en: "Order %[1]s (%[2]s, %[3]s đồng) and its current payment do not fit each other: %[4]s."},
	{name: "offer_stray", statement: `SELECT p.id, p.reference, p.state FROM payments p LEFT JOIN booking_orders o ON o.merchant_id = p.merchant_id AND o.reference = p.reference
WHERE p.dialect = 'ttdk' AND p.state IN ('open', 'processing') AND o.id IS NULL`,
		vi: "Giao dịch %[1]s (%[2]s) còn %[3]s mà không phải giao dịch hiện tại của đơn nào.", en: "Payment %[1]s (%[2]s) is still %[3]s and is no order's current one."},
	{name: "collected_wrong", statement: `SELECT c.id, c.external_id, CAST(c.amount AS TEXT), COALESCE(CAST(r.amount AS TEXT), '-') FROM bank_credits c
LEFT JOIN booking_requests r ON c.source = 'partner:' || r.merchant_id AND r.id = c.external_id
WHERE c.channel = 'partner' AND (r.id IS NULL OR r.amount <> c.amount OR r.merchant_id <> c.merchant_id)
UNION ALL
SELECT r.id, r.id, CAST(r.amount AS TEXT), '-' FROM booking_requests r LEFT JOIN booking_orders o ON o.id = r.order_id AND o.merchant_id = r.merchant_id WHERE o.id IS NULL`,
		vi: "Khoản đối tác báo đã thu %[1]s (mã %[2]s) là %[3]s đồng, lời báo của đối tác là %[4]s, hoặc đơn của nó không tồn tại.",
		en: "What a partner has collected, %[1]s (its id %[2]s), is %[3]s đồng, the partner's word %[4]s, or its order does not exist."},
}

// A calendar, as stations keep it.
type calendar struct {
	Slots []struct {
		Weekday  int    `json:"weekday"` // 0 is Sunday
		Time     string `json:"time"`
		Capacity int64  `json:"capacity"`
	} `json:"slots"`
	DaysOff []string `json:"days_off"`
	PerDay  int64    `json:"per_day"`
}

// room is how many bookings a day has room for, and each of its times.
func (c calendar) room(day string) (all int64, times map[string]int64) {
	times = map[string]int64{}
	date, err := time.Parse(time.DateOnly, day)
	if err != nil || slices.Contains(c.DaysOff, day) {
		return 0, times
	}
	for _, s := range c.Slots {
		if s.Weekday == int(date.Weekday()) {
			times[s.Time] += s.Capacity
			all += s.Capacity
		}
	}
	if c.PerDay > 0 {
		all = min(all, c.PerDay)
	}
	return all, times
}

// booked is a time of a day of a station with the bookings that have it.
type booked struct {
	station, day, time string
	count              int64
	first              int64 // when the oldest was made
}

// overfull finds days and times with more bookings than there is room for. It
// counts those alone that were checked against the calendar as it is and can
// have lost their place to nobody: no one that an operator entered (its plate is
// not held), none that had to be paid first, and nothing where the calendar was
// changed after the oldest was made.
func overfull(ctx context.Context, q store.Query, tell func(...string)) error {
	changed := map[string]int64{}
	err := each(ctx, q, `SELECT subject, CAST(MAX(at) AS TEXT) FROM audit_log WHERE act = 'station.put' GROUP BY subject`, func(c ...string) { changed[c[0]] = number(c[1]) })
	if err != nil {
		return err
	}
	calendars := map[string]calendar{}
	err = each(ctx, q, `SELECT CAST(id AS TEXT), calendar FROM stations`, func(c ...string) {
		var k calendar
		if err := json.Unmarshal([]byte(c[1]), &k); c[1] != "" && err != nil {
			tell(c[0], "?", err.Error())
			return
		}
		calendars[c[0]] = k
	})
	if err != nil {
		return err
	}
	days := map[[2]string]booked{}
	judge := func(b booked, room int64) {
		if b.count > room && changed[b.station] <= b.first {
			tell(b.station+" "+b.day+" "+b.time, strconv.FormatInt(b.count, 10), strconv.FormatInt(room, 10))
		}
	}
	err = each(ctx, q, `SELECT CAST(station_id AS TEXT), day, slot, CAST(COUNT(*) AS TEXT), CAST(MIN(created_at) AS TEXT) FROM bookings
WHERE station_id <> 0 AND day <> '' AND status <> 'canceled' AND held_until = 0 AND hold_until > created_at GROUP BY station_id, day, slot ORDER BY station_id, day, slot`, func(c ...string) {
		b := booked{station: c[0], day: c[1], time: c[2], count: number(c[3]), first: number(c[4])}
		k, known := calendars[b.station]
		if !known {
			return // told of before, or by another rule
		}
		if _, times := k.room(b.day); b.time != "" {
			judge(b, times[b.time])
		}
		d, had := days[[2]string{b.station, b.day}]
		if had {
			b.count, b.first = b.count+d.count, min(b.first, d.first)
		}
		b.time = ""
		days[[2]string{b.station, b.day}] = b
	})
	if err != nil {
		return err
	}
	for _, key := range slices.SortedFunc(maps.Keys(days), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		all, _ := calendars[key[0]].room(key[1])
		judge(days[key], all)
	}
	return nil
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) // the statement made it
	return n
}

// bills finds orders whose sums are not those of their lines: the tax of each
// line is rounded to whole đồng, halves up, and the discount is never above the
// subtotal.
func bills(ctx context.Context, q store.Query, tell func(...string)) error {
	return each(ctx, q, `SELECT CAST(id AS TEXT), lines, CAST(subtotal AS TEXT), CAST(tax AS TEXT), CAST(discount AS TEXT), CAST(total AS TEXT) FROM booking_orders ORDER BY id`, func(c ...string) {
		var lines []struct {
			Quantity int64 `json:"quantity"`
			Price    int64 `json:"price"`
			TaxBP    int64 `json:"tax_bp"`
		}
		if err := json.Unmarshal([]byte(c[1]), &lines); c[1] != "" && err != nil {
			tell(c[0], c[5], err.Error())
			return
		}
		subtotal, tax, discount, total := number(c[2]), number(c[3]), number(c[4]), number(c[5])
		var sum, taxes int64
		for _, l := range lines {
			amount := l.Quantity * l.Price
			sum += amount
			// In two parts, since amount times the rate can be more than fits.
			taxes += amount/10_000*l.TaxBP + (amount%10_000*l.TaxBP+5_000)/10_000
		}
		if sum != subtotal || taxes != tax || discount < 0 || discount > subtotal || subtotal+tax-discount != total {
			tell(c[0], fmt.Sprintf("%d + %d - %d = %d", subtotal, tax, discount, total), fmt.Sprintf("%d + %d - %d = %d", sum, taxes, discount, sum+taxes-discount))
		}
	})
}
