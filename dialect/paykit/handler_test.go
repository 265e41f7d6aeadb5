package paykit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/payment"
)

// bare is a handler without a gateway behind it; what it logs goes to the
// buffer.
func bare(c Config) (*handler, *bytes.Buffer) {
	var logged bytes.Buffer
	c.Clock = clock.NewManual(time.Date(2026, 3, 4, 5, 6, 7, 123_456_000, time.UTC))
	c.Log = slog.New(slog.NewTextHandler(&logged, nil))
	return New(c).(*handler), &logged
}

func (h *handler) ask(method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

func decodeEnvelope(t *testing.T, body []byte) envelopeSeen {
	t.Helper()
	var seen envelopeSeen
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&seen); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return seen
}

// envelopeSeen is a failed answer as a client reads it.
type envelopeSeen struct {
	ResponseAt  string `json:"response_at"`
	Result      string `json:"result"`
	GatewayCode string `json:"gateway_code"`
	Error       *struct {
		Cause       string         `json:"cause"`
		Explanation string         `json:"explanation"`
		Field       map[string]any `json:"field"`
		SupportCode string         `json:"support_code"`
	} `json:"error"`
}

// Every operation answers every failure in one of the two forms, with the
// members that the form has to have and no other, in every setting of the
// statuses (P4, P25).
func TestFailures(t *testing.T) {
	for _, setting := range []ErrorStatus{ErrorStatusDefault, ErrorStatusHTTP, ErrorStatusOK} {
		h, logged := bare(Config{ErrorStatus: setting})
		for op := range pages {
			for _, code := range payment.Codes {
				name := fmt.Sprintf("%q, %s, %s", setting, op, code)
				w := httptest.NewRecorder()
				r := httptest.NewRequest("POST", "/v2/"+op, nil)
				logged.Reset()
				h.fail(w, r, op, fmt.Errorf("core: %w", &payment.Error{Code: code, Text: "a text", Cause: errors.New("SECRET CAUSE")}))
				seen := decodeEnvelope(t, w.Body.Bytes())
				if strings.Contains(w.Body.String(), "SECRET CAUSE") {
					t.Errorf("%s: shows the cause: %s", name, w.Body)
				}
				if seen.Result == resultFailure {
					if w.Code != 200 || seen.Error != nil || !slices.Contains(pages[op], seen.GatewayCode) {
						t.Errorf("%s: %d %s", name, w.Code, w.Body)
					}
					continue
				}
				e := seen.Error
				if seen.Result != resultError || e == nil || seen.GatewayCode != "" {
					t.Errorf("%s: %s", name, w.Body)
					continue
				}
				if w.Code != setting.of(e.Cause, causeStatus[e.Cause]) {
					t.Errorf("%s: %d", name, w.Code)
				}
				explained := e.Cause == causeRequestRejected || e.Cause == causeServerBusy
				if (e.Explanation != "") != explained || (e.Field != nil) != (e.Cause == causeInvalidRequest) || (e.SupportCode != "") != (e.Cause == causeServerFailed) {
					t.Errorf("%s: %s", name, w.Body)
				}
				if e.Cause == causeServerBusy && w.Header().Get("Retry-After") != "1" {
					t.Errorf("%s: no Retry-After", name)
				}
				if e.Cause == causeServerFailed && (!supportCode.MatchString(e.SupportCode) ||
					!strings.Contains(logged.String(), e.SupportCode) || !strings.Contains(logged.String(), "SECRET CAUSE")) {
					t.Errorf("%s: support code %q, logged %s", name, e.SupportCode, logged)
				}
			}
		}
	}
}

var supportCode = regexp.MustCompile(`^[0-9a-f]{32}$`)

func TestSupportCodes(t *testing.T) {
	h, _ := bare(Config{})
	a, b := h.supportCode(), h.supportCode()
	if a == b || !supportCode.MatchString(a) {
		t.Errorf("%s %s", a, b)
	}
	h, _ = bare(Config{Random: iotest.ErrReader(errors.New("broken"))})
	if c := h.supportCode(); !supportCode.MatchString(c) {
		t.Errorf("without randomness: %q", c)
	}
}

// A fault of ours is answered in the protocol's form and shows nothing of the
// inside. Here there is no core at all.
func TestPanic(t *testing.T) {
	h, logged := bare(Config{})
	w := h.ask("POST", "/v2/refund", "{}")
	seen := decodeEnvelope(t, w.Body.Bytes())
	if w.Code != 500 || seen.Error == nil || seen.Error.Cause != "SERVER_FAILED" || strings.Contains(w.Body.String(), "goroutine") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(logged.String(), "nil pointer") || !strings.Contains(logged.String(), seen.Error.SupportCode) {
		t.Errorf("logged %s", logged)
	}
}

// A broken connection stays broken.
func TestAbortPassesThrough(t *testing.T) {
	h, _ := bare(Config{})
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler {
			t.Errorf("recovered %v", cause)
		}
	}()
	func() {
		defer h.recovered(httptest.NewRecorder(), httptest.NewRequest("POST", "/v2/refund", nil), opRefund)
		panic(http.ErrAbortHandler)
	}()
	t.Error("the abort was swallowed")
}

func TestOperation(t *testing.T) {
	for path, want := range map[string]string{
		"/v2/refund": "refund", "/v1/refund": "refund", "/v2/": "", "/v2": "", "/": "", "": "", "/v3/refund": "",
		"/v2/v2/refund": "v2/refund", "/v2//refund": "/refund", "/V2/refund": "",
	} {
		if got := operation(path); got != want {
			t.Errorf("%q: %q", path, got)
		}
	}
}

// After too many failures from one address it is told to wait, with good
// credentials too; other addresses are not. Behind a trusted proxy the address
// is the forwarded one.
func TestThrottle(t *testing.T) {
	h, _ := bare(Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	ask := func(peer, forwarded string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/v2/refund", strings.NewReader("{}"))
		r.RemoteAddr = peer + ":1234"
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for range failureBurst {
		h.failures.Fail("192.0.2.7")
	}
	for _, c := range []struct {
		peer, forwarded string
		refused         bool
	}{
		{"192.0.2.7", "", true},
		{"192.0.2.7", "192.0.2.8", true}, // not a trusted proxy
		{"10.1.2.3", "192.0.2.7", true},
		{"10.1.2.3", "192.0.2.7, 192.0.2.8", false},
		{"192.0.2.8", "192.0.2.7", false},
	} {
		w := ask(c.peer, c.forwarded)
		if (w.Code == http.StatusTooManyRequests) != c.refused {
			t.Errorf("%s for %q: %d", c.peer, c.forwarded, w.Code)
		}
		if c.refused && (w.Header().Get("Retry-After") != "1" || decodeEnvelope(t, w.Body.Bytes()).Error.Cause != "REQUEST_REJECTED") {
			t.Errorf("%v %s", w.Header(), w.Body)
		}
	}
}

func TestHeaders(t *testing.T) {
	h, _ := bare(Config{})
	w := h.ask("GET", "/v2/refund", "")
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Allow": "POST", "Content-Length": fmt.Sprint(w.Body.Len()),
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
