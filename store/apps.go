package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/thungan/thungan/catalog"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/signin"
	"github.com/thungan/thungan/store/internal/db"
)

func sellerRow(r db.Seller) catalog.Seller {
	return catalog.Seller{ID: r.ID, Name: r.Name, Active: r.Active, CreatedAt: moment(r.CreatedAt)}
}

// AddSeller inserts a seller.
func (tx *Tx) AddSeller(ctx context.Context, s catalog.Seller) error {
	return tx.q.InsertSeller(ctx, db.InsertSellerParams{ID: s.ID, Name: s.Name, Active: s.Active, CreatedAt: millis(s.CreatedAt)})
}

// Seller loads one seller.
func (tx *Tx) Seller(ctx context.Context, id string) (catalog.Seller, error) {
	row, err := tx.q.Seller(ctx, id)
	if err != nil {
		return catalog.Seller{}, missing(err, payment.CodeNotFound, "no such seller")
	}
	return sellerRow(row), nil
}

// LockSeller loads a seller and keeps others from changing it.
func (tx *Tx) LockSeller(ctx context.Context, id string) (catalog.Seller, error) {
	row, err := tx.q.SellerForUpdate(ctx, id)
	if err != nil {
		return catalog.Seller{}, missing(err, payment.CodeNotFound, "no such seller")
	}
	return sellerRow(row), nil
}

// SaveSeller writes a changed seller.
func (tx *Tx) SaveSeller(ctx context.Context, s catalog.Seller) error {
	return tx.q.UpdateSeller(ctx, db.UpdateSellerParams{ID: s.ID, Name: s.Name, Active: s.Active})
}

// Sellers lists sellers by id, from after on.
func (tx *Tx) Sellers(ctx context.Context, after string, limit int) ([]catalog.Seller, error) {
	rows, err := tx.q.Sellers(ctx, db.SellersParams{After: after, Page: int32(limit)})
	if err != nil {
		return nil, err
	}
	found := make([]catalog.Seller, len(rows))
	for i, row := range rows {
		found[i] = sellerRow(row)
	}
	return found, nil
}

func productRow(r db.Product) catalog.Product {
	return catalog.Product{
		SKU: r.Sku, SellerID: r.SellerID, Name: r.Name, Price: money.VND(r.Price), ImageURL: r.ImageUrl, OnSale: r.OnSale, Stock: r.Stock,
		CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt),
	}
}

// AddProduct inserts a product; CodeConflict when the SKU is taken.
func (tx *Tx) AddProduct(ctx context.Context, p catalog.Product) error {
	n, err := tx.q.InsertProduct(ctx, db.InsertProductParams{
		Sku: p.SKU, SellerID: p.SellerID, Name: p.Name, Price: int64(p.Price), ImageUrl: p.ImageURL, OnSale: p.OnSale, Stock: p.Stock,
		CreatedAt: millis(p.CreatedAt), UpdatedAt: millis(p.UpdatedAt),
	})
	if err == nil && n == 0 {
		return payment.Fail(payment.CodeConflict, "there is a product of that SKU")
	}
	return err
}

// Product loads one product; CodeNotFound when there is none.
func (tx *Tx) Product(ctx context.Context, sku string) (catalog.Product, error) {
	row, err := tx.q.Product(ctx, sku)
	if err != nil {
		return catalog.Product{}, missing(err, payment.CodeNotFound, "no such product")
	}
	return productRow(row), nil
}

// LockProduct loads a product and keeps others from changing it.
func (tx *Tx) LockProduct(ctx context.Context, sku string) (catalog.Product, error) {
	row, err := tx.q.ProductForUpdate(ctx, sku)
	if err != nil {
		return catalog.Product{}, missing(err, payment.CodeNotFound, "no such product")
	}
	return productRow(row), nil
}

// SaveProduct writes a changed product.
func (tx *Tx) SaveProduct(ctx context.Context, p catalog.Product) error {
	return tx.q.UpdateProduct(ctx, db.UpdateProductParams{
		Sku: p.SKU, Name: p.Name, Price: int64(p.Price), ImageUrl: p.ImageURL, OnSale: p.OnSale, Stock: p.Stock, UpdatedAt: millis(p.UpdatedAt),
	})
}

// DeleteProduct takes a product away; CodeNotFound when there is none. Orders
// keep what they were placed with.
func (tx *Tx) DeleteProduct(ctx context.Context, sku string) error {
	n, err := tx.q.DeleteProduct(ctx, sku)
	if err == nil && n == 0 {
		return payment.Fail(payment.CodeNotFound, "no such product")
	}
	return err
}

// Products lists products by SKU, from after on; sellerID "" is of all sellers.
func (tx *Tx) Products(ctx context.Context, sellerID, after string, limit int) ([]catalog.Product, error) {
	rows, err := tx.q.Products(ctx, db.ProductsParams{After: after, SellerID: sellerID, Page: int32(limit)})
	if err != nil {
		return nil, err
	}
	found := make([]catalog.Product, len(rows))
	for i, row := range rows {
		found[i] = productRow(row)
	}
	return found, nil
}

// App loads what a merchant is as an app, the default settings when nobody has
// changed any.
func (tx *Tx) App(ctx context.Context, merchantID string) (catalog.App, error) {
	row, err := tx.q.App(ctx, merchantID)
	if errors.Is(err, sql.ErrNoRows) {
		return catalog.DefaultApp(merchantID), nil
	}
	return catalog.App{
		MerchantID: row.MerchantID, SellerID: row.SellerID, OrderLimit: money.VND(row.OrderLimit), TestResult: catalog.TestResult(row.TestResult),
		OfferCOD: row.OfferCod, UpdatedAt: moment(row.UpdatedAt),
	}, err
}

// PutApp writes what a merchant is as an app.
func (tx *Tx) PutApp(ctx context.Context, a catalog.App) error {
	return tx.q.PutApp(ctx, db.PutAppParams{
		MerchantID: a.MerchantID, SellerID: a.SellerID, OrderLimit: int64(a.OrderLimit), TestResult: string(a.TestResult), OfferCod: a.OfferCOD,
		UpdatedAt: millis(a.UpdatedAt),
	})
}

func customerRow(r db.Customer) signin.Customer {
	return signin.Customer{ID: r.ID, Name: r.Name, Phone: r.Phone, Email: r.Email, AvatarURL: r.AvatarUrl, CreatedAt: moment(r.CreatedAt)}
}

// AddCustomer inserts a customer; ok is false when the id is taken.
func (tx *Tx) AddCustomer(ctx context.Context, c signin.Customer) (ok bool, err error) {
	n, err := tx.q.InsertCustomer(ctx, db.InsertCustomerParams{
		ID: c.ID, Name: c.Name, Phone: c.Phone, Email: c.Email, AvatarUrl: c.AvatarURL, CreatedAt: millis(c.CreatedAt),
	})
	return n == 1, err
}

// Customer loads one customer.
func (tx *Tx) Customer(ctx context.Context, id int64) (signin.Customer, error) {
	row, err := tx.q.Customer(ctx, id)
	if err != nil {
		return signin.Customer{}, missing(err, payment.CodeNotFound, "no such customer")
	}
	return customerRow(row), nil
}

// Customers lists customers by id, from after on.
func (tx *Tx) Customers(ctx context.Context, after int64, limit int) ([]signin.Customer, error) {
	rows, err := tx.q.Customers(ctx, db.CustomersParams{After: after, Page: int32(limit)})
	if err != nil {
		return nil, err
	}
	found := make([]signin.Customer, len(rows))
	for i, row := range rows {
		found[i] = customerRow(row)
	}
	return found, nil
}

// AddGrant inserts a code or token.
func (tx *Tx) AddGrant(ctx context.Context, g signin.Grant) error {
	return tx.q.InsertGrant(ctx, db.InsertGrantParams{
		Hash: g.Hash, Kind: string(g.Kind), App: g.App, CustomerID: g.CustomerID, Scopes: strings.Join(g.Scopes, " "),
		CreatedAt: millis(g.CreatedAt), ExpiresAt: millis(g.ExpiresAt), UsedAt: millis(g.UsedAt),
	})
}

// Grant loads a code or token by its hash; CodeUnauthorized when there is none.
func (tx *Tx) Grant(ctx context.Context, hash string) (signin.Grant, error) {
	r, err := tx.q.Grant(ctx, hash)
	if err != nil {
		return signin.Grant{}, missing(err, payment.CodeUnauthorized, "")
	}
	return signin.Grant{
		Hash: r.Hash, Kind: signin.Kind(r.Kind), App: r.App, CustomerID: r.CustomerID, Scopes: strings.Fields(r.Scopes),
		CreatedAt: moment(r.CreatedAt), ExpiresAt: moment(r.ExpiresAt), UsedAt: moment(r.UsedAt),
	}, nil
}

// UseGrant marks what is good once as used; ok is false when somebody was
// faster.
func (tx *Tx) UseGrant(ctx context.Context, hash string, at time.Time) (ok bool, err error) {
	n, err := tx.q.UseGrant(ctx, db.UseGrantParams{UsedAt: millis(at), Hash: hash})
	return n == 1, err
}

// DropGrants deletes what expired before a moment.
func (tx *Tx) DropGrants(ctx context.Context, before time.Time) error {
	_, err := tx.q.DropGrants(ctx, millis(before))
	return err
}
