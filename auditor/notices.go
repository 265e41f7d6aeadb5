package auditor

import (
	"fmt"
	"strings"
)

// told are the events that each wire protocol has the gateway tell of, in the
// words of its documents. e is the event, p its payment, r its refund if it is
// one's, a the order of a mini app that the payment is for, if it is for one.
var told = []struct{ dialect, events string }{
	// Every change of state; a refund when it ends, and when it begins if it did
	// not end at once.
	{"paykit", `(e.from_state <> e.to_state OR (e.refund_id <> '' AND (e.act <> 'refund' OR r.told)))`},
	// Every final status.
	{"appotapay", `(e.from_state <> e.to_state AND ` + final + `)`},
	// Every change of state.
	{"ttdk", `(e.from_state <> e.to_state)`},
	// The end of an online payment that the app's own back end did not bring about.
	{"tiki", appTold},
	{"tiki-sandbox", appTold},
}

const (
	final   = `e.to_state NOT IN ('open', 'processing')`
	appTold = `(e.from_state <> e.to_state AND ` + final + ` AND e.actor <> 'merchant' AND COALESCE(a.way, 'online') = 'online')`
)

// toldFacts joins what told looks at to e and p.
const toldFacts = ` LEFT JOIN refunds r ON r.id = e.refund_id LEFT JOIN orders a ON a.payment_id = p.id AND a.payment_id <> '' `

// toldOf is true for events that the payment's protocol tells of, false for
// others of a protocol that is known.
func toldOf() string {
	var b strings.Builder
	b.WriteString("CASE p.dialect")
	for _, t := range told {
		fmt.Fprintf(&b, " WHEN '%s' THEN %s", t.dialect, t.events)
	}
	return b.String() + " ELSE FALSE END"
}

func toldDialects() string {
	var names []string
	for _, t := range told {
		names = append(names, t.dialect)
	}
	return quoted(names)
}

// tries are the attempts of each protocol's schedule, the first included. ends
// are answers that end it early though they acknowledge nothing, beside 410.
var tries = []struct {
	dialect, ends string
	attempts      int
}{
	{"paykit", "FALSE", 10},
	{"appotapay", "FALSE", 4},
	{"ttdk", "FALSE", 15},
	{"tiki", "o.last_status BETWEEN 100 AND 499", 8},
	{"tiki-sandbox", "o.last_status BETWEEN 100 AND 499", 8},
}

func schedule() string {
	var rows []string
	for _, t := range tries {
		rows = append(rows, fmt.Sprintf("(o.dialect = '%s' AND o.tries < %d AND NOT (%s))", t.dialect, t.attempts, t.ends))
	}
	return strings.Join(rows, " OR ")
}

// scheduleLength is the attempts of o's schedule, for people.
func scheduleLength() string {
	var b strings.Builder
	b.WriteString("CASE o.dialect")
	for _, t := range tries {
		fmt.Fprintf(&b, " WHEN '%s' THEN '%d'", t.dialect, t.attempts)
	}
	return b.String() + " ELSE '' END"
}

// receiver is whom notices of payment p go to: the platform that acted for its
// merchant, else the merchant.
const receiver = `COALESCE(NULLIF(p.platform_id, ''), p.merchant_id)`

// addressActs are the records of the audit log that show a registered address.
const addressActs = `('merchant.enrol', 'profile.change')`

// addressless is until when a merchant had no address registered, if it was ever
// without: nobody has to be told of what happened before.
const addressless = `(SELECT subject, MAX(at) AS until_at FROM audit_log
    WHERE act IN ` + addressActs + ` AND (before LIKE '%"ipn_url":""%' OR after LIKE '%"ipn_url":""%') GROUP BY subject)`

// everRegistered is true when an item's target stands in the audit log as an
// address of a subject: one that was changed since.
func everRegistered(subject string) string {
	return `EXISTS (SELECT 1 FROM audit_log l WHERE l.subject = ` + subject + ` AND l.act IN ` + addressActs + `
    AND REPLACE(l.before || l.after, '"ipn_url":"' || REPLACE(REPLACE(REPLACE(o.target, '&', '\u0026'), '<', '\u003c'), '>', '\u003e') || '"', '') <> l.before || l.after)`
}

// unrecordable is what stands in the place of an attempt that the database
// refused: what was answered is not known then.
const unrecordable = `'the attempt could not be recorded'`

// notices are the rules of what merchants and partners are told (I6), and of
// the outbox.
var notices = []check{
	{name: "notice_of_nothing", statement: `SELECT o.id, o.payment_id, CAST(o.version AS TEXT) FROM outbox_items o
LEFT JOIN payment_events e ON e.payment_id = o.payment_id AND e.version = o.version WHERE o.kind = 'notice' AND e.payment_id IS NULL`,
		vi: "Thông báo %[1]s nói về phiên bản %[3]s của giao dịch %[2]s, không có sự kiện nào như vậy.", en: "Notice %[1]s tells of version %[3]s of payment %[2]s; there is no such event."},
	{name: "event_untold", statement: `SELECT e.payment_id, CAST(e.version AS TEXT), e.act || ' -> ' || e.to_state, p.dialect FROM payment_events e
JOIN payments p ON p.id = e.payment_id
LEFT JOIN outbox_items o ON o.payment_id = e.payment_id AND o.version = e.version AND o.kind = 'notice'
LEFT JOIN profiles f ON f.merchant_id = ` + receiver + ` AND f.dialect = p.dialect
LEFT JOIN ` + addressless + ` AS bare ON bare.subject = ` + receiver + ` || '/' || p.dialect` + toldFacts + `
WHERE o.id IS NULL AND ` + toldOf() + ` AND (p.notify_url <> '' OR (f.notify_url <> '' AND (bare.until_at IS NULL OR bare.until_at < e.at)))`,
		vi: "Giao dịch %[1]s có sự kiện %[3]s (phiên bản %[2]s) mà không có thông báo nào, dù giao thức %[4]s phải báo.",
		en: "Payment %[1]s had the event %[3]s (version %[2]s), which %[4]s tells of, and nobody was to be told."},
	{name: "notice_needless", statement: `SELECT o.id, o.payment_id, e.act || ' -> ' || e.to_state, p.dialect FROM outbox_items o
JOIN payments p ON p.id = o.payment_id
JOIN payment_events e ON e.payment_id = o.payment_id AND e.version = o.version` + toldFacts + `
WHERE o.kind = 'notice' AND p.dialect IN (` + toldDialects() + `) AND NOT (` + toldOf() + `)`,
		vi: "Thông báo %[1]s nói về sự kiện %[3]s của giao dịch %[2]s, mà giao thức %[4]s không báo sự kiện đó.",
		en: "Notice %[1]s tells of the event %[3]s of payment %[2]s, which %[4]s does not tell of."},
	{name: "notice_twice", statement: `SELECT MIN(id), payment_id, CAST(version AS TEXT) FROM outbox_items WHERE kind = 'notice' GROUP BY payment_id, version HAVING COUNT(*) > 1`,
		vi: "Phiên bản %[3]s của giao dịch %[2]s có hai thông báo (một là %[1]s).", en: "Version %[3]s of payment %[2]s has two notices (one is %[1]s)."},
	// One for each receiver and address: the audit log is looked through for
	// each, and an address that has changed may have a million notices.
	{name: "notice_astray", statement: `SELECT o.id, o.about, o.target FROM (
    SELECT MIN(id) AS id, MIN(about) AS about, target, subject, sure FROM (
        SELECT o.id, o.payment_id AS about, o.target, ` + receiver + ` || '/' || p.dialect AS subject,
            CASE WHEN o.merchant_id <> p.merchant_id OR o.dialect <> p.dialect OR p.notify_url <> '' THEN 1 ELSE 0 END AS sure
        FROM outbox_items o JOIN payments p ON p.id = o.payment_id
        LEFT JOIN profiles f ON f.merchant_id = ` + receiver + ` AND f.dialect = p.dialect
        WHERE o.kind = 'notice' AND (o.merchant_id <> p.merchant_id OR o.dialect <> p.dialect OR o.target <> COALESCE(NULLIF(p.notify_url, ''), f.notify_url, ''))
        UNION ALL
        SELECT o.id, o.merchant_id AS about, o.target, o.merchant_id || '/' || o.dialect AS subject, 0 AS sure
        FROM outbox_items o LEFT JOIN profiles f ON f.merchant_id = o.merchant_id AND f.dialect = o.dialect
        WHERE o.kind = 'booking' AND o.target <> COALESCE(f.notify_url, '')
    ) AS all_ GROUP BY target, subject, sure
) AS o WHERE o.sure = 1 OR NOT ` + everRegistered(`o.subject`),
		vi: "Thông báo %[1]s (của %[2]s) gửi tới %[3]s, không phải nơi nhận của giao dịch hay đối tác đó.",
		en: "Notice %[1]s (of %[2]s) goes to %[3]s, which is not where that payment's or partner's notices go."},
	{name: "notice_stuck", now: true, statement: `SELECT id, payment_id, last_error FROM outbox_items WHERE state = 'pending' AND due_at < $1 AND lease_until < $1`,
		vi: "Việc %[1]s của giao dịch %[2]s quá hạn hơn một giờ mà chưa ai làm (%[3]s).", en: "Work %[1]s for payment %[2]s has been due for over an hour and nobody does it (%[3]s)."},
	// No schedule and no receiver's wish waits longer than a day or two. What a
	// node sends away for a minute was due before.
	{name: "notice_postponed", now: true, statement: `SELECT o.id, o.payment_id, CAST((o.due_at - a.at) / 3600000 AS TEXT) FROM outbox_items o
JOIN outbox_attempts a ON a.item_id = o.id AND a.number = o.attempts
WHERE o.state = 'pending' AND o.tries > 0 AND o.due_at > a.at + 604800000 AND o.due_at - 604800000 > $1`,
		vi: "Việc %[1]s của giao dịch %[2]s bị hoãn %[3]s giờ sau lần thử cuối, lâu hơn mọi lịch gửi lại.",
		en: "Work %[1]s for payment %[2]s is put off until %[3]s hours after its last attempt, longer than any schedule waits."},
	{name: "notice_unfinished", statement: `SELECT id, state, CAST(attempts AS TEXT) FROM outbox_items WHERE state NOT IN ('pending', 'done', 'failed') OR (state IN ('done', 'failed') AND (finished_at = 0 OR attempts = 0))`,
		vi: "Việc %[1]s ghi là %[2]s nhưng chưa được làm lần nào (%[3]s).", en: "Work %[1]s is %[2]s but was never done (%[3]s attempts)."},
	{name: "notice_unacknowledged", statement: `SELECT o.id, o.payment_id, CAST(o.last_status AS TEXT) FROM outbox_items o
WHERE o.kind IN ('notice', 'booking') AND o.state = 'done' AND o.last_error <> ` + unrecordable + `
  AND (o.last_status NOT BETWEEN 200 AND 299 OR (o.dialect = 'appotapay' AND o.last_status <> 200))`,
		vi: "Thông báo %[1]s của giao dịch %[2]s ghi là đã nhận, nhưng nơi nhận trả lời %[3]s.", en: "Notice %[1]s of payment %[2]s counts as taken, but was answered with %[3]s."},
	{name: "notice_given_up", statement: `SELECT o.id, o.payment_id, CAST(o.tries AS TEXT), ` + scheduleLength() + ` FROM outbox_items o
WHERE o.kind IN ('notice', 'booking') AND o.state = 'failed' AND o.last_status <> 410 AND o.last_error <> ` + unrecordable + ` AND (` + schedule() + `)`,
		vi: "Thông báo %[1]s của giao dịch %[2]s bị bỏ sau %[3]s lần thử; lịch của giao thức có %[4]s lần.",
		en: "Notice %[1]s of payment %[2]s was given up after %[3]s attempts; its protocol makes %[4]s."},
	{name: "attempts_wrong", statement: `SELECT o.id, CAST(o.attempts AS TEXT), CAST(COUNT(a.number) AS TEXT) FROM outbox_items o LEFT JOIN outbox_attempts a ON a.item_id = o.id
GROUP BY o.id, o.attempts HAVING o.attempts <> COUNT(a.number)`,
		vi: "Việc %[1]s ghi đã thử %[2]s lần, có %[3]s bản ghi.", en: "Work %[1]s says it was tried %[2]s times, %[3]s tries are recorded."},

	// What partners are told of bookings and orders besides payments.
	{name: "change_of_nothing", statement: `SELECT o.id, o.merchant_id FROM outbox_items o LEFT JOIN booking_events b ON b.item_id = o.id WHERE o.kind = 'booking' AND b.item_id IS NULL
UNION ALL
SELECT b.item_id, b.subject FROM booking_events b LEFT JOIN outbox_items o ON o.id = b.item_id AND o.kind = 'booking' WHERE o.id IS NULL`,
		vi: "Thông báo %[1]s về lịch hẹn hay đơn của %[2]s thiếu nội dung, hoặc nội dung của nó thiếu thông báo.",
		en: "The notice %[1]s of a booking or order (%[2]s) lacks what it tells, or what it tells lacks its notice."},
	// A booking that was made in that status was not changed into it: its version is 1.
	{name: "booking_untold", statement: `SELECT CAST(b.id AS TEXT), b.status FROM bookings b
JOIN profiles f ON f.merchant_id = b.merchant_id AND f.dialect = 'ttdk' AND f.notify_url <> ''
LEFT JOIN ` + addressless + ` AS bare ON bare.subject = b.merchant_id || '/ttdk'
LEFT JOIN booking_events v ON v.subject = 'booking/' || CAST(b.id AS TEXT) AND v.body LIKE '%"Status":"' || b.status || '"%'
WHERE b.status IN ('canceled', 'closed') AND b.version > 1 AND (bare.until_at IS NULL OR bare.until_at < b.updated_at) AND v.item_id IS NULL`,
		vi: "Lịch hẹn %[1]s đã thành %[2]s mà không có thông báo nào cho đối tác nói như vậy.", en: "Booking %[1]s became %[2]s and no notice to its partner says so."},
	{name: "order_untold", statement: `SELECT CAST(o.id AS TEXT), o.code FROM booking_orders o
JOIN profiles f ON f.merchant_id = o.merchant_id AND f.dialect = 'ttdk' AND f.notify_url <> ''
LEFT JOIN ` + addressless + ` AS bare ON bare.subject = o.merchant_id || '/ttdk'
LEFT JOIN booking_events v ON v.subject = 'order/' || CAST(o.id AS TEXT)
LEFT JOIN payments p ON p.merchant_id = o.merchant_id AND p.dialect = 'ttdk' AND p.reference = o.reference
LEFT JOIN payment_events e ON e.payment_id = p.id AND e.act = 'cancel'
WHERE o.canceled_at > 0 AND (bare.until_at IS NULL OR bare.until_at < o.canceled_at) AND v.item_id IS NULL AND e.payment_id IS NULL`,
		vi: "Đơn %[1]s (mã %[2]s) đã hủy mà không có thông báo nào cho đối tác.", en: "Order %[1]s (code %[2]s) was canceled and no notice to its partner says so."},
}
