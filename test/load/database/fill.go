package database

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"time"

	load "github.com/thungan/thungan/test/load"
)

// chunk is how many rows one statement inserts.
const chunk = 100_000

// series is numbers from $1 up to, and without, $2.
func (d *DB) series() string {
	if d.engine == SQLite {
		return "(WITH RECURSIVE n(i) AS (SELECT CAST($1 AS INTEGER) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < CAST($2 AS INTEGER)) SELECT i FROM n) AS n"
	}
	return "generate_series($1::bigint, $2::bigint - 1) AS n(i)"
}

// hex is an expression as hexadecimal digits, upper case.
func (d *DB) hex(expression string, digits int) string {
	if d.engine == SQLite {
		return fmt.Sprintf("printf('%%0%dX', %s)", digits, expression)
	}
	return fmt.Sprintf("upper(lpad(to_hex((%s)::bigint), %d, '0'))", expression, digits)
}

// reference is load.Reference in SQL.
func (d *DB) reference(tag string) string {
	if d.engine == SQLite {
		return fmt.Sprintf("printf('%s-%%0%dd', i)", tag, load.Digits)
	}
	return fmt.Sprintf("'%s-' || lpad(i::text, %d, '0')", tag, load.Digits)
}

// uuid is a UUIDv7 of payment i's moment, with its number behind it.
func (d *DB) uuid(p Payments) string {
	h := "lower(" + d.hex(p.moment(), 12) + ")"
	return fmt.Sprintf("substr(%s, 1, 8) || '-' || substr(%s, 9, 4) || '-7000-8000-' || lower(%s)", h, h, d.hex(p.number(), 12))
}

// Payments says what rows to make.
type Payments struct {
	Tag      string // of their references; payment n is load.Reference(Tag, n)
	Merchant load.Merchant
	From, To int64     // numbers, To excluded
	Since    time.Time // when number 0 was created
	Every    time.Duration
	Target   []string         // notify addresses for each payment in turn, nil for none
	Progress func(made int64) // told now and then; may be nil
	Series   int64            // another one for every Fill of a database: it keeps ids and codes apart
}

// moment is when payment i was created, Unix milliseconds.
func (p Payments) moment() string {
	return fmt.Sprintf("(%d + i * %d)", p.Since.UnixMilli(), max(p.Every.Milliseconds(), 1))
}

// number tells payment i from those of other series, which have less than 10
// million each.
func (p Payments) number() string { return fmt.Sprintf("(%d + i)", p.Series*10_000_000) }

// Fill inserts payments that were paid five seconds after their creation. They
// have transfer codes in no order, as real ones do.
func (d *DB) Fill(ctx context.Context, p Payments) error {
	if err := load.CheckTag(p.Tag); err != nil {
		return err
	}
	at := p.moment()
	// An odd factor and a power of two: each number has a code of its own.
	code := "'M:TG' || " + d.hex(fmt.Sprintf("(%s * 2654435761) %% 1099511627776", p.number()), 10)
	insert := `INSERT INTO payments (id, merchant_id, platform_id, dialect, reference, version, amount, received, refunded, refunding, state, method, methods,
		account_id, match_code, description, language, success_url, cancel_url, notify_url, limit_day, created_at, due_at, updated_at, completed_at)
		SELECT ` + d.uuid(p) + `, $3, '', 'paykit', ` + d.reference(p.Tag) + fmt.Sprintf(", 2, %[1]d, %[1]d, 0, 0, 'approved', 'bank_transfer', 'bank_transfer', $4, ", load.Amount) + code + `,
		'Đơn hàng cà phê và bánh mì, giao trong ngày', 'vi', 'https://shop.example.com/checkout/return/success', 'https://shop.example.com/checkout/return/cancel',
		'', '', ` + at + `, ` + at + ` + 3600000, ` + at + ` + 5000, ` + at + ` + 5000 FROM ` + d.series()
	return d.each(ctx, p, insert, p.Merchant.ID, p.Merchant.AccountID)
}

// FillNotices inserts what Fill does, each payment with the event of its payment
// and a notification that is due.
func (d *DB) FillNotices(ctx context.Context, p Payments) error {
	if err := d.Fill(ctx, p); err != nil {
		return err
	}
	at := p.moment()
	id := d.uuid(p)
	event := `INSERT INTO payment_events (payment_id, version, act, from_state, to_state, at, actor, reason, credit_id, method, received, refunded, refunding, completed_at)
		SELECT ` + id + `, 2, 'pay', 'open', 'approved', ` + at + ` + 5000, 'bank', '', '', 'bank_transfer', ` + fmt.Sprint(load.Amount) + `, 0, 0, ` + at + ` + 5000 FROM ` + d.series()
	if err := d.each(ctx, p, event); err != nil {
		return err
	}
	var err error
	target, lane := "CASE", "CASE"
	for i, t := range p.Target {
		var host string
		if host, err = hostOf(t); err != nil {
			return err
		}
		target += fmt.Sprintf(" WHEN i %% %d = %d THEN '%s'", len(p.Target), i, t)
		lane += fmt.Sprintf(" WHEN i %% %d = %d THEN '%s'", len(p.Target), i, host)
	}
	item := `INSERT INTO outbox_items (id, kind, payment_id, version, merchant_id, dialect, target, lane, state, attempts, tries, due_at, lease_until, lease,
		created_at, finished_at, last_status, last_error)
		SELECT ` + id + `, 'notice', ` + id + `, 2, $3, 'paykit', ` + target + ` END, ` + lane + ` END, 'pending', 0, 0, ` + at + ` + 5000, 0, '', ` + at + ` + 5000, 0, 0, '' FROM ` + d.series()
	// So many rows at once are not what the engine knows of its tables; a
	// database that has grown by itself has had the time. The items are seen only
	// when it knows.
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := each(ctx, tx, d.adapt(item), p, p.Merchant.ID); err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, "ANALYZE"); err != nil {
		return err
	}
	return tx.Commit()
}

// each runs an insert for the payments, chunk by chunk.
func (d *DB) each(ctx context.Context, p Payments, insert string, args ...any) error {
	return each(ctx, d.db, d.adapt(insert), p, args...)
}

func each(ctx context.Context, on interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, insert string, p Payments, args ...any) error {
	for from := p.From; from < p.To; from += chunk {
		to := min(from+chunk, p.To)
		if _, err := on.ExecContext(ctx, insert, append([]any{from, to}, args...)...); err != nil {
			return fmt.Errorf("rows %d to %d: %w", from, to, err)
		}
		if p.Progress != nil {
			p.Progress(to - p.From)
		}
	}
	return nil
}

// hostOf is the host and port of an http URL, as the outbox names lanes.
func hostOf(target string) (string, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || strings.ContainsAny(target, "'") {
		return "", fmt.Errorf("notify address %q is no URL", target)
	}
	return strings.ToLower(u.Host), nil
}
