// Package catalog holds who sells what through mini apps: sellers, their
// products (SKUs), and the apps that are linked to them. It is pure.
package catalog

import (
	"time"

	"github.com/thungan/thungan/money"
)

// Seller is the account that an app sells for. Several apps may share one, and
// with it its products.
type Seller struct {
	ID        string // UUIDv7
	Name      string // up to 255 characters
	Active    bool
	CreatedAt time.Time
}

// Product is something that a seller sells under a SKU. SKUs are unique over
// the gateway.
type Product struct {
	SKU       string // 1 to 64 characters without spaces
	SellerID  string
	Name      string
	Price     money.VND // of one
	ImageURL  string    // "" for none
	OnSale    bool
	Stock     int64 // what the seller says is left; orders do not count it down. Unlimited is -1
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Unlimited is the stock of what never runs out.
const Unlimited = -1

// Has says whether quantity pieces can be sold now.
func (p Product) Has(quantity int64) bool {
	return p.OnSale && (p.Stock == Unlimited || p.Stock >= quantity)
}

// DefaultOrderLimit is the most that one order of an app may come to unless a
// higher limit is granted.
const DefaultOrderLimit = money.VND(10_000_000)

// TestResult is how every online payment in the sandbox environment of an app
// ends.
type TestResult string

// The two results.
const (
	TestSuccess TestResult = "success"
	TestFailure TestResult = "failure"
)

// App is a mini app in one environment: the merchant that it is to the gateway,
// and what beyond that its protocol needs. An app without a row has
// DefaultApp's settings.
type App struct {
	MerchantID string
	SellerID   string     // "" while no seller is linked
	OrderLimit money.VND  // of one order
	TestResult TestResult // of the sandbox environment
	OfferCOD   bool       // the payment page offers cash on delivery too
	UpdatedAt  time.Time
}

// DefaultApp is what a merchant is as an app unless somebody says otherwise.
func DefaultApp(merchantID string) App {
	return App{MerchantID: merchantID, OrderLimit: DefaultOrderLimit, TestResult: TestSuccess}
}
