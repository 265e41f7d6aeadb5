package sandbox

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/thungan/thungan/catalog"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/signin"
)

// The two environments of a Tini App, as dialects and as paths.
const (
	tikiDialect        = "tiki"
	tikiSandboxDialect = "tiki-sandbox"
	tikiPath           = "/tiniapp-open-api"
	tikiSandboxPath    = "/tiniapp-sandbox-open-api"

	inboxTiki        = "tiki"         // where the app is told
	inboxTikiSandbox = "tiki-sandbox" // where it is told of test payments

	demoApp      = "vn.demo.quanca"
	demoCustomer = 10000007

	// tikiSampleOrder is the order that Tiki's sample page of my.makePayment pays.
	tikiSampleOrder = "67328847745515542"
)

// Tiki is the demo mini app.
type Tiki struct {
	MerchantID    string      `json:"merchant_id"` // of the admin API
	SellerID      string      `json:"seller_id"`
	BaseURL       string      `json:"base_url"`
	ClientKey     string      `json:"client_key"`
	ClientSecret  string      `json:"client_secret"`
	AppIdentifier string      `json:"app_identifier"`
	CustomerID    string      `json:"customer_id"`
	GraphQLURL    string      `json:"graphql_url"`
	Sandbox       TikiSandbox `json:"sandbox"`
}

// TikiSandbox is its environment for tests, with keys of its own.
type TikiSandbox struct {
	MerchantID   string `json:"merchant_id"`
	BaseURL      string `json:"base_url"`
	ClientKey    string `json:"client_key"`
	ClientSecret string `json:"client_secret"`
}

// The demo products.
var demoProducts = []catalog.Product{
	{SKU: "DEMO-CA-PHE-SUA", Name: "Cà phê sữa đá", Price: 29_000, OnSale: true, Stock: catalog.Unlimited},
	{SKU: "DEMO-BANH-MI", Name: "Bánh mì thịt", Price: 25_000, OnSale: true, Stock: 100},
	{SKU: "DEMO-HET-HANG", Name: "Bánh hết hàng", Price: 20_000, OnSale: true, Stock: 0},
}

// tikiAccount is what the demo app is paid into.
var tikiAccount = payment.ReceivingAccount{BIN: "970422", Number: "0000001112223", Holder: "MINI APP DEMO", Recognise: payment.ByMemo, Enabled: true}

func (s *seed) tiki() error {
	t := &s.info.Tiki
	if err := s.party(&t.MerchantID, core.NewMerchant{Name: "Quán cà phê Demo"}, tikiAccount); err != nil {
		return err
	}
	made, err := s.enrolled(core.Enrolment{MerchantID: t.MerchantID, Dialect: tikiDialect, PublicID: demoApp, NotifyURL: inboxPath + inboxTiki}, t.ClientKey, t.ClientSecret)
	if err != nil {
		return err
	}
	t.BaseURL, t.ClientKey, t.ClientSecret, t.AppIdentifier = s.base+tikiPath, made.Key, made.Secret, made.PublicID
	t.GraphQLURL = s.base + "/tiniapp/api/graphql/query"
	x := &t.Sandbox
	if err := s.party(&x.MerchantID, core.NewMerchant{Name: "Quán cà phê Demo (sandbox)"}, payment.ReceivingAccount{}); err != nil {
		return err
	}
	made, err = s.enrolled(core.Enrolment{MerchantID: x.MerchantID, Dialect: tikiSandboxDialect, PublicID: demoApp, NotifyURL: inboxPath + inboxTikiSandbox}, x.ClientKey, x.ClientSecret)
	if err != nil {
		return err
	}
	x.BaseURL, x.ClientKey, x.ClientSecret = s.base+tikiSandboxPath, made.Key, made.Secret
	if err := s.seller(t); err != nil {
		return err
	}
	t.CustomerID = strconv.Itoa(demoCustomer)
	if err := exists(s.core.AddCustomer(s.ctx, seeder, signin.Customer{ID: demoCustomer, Name: "Lan Demo", Phone: "0900000007", Email: "lan@example.com"})); err != nil {
		return err
	}
	return s.sample(t)
}

// seller links a demo seller with products to both environments.
func (s *seed) seller(t *Tiki) error {
	if _, err := s.core.Seller(s.ctx, t.SellerID); payment.CodeOf(err) == payment.CodeNotFound {
		made, err := s.core.AddSeller(s.ctx, seeder, "Nhà bán Demo")
		if err != nil {
			return err
		}
		t.SellerID = made.ID
		if err := s.save(); err != nil {
			return err
		}
		for _, id := range []string{t.MerchantID, t.Sandbox.MerchantID} {
			if _, err := s.core.ChangeApp(s.ctx, seeder, id, core.AppChange{SellerID: &t.SellerID}); err != nil {
				return err
			}
		}
	} else if err != nil {
		return err
	}
	for _, p := range demoProducts {
		p.SellerID = t.SellerID
		if err := exists(s.core.AddProduct(s.ctx, seeder, p)); err != nil {
			return err
		}
	}
	return nil
}

// sample places the order that the sample page names.
func (s *seed) sample(t *Tiki) error {
	if _, err := s.core.AnyAppOrder(s.ctx, tikiSampleOrder); payment.CodeOf(err) != payment.CodeNotFound {
		return err
	}
	m, err := s.core.Merchant(s.ctx, t.MerchantID)
	if err != nil {
		return err
	}
	return exists(s.core.PlaceAppOrder(s.ctx, demoOrder(m, tikiDialect, t.CustomerID, tikiSampleOrder)))
}

// demoOrder is what the demo app's back end orders. An empty id makes one up.
func demoOrder(m payment.Merchant, dialect, customerID, id string) core.Placing {
	return core.Placing{
		Merchant: m, Dialect: dialect, CustomerID: customerID, Exactly: id, Reference: "DEMO", ShippingFee: 15_000,
		Customer: order.Customer{Name: "Lan Demo", Phone: "0900000007", Street: "1 Lê Lợi, Quận 1, TP. Hồ Chí Minh"},
		Lines: []order.Line{
			{
				Name: "Cà phê sữa đá", Quantity: 2, Price: money.VND(29_000),
				Sections: []order.Section{{Header: "Ghi chú", Fields: []order.Field{{Name: "Đường", Text: "Ít ngọt"}, {Name: "Đá", Text: "Nhiều"}}}},
			},
			{Name: "Bánh mì thịt", Quantity: 1, Price: money.VND(25_000)},
		},
	}
}

// exists lets what is there already pass.
func exists[T any](_ T, err error) error {
	if payment.CodeOf(err) == payment.CodeConflict {
		return nil
	}
	return err
}

// known finds the customer of an id, or makes one: scripts may sign anybody in.
func (h *Handler) known(r *http.Request, in *input) (int64, error) {
	text := in.needed("customer_id", 18)
	if err := in.err(); err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != text {
		return 0, wrong("customer_id", "has to be the decimal id of a customer")
	}
	return id, exists(h.Core.AddCustomer(r.Context(), seeder, signin.Customer{ID: id, Name: "Khách " + text}))
}

// userToken answers POST /sandbox/tiki/user-tokens: a customer signs in.
func (h *Handler) userToken(w http.ResponseWriter, r *http.Request) {
	in, err := readInput(w, r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	id, err := h.known(r, in)
	var token string
	if err == nil {
		token, err = h.Core.SignIn(r.Context(), id)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]string{"access_token": token})
}

// authCode answers POST /sandbox/tiki/auth-codes: what my.getAuthCode gives the
// app for a customer.
func (h *Handler) authCode(w http.ResponseWriter, r *http.Request) {
	in, err := readInput(w, r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	app := in.text("app_identifier", maxText)
	scopes := in.texts("scopes", maxText)
	if app == "" {
		app = h.Info.Tiki.AppIdentifier
	}
	id, err := h.known(r, in)
	var token, code string
	if err == nil {
		token, err = h.Core.SignIn(r.Context(), id)
	}
	if err == nil {
		code, _, err = h.Core.AuthCode(r.Context(), token, app, []string{tikiDialect, tikiSandboxDialect}, scopes)
	}
	if payment.CodeOf(err) == payment.CodeNotFound {
		err = wrong("app_identifier", "is no app's")
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]string{"code": code})
}

const maxText = 255

// texts reads a list of texts, or one text; an absent one is none.
func (in *input) texts(name string, most int) []string {
	if !in.has(name) {
		return nil
	}
	var list []string
	if json.Unmarshal(in.members[name], &list) == nil {
		if len(list) > 20 {
			in.complain(name, "has more than 20 elements")
		}
		return list
	}
	if one := in.text(name, most); one != "" {
		return []string{one}
	}
	return nil
}
