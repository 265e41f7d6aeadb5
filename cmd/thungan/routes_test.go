package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect/appotapay"
	"github.com/thungan/thungan/internal/clock"
)

// Whatever stands below a protocol's path is answered in the protocol's form,
// however odd the path is: a client that was told to go elsewhere would have to
// sign anew.
func TestOddPathsAreAnsweredInForm(t *testing.T) {
	h, _ := production(t, slog.New(slog.NewTextHandler(io.Discard, nil)))
	for path, form := range map[string]string{
		"/v2":                         `"result":"ERROR"`,
		"/v2//payment-page-checkout":  `"result":"ERROR"`,
		"/v1/x/../refund":             `"result":"ERROR"`,
		"/api/v2/partner":             `"error_code":"99"`,
		"/api/v2/partner/./orders":    `"error_code":"99"`,
		"/tiniapp-open-api//order":    `"there is no such call"`,
		"/tiniapp-sandbox-open-api/.": `"there is no such call"`,
		"/PartnerAPI//Order":          `"statusCode":404`,
		"/order/user/../x":            `"statusCode":404`,
		"/admin/v1//payments":         `"not_found"`,
		"/admin/v1/../v1/payments":    `"not_found"`,
	} {
		for _, method := range []string{"GET", "POST"} {
			if w := ask(h, method, path, nil); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), form) {
				t.Errorf("%s %s: %d %s %s, want 404 with %s", method, path, w.Code, w.Header().Get("Location"), w.Body, form)
			}
		}
	}
	// A name that only begins like a protocol's is none.
	for _, path := range []string{"/v20/refund", "/v2x", "/tiniapp-open-apis/order", "/admin/v10"} {
		if w := ask(h, "POST", path, nil); w.Code != http.StatusNotFound || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// The metrics tell which protocol a request was of.
func TestRequestsAreCountedBySurface(t *testing.T) {
	h, g := production(t, slog.New(slog.NewTextHandler(io.Discard, nil)))
	token, err := g.core.AddAdminToken(t.Context(), core.Actor{Name: "test"}, "prometheus")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	for surface, paths := range map[string][]string{
		"paykit":       {"/v2/refund", "/v1/nothing", "/v2"},
		"appotapay":    {"/api/v2/partner/orders/payment/create", "/api/v2/partner/orders/transactions", "/api/v2/partner/nothing"},
		"ttdk":         {"/PartnerAPI/Order/queryOrder", "/order/user/getOrderDetail", "/partnerapi/nothing"},
		"tiki":         {"/tiniapp-open-api/order", "/tiniapp-open-api/oauth/me", "/tiniapp/api/graphql/query", "/tini/my.js"},
		"tiki-sandbox": {"/tiniapp-sandbox-open-api/order/list", "/tiniapp-sandbox-open-api/x"},
		"pos":          {"/pos/v1/sales/next", "/pos/v1/terminal", "/pos/v1/nothing"},
		"admin":        {"/admin/v1/payments", "/admin/v1/nothing", "/admin/v1//x"},
		"checkout":     {"/merchant/MC/payment/1", "/merchant/", "/assets/checkout.js"},
		"bankfeed":     {"/bank-feeds/none"},
		"other":        {"/", "/healthz", "/v3/refund"},
	} {
		for _, path := range paths {
			ask(h, "POST", path, nil)
			want[surface]++
		}
	}
	text := ask(h, "GET", "/metrics", http.Header{"Authorization": {"Bearer " + token}}).Body.String()
	for surface, n := range want {
		line := fmt.Sprintf("thungan_http_request_duration_seconds_count{surface=%q} %d\n", surface, n)
		if !strings.Contains(text, line) {
			t.Errorf("no %s", line)
		}
	}
	if n := strings.Count(text, "thungan_http_request_duration_seconds_count{"); n != len(want) {
		t.Errorf("%d surfaces, want %d", n, len(want))
	}
}

// An acknowledgement counts however much a receiver says beside it.
func TestLongAcknowledgement(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"trace": %q, "status": "ok"}`, strings.Repeat("x", 4000))
	}))
	defer receiver.Close()
	_, g := started(t, options{clock: clock.System(), log: slog.New(slog.NewTextHandler(io.Discard, nil)), publicURL: "http://127.0.0.1", pull: time.Minute, loopback: true})
	r, err := http.NewRequest(http.MethodPost, receiver.URL, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := g.client.Do(t.Context(), r)
	if err != nil || !(appotapay.Dialect{}).Accepted(answer.Status, answer.Body) {
		t.Errorf("%v, %d bytes of %d", err, len(answer.Body), answer.Status)
	}
}
