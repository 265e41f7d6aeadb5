package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/thungan/thungan/rail/vietqr"
	load "github.com/thungan/thungan/test/load"
)

var modes = map[string]mode{
	"create": checkout,
	"lookup": lookup,
	"page":   page,
	"path":   path,
}

// want says whether an answer is the one that a mode is for.
type want func(m load.Message) error

func wantSuccess(m load.Message) error {
	if m.Status == http.StatusOK && load.Has(m.Body, "result", "SUCCESS") {
		return nil
	}
	return refused(m)
}

// refused names an answer by its status and code.
func refused(m load.Message) error {
	what := load.TextOf(m.Body, "gateway_code")
	if what == nil {
		what = load.TextOf(m.Body, "cause")
	}
	return refusal(strings.TrimSpace(fmt.Sprintf("answer %d %s", m.Status, what)))
}

// exchange makes one request and judges its answer.
func (w *worker) exchange(request []byte, is want) (load.Message, error) {
	m, err := w.conn.Do(request)
	if err != nil {
		return m, err
	}
	if err := is(m); err != nil {
		return m, err
	}
	if m.Close {
		fresh, err := load.Dial(w.address, w.deadline)
		if err != nil {
			return m, err
		}
		m.Body = bytes.Clone(m.Body)
		_ = w.conn.Close()
		w.conn = fresh
	}
	return m, nil
}

// templates makes a request for each merchant, with the notify addresses in
// turn. There are as many or, so that every address comes up, some times as many
// as merchants: the n-th request is always of the n-th merchant in turn.
func templates(o options) []*load.Template {
	due := time.Now().Add(time.Hour)
	merchants, ipn := o.site.Merchants, o.site.IPN
	count := len(merchants)
	if count < len(ipn) {
		count *= len(ipn)
	}
	all := make([]*load.Template, count)
	for i := range all {
		to := ""
		if len(ipn) > 0 {
			to = ipn[i%len(ipn)]
		}
		all[i] = load.CheckoutRequest(o.site, merchants[i%len(merchants)], o.tag, to, due)
	}
	return all
}

// checkout creates payments, merchant by merchant in turn.
func checkout(o options) (func(*worker) step, error) {
	shared := templates(o)
	return func(w *worker) step {
		fill := filler(shared)
		return func(n int64) error {
			_, err := w.exchange(fill(n), wantSuccess)
			return err
		}
	}, nil
}

// filler fills templates for one worker. It copies them when they are first
// needed: a thousand merchants' are too much memory for each of many workers.
func filler(shared []*load.Template) func(n int64) []byte {
	if len(shared) == 1 {
		own := shared[0].Copy()
		return own.Fill
	}
	var own load.Template
	return func(n int64) []byte {
		own.Borrow(shared[n%int64(len(shared))])
		return own.Fill(n)
	}
}

// lookup asks for payments at random. The n-th was made by the n-th merchant in
// turn, as checkout does.
func lookup(o options) (func(*worker) step, error) {
	shared := make([]*load.Template, len(o.site.Merchants))
	for i, m := range o.site.Merchants {
		shared[i] = load.LookupRequest(o.site, m, o.tag)
	}
	return func(w *worker) step {
		fill := filler(shared)
		return func(int64) error {
			_, err := w.exchange(fill(rand.Int64N(o.known)), wantSuccess)
			return err
		}
	}, nil
}

// pages is how many payments the page mode makes to look at.
const pages = 64

// page views payment pages.
func page(o options) (func(*worker) step, error) {
	conn, err := load.Dial(o.site.Address, time.Now().Add(grace))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	w := &worker{conn: conn, address: o.site.Address, deadline: time.Now().Add(grace)}
	create := filler(templates(o))
	requests := make([][]byte, pages)
	for i := range requests {
		m, err := w.exchange(create(int64(i)), wantSuccess)
		if err != nil {
			return nil, fmt.Errorf("a payment to look at: %w", err)
		}
		target, err := localPart(load.TextOf(m.Body, "checkout_url"))
		if err != nil {
			return nil, err
		}
		requests[i] = load.PageRequest(o.site, target)
	}
	is := func(m load.Message) error {
		if m.Status == http.StatusOK && bytes.Contains(m.Body, []byte("</html>")) {
			return nil
		}
		return refused(m)
	}
	return func(w *worker) step {
		return func(n int64) error {
			_, err := w.exchange(requests[n%pages], is)
			return err
		}
	}, nil
}

// localPart is a URL's path and query.
func localPart(url []byte) ([]byte, error) {
	_, rest, ok := bytes.Cut(url, []byte("://"))
	at := bytes.IndexByte(rest, '/')
	if !ok || at < 0 {
		return nil, fmt.Errorf("%q is no checkout_url", url)
	}
	return bytes.Clone(rest[at:]), nil
}

// path creates payments and then tells, in one message of the bank, that they
// were paid.
func path(o options) (func(*worker) step, error) {
	if o.site.Feed == "" {
		return nil, fmt.Errorf("the site has no bank feed")
	}
	shared := templates(o)
	paid := func(m load.Message) error {
		if m.Status == http.StatusOK && bytes.Contains(m.Body, []byte(`"success":true`)) {
			return nil
		}
		return refusal(fmt.Sprintf("bank message: answer %d", m.Status))
	}
	return func(w *worker) step {
		fill := filler(shared)
		transfers := make([]load.Transfer, o.batch)
		return func(n int64) error {
			for i := range transfers {
				number := n + int64(i)
				m, err := w.exchange(fill(number), wantSuccess)
				if err != nil {
					return err
				}
				memo, err := memoOf(m.Body)
				if err != nil {
					return err
				}
				to := o.site.Merchants[number%int64(len(o.site.Merchants))]
				transfers[i] = load.Transfer{ID: load.Reference(o.tag, number), Account: to.Account, BIN: to.BIN, Memo: memo}
			}
			_, err := w.exchange(load.CreditRequest(o.site, transfers, time.Now()), paid)
			return err
		}
	}, nil
}

// memoOf is the transfer's text in an answer's VietQR payload. A search for a
// code would now and then find one that lies across the payload's objects.
func memoOf(body []byte) (string, error) {
	qr, _, err := vietqr.DecodeVerified(string(load.TextOf(body, "vietqr_data")))
	if err != nil || qr.Memo == "" {
		return "", refusal("answer has no transfer code")
	}
	return qr.Memo, nil
}
