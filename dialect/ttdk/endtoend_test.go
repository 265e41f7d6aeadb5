package ttdk_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect/dialecttest"
	"github.com/thungan/thungan/dialect/ttdk"
	"github.com/thungan/thungan/internal/guard"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/notify"
	"github.com/thungan/thungan/outbox"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// client is a partner's program.
type client struct {
	*testing.T
	g *dialecttest.Gateway
	h http.Handler
}

// post calls an endpoint and returns the answer's data.
func (c client) post(path, body string, want int) map[string]any {
	c.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("apiKey", c.g.Shop.Key)
	r.Header.Set("clientId", c.g.Shop.PublicID)
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	if w.Code != want {
		c.Fatalf("%s %s: %d %s", path, body, w.Code, w.Body)
	}
	var a map[string]any
	check(c, json.Unmarshal(w.Body.Bytes(), &a))
	if data, ok := a["data"].(map[string]any); ok {
		return data
	}
	return a
}

// hook is a webhook as the partner's server got it.
type hook struct {
	header http.Header
	body   []byte
}

// genuine does what the documents ask of a receiver.
func (h hook) genuine(g *dialecttest.Gateway) bool {
	mac := hmac.New(sha256.New, []byte(g.Shop.NotifySecret))
	mac.Write([]byte(g.Shop.PublicID + "|" + g.Shop.Key + "|" + h.header.Get("timestamp") + "|" + h.header.Get("nonce")))
	return hex.EncodeToString(mac.Sum(nil)) == h.header.Get("signature") && len(h.header.Get("nonce")) == 16
}

// A partner books, offers the order, the payer scans the code, the bank tells
// of the transfer, the partner hears of it (at the second attempt) and asks.
func TestBookPayHear(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		g := dialecttest.NewGateway(t, db, ttdk.Dialect{})
		c := client{t, g, fixtures(t, g, config(g))}
		hooks := make(chan hook, 10)
		answers := make(chan int, 10)
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.WriteHeader(<-answers)
			hooks <- hook{r.Header, body}
		}))
		defer receiver.Close()
		_, err := g.Core.ChangeMerchant(t.Context(), dialecttest.Operator, g.Shop.ID, core.MerchantChange{Profiles: map[string]core.ProfileChange{ttdk.Name: {NotifyURL: &receiver.URL}}})
		check(t, err)
		defer deliver(t, g, db)()
		next := func(answer int) hook {
			t.Helper()
			answers <- answer
			for range 100 {
				select {
				case h := <-hooks:
					return h
				case <-time.After(50 * time.Millisecond):
					g.Clock.Advance(6 * time.Second)
				}
			}
			t.Fatal("no webhook came")
			return hook{}
		}

		made := c.post("/PartnerAPI/CustomerSchedule/user/createSchedule",
			`{"licensePlates": "51G-123.45", "phone": "0987654321", "vehicleType": 1, "licensePlateColor": 1, "stationsId": 57, "dateSchedule": "06/03/2026", "time": "7h-9h", "stationServicesList": [101]}`, 200)
		id := int64(made["data"].([]any)[0].(float64))
		method := c.post("/PartnerAPI/PaymentQR/user/getPublicPaymentMethod", `{}`, 200)["bank"].(map[string]any)
		offer := c.post("/PartnerAPI/CustomerSchedule/user/createPayment", fmt.Sprintf(`{"customerScheduleId": %d, "paymentMethodType": %v, "paymentMethodId": %v}`,
			id, method["paymentMethodType"], method["paymentMethodId"]), 200)
		order := int64(offer["orderData"].(map[string]any)["orderId"].(float64))
		qr := offer["bankQR"].(map[string]any)

		// The picture is the code's.
		r := httptest.NewRequest("GET", strings.TrimPrefix(qr["qrData"].(string), "https://pay.example.com"), nil)
		w := httptest.NewRecorder()
		c.h.ServeHTTP(w, r)
		want, err := vietqr.PNG(qr["qrCode"].(string), 8)
		check(t, err)
		if w.Code != 200 || w.Header().Get("Content-Type") != "image/png" || !bytes.Equal(w.Body.Bytes(), want) {
			t.Errorf("the picture: %d, %d bytes", w.Code, w.Body.Len())
		}

		scanned, _, err := vietqr.DecodeVerified(qr["qrCode"].(string))
		check(t, err)
		if scanned.Memo != qr["paymentContent"] || scanned.Amount != 120_000 || scanned.Memo != fmt.Sprintf("ORDER%d", order) {
			t.Errorf("the code says %+v", scanned)
		}
		if credit := g.Transfer(t, "MBVCB.123."+scanned.Memo+".CT tu 0123", money.VND(scanned.Amount)); credit.Outcome != payment.OutcomeExact {
			t.Fatalf("the transfer: %+v", credit)
		}
		first, second := next(500), next(200)
		for _, h := range []hook{first, second} {
			if !h.genuine(g) {
				t.Errorf("a webhook is not genuine: %v", h.header)
			}
		}
		if first.header.Get("nonce") == second.header.Get("nonce") || first.header.Get("timestamp") == second.header.Get("timestamp") || !bytes.Equal(first.body, second.body) {
			t.Errorf("attempts: %v %s, %v %s", first.header, first.body, second.header, second.body)
		}
		var told struct{ CallbackData map[string]any }
		check(t, json.Unmarshal(second.body, &told))
		if told.CallbackData["orderId"] != float64(order) || told.CallbackData["paymentStatus"] != "Success" || told.CallbackData["paidAmount"] != 120000.0 {
			t.Errorf("told: %s", second.body)
		}
		if status := c.post("/Order/user/getOrderDetail", fmt.Sprintf(`{"id": %d}`, id), 200)["paymentStatus"]; status != "Success" {
			t.Errorf("asked: %v", status)
		}
		if again := c.post("/PartnerAPI/CustomerSchedule/user/createPayment", fmt.Sprintf(`{"customerScheduleId": %d, "paymentMethodType": 2}`, id), 500); again["error"] != "ALREADY_PAID" {
			t.Errorf("again: %v", again)
		}
		w = httptest.NewRecorder()
		c.h.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("the picture of a paid order: %d", w.Code)
		}

		// The station's staff confirms: a schedule webhook, that no payment caused.
		_, err = g.Core.SetBookingStatus(t.Context(), dialecttest.Operator, id, booking.Confirmed, "")
		check(t, err)
		confirmed := next(200)
		if !confirmed.genuine(g) || !strings.Contains(string(confirmed.body), `"customerScheduleStatus":10`) || !strings.Contains(string(confirmed.body), fmt.Sprintf(`"customerScheduleId":%d`, id)) {
			t.Errorf("confirmed: %v %s", confirmed.header, confirmed.body)
		}
		if _, sum, err := g.Core.TrialBalance(t.Context()); err != nil || sum != 0 {
			t.Errorf("the ledger sums to %d, %v", sum, err)
		}
	})
}

// deliver runs the outbox until the returned func is called.
func deliver(t *testing.T, g *dialecttest.Gateway, db *store.Store) (stop func()) {
	ids := id.NewSource(zeros{}, g.Clock)
	sender := &notify.Sender{Core: g.Core, Client: guard.New(guard.Options{AllowLoopback: true}), Clock: g.Clock, IDs: ids, Log: g.Log}
	runner := outbox.New(outbox.Config{
		Store: db, Clock: g.Clock, Node: "test", Wake: g.Core.Wake(), Log: g.Log,
		Handlers: map[string]outbox.Handler{core.KindNotice: sender, core.KindBooking: sender},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { runner.Run(ctx); close(done) }()
	return func() { cancel(); <-done }
}

// zeros is a source of ids that differ by their time and counter alone.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// wallets plays rail/acquiring.
type wallets struct {
	handoff payment.Handoff
	err     error
	asked   []payment.Method
}

func (w *wallets) Start(_ context.Context, _ string, m payment.Method, _ string) (payment.Handoff, error) {
	w.asked = append(w.asked, m)
	return w.handoff, w.err
}

// Wallets and card pages: what createPayment says for each way of handing over.
func TestWallets(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		g := dialecttest.NewGateway(t, db, ttdk.Dialect{})
		w := &wallets{}
		with := config(g)
		with.Starter, with.Mirror = w, true
		c := client{t, g, fixtures(t, g, with)}
		_, err := g.Core.AddConnector(t.Context(), dialecttest.Operator, core.NewConnector{
			MerchantID: g.Shop.ID, Kind: "sandbox", Name: "thử", Methods: []payment.Method{payment.MoMo, payment.ZaloPay, payment.VNPayQR}, Config: []byte(`{}`),
		})
		check(t, err)
		offered := c.post("/PartnerAPI/PaymentQR/user/getPublicPaymentMethod", `{}`, 200)
		for name, kind := range map[string]float64{"momo": 2, "zaloPay": 5, "vnPay": 4} {
			if m, ok := offered[name].(map[string]any); !ok || m["paymentMethodType"] != kind || m["paymentMethodEnable"] != 1.0 {
				t.Errorf("%s: %v", name, offered[name])
			}
		}
		pay := func(kind, number int) map[string]any {
			t.Helper()
			return c.post("/PartnerAPI/CustomerSchedule/user/createPayment", fmt.Sprintf(`{"customerScheduleId": 1869, "paymentMethodType": %d, "paymentMethodId": %d}`, kind, number), 200)
		}

		w.handoff = payment.Handoff{URL: "https://momo.example/pay", QR: "momo://code", App: "momo://app"}
		a := pay(2, 2)
		momo, ok := a["momoQR"].(map[string]any)
		if !ok || !strings.HasPrefix(momo["qrDataURL"].(string), "data:image/png;base64,") || momo["paymentContent"] != "ORDER99999" || a["paymentLinkUrl"] != nil ||
			a["paymentDeepLink"] != "momo://app" || a["bankQR"] != nil || a["paymentStatus"] != "Pending" {
			t.Errorf("MoMo: %v", a)
		}
		if m := a["paymentQR"].(map[string]any); m["momoQR"] == nil || a["orderId"] != 99999.0 {
			t.Errorf("the mirror: %v", a)
		}
		w.handoff = payment.Handoff{URL: "https://zalopay.example/pay"}
		if a := pay(5, 5); a["paymentLinkUrl"] != "https://zalopay.example/pay" || a["momoQR"] != nil {
			t.Errorf("ZaloPay: %v", a)
		}
		w.handoff = payment.Handoff{URL: "https://vnpay.example/form", Fields: map[string]string{"a": "b"}}
		if a := pay(4, 4); !strings.HasPrefix(a["paymentLinkUrl"].(string), "https://pay.example.com/merchant/"+g.Shop.PublicID+"/payment/99999?key=") {
			t.Errorf("a form is handed over by the hosted page: %v", a)
		}
		w.err = payment.Fail(payment.CodeBusy, "no acquirer could be reached")
		if a := pay(4, 4); a["isSuccess"] != 0.0 || a["errorCode"] != "PAYMENT_FAILED" || a["errorMessage"] != "no acquirer could be reached" || a["paymentLinkUrl"] != nil {
			t.Errorf("nobody there: %v", a)
		}
		w.err = errors.New("secret inside")
		if a := pay(4, 4); a["isSuccess"] != 0.0 || strings.Contains(fmt.Sprint(a), "secret") {
			t.Errorf("a fault: %v", a)
		}
		if fmt.Sprint(w.asked) != "[momo zalopay vnpay_qr vnpay_qr vnpay_qr]" {
			t.Errorf("asked for %v", w.asked)
		}
		// The bank, after all: one order, one payment.
		if a := pay(2, 1); a["bankQR"] == nil {
			t.Errorf("bank: %v", a)
		}
		found, err := g.Core.Search(t.Context(), core.Search{MerchantID: g.Shop.ID, Reference: "99999"})
		if err != nil || len(found) != 1 {
			t.Errorf("%d payments, %v", len(found), err)
		}
	})
}

// The option for clients of 2024.
func TestLegacyAuth(t *testing.T) {
	db := storetest.Open(t, storetest.URL(t, "sqlite"))
	g := dialecttest.NewGateway(t, db, ttdk.Dialect{})
	with := config(g)
	with.LegacyAuth = true
	h := ttdk.New(with)
	for path, want := range map[string]string{
		"/PartnerAPI/PaymentQR/user/getPublicPaymentMethod": `{"statusCode":505,"error":"Unauthorized","message":"An internal server unauthorized"}`,
		"/PartnerAPI/Stations/user/getList":                 `{"statusCode":505,"error":"Unauthorized","message":"An internal server unauthorized"}`,
		"/PartnerAPI/Order/queryOrder":                      `{"code":"01","message":"Xac thuc that bai","data":null}`,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader("{}")))
		if w.Body.String() != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// What does not fit into a golden file: size, and guesses by number.
func TestLimits(t *testing.T) {
	db := storetest.Open(t, storetest.URL(t, "sqlite"))
	g := dialecttest.NewGateway(t, db, ttdk.Dialect{})
	h := ttdk.New(config(g))
	ask := func(key, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/PartnerAPI/PaymentQR/user/getPublicPaymentMethod", strings.NewReader(body))
		r.Header.Set("apikey", key)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	const over = `{"statusCode":413,"error":"Request Entity Too Large","message":"Payload content length greater than maximum allowed: 1048576"}`
	if w := ask(g.Shop.Key, `"`+strings.Repeat("x", 1<<20)+`"`); w.Code != 413 || w.Body.String() != over {
		t.Errorf("over 1 MiB: %d %s", w.Code, w.Body)
	}
	if w := ask(g.Shop.Key, `"`+strings.Repeat("x", 1<<20-2)+`"`); w.Code != 200 {
		t.Errorf("1 MiB: %d %s", w.Code, w.Body)
	}
	tries := 0
	for ask("wrong", "{}").Code == 401 {
		if tries++; tries > 1000 {
			t.Fatal("guessing is not slowed down")
		}
	}
	if w := ask(g.Shop.Key, "{}"); w.Code != 429 || w.Header().Get("Retry-After") != "1" || tries < 50 {
		t.Errorf("after %d guesses: %d %s", tries, w.Code, w.Body)
	}
	g.Clock.Advance(2 * time.Second)
	if w := ask(g.Shop.Key, "{}"); w.Code != 200 {
		t.Errorf("after the wait: %d %s", w.Code, w.Body)
	}
}

// The documented QR text, to the last character: the account of the sample.
func TestSampleQRText(t *testing.T) {
	db := storetest.Open(t, storetest.URL(t, "sqlite"))
	g := dialecttest.NewGateway(t, db, ttdk.Dialect{})
	c := client{t, g, fixtures(t, g, config(g))}
	accounts, err := g.Core.ReceivingAccounts(t.Context(), g.Shop.ID)
	check(t, err)
	check(t, g.Core.EnableReceivingAccount(t.Context(), dialecttest.Operator, accounts[0].ID, false))
	_, err = g.Core.AddReceivingAccount(t.Context(), dialecttest.Operator, payment.ReceivingAccount{
		MerchantID: g.Shop.ID, BIN: "970407", Number: "0000000000001", Holder: "CONG TY VI DU", Recognise: payment.ByMemo, Enabled: true,
	})
	check(t, err)
	qr := c.post("/PartnerAPI/CustomerSchedule/user/createPayment", `{"customerScheduleId": 1869, "paymentMethodType": 2}`, 200)["bankQR"].(map[string]any)
	const want = "00020101021238570010A00000072701270006970407011300000000000010208QRIBFTTA530370454061200005802VN62140810ORDER9999963040E73"
	if qr["qrCode"] != want {
		t.Errorf("got  %v\nwant %s", qr["qrCode"], want)
	}
}

// A database that is gone is our failure, in each module's form, and nothing
// else is told.
func TestNoDatabase(t *testing.T) {
	db, err := store.Open(t.Context(), storetest.URL(t, "sqlite"))
	check(t, err)
	_, err = db.Migrate(t.Context())
	check(t, err)
	g := dialecttest.NewGateway(t, db, ttdk.Dialect{})
	h := ttdk.New(config(g))
	check(t, db.Close())
	const envelope = `{"statusCode":500,"error":"UNKNOWN_ERROR","message":"An internal server error occurred"}`
	for path, want := range map[string]string{
		"/PartnerAPI/PaymentQR/user/getPublicPaymentMethod": envelope,
		"/PartnerAPI/Stations/user/getList":                 envelope,
		"/PartnerAPI/Order/queryOrderBatch":                 strings.TrimSuffix(envelope, "}") + `,"errorCode":"99"}`,
		"/PartnerAPI/Order/queryOrder":                      `{"code":"99","message":"Loi he thong","data":null}`,
	} {
		body := map[string]string{
			"/PartnerAPI/Order/queryOrderBatch": `{"items": [{"orderId": "x", "amount": 1}]}`, "/PartnerAPI/Order/queryOrder": `{"requestId": "R", "orderId": "x", "amount": 1}`,
		}[path]
		if body == "" {
			body = "{}"
		}
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("apiKey", g.Shop.Key)
		r.Header.Set("clientId", g.Shop.PublicID)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 500 || w.Body.String() != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if !strings.Contains(g.Logged.String(), "request failed") || strings.Contains(g.Logged.String(), g.Shop.Key) {
		t.Errorf("the log: %s", g.Logged)
	}
}
