package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/thungan/thungan/catalog"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect/tiki"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/signin"
)

// appCommands are the part of the command line that mini apps need.
type appCommands struct {
	App      appCommand      `cmd:"" help:"Add and change Tini Apps."`
	Seller   sellerCommand   `cmd:"" help:"Sellers that apps sell for."`
	Product  productCommand  `cmd:"" help:"What sellers sell."`
	Customer customerCommand `cmd:"" help:"Customers of mini apps."`
}

type appCommand struct {
	Add  addAppCommand  `cmd:"" help:"Add a Tini App, in production and in its sandbox."`
	Set  setAppCommand  `cmd:"" help:"Link a seller to an app, set its order limit and how its sandbox payments end."`
	Show showAppCommand `cmd:"" help:"Show what a merchant is as an app."`

	Order appOrderCommand `cmd:"" help:"Orders of apps, and what only their merchants know."`
}

type addAppCommand struct {
	operatorFlags
	Name          string `help:"What customers see." required:"" env:"-"`
	ID            string `help:"The app's identifier, such as vn.quanca.app; made up when left out." name:"id" placeholder:"ID" env:"-"`
	IPNURL        string `help:"Where notifications go; none for nowhere." name:"ipn-url" placeholder:"URL" env:"-"`
	SandboxIPNURL string `help:"Where notifications of test payments go." name:"sandbox-ipn-url" placeholder:"URL" env:"-"`
	Seller        string `help:"The id of the seller that the app sells for." placeholder:"ID" env:"-"`
}

func (addAppCommand) Help() string {
	return `Adds two merchants of one identifier: the app itself and the app in its sandbox, each with a
key pair of its own. Test money is kept apart from real money that way. The keys are shown
only now. Next, for the first: thungan merchant account add.`
}

func (c addAppCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		if c.Seller != "" {
			if _, err := k.Seller(ctx, c.Seller); err != nil {
				return err
			}
		}
		app, lines, err := c.add(ctx, k, by, tiki.Name, c.Name, c.ID, c.IPNURL, "")
		if err != nil {
			return err
		}
		_, test, err := c.add(ctx, k, by, tiki.SandboxName, c.Name+" (sandbox)", app, c.SandboxIPNURL, "sandbox ")
		if err != nil {
			return fmt.Errorf("the app was added without its sandbox: %w; go on with: thungan merchant add --dialect %s --public-id %s", readable(err), tiki.SandboxName, app)
		}
		return c.show(append(append([][2]string{{"app", app}}, lines...), test...)...)
	})
}

// add makes an app known in one environment.
func (c addAppCommand) add(ctx context.Context, k *core.Core, by core.Actor, dialect, name, id, url, prefix string) (string, [][2]string, error) {
	m, err := k.AddMerchant(ctx, by, core.NewMerchant{Name: name})
	if err != nil {
		return "", nil, err
	}
	_, made, err := k.Enrol(ctx, by, core.Enrolment{MerchantID: m.ID, Dialect: dialect, PublicID: id, NotifyURL: url})
	if err == nil && c.Seller != "" {
		_, err = k.ChangeApp(ctx, by, m.ID, core.AppChange{SellerID: &c.Seller})
	}
	return made.PublicID, [][2]string{{prefix + "merchant id", m.ID}, {prefix + "client key", made.Key}, {prefix + "client secret", made.Secret}}, err
}

type setAppCommand struct {
	operatorFlags
	ID         string     `arg:"" help:"The merchant's id."`
	Seller     *string    `help:"The id of the seller that the app sells for; empty for none." placeholder:"ID" env:"-"`
	OrderLimit *money.VND `help:"Most that one order may come to, đồng." env:"-"`
	TestResult *string    `help:"How payments of its sandbox end: success or failure." placeholder:"RESULT" env:"-"`
	OfferCOD   *bool      `help:"Offer cash on delivery on the payment page too." name:"offer-cod" negatable:"" env:"-"`
}

func (c setAppCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		a, err := k.ChangeApp(ctx, by, c.ID, core.AppChange{
			SellerID: c.Seller, OrderLimit: c.OrderLimit, TestResult: (*catalog.TestResult)(c.TestResult), OfferCOD: c.OfferCOD,
		})
		if err != nil {
			return err
		}
		return c.show(appLines(a)...)
	})
}

func appLines(a catalog.App) [][2]string {
	return [][2]string{
		{"merchant id", a.MerchantID}, {"seller", a.SellerID}, {"order limit", a.OrderLimit.String()}, {"test result", string(a.TestResult)},
		{"offer cod", strconv.FormatBool(a.OfferCOD)},
	}
}

type showAppCommand struct {
	operatorFlags
	ID string `arg:"" help:"The merchant's id."`
}

func (c showAppCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		if _, err := k.Merchant(ctx, c.ID); err != nil {
			return err
		}
		a, err := k.App(ctx, c.ID)
		if err != nil {
			return err
		}
		return c.show(appLines(a)...)
	})
}

type sellerCommand struct {
	Add  addSellerCommand  `cmd:"" help:"Add a seller account."`
	List listSellerCommand `cmd:"" help:"List sellers."`
	Set  setSellerCommand  `cmd:"" help:"Change a seller's name, or say whether it is active."`
}

type addSellerCommand struct {
	operatorFlags
	Name string `help:"The seller's name." required:"" env:"-"`
}

func (c addSellerCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		s, err := k.AddSeller(ctx, by, c.Name)
		if err != nil {
			return err
		}
		return c.show([2]string{"seller id", s.ID}, [2]string{"name", s.Name})
	})
}

type listSellerCommand struct{ operatorFlags }

func (c listSellerCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		var rows [][]string
		for after := ""; ; {
			found, err := k.Sellers(ctx, after, core.MaxPage)
			if err != nil {
				return err
			}
			for _, s := range found {
				rows = append(rows, []string{s.ID, s.Name, strconv.FormatBool(s.Active), shown(s.CreatedAt)})
				after = s.ID
			}
			if len(found) < core.MaxPage {
				return c.table([]string{"id", "name", "active", "created"}, rows)
			}
		}
	})
}

type setSellerCommand struct {
	operatorFlags
	ID     string  `arg:"" help:"The seller's id."`
	Name   *string `help:"The seller's name." env:"-"`
	Active *bool   `help:"Whether its apps may take orders." negatable:"" env:"-"`
}

func (c setSellerCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		s, err := k.ChangeSeller(ctx, by, c.ID, core.SellerChange{Name: c.Name, Active: c.Active})
		if err != nil {
			return err
		}
		return c.show([2]string{"seller id", s.ID}, [2]string{"name", s.Name}, [2]string{"active", strconv.FormatBool(s.Active)})
	})
}

type productCommand struct {
	Add    addProductCommand    `cmd:"" help:"Add a product of a seller."`
	List   listProductCommand   `cmd:"" help:"List products."`
	Set    setProductCommand    `cmd:"" help:"Change a product."`
	Remove removeProductCommand `cmd:"" help:"Take a product away."`
}

type addProductCommand struct {
	operatorFlags
	SKU      string    `arg:"" name:"sku" help:"The product's SKU, unique over the gateway."`
	Seller   string    `help:"The seller's id." required:"" placeholder:"ID" env:"-"`
	Name     string    `help:"The product's name." required:"" env:"-"`
	Price    money.VND `help:"Price of one, đồng." required:"" env:"-"`
	ImageURL string    `help:"A picture." name:"image-url" placeholder:"URL" env:"-"`
	Stock    int64     `help:"What is left; -1 is unlimited." default:"-1" env:"-"`
	OffSale  bool      `help:"Not on sale yet." env:"-"`
}

func (c addProductCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		p, err := k.AddProduct(ctx, by, catalog.Product{
			SKU: c.SKU, SellerID: c.Seller, Name: c.Name, Price: c.Price, ImageURL: c.ImageURL, Stock: c.Stock, OnSale: !c.OffSale,
		})
		if err != nil {
			return err
		}
		return c.show(productLines(p)...)
	})
}

func productLines(p catalog.Product) [][2]string {
	return [][2]string{
		{"sku", p.SKU}, {"seller", p.SellerID}, {"name", p.Name}, {"price", p.Price.String()}, {"stock", strconv.FormatInt(p.Stock, 10)},
		{"on sale", strconv.FormatBool(p.OnSale)},
	}
}

type listProductCommand struct {
	operatorFlags
	Seller string `help:"Only of this seller." placeholder:"ID" env:"-"`
}

func (c listProductCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		var rows [][]string
		for after := ""; ; {
			found, err := k.Products(ctx, c.Seller, after, core.MaxPage)
			if err != nil {
				return err
			}
			for _, p := range found {
				rows = append(rows, []string{p.SKU, p.Name, p.Price.String(), strconv.FormatInt(p.Stock, 10), strconv.FormatBool(p.OnSale), p.SellerID})
				after = p.SKU
			}
			if len(found) < core.MaxPage {
				return c.table([]string{"sku", "name", "price", "stock", "on sale", "seller"}, rows)
			}
		}
	})
}

type setProductCommand struct {
	operatorFlags
	SKU      string     `arg:"" name:"sku" help:"The product's SKU."`
	Name     *string    `help:"The product's name." env:"-"`
	Price    *money.VND `help:"Price of one, đồng." env:"-"`
	ImageURL *string    `help:"A picture; empty for none." name:"image-url" placeholder:"URL" env:"-"`
	Stock    *int64     `help:"What is left; -1 is unlimited." env:"-"`
	OnSale   *bool      `help:"Whether it is on sale." negatable:"" env:"-"`
}

func (c setProductCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		p, err := k.ChangeProduct(ctx, by, c.SKU, core.ProductChange{Name: c.Name, Price: c.Price, ImageURL: c.ImageURL, Stock: c.Stock, OnSale: c.OnSale})
		if err != nil {
			return err
		}
		return c.show(productLines(p)...)
	})
}

type removeProductCommand struct {
	operatorFlags
	SKU string `arg:"" name:"sku" help:"The product's SKU."`
}

func (c removeProductCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error { return k.RemoveProduct(ctx, by, c.SKU) })
}

type customerCommand struct {
	Add    addCustomerCommand  `cmd:"" help:"Add a customer of mini apps."`
	SignIn signInCommand       `cmd:"" name:"sign-in" help:"Make a customer's own token, for the container of mini apps."`
	List   listCustomerCommand `cmd:"" help:"List customers."`
}

type addCustomerCommand struct {
	operatorFlags
	Name  string `help:"The customer's name." required:"" env:"-"`
	ID    int64  `help:"The customer's number; made up when left out." name:"id" env:"-"`
	Phone string `help:"A telephone number." env:"-"`
	Email string `help:"An address." env:"-"`
}

func (c addCustomerCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		n, err := k.AddCustomer(ctx, by, signin.Customer{ID: c.ID, Name: c.Name, Phone: c.Phone, Email: c.Email})
		if err != nil {
			return err
		}
		return c.show([2]string{"customer id", strconv.FormatInt(n.ID, 10)}, [2]string{"name", n.Name})
	})
}

type signInCommand struct {
	operatorFlags
	ID int64 `arg:"" help:"The customer's number."`
}

func (c signInCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		token, err := k.SignIn(ctx, c.ID)
		if err != nil {
			return err
		}
		return c.show([2]string{"access token", token})
	})
}

type listCustomerCommand struct{ operatorFlags }

func (c listCustomerCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		var rows [][]string
		for after := int64(0); ; {
			found, err := k.Customers(ctx, after, core.MaxPage)
			if err != nil {
				return err
			}
			for _, n := range found {
				rows = append(rows, []string{strconv.FormatInt(n.ID, 10), n.Name, n.Phone, n.Email, shown(n.CreatedAt)})
				after = n.ID
			}
			if len(found) < core.MaxPage {
				return c.table([]string{"id", "name", "phone", "email", "created"}, rows)
			}
		}
	})
}
