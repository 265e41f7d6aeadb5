package upgrade

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/dialect/appotapay"
	"github.com/thungan/thungan/dialect/paykit"
	"github.com/thungan/thungan/dialect/tiki"
	"github.com/thungan/thungan/dialect/ttdk"
	"github.com/thungan/thungan/payment"
)

// flows are what the folder's maker did by the wire of each dialect.
type flows struct {
	Card, Refund, Sale, Voided, Order string
	Schedule, Booked                  int64
}

// flowsAreThere looks a story of money of each dialect up, as the core and as
// its own wire tell it.
func (w *world) flowsAreThere(folder string) {
	t := w.t
	text, err := os.ReadFile(filepath.Join(folder, "flows.json"))
	var f flows
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		merchant, dialect, reference string
		state                        payment.State
		received, refunded           int64
	}{
		{w.info.Paykit.MerchantID, paykit.Name, f.Card, payment.Approved, 100_000, 40_000},
		{w.info.AppotaPay.MerchantID, appotapay.Name, f.Sale, payment.Approved, 45_000, 0},
		{w.info.AppotaPay.MerchantID, appotapay.Name, f.Voided, payment.Voided, 0, 0},
		{w.info.TTDK.MerchantID, ttdk.Name, strconv.FormatInt(f.Booked, 10), payment.Approved, 120_000, 0},
		{w.info.Tiki.MerchantID, tiki.Name, f.Order, payment.Approved, 35_000, 0},
	} {
		p, err := w.core.Find(t.Context(), row.merchant, row.dialect, row.reference)
		if err != nil || p.State != row.state || int64(p.Received) != row.received || int64(p.Refunded) != row.refunded {
			t.Errorf("%s %s is %s with %d received and %d refunded (%v), want %s, %d, %d", row.dialect, row.reference, p.State, p.Received, p.Refunded, err, row.state, row.received, row.refunded)
		}
	}

	log := slog.New(slog.DiscardHandler)
	pk := paykit.New(paykit.Config{Core: w.core, Clock: w.clock, Log: log})
	keys := map[string]string{"api-key": w.info.Paykit.APIKey, "secret-key": w.info.Paykit.SecretKey}
	w.wire(pk, "POST", "/v2/retrieve-payment", keys, fmt.Sprintf(`{"payment_id": %q}`, f.Card), `"result":"APPROVED"`, `"refunded_amount":40000`, `"`+f.Refund+`"`)
	w.wire(pk, "POST", "/v2/retrieve-refund", keys, fmt.Sprintf(`{"payment_id": %q, "refund_id": %q}`, f.Card, f.Refund), `40000`)

	a := w.info.AppotaPay
	coded := base64.RawURLEncoding.EncodeToString
	token := coded([]byte(`{"typ":"JWT","alg":"HS256","cty":"appotapay-api;v=1"}`)) + "." + coded(fmt.Appendf(nil,
		`{"iss":%q,"jti":"%s-1","api_key":%q,"exp":%d}`, a.PartnerCode, a.APIKey, a.APIKey, w.clock.Now().Add(time.Hour).Unix()))
	m := hmac.New(sha256.New, []byte(a.SecretKey))
	m.Write([]byte(token))
	token += "." + coded(m.Sum(nil))
	ap := appotapay.New(appotapay.Config{Core: w.core, Clock: w.clock, Log: log})
	for reference, status := range map[string]string{f.Sale: "success", f.Voided: "void"} {
		w.wire(ap, "GET", "/api/v2/partner/orders/transaction/"+reference, map[string]string{"X-AppotaPay-Auth": token}, "", `"status":"`+status+`"`, `"amount":45000`)
	}

	partner := map[string]string{"apiKey": w.info.TTDK.APIKey, "clientId": w.info.TTDK.ClientID}
	td := ttdk.New(ttdk.Config{Core: w.core, Clock: w.clock, Log: log})
	w.wire(td, "POST", "/PartnerAPI/Order/user/getOrderDetail", partner, fmt.Sprintf(`{"id": %d}`, f.Booked), `"paymentStatus":"Success"`, `120000`)
	w.wire(td, "POST", "/PartnerAPI/CustomerSchedule/user/getDetailSchedule", partner, fmt.Sprintf(`{"customerScheduleId": %d}`, f.Schedule), strconv.FormatInt(f.Schedule, 10))

	target := "/order?order_id=" + f.Order
	stamp := strconv.FormatInt(w.clock.Now().UnixMilli(), 10)
	ti := tiki.New(tiki.Config{Core: w.core, Clock: w.clock, Log: log, RealTime: w.clock})
	w.wire(ti, "GET", "/tiniapp-open-api"+target, map[string]string{
		"X-Tiniapp-Client-Id": w.info.Tiki.ClientKey, "X-Tiniapp-Timestamp": stamp, "X-Tiniapp-Signature": tiki.Sign(w.info.Tiki.ClientKey, w.info.Tiki.ClientSecret, stamp, []byte(target)),
	}, "", `"`+f.Order+`"`, `"grand_total":35000`, `"status":"processing"`)
}

// wire asks a dialect, whose answer has to be a success with these parts.
func (w *world) wire(h http.Handler, method, target string, header map[string]string, body string, parts ...string) {
	w.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	text := strings.NewReplacer(`": `, `":`, ".0,", ",").Replace(answer.Body.String())
	for _, part := range parts {
		if answer.Code != http.StatusOK || !strings.Contains(text, part) {
			w.t.Errorf("%s %s: %d, no %s in %s", method, target, answer.Code, part, text)
		}
	}
}
