package bankfeed_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/rail"
)

// hasty is a manual clock on which waiting takes no time.
type hasty struct{ manual *clock.Manual }

func (h hasty) Now() time.Time { return h.manual.Now() }

func (h hasty) After(d time.Duration) <-chan time.Time {
	h.manual.Advance(max(d, 0))
	ch := make(chan time.Time, 1)
	ch <- h.Now()
	return ch
}

// transfer is one movement on the account that a fake provider watches.
type transfer struct {
	id      int
	at      time.Time
	amount  money.VND
	account string
	memo    string
}

func local(t time.Time) string { return t.In(clock.Vietnam).Format("2006-01-02 15:04:05") }

// provider plays the lists of SePay (both versions) and Casso.
type provider struct {
	t    testing.TB
	want string // the Authorization header

	mu        sync.Mutex
	transfers []transfer
	asked     []url.Values
	fail      func(n int) (status int, body string, err error) // of the n-th request from 1; status 0 is no failure
	full      int                                              // rows of a page, 0 for what is asked for
}

func (p *provider) get(_ context.Context, address string, h http.Header) (int, []byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, err := url.Parse(address)
	if err != nil {
		p.t.Error(err)
	}
	q := u.Query()
	p.asked = append(p.asked, q)
	if h.Get("Authorization") != p.want {
		return 401, []byte(`{"error_code":"unauthorized"}`), nil
	}
	if p.fail != nil {
		if status, body, err := p.fail(len(p.asked)); status != 0 || err != nil {
			return status, []byte(body), err
		}
	}
	var answer any
	switch u.Host + u.Path {
	case "my.sepay.vn/userapi/transactions/list":
		answer = p.sepay1(q)
	case "userapi.sepay.vn/v2/transactions":
		answer = p.sepay2(q)
	case "oauth.casso.vn/v2/transactions":
		answer = p.casso(q)
	default:
		p.t.Errorf("asked for %s", address)
	}
	body, err := json.Marshal(answer)
	return 200, body, err
}

// since lists the transfers from a moment of Vietnamese time on, oldest first.
func (p *provider) since(layout, from string) []transfer {
	start, err := time.ParseInLocation(layout, from, clock.Vietnam)
	if err != nil {
		p.t.Error(err)
	}
	var list []transfer
	for _, tr := range p.transfers {
		if !tr.at.Before(start) {
			list = append(list, tr)
		}
	}
	slices.SortStableFunc(list, func(a, b transfer) int { return a.at.Compare(b.at) })
	return list
}

func (p *provider) number(q url.Values, name string) int {
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < 1 {
		p.t.Errorf("%s is %q", name, q.Get(name))
	}
	return n
}

// page cuts a page out.
func (p *provider) page(list []transfer, number, size int) (rows []transfer, last int) {
	if p.full > 0 {
		size = p.full
	}
	last = max((len(list)+size-1)/size, 1)
	from := min((number-1)*size, len(list))
	return list[from:min(from+size, len(list))], last
}

// sepay1 gives the newest transfers when there are more than the limit.
func (p *provider) sepay1(q url.Values) any {
	list := p.since("2006-01-02 15:04:05", q.Get("transaction_date_min"))
	if to := q.Get("transaction_date_max"); to != "" {
		list = slices.DeleteFunc(list, func(tr transfer) bool { return local(tr.at) > to })
	}
	slices.Reverse(list)
	list = list[:min(len(list), p.number(q, "limit"))]
	rows := []any{}
	for _, tr := range list {
		rows = append(rows, map[string]any{
			"id": strconv.Itoa(tr.id), "transaction_date": local(tr.at), "account_number": tr.account, "sub_account": nil, "amount_in": fmt.Sprintf("%d.00", tr.amount),
			"amount_out": "0.00", "accumulated": "1.00", "code": nil, "transaction_content": tr.memo, "reference_number": fmt.Sprintf("FT%d", tr.id),
		})
	}
	return map[string]any{"status": 200, "error": nil, "messages": map[string]any{"success": true}, "transactions": rows}
}

func (p *provider) sepay2(q url.Values) any {
	if q.Get("transaction_date_sort") != "asc" {
		p.t.Error("not asked for the oldest first")
	}
	number := p.number(q, "page")
	list, last := p.page(p.since("2006-01-02 15:04:05", q.Get("transaction_date_from")), number, p.number(q, "per_page"))
	rows := []any{}
	for _, tr := range list {
		rows = append(rows, map[string]any{
			"id": fmt.Sprintf("01957000-0000-7000-8000-%012d", tr.id), "transaction_date": local(tr.at), "account_number": tr.account, "va": nil, "transfer_type": "in",
			"amount_in": tr.amount, "amount_out": 0, "code": nil, "transaction_content": tr.memo, "reference_number": fmt.Sprintf("FT%d", tr.id),
		})
	}
	return map[string]any{"status": "success", "data": rows, "meta": map[string]any{"pagination": map[string]any{"has_more": number < last}}}
}

func (p *provider) casso(q url.Values) any {
	if q.Get("sort") != "ASC" {
		p.t.Error("not asked for the oldest first")
	}
	list, last := p.page(p.since("2006-01-02", q.Get("fromDate")), p.number(q, "page"), p.number(q, "pageSize"))
	rows := []any{}
	for _, tr := range list {
		rows = append(rows, map[string]any{
			"id": tr.id, "tid": fmt.Sprintf("FT%d", tr.id), "description": tr.memo, "amount": tr.amount, "cusum_balance": 1,
			"when": tr.at.In(clock.Vietnam).Format("2006-01-02T15:04:05"), "bankSubAccId": tr.account, "virtualAccount": "",
		})
	}
	return map[string]any{"error": 0, "message": "success", "data": map[string]any{"totalPages": last, "records": rows}}
}

// message is the webhook of a transfer.
func (tr transfer) message(kind string) rail.Message {
	if kind == "casso" {
		body := fmt.Sprintf(`{"error":0,"data":[{"id":%d,"tid":"FT%d","description":%q,"amount":%d,"cusum_balance":1,"when":%q,"bank_sub_acc_id":%q}]}`,
			tr.id, tr.id, tr.memo, tr.amount, local(tr.at), tr.account)
		return rail.Message{Header: header("Secure-Token", testKey), Body: []byte(body)}
	}
	body := fmt.Sprintf(`{"id":%d,"transactionDate":%q,"accountNumber":%q,"content":%q,"transferType":"in","transferAmount":%d,"referenceCode":"FT%d"}`,
		tr.id, local(tr.at), tr.account, tr.memo, tr.amount, tr.id)
	return rail.Message{Header: header("Authorization", "Apikey "+testKey), Body: []byte(body)}
}
