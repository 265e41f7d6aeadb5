package main

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
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
