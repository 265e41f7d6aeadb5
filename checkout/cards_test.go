package checkout

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// desk sends payers to an acquirer that makes every order at once.
type desk struct {
	core      *core.Core
	connector payment.Connector
	handoff   payment.Handoff
	err       error // of the acquirer, instead
	uncertain bool
	ip        string
}

func (d *desk) Start(ctx context.Context, paymentID string, m payment.Method, payerIP string) (payment.Handoff, error) {
	d.ip = payerIP
	a, fresh, err := d.core.StartAttempt(ctx, core.Starting{
		PaymentID: paymentID, Method: m, Connector: d.connector, Reference: func(a payment.Attempt) string { return a.ID },
	})
	switch {
	case err != nil || !fresh:
		return a.Handoff, err
	case d.err != nil:
		if _, err := d.core.AttemptNotCreated(ctx, a.ID, "x", "no"); err != nil {
			return payment.Handoff{}, err
		}
		return payment.Handoff{}, d.err
	case d.uncertain:
		_, err := d.core.AttemptUncertain(ctx, a.ID, "no answer")
		return payment.Handoff{}, err
	}
	a, err = d.core.AttemptCreated(ctx, a.ID, d.handoff, "X")
	return a.Handoff, err
}

// cardShop is a shop that also takes cards and wallets.
type cardShop struct {
	*shop
	desk *desk
}

func eachCardShop(t *testing.T, test func(t *testing.T, s *cardShop)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		env := coretest.New(t, db)
		conn, err := env.Core.AddConnector(t.Context(), coretest.Operator, core.NewConnector{
			MerchantID: env.Memo.Merchant.ID, Kind: "sandbox", Methods: []payment.Method{payment.DomesticCard, payment.MoMo}, Config: []byte("{}"),
		})
		if err != nil {
			t.Fatal(err)
		}
		d := &desk{core: env.Core, connector: conn, handoff: payment.Handoff{URL: "https://acquirer.example/pay/1"}}
		pages, err := New(Config{Core: env.Core, Clock: env.Clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Cards: d})
		if err != nil {
			t.Fatal(err)
		}
		test(t, &cardShop{&shop{Env: env, pages: pages}, d})
	})
}

func (s *cardShop) sell() payment.Payment {
	return s.Open(s.Memo, 200000, func(o *core.Opening) {
		o.Methods = []payment.Method{payment.BankTransfer, payment.DomesticCard, payment.MoMo}
	})
}

// press posts one of the page's forms and follows to where it leads.
func (s *cardShop) press(p payment.Payment, form string, values url.Values) (page, at string) {
	s.T.Helper()
	if values == nil {
		values = url.Values{}
	}
	values.Set("key", s.key(p))
	path, _, _ := strings.Cut(s.address(p, "/"+form), "?")
	w := s.do("POST", path, values, nil)
	if w.Code != http.StatusSeeOther {
		s.T.Fatalf("%s answers %d %s", form, w.Code, w.Body)
	}
	at = w.Header().Get("Location")
	if strings.Contains(at, "acquirer.example") {
		s.T.Errorf("a form is answered by sending the payer away, which the policy forbids: %s", at)
	}
	w = s.get(at)
	return w.Body.String(), at
}

func (s *cardShop) chooses(p payment.Payment, m payment.Method) (page, at string) {
	s.T.Helper()
	return s.press(p, "method", url.Values{"method": {string(m)}})
}

// says is the acquirer's word on the last attempt.
func (s *cardShop) says(p payment.Payment, outcome payment.AttemptState, code string) {
	s.T.Helper()
	all, err := s.Core.PaymentAttempts(s.T.Context(), p.ID)
	if err != nil || len(all) == 0 {
		s.T.Fatal(all, err)
	}
	_, err = s.Core.Resolve(s.T.Context(), core.Word{ConnectorID: s.desk.connector.ID, Reference: all[len(all)-1].Reference, Outcome: outcome, Code: code, Text: "x"})
	if err != nil {
		s.T.Fatal(err)
	}
}

func wants(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
}

const awayTo = `content="0;url=https://acquirer.example/pay/1"`

// A card that is declined may be tried again, the third time closes the payment.
func TestCardIsTriedAgain(t *testing.T) {
	eachCardShop(t, func(t *testing.T, s *cardShop) {
		p := s.sell()
		for i, code := range []string{"05", "51", "54"} {
			page, at := s.chooses(p, payment.DomesticCard)
			wants(t, page, awayTo, "Đang chuyển bạn đến trang thanh toán")
			if !strings.Contains(at, "step=away") || s.desk.ip != "192.0.2.1" {
				t.Errorf("at %s, from %q", at, s.desk.ip)
			}
			s.shows(p, "Đang chờ ngân hàng của bạn", "Tiếp tục ở trang của ngân hàng", "Chọn phương thức khác")
			s.says(p, payment.AttemptFailed, code)
			if i < 2 {
				s.shows(p, []string{"đã từ chối giao dịch", "không đủ số dư"}[i], "Đã thử "+[]string{"1", "2"}[i]+" trên 3 lần", `value="domestic_card"`)
			}
		}
		s.shows(p, "Thanh toán bị từ chối", "Thẻ đã hết hạn.", "Bạn đã thử 3 lần")
		if got := s.Reload(p).State; got != payment.Denied {
			t.Errorf("the payment is %s", got)
		}
	})
}

func TestCardIsPaid(t *testing.T) {
	eachCardShop(t, func(t *testing.T, s *cardShop) {
		p := s.sell()
		s.chooses(p, payment.DomesticCard)
		s.says(p, payment.AttemptDone, "00")
		s.shows(p, "Thanh toán thành công", "Thẻ ATM nội địa")
		// The form of an old tab does nothing any more.
		page, _ := s.chooses(p, payment.MoMo)
		wants(t, page, "Thanh toán thành công")
		page, _ = s.press(p, "leave", nil)
		wants(t, page, "Thanh toán thành công")
	})
}

// Back from the card, another way, two tabs.
func TestPayerChangesTheirMind(t *testing.T) {
	eachCardShop(t, func(t *testing.T, s *cardShop) {
		p := s.sell()
		s.chooses(p, payment.DomesticCard)
		// The same button once more goes on with the same attempt.
		page, _ := s.chooses(p, payment.DomesticCard)
		wants(t, page, awayTo)
		// A second tab presses another one: it is shown what is going on.
		for _, m := range []payment.Method{payment.MoMo, payment.BankTransfer} {
			page, at := s.chooses(p, m)
			wants(t, page, "Đang chờ ngân hàng của bạn")
			if strings.Contains(at, "step") {
				t.Errorf("at %s", at)
			}
		}
		page, at := s.press(p, "leave", nil)
		wants(t, page, "Chọn phương thức thanh toán", "Bạn đã rời Thẻ ATM nội địa")
		if !strings.Contains(at, "step=method") {
			t.Errorf("at %s", at)
		}
		if page, _ = s.press(p, "leave", nil); !strings.Contains(page, "Chọn phương thức thanh toán") {
			t.Error("leaving twice is a fault")
		}
		s.desk.handoff = payment.Handoff{URL: "https://acquirer.example/pay/2", QR: "https://acquirer.example/pay/2", App: "momo://pay"}
		page, _ = s.chooses(p, payment.MoMo)
		wants(t, page, "Thanh toán bằng Ví MoMo", `href="momo://pay"`, `href="https://acquirer.example/pay/2"`)
		s.press(p, "leave", nil)
		page, _ = s.chooses(p, payment.BankTransfer)
		wants(t, page, p.Transfer.Memo())
		// The card that was left behind pays after all.
		all, err := s.Core.PaymentAttempts(t.Context(), p.ID)
		if err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		if _, err := s.Core.Resolve(t.Context(), core.Word{ConnectorID: s.desk.connector.ID, Reference: all[0].Reference, Outcome: payment.AttemptDone}); err != nil {
			t.Fatal(err)
		}
		s.shows(p, "Thanh toán thành công")
	})
}

// Nobody can take the payer, or nobody knows whether somebody has.
func TestCardCannotBeStarted(t *testing.T) {
	eachCardShop(t, func(t *testing.T, s *cardShop) {
		p := s.sell()
		s.desk.err = payment.Fail(payment.CodeMethodNotSupported, "none")
		page, _ := s.chooses(p, payment.DomesticCard)
		wants(t, page, "Phương thức này tạm thời chưa dùng được", "Bạn chưa bị trừ tiền", `value="momo"`)
		s.desk.err = nil
		page, _ = s.chooses(p, payment.DomesticCard)
		wants(t, page, awayTo)

		q := s.sell()
		s.desk.uncertain = true
		page, _ = s.chooses(q, payment.DomesticCard)
		wants(t, page, "Ngân hàng chưa cho biết kết quả", "đừng trả lần nữa")
		if strings.Contains(page, "/leave") {
			t.Error("an attempt whose outcome nobody knows can be left")
		}
		page, _ = s.press(q, "leave", nil)
		wants(t, page, "Ngân hàng chưa cho biết kết quả")

		bank := s.open(1000, "")
		if page, _ = s.press(bank, "method", url.Values{"method": {"domestic_card"}}); strings.Contains(page, awayTo) {
			t.Error("a payment that takes no cards was sent to the acquirer")
		}
		s.pages.cards = nil
		page, _ = s.chooses(s.sell(), payment.DomesticCard)
		wants(t, page, "Phương thức này tạm thời chưa dùng được")
	})
}

// The time runs out while the payer is away, and when the payer comes back.
func TestTimeRunsOutAtTheAcquirer(t *testing.T) {
	eachCardShop(t, func(t *testing.T, s *cardShop) {
		p := s.sell()
		s.chooses(p, payment.DomesticCard)
		s.Advance(31 * time.Minute)
		s.ExpireDue()
		s.shows(p, "Đang chờ ngân hàng của bạn")
		s.says(p, payment.AttemptFailed, "11")
		s.shows(p, "Đã hết thời\u00a0gian thanh\u00a0toán")
	})
}

// What a page that sends the payer away is allowed besides, and only that page.
func TestPolicyOfAway(t *testing.T) {
	eachCardShop(t, func(t *testing.T, s *cardShop) {
		for _, c := range []struct {
			handoff payment.Handoff
			has     []string
		}{
			{payment.Handoff{URL: "https://acquirer.example/pay/1"}, []string{"form-action 'self';", "script-src 'self';"}},
			{payment.Handoff{URL: "https://acquirer.example/pay/1", Fields: map[string]string{"a": "b"}}, []string{"form-action 'self' https://acquirer.example https:;", "script-src 'self';"}},
			{payment.Handoff{Script: "https://mpgs.example/checkout.js", Session: "S"}, []string{"script-src 'self' https://mpgs.example;", "frame-src https://mpgs.example;", "form-action 'self';"}},
			{payment.Handoff{Script: "https://x.example; script-src *", Session: "S"}, []string{"script-src 'self';"}},
		} {
			p := s.sell()
			s.desk.handoff = c.handoff
			_, at := s.chooses(p, payment.DomesticCard)
			policy := s.get(at).Header().Get("Content-Security-Policy")
			for _, want := range c.has {
				if !strings.Contains(policy, want) {
					t.Errorf("%+v: the policy %q lacks %q", c.handoff, policy, want)
				}
			}
			if plain := s.get(s.address(p, "")).Header().Get("Content-Security-Policy"); plain != s.pages.set.Policy() {
				t.Errorf("the page itself is allowed more: %s", plain)
			}
		}
	})
}
