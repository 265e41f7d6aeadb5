package appotapay_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/dialect/appotapay"
	"github.com/thungan/thungan/dialect/dialecttest"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// tills are the terminals of a gateway's parties, by merchant.
var (
	tillsMu sync.Mutex
	tills   = map[string]payment.Terminal{}
)

// till is a party's terminal.
func till(merchantID string) payment.Terminal {
	tillsMu.Lock()
	defer tillsMu.Unlock()
	return tills[merchantID]
}

// handler serves the dialect for g, with a terminal for each merchant.
func handler(t testing.TB) func(g *dialecttest.Gateway) http.Handler {
	return func(g *dialecttest.Gateway) http.Handler {
		for _, p := range []dialecttest.Party{g.Shop, g.Other} {
			terminal, _, err := g.Core.AddTerminal(t.Context(), dialecttest.Operator, core.NewTerminal{MerchantID: p.ID, Name: "Quầy 1"})
			if err != nil {
				t.Fatal(err)
			}
			tillsMu.Lock()
			tills[p.ID] = terminal
			tillsMu.Unlock()
		}
		return appotapay.New(appotapay.Config{Core: g.Core, Clock: g.Clock, Log: g.Log})
	}
}

const requestID = "8f14e45f-ceea-4e67-a5d4-0123456789ab"

// tokenOf makes a token as the vendor's own sample does.
func tokenOf(p dialecttest.Party, exp time.Time) string {
	return signedToken(`{"typ":"JWT","alg":"HS256","cty":"appotapay-api;v=1"}`,
		fmt.Sprintf(`{"iss":%q,"jti":"%s-%d","api_key":%q,"exp":%d}`, p.PublicID, p.Key, exp.Unix(), p.Key, exp.Unix()), p.Secret)
}

func signedToken(head, claims, secret string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	return text + "." + base64.RawURLEncoding.EncodeToString(digest(secret, text))
}

func digest(secret, text string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func sign(secret, body string) string { return hex.EncodeToString(digest(secret, body)) }

var (
	ulid       = regexp.MustCompile(`"[0-7][0-9A-HJKMNP-TV-Z]{25}"`)
	orderID    = regexp.MustCompile(`"order_id": ?"[0-9]{17,19}"`)
	noticeBody = regexp.MustCompile(`"data": "([^"]+)",\n  "signature": "([0-9a-f]{64})"`)
)

// hide replaces ids, and shows what an IPN tells instead of its base64.
func hide(body string) string {
	body = noticeBody.ReplaceAllStringFunc(body, func(found string) string {
		parts := noticeBody.FindStringSubmatch(found)
		data, err := base64.StdEncoding.DecodeString(parts[1])
		if err != nil {
			return found
		}
		var told any
		if json.Unmarshal(data, &told) != nil {
			return found
		}
		return `"data": base64 of ` + string(data) + ",\n  \"signature\": \"{hmac}\""
	})
	body = orderID.ReplaceAllString(body, `"order_id": "{order-id}"`)
	return ulid.ReplaceAllString(body, `"{transaction-id}"`)
}

// The golden exchanges: every code that a gateway emits, every status, every
// look-up, on both engines.
func TestExchanges(t *testing.T) { exchanges(handler(t)).Run(t, "testdata") }

// No field of the wire lets a card number in.
func TestCardNumbersStayOut(t *testing.T) { exchanges(handler(t)).CardNumbers(t, "testdata") }

// The golden exchanges of a gateway whose callers are given up on before they
// are served: code 93.
func TestExchangesBusy(t *testing.T) {
	exchanges(func(g *dialecttest.Gateway) http.Handler {
		inner := handler(t)(g)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			cancel()
			inner.ServeHTTP(w, r.WithContext(ctx))
		})
	}).Run(t, "testdata/busy")
}

// The golden exchanges of a gateway with a fault of its own: code 500.
func TestExchangesBroken(t *testing.T) {
	exchanges(func(g *dialecttest.Gateway) http.Handler {
		handler(t)(g) // the terminals
		return appotapay.New(appotapay.Config{Clock: g.Clock, Log: g.Log})
	}).Run(t, "testdata/broken")
}

func exchanges(serve func(g *dialecttest.Gateway) http.Handler) dialecttest.Exchanges {
	return dialecttest.Exchanges{
		Dialect: appotapay.Dialect{},
		Handler: serve,
		Names: func(g *dialecttest.Gateway) map[string]string {
			far := dialecttest.Start.Add(10 * 365 * 24 * time.Hour)
			return map[string]string{
				"partner": g.Shop.PublicID, "jwt": tokenOf(g.Shop, far), "other-jwt": tokenOf(g.Other, far), "late-jwt": tokenOf(g.Shop, dialecttest.Start),
				"uuid": requestID, "terminal": till(g.Shop.ID).PublicID, "other-terminal": till(g.Other.ID).PublicID,
			}
		},
		Sign: func(g *dialecttest.Gateway, r *http.Request, body []byte) {
			if r.Header.Get("X-Signature") == "{signature}" {
				r.Header.Set("X-Signature", sign(g.Shop.Secret, string(body)))
			}
		},
		Steps: steps(),
		Hide:  hide,
	}
}

// steps are those of a device, see step.
func steps() map[string]func(t *testing.T, g *dialecttest.Gateway, arguments []string) {
	all := map[string]func(t *testing.T, g *dialecttest.Gateway, arguments []string){}
	for _, name := range []string{"fetch", "approve", "declined", "cancelled", "timed_out", "void", "settle", "terminal", "methods", "terminal-limits"} {
		all[name] = func(t *testing.T, g *dialecttest.Gateway, arguments []string) {
			step(t, g, append([]string{name}, arguments...))
		}
	}
	return all
}

// step takes the steps of a device:
//
//	fetch                         the device takes the sale that waits
//	approve REFERENCE [SCHEME]    the device says so
//	declined REFERENCE [REASON]
//	cancelled|timed_out REFERENCE
//	void REFERENCE
//	settle
//	terminal active|locked
//	methods METHOD ...            of the terminal
//	terminal-limits SALE DAY MONTH BATCH
func step(t *testing.T, g *dialecttest.Gateway, s []string) {
	ctx, terminal := t.Context(), till(g.Shop.ID)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%v: %v", s, err)
		}
	}
	report := func(r core.SaleReport) {
		r.TerminalID, r.PaymentID = terminal.ID, g.Find(t, appotapay.Dialect{}, s[1]).ID
		_, err := g.Core.ReportSale(ctx, r)
		check(err)
	}
	change := func(ch core.TerminalChange) {
		_, err := g.Core.ChangeTerminal(ctx, dialecttest.Operator, terminal.ID, ch)
		check(err)
	}
	switch s[0] {
	case "fetch":
		_, ok, err := g.Core.NextSale(ctx, terminal.ID)
		check(err)
		if !ok {
			t.Fatal("no sale waits")
		}
	case "approve":
		r := core.SaleReport{Outcome: core.SaleApproved, Reference: "RRN-" + s[1], Approval: "A1B2C3", Card: "0018"}
		if len(s) > 2 {
			r.Scheme = payment.Scheme(s[2])
		}
		report(r)
	case "declined":
		r := core.SaleReport{Outcome: core.SaleDeclined}
		if len(s) > 2 {
			r.Reason = payment.Decline(s[2])
		}
		report(r)
	case "cancelled", "timed_out":
		report(core.SaleReport{Outcome: core.SaleOutcome(s[0])})
	case "void":
		_, err := g.Core.Void(ctx, g.Find(t, appotapay.Dialect{}, s[1]).ID, core.ActorTerminal, "")
		check(err)
	case "settle":
		now, err := g.Core.Terminal(ctx, terminal.ID)
		check(err)
		_, err = g.Core.SettleBatch(ctx, terminal.ID, now.Batch)
		check(err)
	case "terminal":
		state := payment.TerminalState(s[1])
		change(core.TerminalChange{State: &state})
	case "methods":
		var methods []payment.Method
		for _, m := range s[1:] {
			methods = append(methods, payment.Method(m))
		}
		change(core.TerminalChange{Methods: methods})
	case "terminal-limits":
		var limits [4]money.VND
		for i := range limits {
			n, err := strconv.ParseInt(s[i+1], 10, 64)
			check(err)
			limits[i] = money.VND(n)
		}
		change(core.TerminalChange{MaxAmount: &limits[0], DailyLimit: &limits[1], MonthlyLimit: &limits[2], BatchLimit: &limits[3]})
	}
}

const (
	createPath = "/api/v2/partner/orders/payment/create"
	detailPath = "/api/v2/partner/orders/transaction/"
	listPath   = "/api/v2/partner/orders/transactions"
)

// here stands for the terminal of whoever sends a body.
const here = "{terminal}"

func createBody(reference, method string, amount money.VND) string {
	return `{"partner_ref_id":"` + reference + `","order_info":"Bàn 4","terminal_id":"` + here + `","payment_method":"` + method + `","amount":` + amount.String() + `}`
}

// authorize signs a request, with the sender's own terminal in it.
func authorize(r *http.Request, who dialecttest.Party, body string) {
	body = strings.ReplaceAll(body, here, till(who.ID).PublicID)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	r.Header.Set("X-AppotaPay-Auth", tokenOf(who, dialecttest.Start.Add(100*24*time.Hour)))
	r.Header.Set("X-Request-Id", requestID)
	r.Header.Set("X-Signature", sign(who.Secret, body))
}

func TestConformance(t *testing.T) {
	dialecttest.Suite{
		Dialect: appotapay.Dialect{},
		Handler: handler(t),
		Calls: []dialecttest.Call{
			{Method: "POST", Path: createPath, Body: `{}`},
			{Method: "GET", Path: detailPath + "NONE"},
			{Method: "GET", Path: listPath + "?page=1&limit=25"},
		},
		Unknown: []string{
			"/api/v2/partner/", "/api/v2/partner/orders", "/api/v2/partner/orders/transaction/", "/api/v2/partner/orders/transaction/a/b",
			"/api/v2/partner/orders/payment/create/", "/api/v2/partner//orders/transactions", "/api/v2/partner/orders/payment/CREATE",
			"/api/v2/partner/orders/payment/void",
		},
		Authorize: authorize,
		Open: func(reference string, amount money.VND) dialecttest.Call {
			return dialecttest.Call{Method: "POST", Path: createPath, Body: createBody(reference, "QR", amount)}
		},
		Find: func(reference string) dialecttest.Call {
			return dialecttest.Call{Method: "GET", Path: detailPath + strings.ReplaceAll(reference, "'", "%27")}
		},
		Opened: func(status int, body string) bool { return status == 200 && strings.Contains(body, `"transaction":{`) },
		Found:  func(status int, body string) bool { return status == 200 && strings.Contains(body, `"transaction_id"`) },
		Shows: func(r dialect.Request, p payment.Payment) bool {
			want := map[payment.State]string{payment.Approved: `"status":"success"`, payment.Canceled: `"error_code":"38"`, payment.Expired: `"error_code":"67"`}[p.State]
			told := open(t, r)
			return strings.Contains(told, want) && strings.Contains(told, `"partner_ref_id":"`+p.Reference+`"`)
		},
	}.Run(t)
}

// open reads what an IPN tells.
func open(t testing.TB, r dialect.Request) string {
	t.Helper()
	var e struct{ Data, Signature string }
	if err := json.Unmarshal(r.Body, &e); err != nil {
		t.Fatal(err)
	}
	data, err := base64.StdEncoding.DecodeString(e.Data)
	if err != nil || len(e.Signature) != 64 {
		t.Fatal(err, e.Signature)
	}
	return string(data)
}

// world is a handler over a gateway of its own.
type world struct {
	*dialecttest.Gateway
	http.Handler
}

func newWorld(t testing.TB, db *store.Store) world {
	g := dialecttest.NewGateway(t, db, appotapay.Dialect{})
	return world{g, handler(t)(g)}
}

// ask sends a request; header changes what authorize has set, "" takes away.
func (w world) ask(method, path, body string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	authorize(r, w.Shop, body)
	for name, value := range header {
		r.Header.Del(name)
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	a := httptest.NewRecorder()
	w.ServeHTTP(a, r)
	return a
}

func code(a *httptest.ResponseRecorder) string {
	var e struct {
		Code string `json:"error_code"`
	}
	_ = json.Unmarshal(a.Body.Bytes(), &e)
	return e.Code
}

// Every tolerance and every refusal of tokens (A1, A2, A3).
func TestTokens(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		w := newWorld(t, db)
		p, now := w.Shop, dialecttest.Start.Unix()
		head := `{"typ":"JWT","alg":"HS256","cty":"appotapay-api;v=1"}`
		claims := func(format string, args ...any) string {
			return `{"iss":"` + p.PublicID + `","api_key":"` + p.Key + `",` + fmt.Sprintf(format, args...) + `}`
		}
		good := func(claims string) string { return signedToken(head, claims, p.Secret) }
		plain := tokenOf(p, dialecttest.Start.Add(time.Minute))
		parts := strings.Split(plain, ".")
		mac, _ := base64.RawURLEncoding.DecodeString(parts[2])
		standard := parts[0] + "." + parts[1] + "." + base64.StdEncoding.EncodeToString(mac)
		for name, token := range map[string]string{
			"plain": plain, "bearer": "Bearer " + plain, "Bearer in capitals": "BEARER  " + plain, "standard base64 with padding": standard,
			"no jti":           good(claims(`"exp":%d`, now+60)),
			"jti, no hyphen":   good(claims(`"jti":"%s%d","exp":%d`, p.Key, now, now+60)),
			"jti, a number":    good(claims(`"jti":%d,"exp":%d`, now, now+60)),
			"iat and more":     good(claims(`"iat":%d,"nbf":%d,"aud":["x"],"exp":%d`, now+3600, now+3600, now+60)),
			"two hours":        good(claims(`"exp":%d`, now+7200)),
			"a year":           good(claims(`"exp":%d`, now+365*86400)),
			"for ever":         good(claims(`"exp":99999999999999999999`)),
			"longer":           good(claims(`"exp":1e999999999`)),
			"exp as text":      good(claims(`"exp":"%d"`, now+60)),
			"exp, fraction":    good(claims(`"exp":%d.75`, now+60)),
			"members reversed": good(fmt.Sprintf(`{"exp":%d,"api_key":%q,"iss":%q}`, now+60, p.Key, p.PublicID)),
			"white space":      good(fmt.Sprintf(" {\n\"exp\" : %d, \"api_key\": %q, \"iss\": %q } ", now+60, p.Key, p.PublicID)),
			"no cty":           signedToken(`{"alg":"HS256"}`, claims(`"exp":%d`, now+60), p.Secret),
			"last second":      good(claims(`"exp":%d`, now+1)),
		} {
			for range 2 { // the same token again
				if a := w.ask("GET", listPath+"?page=1&limit=1", "", map[string]string{"X-AppotaPay-Auth": token}); a.Code != 200 {
					t.Errorf("%s: %d %s", name, a.Code, a.Body)
				}
			}
		}
		for name, token := range map[string]string{
			"none": "", "garbled": "abc", "two segments": parts[0] + "." + parts[1], "four segments": plain + ".x", "empty signature": parts[0] + "." + parts[1] + ".",
			"alg none":           signedToken(`{"typ":"JWT","alg":"none"}`, claims(`"exp":%d`, now+60), p.Secret),
			"alg none, unsigned": strings.Join(strings.Split(signedToken(`{"alg":"none"}`, claims(`"exp":%d`, now+60), p.Secret), ".")[:2], ".") + ".",
			"HS512":              signedToken(`{"alg":"HS512"}`, claims(`"exp":%d`, now+60), p.Secret),
			"hs256":              signedToken(`{"alg":"hs256"}`, claims(`"exp":%d`, now+60), p.Secret),
			"RS256":              signedToken(`{"alg":"RS256"}`, claims(`"exp":%d`, now+60), p.Secret),
			"no alg":             signedToken(`{}`, claims(`"exp":%d`, now+60), p.Secret),
			"ALG":                signedToken(`{"ALG":"HS256"}`, claims(`"exp":%d`, now+60), p.Secret),
			"expired":            good(claims(`"exp":%d`, now)),
			"expired long ago":   good(claims(`"exp":1`)),
			"no exp":             good(claims(`"x":1`)),
			"exp is null":        good(claims(`"exp":null`)),
			"exp below zero":     good(claims(`"exp":-1`)),
			"another's secret":   signedToken(head, claims(`"exp":%d`, now+60), w.Other.Secret),
			"wrong issuer":       good(fmt.Sprintf(`{"iss":%q,"api_key":%q,"exp":%d}`, w.Other.PublicID, p.Key, now+60)),
			"no issuer":          good(fmt.Sprintf(`{"api_key":%q,"exp":%d}`, p.Key, now+60)),
			"issuer, other case": good(fmt.Sprintf(`{"iss":%q,"api_key":%q,"exp":%d}`, strings.ToLower(p.PublicID), p.Key, now+60)),
			"issuer, a list":     good(fmt.Sprintf(`{"iss":[%q],"api_key":%q,"exp":%d}`, p.PublicID, p.Key, now+60)),
			"unknown key":        good(fmt.Sprintf(`{"iss":%q,"api_key":"NONE","exp":%d}`, p.PublicID, now+60)),
			"no key":             good(fmt.Sprintf(`{"iss":%q,"exp":%d}`, p.PublicID, now+60)),
			"another's key":      good(fmt.Sprintf(`{"iss":%q,"api_key":%q,"exp":%d}`, p.PublicID, w.Other.Key, now+60)),
			"changed claims":     parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(claims(`"exp":%d`, now+999))) + "." + parts[2],
			"platform":           tokenOf(w.Platform, dialecttest.Start.Add(time.Minute)),
			"too long":           good(claims(`"x":"%s","exp":%d`, strings.Repeat("x", 5000), now+60)),
			"basic":              "Basic " + plain,
		} {
			a := w.ask("GET", listPath+"?page=1&limit=1", "", map[string]string{"X-AppotaPay-Auth": token})
			if a.Code != 401 || a.Body.String() != `{"error_code":"401","error_message":"Lỗi xác thực"}` {
				t.Errorf("%s: %d %s", name, a.Code, a.Body)
			}
		}
		if strings.Contains(w.Logged.String(), p.Secret) || strings.Contains(w.Logged.String(), parts[2]) {
			t.Error("credentials in the log")
		}
	})
}

// The signature is over the very bytes (A4), and X-Request-Id a UUIDv4 (A5).
func TestSignatures(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		w := newWorld(t, db)
		sent := strings.ReplaceAll(createBody("SIG-1", "QR", 10_000), here, till(w.Shop.ID).PublicID)
		for name, c := range map[string]struct {
			header map[string]string
			body   string
			want   string
		}{
			"none":               {map[string]string{"X-Signature": ""}, sent, "2"},
			"wrong":              {map[string]string{"X-Signature": sign("x", sent)}, sent, "2"},
			"cut":                {map[string]string{"X-Signature": sign(w.Shop.Secret, sent)[:63]}, sent, "2"},
			"base64":             {map[string]string{"X-Signature": base64.StdEncoding.EncodeToString(digest(w.Shop.Secret, sent))}, sent, "2"},
			"of another form":    {map[string]string{"X-Signature": sign(w.Shop.Secret, sent)}, sent + "\n", "2"},
			"before the fields":  {map[string]string{"X-Signature": "x"}, `{}`, "2"},
			"no request id":      {map[string]string{"X-Request-Id": ""}, sent, "1"},
			"UUIDv1":             {map[string]string{"X-Request-Id": "8f14e45f-ceea-1e67-a5d4-0123456789ab"}, sent, "1"},
			"UUIDv7":             {map[string]string{"X-Request-Id": "8f14e45f-ceea-7e67-a5d4-0123456789ab"}, sent, "1"},
			"wrong variant":      {map[string]string{"X-Request-Id": "8f14e45f-ceea-4e67-c5d4-0123456789ab"}, sent, "1"},
			"no hyphens":         {map[string]string{"X-Request-Id": "8f14e45fceea4e67a5d40123456789ab"}, sent, "1"},
			"braces":             {map[string]string{"X-Request-Id": "{8f14e45f-ceea-4e67-a5d4-0123456789ab}"}, sent, "1"},
			"no digits":          {map[string]string{"X-Request-Id": "zf14e45f-ceea-4e67-a5d4-0123456789ab"}, sent, "1"},
			"hyphen for a digit": {map[string]string{"X-Request-Id": "8f14e4-f-ceea-4e67-a5d4-0123456789ab"}, sent, "1"},
		} {
			if a := w.ask("POST", createPath, c.body, c.header); a.Code != 400 || code(a) != c.want {
				t.Errorf("%s: %d %s", name, a.Code, a.Body)
			}
		}
		upper := map[string]string{"X-Signature": strings.ToUpper(sign(w.Shop.Secret, sent)), "X-Request-Id": strings.ToUpper(requestID)}
		if a := w.ask("POST", createPath, sent, upper); a.Code != 200 {
			t.Errorf("in capitals: %d %s", a.Code, a.Body)
		}
		big := `{"order_info":"` + strings.Repeat("x", 64<<10) + `"}`
		if a := w.ask("POST", createPath, big, nil); a.Code != 413 || code(a) != "1" {
			t.Errorf("over 64 KiB: %d %s", a.Code, a.Body)
		}
		tries := 0
		for ; code(w.ask("GET", listPath, "", map[string]string{"X-AppotaPay-Auth": "x"})) == "401"; tries++ {
			if tries > 1000 {
				t.Fatal("guessing is not slowed down")
			}
		}
		if a := w.ask("GET", listPath, "", nil); a.Code != 429 || code(a) != "93" || a.Header().Get("Retry-After") != "1" || tries < 50 {
			t.Errorf("after %d guesses: %d %s", tries, a.Code, a.Body)
		}
	})
}

// Each field of create: missing, null, empty, wrong type, too long, out of
// range, no text (A9, A10, A11).
func TestFields(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		w := newWorld(t, db)
		n := 0
		ask := func(field, value string) *httptest.ResponseRecorder {
			n++
			fields := map[string]string{
				"partner_ref_id": fmt.Sprintf("%q", fmt.Sprint("F-", n)), "order_info": `"Bàn 4"`, "terminal_id": `"` + here + `"`, "payment_method": `"QR"`, "amount": "10000",
			}
			fields[field] = value
			var members []string
			for name := range maps.Keys(fields) {
				if fields[name] != "-" {
					members = append(members, `"`+name+`":`+fields[name])
				}
			}
			return w.ask("POST", createPath, "{"+strings.Join(members, ",")+"}", nil)
		}
		long := func(n int) string { return `"` + strings.Repeat("ạ", n) + `"` }
		for _, field := range []string{"partner_ref_id", "order_info", "terminal_id", "payment_method"} {
			for _, value := range []string{"-", "null", `""`, "1", "true", "[]", "{}", long(101), `"\u0000"`, `"a\nb"`, `"\ud800"`, `"  "`} {
				if a := ask(field, value); a.Code != 400 || code(a) != "1" || !strings.Contains(a.Body.String(), field) {
					t.Errorf("%s %s: %d %s", field, value, a.Code, a.Body)
				}
			}
		}
		for _, c := range []struct{ field, value, want string }{
			{"partner_ref_id", `"` + strings.Repeat("a", 27) + `"`, "1"}, {"partner_ref_id", `"` + strings.Repeat("a", 26) + `"`, ""},
			{"partner_ref_id", `"a b"`, "1"}, {"partner_ref_id", `"đơn"`, "1"}, {"partner_ref_id", `"aZ09_-"`, ""}, {"partner_ref_id", `"a/b"`, "1"},
			{"order_info", long(100), ""}, {"order_info", `"<b>\"&'"`, ""}, {"terminal_id", long(20), "3115"}, {"terminal_id", long(21), "1"},
			{"payment_method", `"qr"`, "1"}, {"payment_method", `"CASH"`, "1"},
			{"amount", "-", "1"}, {"amount", "null", "1"}, {"amount", `"10000"`, "1"}, {"amount", "true", "1"}, {"amount", "[10000]", "1"}, {"amount", "10000.5", "1"},
			{"amount", "10000.0", ""}, {"amount", "1e4", ""}, {"amount", "9999", "32"}, {"amount", "0", "32"}, {"amount", "-10000", "32"},
			{"amount", "9999999999999", ""}, {"amount", "10000000000000", "84"}, {"amount", strings.Repeat("9", 400), "84"}, {"amount", "-" + strings.Repeat("9", 400), "32"},
			{"amount", "1e999999", "84"}, {"customer_phone_number", `"0989898657"`, ""}, {"customer_phone_number", "null", ""}, {"customer_phone_number", `""`, ""}, {"customer_phone_number", `"  "`, ""},
			{"customer_phone_number", long(21), "1"}, {"customer_phone_number", "989898657", "1"}, {"customer_phone_number", `"\u0000"`, "1"},
			{"surprise", `{"a":[1]}`, ""},
		} {
			a := ask(c.field, c.value)
			if (c.want == "") != (a.Code == 200) || code(a) != c.want && a.Code != 200 {
				t.Errorf("%s %.40s: %d %s, want %q", c.field, c.value, a.Code, a.Body, c.want)
			}
		}
		for _, q := range []string{"", "page=1", "limit=1", "page=0&limit=1", "page=1&limit=0", "page=x&limit=1", "page=-1&limit=1", "page=+1&limit=1", "page=%2B1&limit=1",
			"page=1&limit=1&payment_method=CASH", "page=1.5&limit=1", "page=9999999999&limit=1", "page=%zz&limit=1", "page=1&limit=%00"} {
			if a := w.ask("GET", listPath+"?"+q, "", nil); a.Code != 400 || code(a) != "1" {
				t.Errorf("list %s: %d %s", q, a.Code, a.Body)
			}
		}
		if a := w.ask("GET", listPath+"?page=999999999&limit=999999999&payment_method=POS", "", nil); a.Code != 200 || !strings.Contains(a.Body.String(), `"transactions":[]`) || !strings.Contains(a.Body.String(), `"limit":200`) {
			t.Errorf("far behind the end: %d %s", a.Code, a.Body)
		}
		for _, ref := range []string{"NONE", "%00", "%ff", "a%20b", "..", strings.Repeat("a", 5000)} {
			if a := w.ask("GET", detailPath+ref, "", nil); a.Code != 404 || code(a) != "36" {
				t.Errorf("detail %.20s: %d %s", ref, a.Code, a.Body)
			}
		}
	})
}

// The QR code has the shape of the published sample, and the transfer that it
// asks for is recognised by either way (A17).
func TestQRCode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		w := newWorld(t, db)
		var a struct {
			PaymentInfo struct {
				QRContent string `json:"qr_content"`
				QRURL     string `json:"qr_url"`
				QRType    string `json:"qr_type"`
			} `json:"payment_info"`
		}
		got := w.ask("POST", createPath, createBody("QR-1", "QR", 12_000), nil)
		if err := json.Unmarshal(got.Body.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		p := w.Find(t, appotapay.Dialect{}, "QR-1")
		shape := regexp.MustCompile(`^000201010212` + `38\d\d0010A000000727` + `01\d\d0006970422` + `01100123456789` + `0208QRIBFTTA` +
			`52045499` + `5303704` + `540512000` + `5802VN` + `5913TEST MERCHANT` + `6011HO CHI MINH` +
			`62\d\d0109[0-9A-Za-z]{9}` + `0708Q\d{7}` + `08\d\d` + p.Transfer.Memo() + `6304[0-9A-F]{4}$`)
		if !shape.MatchString(a.PaymentInfo.QRContent) || a.PaymentInfo.QRType != "VIETQR" || a.PaymentInfo.QRURL != "" {
			t.Errorf("%+v", a.PaymentInfo)
		}
		code, warnings, err := vietqr.DecodeVerified(a.PaymentInfo.QRContent)
		if err != nil || len(warnings) > 0 || code.Memo != p.Transfer.Memo() || code.Amount != 12_000 || code.Terminal != till(w.Shop.ID).Label {
			t.Errorf("%+v %v %v", code, warnings, err)
		}
		w.Credit(t, p, 12_000)
		if now := w.Find(t, appotapay.Dialect{}, "QR-1"); now.State != payment.Approved {
			t.Errorf("%s", now.State)
		}
	})
}

// A database that is gone is told as the system's error, with nothing of it.
func TestNoDatabase(t *testing.T) {
	db, err := store.Open(t.Context(), storetest.URL(t, "sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	a := w.ask("GET", detailPath+"X", "", map[string]string{"X-Lang": "en"})
	if a.Code/100 != 5 || (code(a) != "500" && code(a) != "93") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}
