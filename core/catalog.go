package core

import (
	"context"
	"regexp"
	"strings"

	"github.com/thungan/thungan/catalog"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// App returns what a merchant is as an app; one that nobody has set up has the
// default settings.
func (c *Core) App(ctx context.Context, merchantID string) (catalog.App, error) {
	return view(ctx, c, "app", func(tx *store.Tx) (catalog.App, error) { return tx.App(ctx, merchantID) })
}

// AppChange is what to change of an app; nil is left as it is.
type AppChange struct {
	SellerID   *string // "" links no seller
	OrderLimit *money.VND
	TestResult *catalog.TestResult
	OfferCOD   *bool
}

// ChangeApp changes what a merchant is as an app.
func (c *Core) ChangeApp(ctx context.Context, by Actor, merchantID string, ch AppChange) (catalog.App, error) {
	var a catalog.App
	err := c.update(ctx, "change_app", func(w *work) (err error) {
		if _, err := w.LockMerchant(ctx, merchantID); err != nil {
			return err
		}
		if a, err = w.App(ctx, merchantID); err != nil {
			return err
		}
		before := appAudit(a)
		set(&a.SellerID, ch.SellerID)
		set(&a.OrderLimit, ch.OrderLimit)
		set(&a.TestResult, ch.TestResult)
		set(&a.OfferCOD, ch.OfferCOD)
		switch {
		case a.OrderLimit <= 0 || a.OrderLimit > MaxAmount:
			return invalid("order_limit", "is 1 to "+MaxAmount.String()+" đồng")
		case a.TestResult != catalog.TestSuccess && a.TestResult != catalog.TestFailure:
			return invalid("test_result", "is success or failure")
		}
		if a.SellerID != "" {
			if _, err := w.Seller(ctx, a.SellerID); err != nil {
				return err
			}
		}
		a.UpdatedAt = w.now
		if err := w.PutApp(ctx, a); err != nil {
			return err
		}
		return w.audit(ctx, by, "app.change", merchantID, before, appAudit(a))
	})
	return a, err
}

func appAudit(a catalog.App) any {
	return map[string]any{"seller_id": a.SellerID, "order_limit": a.OrderLimit, "test_result": a.TestResult, "offer_cod": a.OfferCOD}
}

// AddSeller adds a seller account.
func (c *Core) AddSeller(ctx context.Context, by Actor, name string) (catalog.Seller, error) {
	s := catalog.Seller{ID: c.ids.New(), Name: strings.TrimSpace(name), Active: true, CreatedAt: c.Now()}
	if err := checkText("name", s.Name, 1, maxName); err != nil {
		return catalog.Seller{}, err
	}
	return s, c.update(ctx, "add_seller", func(w *work) error {
		if err := w.AddSeller(ctx, s); err != nil {
			return err
		}
		return w.audit(ctx, by, "seller.add", s.ID, nil, sellerAudit(s))
	})
}

func sellerAudit(s catalog.Seller) any { return map[string]any{"name": s.Name, "active": s.Active} }

// SellerChange is what to change of a seller; nil is left as it is.
type SellerChange struct {
	Name   *string
	Active *bool
}

// ChangeSeller changes a seller.
func (c *Core) ChangeSeller(ctx context.Context, by Actor, id string, ch SellerChange) (catalog.Seller, error) {
	var s catalog.Seller
	err := c.update(ctx, "change_seller", func(w *work) (err error) {
		if s, err = w.LockSeller(ctx, id); err != nil {
			return err
		}
		before := sellerAudit(s)
		set(&s.Name, ch.Name)
		set(&s.Active, ch.Active)
		s.Name = strings.TrimSpace(s.Name)
		if err := checkText("name", s.Name, 1, maxName); err != nil {
			return err
		}
		if err := w.SaveSeller(ctx, s); err != nil {
			return err
		}
		return w.audit(ctx, by, "seller.change", id, before, sellerAudit(s))
	})
	return s, err
}

// Seller returns a seller, or CodeNotFound.
func (c *Core) Seller(ctx context.Context, id string) (catalog.Seller, error) {
	return view(ctx, c, "seller", func(tx *store.Tx) (catalog.Seller, error) { return tx.Seller(ctx, id) })
}

// Sellers lists sellers by id. After is the last id of the page before.
func (c *Core) Sellers(ctx context.Context, after string, limit int) ([]catalog.Seller, error) {
	return view(ctx, c, "sellers", func(tx *store.Tx) ([]catalog.Seller, error) { return tx.Sellers(ctx, after, page(limit)) })
}

var skuForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func checkProduct(p catalog.Product) error {
	switch {
	case !skuForm.MatchString(p.SKU):
		return invalid("sku", "is 1 to 64 letters, digits and . _ -, and begins with a letter or digit")
	case p.Price < 0 || p.Price > MaxAmount:
		return invalid("price", "is 0 to "+MaxAmount.String()+" đồng")
	case p.Stock < catalog.Unlimited:
		return invalid("stock", "is 0 or more, or -1 for unlimited")
	}
	if err := noCard("sku", p.SKU); err != nil {
		return err
	}
	if err := checkURL("image_url", p.ImageURL); err != nil {
		return err
	}
	return checkText("name", p.Name, 1, maxName)
}

func productAudit(p catalog.Product) any {
	return map[string]any{"seller_id": p.SellerID, "name": p.Name, "price": p.Price, "image_url": p.ImageURL, "on_sale": p.OnSale, "stock": p.Stock}
}

// AddProduct adds a product of a seller; CodeConflict when the SKU is taken.
// CreatedAt and UpdatedAt are filled in.
func (c *Core) AddProduct(ctx context.Context, by Actor, p catalog.Product) (catalog.Product, error) {
	p.CreatedAt = c.Now()
	p.UpdatedAt = p.CreatedAt
	p.Name = strings.TrimSpace(p.Name)
	if err := checkProduct(p); err != nil {
		return catalog.Product{}, err
	}
	return p, c.update(ctx, "add_product", func(w *work) error {
		if _, err := w.Seller(ctx, p.SellerID); err != nil {
			return err
		}
		if err := w.AddProduct(ctx, p); err != nil {
			return err
		}
		return w.audit(ctx, by, "product.add", p.SKU, nil, productAudit(p))
	})
}

// AddProductOf is AddProduct by an app, for the seller that is linked to it.
// CodeInvalidRequest with order.ErrSeller when no active one is.
func (c *Core) AddProductOf(ctx context.Context, m payment.Merchant, p catalog.Product) (catalog.Product, error) {
	a, err := c.App(ctx, m.ID)
	if err != nil {
		return catalog.Product{}, err
	}
	s, err := view(ctx, c, "seller", func(tx *store.Tx) (catalog.Seller, error) { return linkedSeller(ctx, tx, a) })
	if err != nil {
		return catalog.Product{}, err
	}
	p.SellerID = s.ID
	return c.AddProduct(ctx, Actor{Name: "merchant " + m.ID}, p)
}

// ProductChange is what to change of a product; nil is left as it is.
type ProductChange struct {
	Name, ImageURL *string
	Price          *money.VND
	OnSale         *bool
	Stock          *int64
}

// ChangeProduct changes a product.
func (c *Core) ChangeProduct(ctx context.Context, by Actor, sku string, ch ProductChange) (catalog.Product, error) {
	var p catalog.Product
	err := c.update(ctx, "change_product", func(w *work) (err error) {
		if p, err = w.LockProduct(ctx, sku); err != nil {
			return err
		}
		before := productAudit(p)
		set(&p.Name, ch.Name)
		set(&p.ImageURL, ch.ImageURL)
		set(&p.Price, ch.Price)
		set(&p.OnSale, ch.OnSale)
		set(&p.Stock, ch.Stock)
		p.Name, p.UpdatedAt = strings.TrimSpace(p.Name), w.now
		if err := checkProduct(p); err != nil {
			return err
		}
		if err := w.SaveProduct(ctx, p); err != nil {
			return err
		}
		return w.audit(ctx, by, "product.change", sku, before, productAudit(p))
	})
	return p, err
}

// RemoveProduct takes a product away. Orders keep what they were placed with.
func (c *Core) RemoveProduct(ctx context.Context, by Actor, sku string) error {
	return c.update(ctx, "remove_product", func(w *work) error {
		p, err := w.LockProduct(ctx, sku)
		if err != nil {
			return err
		}
		if err := w.DeleteProduct(ctx, sku); err != nil {
			return err
		}
		return w.audit(ctx, by, "product.remove", sku, productAudit(p), nil)
	})
}

// Product returns a product, or CodeNotFound.
func (c *Core) Product(ctx context.Context, sku string) (catalog.Product, error) {
	return view(ctx, c, "product", func(tx *store.Tx) (catalog.Product, error) { return tx.Product(ctx, sku) })
}

// Products lists products by SKU; sellerID "" is of all sellers. After is the
// last SKU of the page before.
func (c *Core) Products(ctx context.Context, sellerID, after string, limit int) ([]catalog.Product, error) {
	return view(ctx, c, "products", func(tx *store.Tx) ([]catalog.Product, error) { return tx.Products(ctx, sellerID, after, page(limit)) })
}
