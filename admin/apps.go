package admin

import (
	"context"
	"net/http"
	"strconv"

	"github.com/thungan/thungan/catalog"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/signin"
)

// The mini apps: what a merchant is as an app, who sells what, and who the
// customers are.
func (a *API) appRoutes() []route {
	const get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	const ok, made = http.StatusOK, http.StatusCreated
	return []route{
		{method: get, path: "/merchants/{merchant_id}/app", status: ok, run: a.app},
		{method: patch, path: "/merchants/{merchant_id}/app", status: ok, run: a.changeApp},

		{method: post, path: "/sellers", status: made, run: a.addSeller},
		{method: get, path: "/sellers", status: ok, run: a.sellers},
		{method: get, path: "/sellers/{seller_id}", status: ok, run: a.seller},
		{method: patch, path: "/sellers/{seller_id}", status: ok, run: a.changeSeller},

		{method: post, path: "/products", status: made, run: a.addProduct},
		{method: get, path: "/products", status: ok, run: a.products},
		{method: get, path: "/products/{sku}", status: ok, run: a.product},
		{method: patch, path: "/products/{sku}", status: ok, run: a.changeProduct},
		{method: del, path: "/products/{sku}", status: http.StatusNoContent, run: a.removeProduct},

		{method: post, path: "/customers", status: made, run: a.addCustomer},
		{method: get, path: "/customers", status: ok, run: a.customers},
		{method: get, path: "/customers/{customer_id}", status: ok, run: a.customer},
		{method: post, path: "/customers/{customer_id}/tokens", status: made, run: a.signIn},

		{method: get, path: "/orders", status: ok, run: a.appOrders},
		{method: get, path: "/orders/{order_id}", status: ok, run: a.appOrder},
		{method: post, path: "/orders/{order_id}/money-received", status: ok, run: a.moneyReceived},
		{method: post, path: "/orders/{order_id}/hand-over", status: ok, run: a.handOver},
		{method: post, path: "/orders/{order_id}/complete", status: ok, run: a.completeAppOrder},
		{method: post, path: "/orders/{order_id}/cancel", status: ok, run: a.cancelAppOrder},
	}
}

type appView struct {
	MerchantID string    `json:"merchant_id"`
	SellerID   string    `json:"seller_id"` // "" while none is linked
	OrderLimit money.VND `json:"order_limit"`
	TestResult string    `json:"test_result"`
	OfferCOD   bool      `json:"offer_cod"`
}

func showApp(a catalog.App) appView {
	return appView{MerchantID: a.MerchantID, SellerID: a.SellerID, OrderLimit: a.OrderLimit, TestResult: string(a.TestResult), OfferCOD: a.OfferCOD}
}

func (a *API) app(c *call) (any, error) {
	m, err := a.merchantOfPath(c)
	if err != nil {
		return nil, err
	}
	app, err := a.core.App(c.ctx(), m.ID)
	return showApp(app), err
}

func (a *API) changeApp(c *call) (any, error) {
	merchantID, err := c.pathID("merchant_id")
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	ch := core.AppChange{OrderLimit: o.amount("order_limit"), OfferCOD: o.flag("offer_cod")}
	if s := o.text("seller_id", maxName); s != nil {
		if _, err := id.Parse(*s); *s != "" && err != nil {
			o.complain("seller_id", "has to be the id of a seller, or empty for none")
		}
		ch.SellerID = s
	}
	if r := o.choice("test_result", string(catalog.TestSuccess), string(catalog.TestFailure)); r != nil {
		ch.TestResult = (*catalog.TestResult)(r)
	}
	if ch.OrderLimit != nil && *ch.OrderLimit == 0 {
		o.complain("order_limit", "has to be above zero")
	}
	o.needOne("seller_id", "order_limit", "test_result", "offer_cod")
	if err := o.err(); err != nil {
		return nil, err
	}
	return shown(showApp)(a.core.ChangeApp(c.ctx(), c.by, merchantID, ch))
}

type sellerView struct {
	SellerID  string `json:"seller_id"`
	Name      string `json:"name"`
	Active    bool   `json:"active"`
	CreatedAt stamp  `json:"created_at"`
}

func showSeller(s catalog.Seller) sellerView {
	return sellerView{SellerID: s.ID, Name: s.Name, Active: s.Active, CreatedAt: stamp(s.CreatedAt)}
}

func (a *API) addSeller(c *call) (any, error) {
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("name")
	name := o.words("name", maxName)
	if err := o.err(); err != nil {
		return nil, err
	}
	return shown(showSeller)(a.core.AddSeller(c.ctx(), c.by, *name))
}

func (a *API) sellers(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page := q.page()
	if err := q.err(); err != nil {
		return nil, err
	}
	read := func(cursor string, limit int) ([]catalog.Seller, error) {
		return a.core.Sellers(c.ctx(), cursor, limit)
	}
	return readPage(page, read, func(s catalog.Seller) string { return s.ID }, showSeller)
}

func (a *API) seller(c *call) (any, error) {
	sellerID, err := c.pathID("seller_id")
	if err != nil {
		return nil, err
	}
	return shown(showSeller)(a.core.Seller(c.ctx(), sellerID))
}

func (a *API) changeSeller(c *call) (any, error) {
	sellerID, err := c.pathID("seller_id")
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	ch := core.SellerChange{Name: o.words("name", maxName), Active: o.flag("active")}
	o.needOne("name", "active")
	if err := o.err(); err != nil {
		return nil, err
	}
	return shown(showSeller)(a.core.ChangeSeller(c.ctx(), c.by, sellerID, ch))
}

type productView struct {
	SKU       string    `json:"sku"`
	SellerID  string    `json:"seller_id"`
	Name      string    `json:"name"`
	Price     money.VND `json:"price"`
	ImageURL  string    `json:"image_url"`
	OnSale    bool      `json:"on_sale"`
	Stock     int64     `json:"stock"` // -1 is unlimited
	CreatedAt stamp     `json:"created_at"`
	UpdatedAt stamp     `json:"updated_at"`
}

func showProduct(p catalog.Product) productView {
	return productView{
		SKU: p.SKU, SellerID: p.SellerID, Name: p.Name, Price: p.Price, ImageURL: p.ImageURL, OnSale: p.OnSale, Stock: p.Stock,
		CreatedAt: stamp(p.CreatedAt), UpdatedAt: stamp(p.UpdatedAt),
	}
}

// Limits of a product; core checks what is in the SKU.
const (
	maxSKU   = 64
	maxStock = 1_000_000_000
)

func (a *API) addProduct(c *call) (any, error) {
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("sku", "seller_id", "name", "price")
	sku, seller, name, price := o.filled("sku", maxSKU), o.uuid("seller_id"), o.words("name", maxName), o.amount("price")
	image, onSale, stock := o.link("image_url"), o.flag("on_sale"), o.whole("stock", catalog.Unlimited, maxStock)
	if err := o.err(); err != nil {
		return nil, err
	}
	return shown(showProduct)(a.core.AddProduct(c.ctx(), c.by, catalog.Product{
		SKU: *sku, SellerID: *seller, Name: *name, Price: *price, ImageURL: or(image, ""), OnSale: or(onSale, true), Stock: or(stock, catalog.Unlimited),
	}))
}

func (a *API) products(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page, seller := q.pageByName(), q.uuid("seller_id")
	if err := q.err(); err != nil {
		return nil, err
	}
	read := func(cursor string, limit int) ([]catalog.Product, error) {
		return a.core.Products(c.ctx(), seller, cursor, limit)
	}
	return readPage(page, read, func(p catalog.Product) string { return p.SKU }, showProduct)
}

func (a *API) product(c *call) (any, error) {
	return shown(showProduct)(a.core.Product(c.ctx(), c.r.PathValue("sku")))
}

func (a *API) changeProduct(c *call) (any, error) {
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	ch := core.ProductChange{
		Name: o.words("name", maxName), Price: o.amount("price"), ImageURL: o.link("image_url"), OnSale: o.flag("on_sale"),
		Stock: o.whole("stock", catalog.Unlimited, maxStock),
	}
	o.needOne("name", "price", "image_url", "on_sale", "stock")
	if err := o.err(); err != nil {
		return nil, err
	}
	return shown(showProduct)(a.core.ChangeProduct(c.ctx(), c.by, c.r.PathValue("sku"), ch))
}

func (a *API) removeProduct(c *call) (any, error) {
	return nil, a.core.RemoveProduct(c.ctx(), c.by, c.r.PathValue("sku"))
}

type customerView struct {
	CustomerID string `json:"customer_id"` // decimal
	Name       string `json:"name"`
	Phone      string `json:"phone"`
	Email      string `json:"email"`
	AvatarURL  string `json:"avatar_url"`
	CreatedAt  stamp  `json:"created_at"`
}

func showCustomer(c signin.Customer) customerView {
	return customerView{
		CustomerID: strconv.FormatInt(c.ID, 10), Name: c.Name, Phone: c.Phone, Email: c.Email, AvatarURL: c.AvatarURL, CreatedAt: stamp(c.CreatedAt),
	}
}

// customerNumber reads a customer's id.
func customerNumber(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n > 0 && strconv.FormatInt(n, 10) == text
}

func (a *API) addCustomer(c *call) (any, error) {
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("name")
	n := signin.Customer{}
	if text := o.filled("customer_id", 18); text != nil {
		number, ok := customerNumber(*text)
		if !ok {
			o.complain("customer_id", "has to be digits, without a zero in front")
		}
		n.ID = number
	}
	name, phone, email, avatar := o.words("name", maxName), o.text("phone", maxName), o.text("email", maxName), o.link("avatar_url")
	if err := o.err(); err != nil {
		return nil, err
	}
	n.Name, n.Phone, n.Email, n.AvatarURL = *name, or(phone, ""), or(email, ""), or(avatar, "")
	return shown(showCustomer)(a.core.AddCustomer(c.ctx(), c.by, n))
}

func (a *API) customers(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page := q.pageByName()
	if _, ok := customerNumber(page.cursor); page.cursor != "" && !ok {
		q.faults.add("cursor", "is not a cursor of this list")
	}
	if err := q.err(); err != nil {
		return nil, err
	}
	read := func(cursor string, limit int) ([]signin.Customer, error) {
		after, _ := customerNumber(cursor)
		return a.core.Customers(c.ctx(), after, limit)
	}
	return readPage(page, read, func(c signin.Customer) string { return strconv.FormatInt(c.ID, 10) }, showCustomer)
}

// customerOfPath loads the customer that the path names.
func (a *API) customerOfPath(ctx context.Context, text string) (signin.Customer, error) {
	number, ok := customerNumber(text)
	if !ok {
		return signin.Customer{}, payment.Fail(payment.CodeNotFound, "no such customer")
	}
	return a.core.Customer(ctx, number)
}

func (a *API) customer(c *call) (any, error) {
	found, err := a.customerOfPath(c.ctx(), c.r.PathValue("customer_id"))
	if err != nil {
		return nil, err
	}
	return showCustomer(found), nil
}

type sessionView struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
}

// signIn makes a customer's own token, for a container that knows who its user
// is.
func (a *API) signIn(c *call) (any, error) {
	o, err := c.readBody(true)
	if err != nil {
		return nil, err
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	found, err := a.customerOfPath(c.ctx(), c.r.PathValue("customer_id"))
	if err != nil {
		return nil, err
	}
	token, err := a.core.SignIn(c.ctx(), found.ID)
	return sessionView{AccessToken: token, ExpiresIn: int64(signin.SessionLife.Seconds())}, err
}
