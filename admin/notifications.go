package admin

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

type notificationView struct {
	NotificationID string `json:"notification_id"`
	Kind           string `json:"kind"`
	State          string `json:"state"`
	PaymentID      string `json:"payment_id"`
	Version        int64  `json:"version"`
	MerchantID     string `json:"merchant_id"`
	Dialect        string `json:"dialect"`
	URL            string `json:"url"`
	AttemptsMade   int64  `json:"attempts_made"`
	LastStatus     int64  `json:"last_status"`
	LastError      string `json:"last_error"`
	CreatedAt      stamp  `json:"created_at"`
	DueAt          stamp  `json:"due_at"`
	FinishedAt     stamp  `json:"finished_at"`
}

func showNotification(i store.Item) notificationView {
	v := notificationView{
		NotificationID: i.ID, Kind: i.Kind, State: string(i.State), PaymentID: i.PaymentID, Version: i.Version, MerchantID: i.MerchantID,
		Dialect: i.Dialect, URL: i.Target, AttemptsMade: i.Attempts, LastStatus: i.LastStatus, LastError: i.LastError,
		CreatedAt: stamp(i.CreatedAt), FinishedAt: stamp(i.FinishedAt),
	}
	if i.State == store.ItemPending {
		v.DueAt = stamp(i.DueAt)
	}
	return v
}

type attemptView struct {
	Number     int64  `json:"number"`
	At         stamp  `json:"at"`
	DurationMS int64  `json:"duration_ms"`
	RequestID  string `json:"request_id"`
	Status     int64  `json:"status"`
	Error      string `json:"error"`
	Answer     string `json:"answer"`
}

func showAttempt(t store.Attempt) attemptView {
	return attemptView{
		Number: t.Number, At: stamp(t.At), DurationMS: t.Duration.Milliseconds(), RequestID: t.RequestID,
		Status: t.Status, Error: t.Error, Answer: strings.ToValidUTF8(t.Answer, "�"),
	}
}

// notificationDetail is a notification with every try at it.
type notificationDetail struct {
	notificationView
	Attempts []attemptView `json:"attempts"`
}

// itemStates are the words that ?state takes.
var itemStates = []string{string(store.ItemPending), string(store.ItemDone), string(store.ItemFailed)}

func (a *API) notifications(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page, s := q.page(), core.NoticeSearch{MerchantID: q.uuid("merchant_id"), State: q.choice("state", itemStates...)}
	if err := q.err(); err != nil {
		return nil, err
	}
	read := func(cursor string, limit int) ([]store.Item, error) {
		s.Before, s.Limit = cursor, limit
		return a.core.Notices(c.ctx(), s)
	}
	return readPage(page, read, itemID, showNotification)
}

func itemID(i store.Item) string { return i.ID }

func (a *API) notificationsOfPayment(c *call) (any, error) {
	read := func(ctx context.Context, paymentID string) ([]store.Item, error) {
		return a.core.Notices(ctx, core.NoticeSearch{PaymentID: paymentID})
	}
	return listOf(a, c, (*query).page, read, itemID, showNotification)
}

func (a *API) notification(c *call) (any, error) {
	id, err := c.pathID("notification_id")
	if err != nil {
		return nil, err
	}
	i, err := a.core.Notice(c.ctx(), id)
	if err != nil {
		return nil, err
	}
	attempts, err := a.core.Attempts(c.ctx(), id)
	if err != nil {
		return nil, err
	}
	d := notificationDetail{notificationView: showNotification(i), Attempts: []attemptView{}}
	for _, t := range attempts {
		d.Attempts = append(d.Attempts, showAttempt(t))
	}
	return d, nil
}

func (a *API) replay(c *call) (any, error) {
	id, err := c.pathID("notification_id")
	if err != nil {
		return nil, err
	}
	if err := c.noBody(); err != nil {
		return nil, err
	}
	return shown(showNotification)(a.core.Replay(c.ctx(), c.by, id))
}

// maxReplay is how many notifications one call replays.
const maxReplay = 1000

// replayRange is what POST /notifications/replay asks for.
type replayRange struct {
	merchantID string
	state      string
	from, to   time.Time // [from, to) by when the notification was made; zero is open
	cursor     string
}

type replayedView struct {
	Replayed   int    `json:"replayed"`
	NextCursor string `json:"next_cursor,omitempty"` // there when more are left
}

func (a *API) replayMany(c *call) (any, error) {
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("merchant_id", "from")
	want := replayRange{
		merchantID: or(o.uuid("merchant_id"), ""),
		state:      or(o.choice("state", string(store.ItemFailed), string(store.ItemDone)), string(store.ItemFailed)),
		from:       o.moment("from"), to: o.moment("to"), cursor: or(o.uuid("cursor"), ""),
	}
	if !want.to.IsZero() && !want.from.Before(want.to) {
		o.complain("to", "has to be after from")
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	if _, err := a.core.Merchant(c.ctx(), want.merchantID); err != nil {
		return nil, err
	}
	ids, next, err := a.inRange(c.ctx(), want)
	if err != nil {
		return nil, err
	}
	done := replayedView{NextCursor: next}
	// Oldest first, so that receivers see them in the order of the events.
	for _, id := range slices.Backward(ids) {
		_, err := a.core.Replay(c.ctx(), c.by, id)
		switch payment.CodeOf(err) {
		case "":
			done.Replayed++
		case payment.CodeInvalidState, payment.CodeConflict, payment.CodeNotFound:
			// Somebody else was quicker.
		default:
			return nil, err
		}
	}
	return done, nil
}

// inRange finds up to maxReplay notifications, newest first, and the cursor
// behind the last of them when there are more.
func (a *API) inRange(ctx context.Context, want replayRange) (ids []string, next string, err error) {
	s := core.NoticeSearch{MerchantID: want.merchantID, State: want.state, Before: want.cursor, Limit: maxLimit}
	for {
		found, err := a.core.Notices(ctx, s)
		if err != nil {
			return nil, "", err
		}
		for _, i := range found {
			switch {
			case i.CreatedAt.Before(want.from):
				return ids, "", nil
			case !want.to.IsZero() && !i.CreatedAt.Before(want.to):
				continue
			case len(ids) == maxReplay:
				return ids, ids[len(ids)-1], nil
			}
			ids = append(ids, i.ID)
		}
		if len(found) < s.Limit {
			return ids, "", nil
		}
		s.Before = found[len(found)-1].ID
	}
}
