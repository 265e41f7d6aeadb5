package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect/paykit"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/pan/pantest"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/bankfeed"
	"github.com/thungan/thungan/rail/sandbox"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// The whole gateway, to which card numbers are sent at every door that has no
// sweep of its own: headers, paths and parameters of each surface, forms of the
// payer's page, a bank's notices, acquirers' addresses, and what a merchant's
// receiver answers. (Dialects: dialecttest.CardNumbers; the admin API and the
// terminals: TestCardNumbersStayOut.) Meanwhile payments are made, paid, told
// and refunded. No number may be in an answer, a log line of any level, a notice,
// a column of the database or a backup.
func TestCardNumbersStayOut(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := &doors{t: t, log: &lines{}, receiver: &receiver{}}
		d.open(s)
		d.payments()
		d.bank()
		d.strangers()
		d.look(s)
		d.backup(s)
		t.Logf("%d numbers, %d notices, %d bytes of log", d.numbers.Len(), len(d.receiver.all()), len(d.log.String()))
	})
}

// doors are the surfaces of a gateway with the sandbox's merchants.
type doors struct {
	t        *testing.T
	numbers  pantest.Numbers
	form     int
	log      *lines
	receiver *receiver
	gateway  *gateway
	http     *httptest.Server
	info     sandbox.Info
}

// lines is a log that many write to.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// receiver takes notices, and answers with a text.
type receiver struct {
	mu      sync.Mutex
	notices []string
	answer  string
	came    chan struct{}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	r.notices = append(r.notices, req.URL.String()+"\n"+url.Values(req.Header).Encode()+"\n"+string(body))
	answer := r.answer
	r.mu.Unlock()
	_, _ = io.WriteString(w, answer)
	r.came <- struct{}{}
}

func (r *receiver) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.notices...)
}

func (d *doors) check(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *doors) write(where string) string {
	d.form++
	return d.numbers.Write(pantest.Forms[d.form%len(pantest.Forms)], where)
}

func (d *doors) open(s *store.Store) {
	t := d.t
	file := filepath.Join(t.TempDir(), "key")
	d.check(vault.Generate(file))
	keys, err := vault.Load(file)
	d.check(err)
	d.http = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.gateway.handler.ServeHTTP(w, r) }))
	base := "http://" + d.http.Listener.Addr().String()
	d.gateway, err = newGateway(options{
		store: s, keys: keys, clock: clock.System(), publicURL: base, pull: time.Minute, loopback: true,
		proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, // each request comes from an address of its own
		log:     slog.New(httpx.NewMaskHandler(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
	})
	d.check(err)
	d.info, err = sandbox.Seed(t.Context(), d.gateway.core, base)
	d.check(err)
	d.http.Start()
	t.Cleanup(d.http.Close)
	d.receiver.came = make(chan struct{}, 1000)
	told := httptest.NewServer(d.receiver)
	t.Cleanup(told.Close)
	d.receiver.answer = "đã nhận " + d.write("a receiver's answer")
	address := told.URL + "/ipn"
	_, err = d.gateway.core.ChangeMerchant(t.Context(), core.Actor{Name: "test"}, d.info.Paykit.MerchantID, core.MerchantChange{
		Profiles: map[string]core.ProfileChange{paykit.Name: {NotifyURL: &address}},
	})
	d.check(err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { d.gateway.runner.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
}

// send makes a request; the answer must not show a number.
func (d *doors) send(method, path string, header map[string]string, body string) (int, string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.http.URL+path, strings.NewReader(body))
	d.check(err)
	d.form++
	r.Header.Set("X-Forwarded-For", netip.AddrFrom4([4]byte{198, 18, byte(d.form >> 8), byte(d.form)}).String())
	for name, value := range header {
		r.Header.Set(name, value)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	d.check(err)
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	d.check(err)
	for _, where := range d.numbers.Find(string(answer) + url.Values(res.Header).Encode()) {
		d.t.Errorf("the answer to %s %s shows %s: %.300s", method, path, where, answer)
	}
	return res.StatusCode, string(answer)
}

func (d *doors) paykit(path string, body map[string]any, into any) {
	d.t.Helper()
	text, err := json.Marshal(body)
	d.check(err)
	status, answer := d.send("POST", "/v2/"+path, map[string]string{
		"Content-Type": "application/json", "api-key": d.info.Paykit.APIKey, "secret-key": d.info.Paykit.SecretKey,
	}, string(text))
	if status != 200 || strings.Contains(answer, `"ERROR"`) {
		d.t.Fatalf("%s: %d %s", path, status, answer)
	}
	d.check(json.Unmarshal([]byte(answer), into))
}

// tell is a signed notice of the sandbox's bank.
func (d *doors) tell(body []byte) {
	d.t.Helper()
	feed, err := d.gateway.core.Feed(d.t.Context(), "sandbox")
	d.check(err)
	secret, _, err := d.gateway.core.FeedSecrets(feed)
	d.check(err)
	d.send("POST", "/bank-feeds/sandbox", map[string]string{bankfeed.SignatureHeader: bankfeed.Sign(secret, time.Now(), body)}, string(body))
}

// payments makes one that is paid and refunded, with a card number in the text
// of its transfer, and one whose payer sends numbers by the page's forms.
func (d *doors) payments() {
	t, c := d.t, d.gateway.core
	opening := func(id string) map[string]any {
		return map[string]any{"payment_method": "BANK_TRANSFER", "payment": map[string]any{
			"id": id, "amount": 100_000, "currency": "VND", "description": "Trà sữa", "success_url": "https://shop.example.vn/ok", "cancel_url": "https://shop.example.vn/no",
		}}
	}
	var made struct {
		CheckoutURL string `json:"checkout_url"`
	}
	d.paykit("payment-page-checkout", opening("PAID"), &made)
	p, err := c.Find(t.Context(), d.info.Paykit.MerchantID, paykit.Name, "PAID")
	d.check(err)
	body, err := json.Marshal(map[string]any{
		"id": "T-1", "account": p.Transfer.Number, "bin": p.Transfer.BIN, "amount": 100_000, "currency": "VND", "direction": "in",
		"memo": "THE " + d.numbers.Write("spaces", "the text of a transfer that pays") + " " + p.Transfer.Memo(), "reference": "FT1", "occurred_at": time.Now().Format(time.RFC3339),
	})
	d.check(err)
	d.tell(body)
	if p, err = c.Find(t.Context(), d.info.Paykit.MerchantID, paykit.Name, "PAID"); err != nil || p.State != payment.Approved {
		t.Fatalf("a transfer with a card number in its text did not pay: %s, %v", p.State, err)
	}
	_, r, err := c.RefundByOperator(t.Context(), core.Actor{Name: "test"}, p.ID, "R-1", 30_000, "nguội")
	d.check(err)
	_, err = c.JudgeRefund(t.Context(), core.Actor{Name: "test"}, r.ID, true, "đã chuyển")
	d.check(err)
	for range 2 { // paid, refunded
		select {
		case <-d.receiver.came:
		case <-time.After(time.Minute):
			t.Fatal("no notice came")
		}
	}
	d.paykit("payment-page-checkout", opening("PAGE"), &made)
	page, err := url.Parse(made.CheckoutURL)
	d.check(err)
	forms := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": d.http.URL}
	for _, at := range []string{"", "/events", "/qr.svg", "/qr.png"} {
		for _, name := range []string{"key", "lang", "amount", "account", "x"} {
			q := page.Query()
			q.Set(name, d.write("the page's parameter "+name))
			if at == "/events" && name != "key" {
				continue // which would go on
			}
			d.send("GET", page.Path+at+"?"+q.Encode(), nil, "")
		}
	}
	for _, at := range []string{"/method", "/leave", "/cancel"} {
		for _, name := range []string{"key", "method", "lang", "how", "card", "x"} {
			form := url.Values{"key": page.Query()["key"], "method": {"domestic_card"}}
			form.Set(name, d.write("the form "+at+" "+name))
			d.send("POST", page.Path+at, forms, form.Encode())
			d.send("POST", page.Path+at+"?"+url.Values{name: {d.write("the form's parameter " + name)}}.Encode(), forms, "key="+page.Query().Get("key"))
		}
	}
}

// bank tells of transfers with a number in every member.
func (d *doors) bank() {
	n := 0
	for _, shape := range []string{`{"id":"B","account":"1","virtual_account":"2","bin":"970436","amount":1000,"currency":"VND","direction":"in","memo":"x","reference":"r","occurred_at":"2026-03-04T12:06:30+07:00"}`,
		`{"transactions":[{"id":"B","account":"1","amount":1000,"direction":"in","memo":"x","counter_account":"3","occurred_at":"2026-03-04T12:06:30+07:00"}]}`} {
		var value any
		d.check(json.Unmarshal([]byte(shape), &value))
		pantest.Replace(value, func(field string, put func(any)) {
			for _, form := range []string{"spaces", "sentence", "full width", "dots"} {
				n++
				put(d.numbers.Write(form, "a bank's "+field))
				body, err := json.Marshal(value)
				d.check(err)
				d.tell(bytes.ReplaceAll(body, []byte(`"id":"B"`), []byte(`"id":"B`+strings.Repeat("x", n)+`"`)))
			}
		})
	}
}

// strangers knock everywhere with numbers in hand.
func (d *doors) strangers() {
	t := d.t
	connectors, err := d.gateway.core.Connectors(t.Context(), d.info.Paykit.MerchantID)
	d.check(err)
	paths := []string{
		"/v2/retrieve-payment", "/v1/refund", "/v2/", "/PartnerAPI/CustomerSchedule/user/createSchedule", "/PartnerAPI/Order/user/createPayment",
		"/api/v2/partner/orders/payment/create", "/tiniapp-open-api/order", "/tiniapp/api/graphql/query", "/pos/v1/sales/next", "/pos/v1/terminal", "/admin/v1/payments", "/admin/v1/merchants",
		"/merchant/MC/payment/1", "/merchant/MC/payment/1/cancel", "/bank-feeds/sandbox", "/bank-feeds/none", "/acquirers/none/notify", "/acquirers/none/return", "/assets/x", "/healthz", "/readyz", "/metrics", "/", "/nothing",
	}
	for _, c := range connectors {
		paths = append(paths, "/acquirers/"+c.ID+"/notify", "/acquirers/"+c.ID+"/return")
	}
	for _, path := range paths {
		for _, method := range []string{"GET", "POST", "PUT"} {
			number := func(what string) string { return d.write(method + " " + path + " " + what) }
			header := map[string]string{}
			for _, name := range []string{
				"User-Agent", "Referer", "X-Request-Id", "Authorization", "Cookie", "Accept-Language", "api-key", "secret-key", "apiKey", "X-AppotaPay-Auth", "X-Signature",
				"X-Tiniapp-Client-Id", "X-Tiki-Access-Token", "X-TiniApp-Id", bankfeed.SignatureHeader, "Origin", "X-Forwarded-Proto",
			} {
				header[name] = number(name)
			}
			header["Content-Type"] = "application/json"
			text, err := json.Marshal(map[string]any{
				"id": number("id"), "payment_id": number("payment_id"), "description": number("description"), "data": number("data"), "vnp_TxnRef": number("vnp_TxnRef"), "card_number": number("card_number"),
			})
			d.check(err)
			query := url.Values{"key": {number("?key")}, "vnp_CardNumber": {number("?vnp_CardNumber")}, "vpc_OrderInfo": {number("?vpc_OrderInfo")}}
			d.send(method, path+"?"+query.Encode(), header, string(text))
			d.send(method, strings.TrimSuffix(path, "/")+"/"+url.PathEscape(number("path")), map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, query.Encode())
		}
	}
}

func (d *doors) look(s *store.Store) {
	t := d.t
	t.Helper()
	for _, where := range d.numbers.Find(d.log.String()) {
		t.Errorf("the log has %s", where)
	}
	if !strings.Contains(d.log.String(), "route=") && !strings.Contains(d.log.String(), "status=") {
		t.Errorf("what was looked through is no log: %.300s", d.log.String())
	}
	if len(d.receiver.all()) < 2 {
		t.Error("there were no notices to look through")
	}
	for _, notice := range d.receiver.all() {
		for _, where := range d.numbers.Find(notice) {
			t.Errorf("a notice has %s: %s", where, notice)
		}
	}
	masked := 0
	storetest.Texts(t, s, func(table, column, text string) {
		if (table == "bank_credits" && column == "memo" || table == "outbox_attempts" && column == "answer" || table == "bank_messages" && column == "body") && strings.Contains(text, "…") {
			masked++
		}
		for _, where := range d.numbers.Find(text) {
			t.Errorf("%s.%s has %s: %q", table, column, where, text)
		}
	})
	if masked < 3 {
		t.Errorf("only %d masked texts: was anything kept at all?", masked)
	}
}

// backup looks through the file that a backup is, once it is decrypted.
func (d *doors) backup(s *store.Store) {
	if s.Engine() != "sqlite" {
		return
	}
	t := d.t
	identity, err := age.GenerateX25519Identity()
	d.check(err)
	folder := t.TempDir()
	plain, sealed := filepath.Join(folder, "plain.db"), filepath.Join(folder, "backup.age")
	d.check(s.Backup(t.Context(), plain))
	_, err = encrypt(plain, sealed, []age.Recipient{identity.Recipient()})
	d.check(err)
	file, err := os.Open(sealed)
	d.check(err)
	defer file.Close()
	r, err := age.Decrypt(file, identity)
	d.check(err)
	text, err := io.ReadAll(r)
	d.check(err)
	if !bytes.HasPrefix(text, []byte("SQLite format 3")) {
		t.Fatal("the backup is no database")
	}
	for _, where := range d.numbers.Find(strings.ToValidUTF8(string(text), "\x00")) {
		t.Errorf("the backup has %s", where)
	}
}
