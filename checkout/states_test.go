package checkout

import (
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/web"
)

var opened = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// face is one thing that the page can show.
type face struct {
	name   string
	page   core.Page
	wish   Wish
	late   money.VND
	tries  Tries
	screen Screen
}

// samplePage is an open payment by bank transfer, changed by edit.
func samplePage(edit func(*core.Page)) core.Page {
	page := core.Page{
		Merchant: payment.Merchant{ID: "m", Name: "Cà phê Sáng"},
		PublicID: "MC_8F3K2Q",
		Payment: payment.Payment{
			ID: "p", MerchantID: "m", Dialect: "paykit", Reference: "DH-2026-000123", Version: 1,
			Amount: 1250000, State: payment.Open, Method: payment.BankTransfer, Methods: []payment.Method{payment.BankTransfer},
			Transfer: payment.Transfer{
				AccountID: "a", BIN: "970422", Number: "0123456789", Holder: "CONG TY TNHH CA PHE SANG",
				Prefix: "SEVQR", Code: payment.MemoMatch("TG7K2M9QX4H"),
			},
			Description: "2 cà phê sữa đá, 1 bánh mì đặc biệt",
			Language:    "vi", SuccessURL: "https://shop.example/ok?order=123", CancelURL: "https://shop.example/cancel",
			CreatedAt: opened, UpdatedAt: opened, DueAt: opened.Add(30 * time.Minute),
		},
	}
	if edit != nil {
		edit(&page)
	}
	return page
}

// closed is samplePage in a closed state with some money.
func closed(state payment.State, received money.VND) core.Page {
	return samplePage(func(p *core.Page) {
		p.Payment.State, p.Payment.Received, p.Payment.Version = state, received, 3
		p.Payment.UpdatedAt = opened.Add(5 * time.Minute)
		if state == payment.Approved {
			p.Payment.CompletedAt = p.Payment.UpdatedAt
		}
		p.ReturnURL = "https://shop.example/back?mid=MC_8F3K2Q&payment_id=DH-2026-000123&result=X"
	})
}

func severalMethods(p *core.Page) {
	p.Payment.Method = ""
	p.Payment.Methods = []payment.Method{
		payment.BankTransfer, payment.DomesticCard, payment.InternationalCard, payment.MoMo, payment.ZaloPay, payment.VNPayQR, payment.CardPresent, payment.COD,
	}
}

// tried is a payment in a state after attempts.
func tried(state payment.State, attempts ...payment.Attempt) (core.Page, Tries) {
	for i := range attempts {
		a := &attempts[i]
		a.Number, a.Amount, a.Kind = int64(i+1), 1250000, "sandbox"
		if a.Method == "" {
			a.Method = payment.DomesticCard
		}
		if a.Handoff.URL == "" {
			a.Handoff.URL = "https://acquirer.example/pay/x?a=1&b=2"
		}
	}
	page := samplePage(severalMethods)
	if state.Closed() {
		page = closed(state, 0)
		page.Payment.Methods = []payment.Method{payment.DomesticCard}
	}
	page.Payment.State, page.Payment.Method = state, attempts[len(attempts)-1].Method
	return page, Tries{Attempts: attempts, Most: 3}
}

// cardFaces are the pages of those who pay by an acquirer.
func cardFaces() (all []face) {
	add := func(name string, screen Screen, step string, state payment.State, attempts ...payment.Attempt) {
		page, tries := tried(state, attempts...)
		all = append(all, face{name: name, page: page, tries: tries, wish: Wish{Step: step}, screen: screen})
	}
	failed := func(code string) payment.Attempt { return payment.Attempt{State: payment.AttemptFailed, Code: code} }
	sent := payment.Attempt{State: payment.AttemptSent}
	left := payment.Attempt{State: payment.AttemptSent, Left: true}
	fields, script, wallet := sent, sent, sent
	fields.Handoff.Fields = map[string]string{"a": "1", "b": `"<2>"`}
	script.Handoff = payment.Handoff{Script: "https://mpgs.example/static/checkout/checkout.min.js", Session: "SESSION0001"}
	wallet.Method = payment.MoMo
	wallet.Handoff = payment.Handoff{URL: "https://wallet.example/pay/x", QR: "https://wallet.example/pay/x", App: "momo://pay?x=1&y=2"}
	notCreated := failed("")
	add("choose-declined", Choose, "", payment.Open, failed("05"))
	add("choose-funds", Choose, "", payment.Open, failed("05"), failed("51"))
	add("choose-canceled", Choose, "", payment.Open, failed("24"))
	add("choose-left", Choose, stepMethod, payment.Open, failed("24"), left)
	add("choose-unready", Unready, stepUnready, payment.Open, notCreated)
	add("away", Away, stepAway, payment.Processing, sent)
	add("away-form", Away, stepAway, payment.Processing, fields)
	add("away-script", Away, stepAway, payment.Processing, script)
	add("wallet", Wallet, "", payment.Processing, wallet)
	add("wallet-away", Wallet, stepAway, payment.Processing, wallet)
	long := wallet
	long.Handoff.QR = strings.Repeat("x", 5000)
	add("wallet-long", Wallet, "", payment.Processing, long)
	add("denied-operator", Denied, "", payment.Denied, left)
	add("approved-card", Approved, "", payment.Approved, failed("05"), payment.Attempt{State: payment.AttemptDone})
	add("expired-unknown", Expired, "", payment.Expired, payment.Attempt{State: payment.AttemptUnknown})
	add("bank", Processing, "", payment.Processing, failed("05"), sent)
	add("bank-unknown", Processing, stepAway, payment.Processing, payment.Attempt{State: payment.AttemptUnknown})
	add("bank-left", Processing, "", payment.Processing, left)
	add("denied-tries", Denied, "", payment.Denied, failed("05"), failed("51"), failed("05"))
	one := face{name: "choose-one", page: samplePage(func(p *core.Page) {
		p.Payment.Method, p.Payment.Methods = "", []payment.Method{payment.InternationalCard}
	}), screen: Choose}
	return append(all, one)
}

// faces is every state of the page, and a few that are hard to lay out.
func faces() []face {
	all := []face{
		{name: "transfer", page: samplePage(nil), screen: Scan},
		{name: "transfer-held", page: samplePage(nil), wish: Wish{Hold: true}, screen: Scan},
		{name: "transfer-virtual", page: samplePage(func(p *core.Page) {
			p.Payment.Transfer.Number, p.Payment.Transfer.Prefix = "PKVA00000123456789", "PKVA"
			p.Payment.Transfer.Code = payment.VirtualMatch("PKVA00000123456789")
		}), screen: Scan},
		{name: "transfer-part", page: samplePage(func(p *core.Page) { p.Payment.Received, p.Payment.Version = 500000, 2 }), screen: Scan},
		{name: "transfer-long", page: samplePage(func(p *core.Page) {
			p.Merchant.Name = "Công ty Trách nhiệm hữu hạn Một thành viên Thương mại Dịch vụ Xuất nhập khẩu Nghệ thuật Ẩm thực Đường phố Việt Nam – Chi nhánh Thành phố Hồ Chí Minh"
			p.Payment.Amount = 9999999999999
			p.Payment.Reference = "ĐƠN-HÀNG-RẤT-DÀI/2026/11/22/KHÔNG-CÓ-CHỖ-NGẮT-0123456789012345678901234567890123456789"
			p.Payment.Description = "Thanh toán hợp đồng nguyên tắc số 0123/2026/HĐNT-TMDV về việc cung cấp dịch vụ ẩm thực, trang trí, âm thanh, ánh sáng cho lễ khai trương, gồm cả phần phát sinh theo phụ lục số 4, số 5 và số 6 đã ký ngày 20/11/2026 tại Thành phố Hồ Chí Minh."
			p.Payment.Transfer.BIN, p.Payment.Transfer.Number = "970406", "1234567890123456789"
			p.Payment.Transfer.Holder = "CONG TY TRACH NHIEM HUU HAN MOT THANH VIEN THUONG MAI DICH VU XUAT NHAP KHAU NGHE THUAT AM THUC"
			p.Payment.DueAt = opened.Add(53 * time.Hour)
		}), screen: Scan},
		{name: "choose", page: samplePage(severalMethods), screen: Choose},
		{name: "choose-again", page: samplePage(func(p *core.Page) {
			severalMethods(p)
			p.Payment.Method = payment.BankTransfer
		}), wish: Wish{Step: "method"}, screen: Choose},
		{name: "unready", page: samplePage(func(p *core.Page) {
			severalMethods(p)
			p.Payment.Method = payment.DomesticCard
		}), wish: Wish{Step: stepUnready}, screen: Unready},
		{name: "cancel", page: samplePage(nil), wish: Wish{Step: "cancel"}, screen: Confirm},
		{name: "cancel-part", page: samplePage(func(p *core.Page) { p.Payment.Received = 500000 }), wish: Wish{Step: "cancel"}, screen: Confirm},
		{name: "processing", page: samplePage(func(p *core.Page) { p.Payment.State = payment.Processing }), screen: Processing},
		{name: "approved", page: closed(payment.Approved, 1250000), screen: Approved},
		{name: "approved-held", page: closed(payment.Approved, 1250000), wish: Wish{Hold: true}, screen: Approved},
		{name: "approved-over", page: closed(payment.Approved, 1300000), screen: Approved},
		{name: "approved-again", page: closed(payment.Approved, 1250000), late: 1250000, screen: Approved},
		{name: "expired", page: closed(payment.Expired, 0), screen: Expired},
		{name: "expired-part", page: closed(payment.Expired, 500000), screen: Expired},
		{name: "expired-late", page: closed(payment.Expired, 0), late: 1250000, screen: Expired},
		{name: "canceled", page: closed(payment.Canceled, 0), screen: Canceled},
		{name: "denied", page: closed(payment.Denied, 0), screen: Denied},
		{name: "voided", page: closed(payment.Voided, 1250000), screen: Voided},
	}
	all = append(all, cardFaces()...)
	for i := range all {
		all[i].wish.Key = "the-key"
		if all[i].wish.Lang == "" {
			all[i].wish.Lang = "vi"
		}
	}
	return all
}

// render makes the whole page of a face in a language.
func render(t *testing.T, f face, lang string) string {
	t.Helper()
	set, err := parse(pages)
	if err != nil {
		t.Fatal(err)
	}
	f.wish.Lang = lang
	v, err := newView(f.page, f.wish, f.late, f.tries, opened.Add(6*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if v.Screen != f.screen {
		t.Errorf("screen %s, want %s", v.Screen, f.screen)
	}
	html, err := set.Fragment(lang, "page", v)
	if err != nil {
		t.Fatal(err)
	}
	return string(html)
}

// A merchant that has named the method leaves nothing to choose, and the page
// asks for no choice.
func TestOneMethodIsNoChoice(t *testing.T) {
	unready := payment.Attempt{State: payment.AttemptFailed, Code: "05", Number: 1, Method: payment.InternationalCard}
	declined := unready
	declined.Handoff.URL = "https://acquirer.example/pay/x"
	for _, f := range cardFaces() {
		if f.name != "choose-one" {
			continue
		}
		for _, f.tries = range []Tries{{}, {Attempts: []payment.Attempt{declined}, Most: 3}, {Attempts: []payment.Attempt{unready}, Most: 3}} {
			for lang, no := range map[string][]string{"vi": {"Chọn phương thức", "chọn phương thức", "Mời bạn chọn", "chọn cách khác"}, "en": {"How would you like to pay", "Please choose", "Choose how", "another way"}} {
				page := render(t, f, lang)
				for _, text := range no {
					if strings.Contains(page, text) {
						t.Errorf("%s asks %q of who has one method", lang, text)
					}
				}
				if want := web.Text(lang, "checkout.choose.only"); !strings.Contains(page, "<h2>"+want) {
					t.Errorf("%s does not say %q", lang, want)
				}
			}
		}
		return
	}
	t.Fatal("there is no page of one method")
}
