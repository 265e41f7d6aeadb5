package sandbox

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/thungan/thungan/catalog"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/web"
)

// This file is the Tini App simulator: a phone that runs a mini app's own
// scripts, and the app's back end, which orders by the signed API.

const (
	tiniPath        = "/sandbox/tini/"
	tiniPhonePath   = tiniPath + "phone"
	tiniProjectPath = tiniPath + "projects/"

	keptProjects = 64
	maxProject   = 256 << 10 // bytes of a form with a project
	shownOrders  = 8
)

// project is a mini app of one page.
type project struct {
	App      string // app.js
	Page     string // the page's script
	Template string // the page's template, txml
}

// projects keeps visitors' mini apps in memory.
type projects struct {
	mu    sync.Mutex
	byID  map[string]project
	order []string // oldest first
}

func (all *projects) keep(id string, p project) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.byID == nil {
		all.byID = map[string]project{}
	}
	if len(all.order) == keptProjects {
		delete(all.byID, all.order[0])
		all.order = all.order[1:]
	}
	all.byID[id] = p
	all.order = append(all.order, id)
}

func (all *projects) find(id string) (project, bool) {
	all.mu.Lock()
	defer all.mu.Unlock()
	p, ok := all.byID[id]
	return p, ok
}

// demoID is the project that the simulator shows at first, with the id of the
// order that it pays: "demo" for the seeded one, else "demo-ORDER".
const demoID = "demo"

func demoProject(orderID string) project {
	return project{
		App: `App({
  cart: { title: 'Quán cà phê Demo', total: 98000 },
});
`,
		Page: `const app = getApp();

Page({
  data: { cart: app.cart, result: '' },

  pay(paymentMethod) {
    my.getAuthCode({
      scopes: ['user_profile'],
      success: () => {
        my.makePayment({
          orderId: '` + orderID + `',
          paymentMethod,
          success: (res) => my.alert({ title: 'Thành công', content: res }),
          fail: (error) => my.alert({ title: 'Không thành công', content: error }),
          complete: (res) => this.setData({ result: String(res) }),
        });
      },
      fail: (error) => this.setData({ result: String(error) }),
    });
  },
  payOnline() { this.pay(); },
  payOnDelivery() { this.pay('cod'); },
  payByTransfer() { this.pay('bank_transfer'); },
});
`,
		Template: `<view class="hero">
  <text class="title">{{cart.title}}</text>
  <text class="price">{{cart.total}} ₫</text>
</view>
<button class="primary" onTap="payOnline">Thanh toán trực tuyến</button>
<button onTap="payOnDelivery">Trả tiền khi nhận hàng</button>
<button onTap="payByTransfer">Chuyển khoản</button>
<view class="result" tiki:if="{{result}}">{{result}}</view>
`,
	}
}

// project finds a project by its id.
func (h *Handler) project(id string) (project, bool) {
	if id == demoID {
		return demoProject(tikiSampleOrder), true
	}
	if number, ok := strings.CutPrefix(id, demoID+"-"); ok {
		_, err := strconv.ParseUint(number, 10, 63)
		return demoProject(number), err == nil
	}
	return h.projects.find(id)
}

// routeTini mounts the simulator and what scripts use of it.
func (h *Handler) routeTini(mux *http.ServeMux) {
	mux.Handle("/sandbox/tiki/auth-codes", methods{"POST": h.authCode})
	mux.Handle("/sandbox/tiki/user-tokens", methods{"POST": h.userToken})
	mux.Handle(tiniPath+"{$}", methods{"GET": h.tini})
	mux.Handle(tiniPhonePath, methods{"GET": h.tiniPhone})
	mux.Handle(tiniProjectPath+"{$}", methods{"POST": h.addProject})
	mux.Handle(tiniProjectPath+"{id}/{file}", methods{"GET": h.projectFile})
	mux.Handle(tiniPath+"orders", methods{"POST": h.tiniOrder})
	mux.Handle(tiniPath+"settings", methods{"POST": h.tiniSettings})
}

// tiniView is what the simulator shows around the phone.
type tiniView struct {
	Head                web.Head
	Vietnamese, English string
	Project             string
	Files               project
	Phone               string
	Orders              []tiniOrderView
	NewOrder            string // the id of the order that was just made
	Problem             string
	App                 string
	Customer            string
	Failure             bool // test payments fail
	OfferCOD            bool
}

type tiniOrderView struct {
	ID, Stage, Environment string
	Total                  money.VND
	Page                   string // of the payment, "" while there is none
}

// tini answers GET /sandbox/tini/.
func (h *Handler) tini(w http.ResponseWriter, r *http.Request) {
	h.tiniPage(w, r, http.StatusOK, web.Language(r, ""), r.URL.Query(), "")
}

func (h *Handler) tiniPage(w http.ResponseWriter, r *http.Request, status int, lang string, q url.Values, problem string) {
	id := q.Get("project")
	p, ok := h.project(id)
	if !ok {
		id = demoID
		p, _ = h.project(id)
	}
	here := func(lang string) string {
		return tiniPath + "?" + url.Values{"lang": {lang}, "project": {id}}.Encode()
	}
	v := tiniView{
		Head:       web.Head{Title: web.Text(lang, "tini.title"), Scripts: []string{"tini.js"}},
		Vietnamese: here(web.Vietnamese), English: here(web.English), Project: id, Files: p, Problem: problem,
		Phone: tiniPhonePath + "?" + url.Values{"lang": {lang}, "project": {id}}.Encode(),
		App:   h.Info.Tiki.AppIdentifier, Customer: h.Info.Tiki.CustomerID,
	}
	if made := q.Get("order"); made != "" && strings.Trim(made, "0123456789") == "" {
		v.NewOrder = made
	}
	err := h.tiniState(r.Context(), &v)
	if err == nil {
		err = h.tiniSet.Page(w, status, lang, "tini", v)
	}
	if err != nil {
		h.fail(w, r, err)
	}
}

func (h *Handler) tiniState(ctx context.Context, v *tiniView) error {
	app, err := h.Core.App(ctx, h.Info.Tiki.Sandbox.MerchantID)
	if err != nil {
		return err
	}
	v.Failure = app.TestResult == catalog.TestFailure
	if app, err = h.Core.App(ctx, h.Info.Tiki.MerchantID); err != nil {
		return err
	}
	v.OfferCOD = app.OfferCOD
	for _, m := range []string{h.Info.Tiki.MerchantID, h.Info.Tiki.Sandbox.MerchantID} {
		found, err := h.Core.SearchAppOrders(ctx, core.AppOrderSearch{MerchantID: m, Limit: shownOrders})
		if err != nil {
			return err
		}
		for _, p := range found {
			o := tiniOrderView{ID: p.Order.ID, Stage: string(p.Stage()), Environment: p.Order.Dialect, Total: p.Order.Total}
			if p.Stage() == order.Paid {
				o.Stage = "online_paid"
			}
			if p.Payment.ID != "" {
				o.Page = h.Core.PageURL(h.Info.Tiki.AppIdentifier, p.Payment)
			}
			v.Orders = append(v.Orders, o)
		}
	}
	return nil
}

// phoneView is what the phone needs.
type phoneView struct {
	Head    web.Head
	App     string
	Project string
	Words   string // for the script, JSON
	User    string
}

// tiniPhone answers GET /sandbox/tini/phone: the phone's screen, a document of
// its own.
func (h *Handler) tiniPhone(w http.ResponseWriter, r *http.Request) {
	lang, id := web.Language(r, ""), r.URL.Query().Get("project")
	if _, ok := h.project(id); !ok {
		id = demoID
	}
	words := map[string]string{}
	for name, key := range map[string]string{
		"login": "login", "loginText": "login.text", "loginYes": "login.yes", "loginNo": "login.no", "customer": "login.customer",
		"pay": "pay", "close": "close", "notice": "notice", "noPage": "no.page",
	} {
		words[name] = web.Text(lang, "tini."+key)
	}
	text, err := json.Marshal(words)
	if err == nil {
		err = h.tiniSet.Page(w, http.StatusOK, lang, "phone", phoneView{
			Head: web.Head{Title: web.Text(lang, "tini.phone")}, App: h.Info.Tiki.AppIdentifier, Project: tiniProjectPath + id, Words: string(text), User: h.Info.Tiki.CustomerID,
		})
	}
	if err != nil {
		h.fail(w, r, err)
	}
}

// projectFile answers with a file of a project, byte for byte.
func (h *Handler) projectFile(w http.ResponseWriter, r *http.Request) {
	p, ok := h.project(r.PathValue("id"))
	file, kind := "", "text/javascript; charset=utf-8"
	switch r.PathValue("file") {
	case "app.js":
		file = p.App
	case "page.js":
		file = p.Page
	case "page.txml":
		file, kind = p.Template, "text/plain; charset=utf-8"
	default:
		ok = false
	}
	if !ok {
		refuse(w, &failure{status: http.StatusNotFound, code: payment.CodeNotFound, message: "there is no such file"})
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte(file)) // an error is the reader's connection
}

// addProject keeps what a visitor typed or pasted.
func (h *Handler) addProject(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxProject)
	if err := r.ParseForm(); err != nil {
		refuse(w, &failure{status: http.StatusBadRequest, code: payment.CodeInvalidRequest, message: fmt.Sprintf("the form cannot be read; it may have %d bytes", maxProject)})
		return
	}
	// Browsers send line breaks of forms as CR LF.
	field := func(name string) string { return strings.ReplaceAll(r.PostForm.Get(name), "\r\n", "\n") }
	p := project{App: field("app"), Page: field("page"), Template: field("template")}
	if !utf8.ValidString(p.App + p.Page + p.Template) {
		refuse(w, &failure{status: http.StatusBadRequest, code: payment.CodeInvalidRequest, message: "the files are not UTF-8"})
		return
	}
	digits, err := h.random(18)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.projects.keep(digits, p)
	h.seeOther(w, r, tiniPath+"?"+url.Values{"lang": {formLanguage(r)}, "project": {digits}}.Encode())
}

func formLanguage(r *http.Request) string {
	if r.PostForm.Get("lang") == web.English {
		return web.English
	}
	return web.Vietnamese
}

// tiniOrder places an order as the demo app's back end would, by the signed API,
// and shows the demo page that pays it.
func (h *Handler) tiniOrder(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		refuse(w, &failure{status: http.StatusBadRequest, code: payment.CodeInvalidRequest, message: "the form cannot be read"})
		return
	}
	lang := formLanguage(r)
	t := h.Info.Tiki
	base, key, secret := t.BaseURL, t.ClientKey, t.ClientSecret
	if r.PostForm.Get("environment") == "sandbox" {
		base, key, secret = t.Sandbox.BaseURL, t.Sandbox.ClientKey, t.Sandbox.ClientSecret
	}
	ctx, cancel := detached()
	defer cancel()
	got, err := h.signedCall(ctx, base+"/order", key, secret, orderBody(t.CustomerID))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	var says struct {
		Data struct {
			Order struct {
				ID string `json:"id"`
			} `json:"order"`
		} `json:"data"`
	}
	if json.Unmarshal(got.Body, &says) != nil || says.Data.Order.ID == "" {
		h.tiniPage(w, r, http.StatusBadGateway, lang, url.Values{}, web.Text(lang, "tini.order.refused", string(got.JSON())))
		return
	}
	id := says.Data.Order.ID
	h.seeOther(w, r, tiniPath+"?"+url.Values{"lang": {lang}, "project": {demoID + "-" + id}, "order": {id}}.Encode())
}

// orderBody is what the demo app's back end sends.
func orderBody(customerID string) []byte {
	o := demoOrder(payment.Merchant{}, "", customerID, "")
	type field struct {
		Type  string `json:"type"`
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	type section struct {
		Header string  `json:"header"`
		Fields []field `json:"fields"`
	}
	type metadata struct {
		Sections []section `json:"sections"`
	}
	type item struct {
		Name     string    `json:"name"`
		Quantity int64     `json:"quantity"`
		Price    money.VND `json:"price"`
		Metadata *metadata `json:"metadata,omitempty"`
	}
	body := struct {
		CustomerID string         `json:"customer_id"`
		Items      []item         `json:"items"`
		Customer   order.Customer `json:"customer_info"`
		Fee        money.VND      `json:"shipping_fee"`
		Reference  string         `json:"reference_id"`
	}{CustomerID: customerID, Customer: o.Customer, Fee: o.ShippingFee, Reference: o.Reference}
	for _, l := range o.Lines {
		i := item{Name: l.Name, Quantity: l.Quantity, Price: l.Price}
		for _, s := range l.Sections {
			shown := section{Header: s.Header}
			for _, f := range s.Fields {
				shown.Fields = append(shown.Fields, field{"text", f.Name, f.Text})
			}
			i.Metadata = &metadata{append([]section{}, shown)}
		}
		body.Items = append(body.Items, i)
	}
	text, _ := json.Marshal(body) // texts and numbers can always be encoded
	return text
}

// signedCall calls the gateway as an app's back end does.
func (h *Handler) signedCall(ctx context.Context, address, key, secret string, body []byte) (called, error) {
	stamp := strconv.FormatInt(clock.System().Now().UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(base64.RawURLEncoding.EncodeToString([]byte(stamp + "." + key + "." + string(body)))))
	header := http.Header{}
	header.Set("X-Tiniapp-Client-Id", key)
	header.Set("X-Tiniapp-Timestamp", stamp)
	header.Set("X-Tiniapp-Signature", hex.EncodeToString(mac.Sum(nil)))
	return call(ctx, h.Gateway, address, header, body)
}

// tiniSettings changes how payments of the demo app go.
func (h *Handler) tiniSettings(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		refuse(w, &failure{status: http.StatusBadRequest, code: payment.CodeInvalidRequest, message: "the form cannot be read"})
		return
	}
	result, cod := catalog.TestSuccess, r.PostForm.Get("offer_cod") == "1"
	if r.PostForm.Get("result") == string(catalog.TestFailure) {
		result = catalog.TestFailure
	}
	_, err := h.Core.ChangeApp(r.Context(), seeder, h.Info.Tiki.Sandbox.MerchantID, core.AppChange{TestResult: &result})
	if err == nil {
		_, err = h.Core.ChangeApp(r.Context(), seeder, h.Info.Tiki.MerchantID, core.AppChange{OfferCOD: &cod})
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	httpx.Note(r.Context(), "test_result", string(result))
	h.seeOther(w, r, tiniPath+"?"+url.Values{"lang": {formLanguage(r)}, "project": {r.PostForm.Get("project")}}.Encode())
}
