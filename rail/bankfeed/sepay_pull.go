package bankfeed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
)

// SePay has two lists of transactions. Only the first has the ids of the
// webhooks, so it is the default (decision B8).
const (
	sepayBase1 = "https://my.sepay.vn"
	sepayBase2 = "https://userapi.sepay.vn"
	sepayPage1 = 1000 // rows; at most 5000
	sepayPage2 = 100  // rows; at most 100
	sepayTime  = "2006-01-02 15:04:05"
)

// CheckAPI wants {"token": "..."}, and perhaps "version" and "base".
func (SePay) CheckAPI(text string) error {
	_, err := parseSePayAPI(text)
	return invalid(err)
}

func parseSePayAPI(text string) (api, error) {
	a, err := parseAPI(text)
	switch {
	case err != nil:
		return api{}, err
	case a.Token == "" || a.Key != "":
		return api{}, errors.New("SePay's API takes a token")
	case a.Version == 0:
		a.Version = 1
	case a.Version != 1 && a.Version != 2:
		return api{}, errors.New("SePay's API has the versions 1 and 2")
	}
	if a.Base == "" {
		a.Base = sepayBase1
		if a.Version == 2 {
			a.Base = sepayBase2
		}
	}
	return a, nil
}

// Pull asks for one page of transactions.
//
// Source: developer.sepay.vn/en/sepay-api/api-giao-dich (version 1),
// sepay-api/v2/nang-cap-tu-v1 and sepay-webhooks/doi-soat-giao-dich (2).
func (SePay) Pull(ctx context.Context, get rail.Get, q rail.Query) (rail.Pulled, error) {
	a, err := parseSePayAPI(q.API)
	if err != nil {
		return rail.Pulled{}, err
	}
	if a.Version == 2 {
		return a.pullSePay2(ctx, get, q)
	}
	return a.pullSePay1(ctx, get, q)
}

// sepaySpan is the cursor of version 1: a span of time, in milliseconds.
type sepaySpan struct {
	From int64 `json:"from"`
	Long int64 `json:"long"` // 0 is up to now
}

// pullSePay1 asks for a span of time. Version 1 has no pages and does not say
// which rows it leaves out when there are more than the limit, so an answer of
// full length is not used; half the span is asked for instead.
func (a api) pullSePay1(ctx context.Context, get rail.Get, q rail.Query) (rail.Pulled, error) {
	var span sepaySpan
	if err := json.Unmarshal([]byte(q.Cursor), &span); err != nil || span.From <= 0 || span.Long < 0 {
		span = sepaySpan{From: q.Since.UnixMilli()}
	}
	from := time.UnixMilli(span.From)
	to := from.Add(time.Duration(span.Long) * time.Millisecond)
	open := span.Long == 0 || !to.Before(q.Until)

	query := url.Values{}
	query.Set("transaction_date_min", from.In(clock.Vietnam).Format(sepayTime))
	if !open {
		query.Set("transaction_date_max", to.In(clock.Vietnam).Format(sepayTime))
	}
	query.Set("limit", strconv.Itoa(sepayPage1))
	o, err := getObject(ctx, get, a.Base+"/userapi/transactions/list?"+query.Encode(), "Bearer "+a.Token)
	if err != nil {
		return rail.Pulled{}, err
	}
	rows, ok := o["transactions"].([]any)
	if !ok {
		return rail.Pulled{}, errors.New("the provider's answer has no transactions")
	}

	if len(rows) >= sepayPage1 {
		if open {
			to = q.Until
		}
		half := to.Sub(from) / 2
		if half < time.Second {
			return rail.Pulled{}, fmt.Errorf("%d transactions or more within two seconds", sepayPage1)
		}
		return rail.Pulled{More: true, Cursor: sepayCursor(from, half)}, nil
	}
	pulled := rail.Pulled{Parsed: parseRows(rows, sepayRow1), More: !open}
	if !open {
		long := to.Sub(from)
		if len(rows) < sepayPage1/4 {
			long *= 2 // the busy time is over
		}
		pulled.Cursor = sepayCursor(to, long)
	}
	return pulled, nil
}

func sepayCursor(from time.Time, long time.Duration) string {
	// The marshalling of two numbers does not fail.
	b, _ := json.Marshal(sepaySpan{From: from.UnixMilli(), Long: long.Milliseconds()})
	return string(b)
}

// pullSePay2 asks for a numbered page, oldest transactions first: what comes
// in between makes rows appear twice, never be left out.
func (a api) pullSePay2(ctx context.Context, get rail.Get, q rail.Query) (rail.Pulled, error) {
	page := pageNumber(q.Cursor)
	query := url.Values{}
	query.Set("transaction_date_from", q.Since.In(clock.Vietnam).Format(sepayTime))
	query.Set("transaction_date_sort", "asc")
	query.Set("page", strconv.Itoa(page))
	query.Set("per_page", strconv.Itoa(sepayPage2))
	o, err := getObject(ctx, get, a.Base+"/v2/transactions?"+query.Encode(), "Bearer "+a.Token)
	if err != nil {
		return rail.Pulled{}, err
	}
	rows, ok := o["data"].([]any)
	if !ok {
		return rail.Pulled{}, errors.New("the provider's answer has no data")
	}
	// Without the word of the provider a full page means that there is more.
	more := len(rows) >= sepayPage2
	meta, _ := o["meta"].(object)
	pagination, _ := meta["pagination"].(object)
	if said, ok := pagination["has_more"].(bool); ok {
		more = said && len(rows) > 0
	}
	pulled := rail.Pulled{Parsed: parseRows(rows, sepayRow2), More: more}
	if more {
		pulled.Cursor = strconv.Itoa(page + 1)
	}
	return pulled, nil
}

// pageNumber reads a cursor that counts pages from 1.
func pageNumber(cursor string) int {
	n, err := strconv.Atoi(cursor)
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// sepayRow1 reads a row of version 1, whose id is that of the webhook.
func sepayRow1(r *row) (payment.Credit, bool) { return sepayListed(r), true }

// sepayRow2 reads a row of version 2. Its id is not that of the webhook, so
// the bank's reference alone can tell that the two are one transfer.
func sepayRow2(r *row) (payment.Credit, bool) {
	c := sepayListed(r)
	if c.Reference == "" {
		r.fail("no reference_number, so it cannot be told from its webhook; use version 1 of the API")
	}
	return c, true
}

func sepayListed(r *row) payment.Credit {
	amount, direction := sepayInOrOut(r)
	return payment.Credit{
		ExternalID:     r.id("id"),
		Account:        r.account("account_number"),
		VirtualAccount: r.account("sub_account", "va"),
		Amount:         amount,
		Currency:       "VND",
		Direction:      direction,
		Memo:           r.memo("transaction_content"),
		Reference:      r.short(maxID, "reference_number"),
		OrderCode:      r.short(maxID, "code"),
		OccurredAt:     r.time("transaction_date"),
	}
}

// sepayInOrOut reads the two columns of which one is zero.
func sepayInOrOut(r *row) (money.VND, payment.Direction) {
	in, _ := r.amount("amount_in")
	out, _ := r.amount("amount_out")
	switch {
	case in > 0 && out == 0:
		return in, payment.In
	case out > 0 && in == 0:
		return out, payment.Out
	}
	r.fail("amount_in is %d and amount_out is %d, want one above zero", in, out)
	return 0, ""
}
