package browser

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thungan/thungan/internal/chrome"
	"github.com/thungan/thungan/web"
)

// partner is AppotaPay's object of sandbox.json.
type partner struct {
	MerchantID  string `json:"merchant_id"`
	BaseURL     string `json:"base_url"`
	PartnerCode string `json:"partner_code"`
	APIKey      string `json:"api_key"`
	SecretKey   string `json:"secret_key"`
	TerminalID  string `json:"terminal_id"`
}

func (p partner) mac(text string) []byte {
	m := hmac.New(sha256.New, []byte(p.SecretKey))
	m.Write([]byte(text))
	return m.Sum(nil)
}

// token is the partner's JWT, as its till makes one.
func (p partner) token() string {
	part := func(v any) string {
		text, _ := json.Marshal(v) // maps of texts and numbers
		return base64.RawURLEncoding.EncodeToString(text)
	}
	now := time.Now().Unix()
	text := part(map[string]any{"typ": "JWT", "alg": "HS256", "cty": "appotapay-api;v=1"}) + "." +
		part(map[string]any{"iss": p.PartnerCode, "jti": fmt.Sprintf("%s-%d", p.APIKey, now), "api_key": p.APIKey, "exp": now + 7200})
	return text + "." + base64.RawURLEncoding.EncodeToString(p.mac(text))
}

// ask calls the partner's API; the status must be 200.
func (p partner) ask(t testing.TB, method, path, body string, answer any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.BaseURL+"/api/v2/partner/orders/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-AppotaPay-Auth", p.token())
	r.Header.Set("X-Request-Id", "8f14e45f-ceea-4e67-a5d4-0123456789ab")
	r.Header.Set("X-Signature", hex.EncodeToString(p.mac(body)))
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	all, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s, %v", method, path, got.StatusCode, all, err)
	}
	if err := json.Unmarshal(all, answer); err != nil {
		t.Fatal(err)
	}
}

// sell creates a sale at the terminal.
func (p partner) sell(t testing.TB, reference, method string, amount int) {
	t.Helper()
	var a struct {
		Transaction struct{ Status string }
	}
	p.ask(t, "POST", "payment/create", fmt.Sprintf(`{"partner_ref_id":%q,"order_info":"Bàn 4, 2 tô bún ốc","terminal_id":%q,"payment_method":%q,"amount":%d}`,
		reference, p.TerminalID, method, amount), &a)
	if a.Transaction.Status != "pending" {
		t.Fatalf("%+v", a)
	}
}

// transaction is a sale as the partner looks it up.
type transaction struct {
	Status    string
	ErrorCode string `json:"error_code"`
	IsSett    bool   `json:"is_sett"`
}

func (p partner) find(t testing.TB, reference string) transaction {
	t.Helper()
	var d transaction
	p.ask(t, "GET", "transaction/"+reference, "", &d)
	return d
}

// act plays the terminal by program.
func (p partner) act(t testing.TB, reference, action string) {
	t.Helper()
	post(t, p.BaseURL+"/sandbox/terminals/"+p.TerminalID+"/actions", nil, map[string]string{"partner_ref_id": reference, "action": action}, new(map[string]any))
}

// till is the partner's server, which takes IPNs.
type till struct {
	mu   sync.Mutex
	told []string // reference and status of each, as they came
}

func (s *till) list() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.told, ", ")
}

// listen starts the partner's server and registers its address by the admin API.
func (p partner) listen(t testing.TB, s *sandbox) *till {
	t.Helper()
	server := &till{}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e struct{ Data, Signature string }
		var n struct {
			Transaction struct {
				Status, Reference string
				ID                string `json:"partner_ref_id"`
			}
		}
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &e)
		}
		data, wrong := base64.StdEncoding.DecodeString(e.Data)
		if err != nil || wrong != nil || hex.EncodeToString(p.mac(e.Data)) != e.Signature || json.Unmarshal(data, &n) != nil {
			http.Error(w, `{"error_code":"2"}`, http.StatusBadRequest)
			return
		}
		server.mu.Lock()
		server.told = append(server.told, n.Transaction.ID+" "+n.Transaction.Status)
		server.mu.Unlock()
		_, _ = w.Write([]byte(`{"status":"ok"}`))
	}))
	t.Cleanup(h.Close)
	text, err := json.Marshal(map[string]any{"ipn_urls": map[string]string{"appotapay": h.URL + "/ipn"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, s.BaseURL+"/admin/v1/merchants/"+p.MerchantID, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.AdminToken)
	r.Header.Set("Content-Type", "application/json")
	got, err := http.DefaultClient.Do(r)
	if err != nil || got.StatusCode != http.StatusOK {
		t.Fatal(got, err)
	}
	got.Body.Close()
	return server
}

// Keys of the terminal.
const (
	tapKey     = "#key-tap"
	insertKey  = "#key-insert"
	cancelKey  = "#key-cancel"
	declineKey = "#key-decline"
	voidButton = ".sold form button"
	settleKey  = "#settle"
)

// A cashier's morning at the terminal, with the mouse: a sale comes to the screen by itself, is paid by tapping a card
// and voided; another is declined; a third is paid by chip and settled. The partner hears of each.
func TestTerminal(t *testing.T) {
	for name, options := range map[string]chrome.Options{"scripts": {}, "no scripts": {NoScripts: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSandbox(t)
			p := s.AppotaPay
			server := p.listen(t, s)
			hears := func(v *visitor, want string) {
				t.Helper()
				v.wait("IPNs "+want, func() (bool, error) { return server.list() == want, nil })
			}
			v := visit(t, options)
			v.open(s.BaseURL + "/sandbox/terminal/" + p.TerminalID)
			v.reads(web.Text("vi", "terminal.ready"), "Quán Ốc Demo", p.TerminalID)
			v.mark()

			p.sell(t, "SALE-1", "POS", 145_000)
			v.reads("145.000 ₫", "SALE-1", "Bàn 4, 2 tô bún ốc", web.Text("vi", "terminal.present"))
			if stayed := v.marked(); stayed != v.scripts {
				t.Errorf("with scripts the sale comes to the page that is there: %t", stayed)
			}
			if got := p.find(t, "SALE-1"); got.Status != "processing" || got.ErrorCode != "34" {
				t.Errorf("at the device: %+v", got)
			}
			v.click(tapKey)
			v.reads(web.Text("vi", "terminal.state.approved"), "**** **** **** 1111", "VISA", "RRN")
			hears(v, "SALE-1 success")
			if got := p.find(t, "SALE-1"); got.Status != "success" || got.IsSett {
				t.Errorf("paid: %+v", got)
			}
			v.click(voidButton)
			v.reads(web.Text("vi", "terminal.state.voided"), "-145.000 ₫")
			hears(v, "SALE-1 success, SALE-1 void")
			if got := p.find(t, "SALE-1"); got.Status != "void" || got.ErrorCode != "31" {
				t.Errorf("voided: %+v", got)
			}

			p.sell(t, "SALE-2", "POS", 60_000)
			v.seen(declineKey)
			ask[bool](v, `(document.querySelector("#reason").value = "insufficient_funds", true)`)
			v.click(declineKey)
			v.reads(web.Text("vi", "terminal.state.denied"), web.Text("vi", "terminal.reason.insufficient_funds"))
			hears(v, "SALE-1 success, SALE-1 void, SALE-2 error")
			if got := p.find(t, "SALE-2"); got.ErrorCode != "75" {
				t.Errorf("declined: %+v", got)
			}

			p.sell(t, "SALE-3", "POS", 80_000)
			v.seen(insertKey)
			v.click(insertKey)
			v.reads("NAPAS", "**** **** **** 0018")
			v.click(settleKey)
			v.reads(web.Text("vi", "terminal.settled"), strings.ToUpper(web.Text("vi", "terminal.receipt.settlement")))
			if got := p.find(t, "SALE-3"); got.Status != "success" || !got.IsSett {
				t.Errorf("settled: %+v", got)
			}
			v.lacks(web.Text("vi", "terminal.void"))

			p.sell(t, "SALE-4", "POS", 90_000)
			v.seen(cancelKey)
			p.act(t, "SALE-4", "cancel") // by program; the page follows
			v.reads(web.Text("vi", "terminal.state.canceled"))
			hears(v, "SALE-1 success, SALE-1 void, SALE-2 error, SALE-3 success, SALE-4 error")
		})
	}
}

// The sandbox's clock ends a sale that stands on the terminal.
func TestTerminalClock(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	p := s.AppotaPay
	v := visit(t, chrome.Options{Language: "en"})
	v.open(s.BaseURL + "/sandbox/terminal/" + p.TerminalID)
	p.sell(t, "SLOW-1", "POS", 50_000)
	v.reads(web.Text("en", "terminal.present"), "50,000 ₫")
	post(t, s.BaseURL+"/sandbox/clock", nil, map[string]string{"advance": "16m"}, new(map[string]any))
	v.reads(web.Text("en", "terminal.state.expired"))
	v.wait("67", func() (bool, error) { return p.find(t, "SLOW-1").ErrorCode == "67", nil })
}

// terminalLooks are the terminal in its moods. Each is a terminal of its own.
func terminalLooks(t *testing.T, s *sandbox) []look {
	t.Helper()
	all := []look{}
	show := func(name string, prepare func(p partner)) {
		p := s.AppotaPay
		var made struct {
			Terminal struct {
				PublicID string `json:"public_id"`
			}
		}
		created(t, s.BaseURL+"/admin/v1/merchants/"+p.MerchantID+"/terminals", s.AdminToken, map[string]string{"name": "Quầy 1"}, &made)
		p.TerminalID = made.Terminal.PublicID
		prepare(p)
		all = append(all, look{name: "terminal-" + name, address: s.BaseURL + "/sandbox/terminal/" + p.TerminalID + "?"})
	}
	paid := func(p partner, reference string) {
		p.sell(t, reference, "POS", 1_450_000)
		p.act(t, reference, "approve")
	}
	show("idle", func(partner) {})
	show("waiting", func(p partner) { paid(p, "W-0"); p.sell(t, "W-1", "POS", 1_450_000) })
	show("approved", func(p partner) { p.sell(t, "A-QR", "QR", 99_000); paid(p, "A-0"); paid(p, "A-1") })
	show("declined", func(p partner) { p.sell(t, "D-1", "POS", 1_450_000); p.act(t, "D-1", "decline") })
	show("voided", func(p partner) { paid(p, "V-1"); p.act(t, "V-1", "void") })
	show("settled", func(p partner) { paid(p, "S-1"); paid(p, "S-2"); p.act(t, "S-2", "settle") })
	return all
}

// created sends JSON to the admin API, where something is made.
func created(t testing.TB, address, token string, body, answer any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if err := json.NewDecoder(got.Body).Decode(answer); err != nil || got.StatusCode != http.StatusCreated {
		t.Fatal(got.Status, err)
	}
}
