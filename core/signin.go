package core

import (
	"context"
	"strconv"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/signin"
	"github.com/thungan/thungan/store"
)

// SignedIn is a customer with what an app was given to know the customer by.
type SignedIn struct {
	Customer signin.Customer
	Scopes   []string
	Access   string // "" when none was made
	Refresh  string // "" without the scope offline
}

// AddCustomer keeps a customer. ID 0 makes one up. CodeConflict when the id is
// taken.
func (c *Core) AddCustomer(ctx context.Context, by Actor, n signin.Customer) (signin.Customer, error) {
	if n.ID < 0 {
		return n, invalid("customer_id", "is a positive number")
	}
	for _, text := range []struct{ field, text string }{{"customer_id", strconv.FormatInt(n.ID, 10)}, {"phone", n.Phone}, {"email", n.Email}} {
		if err := checkText(text.field, text.text, 0, maxName); err != nil {
			return n, err
		}
	}
	if err := checkText("name", n.Name, 1, maxName); err != nil {
		return n, err
	}
	if err := checkURL("avatar_url", n.AvatarURL); err != nil {
		return n, err
	}
	n.CreatedAt = c.Now()
	made := n.ID == 0
	return n, c.update(ctx, "add_customer", func(w *work) error {
		for range codeTries {
			if made {
				// Fits into the 53 bits that JavaScript counts exactly.
				n.ID, _ = strconv.ParseInt("1"+c.ids.Digits(9), 10, 64)
			}
			ok, err := w.AddCustomer(ctx, n)
			switch {
			case err != nil:
				return err
			case ok:
				return w.audit(ctx, by, "customer.add", strconv.FormatInt(n.ID, 10), nil, nil)
			case !made:
				return payment.Fail(payment.CodeConflict, "there is a customer of that id")
			}
		}
		return payment.Fail(payment.CodeBusy, "no free customer number was found")
	})
}

// Customer returns a customer, or CodeNotFound.
func (c *Core) Customer(ctx context.Context, id int64) (signin.Customer, error) {
	return view(ctx, c, "customer", func(tx *store.Tx) (signin.Customer, error) { return tx.Customer(ctx, id) })
}

// Customers lists customers by id. After is the last id of the page before.
func (c *Core) Customers(ctx context.Context, after int64, limit int) ([]signin.Customer, error) {
	return view(ctx, c, "customers", func(tx *store.Tx) ([]signin.Customer, error) { return tx.Customers(ctx, after, page(limit)) })
}

// SignIn makes a session for a customer: the token of the container that the
// customer uses apps in. Who the customer is was found out by the caller.
func (c *Core) SignIn(ctx context.Context, customerID int64) (string, error) {
	if _, err := c.Customer(ctx, customerID); err != nil {
		return "", err
	}
	var token string
	err := c.update(ctx, "sign_in", func(w *work) (err error) {
		token, err = w.grant(ctx, signin.Grant{Kind: signin.Session, CustomerID: customerID})
		return err
	})
	return token, err
}

// grant makes a code or token. The texts look as the platform's do: two parts
// of 43 characters.
func (w *work) grant(ctx context.Context, g signin.Grant) (string, error) {
	text := w.core.ids.Token(32) + "." + w.core.ids.Token(32)
	g.Hash, g.CreatedAt, g.ExpiresAt = auth.Hash(text), w.now, w.now.Add(g.Kind.Life())
	return text, w.AddGrant(ctx, g)
}

// errGrant is every code or token that is not good: unknown, another app's,
// used or expired.
var errGrant = payment.Fail(payment.CodeUnauthorized, "it is not valid")

// good loads a code or token that may be used.
func good(ctx context.Context, tx *store.Tx, core *Core, kind signin.Kind, app, text string) (signin.Grant, signin.Customer, error) {
	g, err := tx.Grant(ctx, auth.Hash(text))
	if err != nil {
		return g, signin.Customer{}, err
	}
	if !g.Good(kind, app, core.Now()) {
		return g, signin.Customer{}, errGrant
	}
	c, err := tx.Customer(ctx, g.CustomerID)
	return g, c, err
}

// Session returns the customer of a session, or CodeUnauthorized.
func (c *Core) Session(ctx context.Context, token string) (signin.Customer, error) {
	return view(ctx, c, "session", func(tx *store.Tx) (signin.Customer, error) {
		_, customer, err := good(ctx, tx, c, signin.Session, "", token)
		return customer, err
	})
}

// SignOut ends a session.
func (c *Core) SignOut(ctx context.Context, token string) error {
	return c.update(ctx, "sign_out", func(w *work) error {
		_, err := w.UseGrant(ctx, auth.Hash(token), w.now)
		return err
	})
}

// AuthCode makes a code with which the back end of an app, named by its public
// id in one of dialects, learns who the customer of a session is. Scopes that
// do not exist are left out. CodeUnauthorized for the session, CodeNotFound for
// the app.
func (c *Core) AuthCode(ctx context.Context, session, app string, dialects, scopes []string) (code string, granted []string, err error) {
	customer, err := c.Session(ctx, session)
	if err != nil {
		return "", nil, err
	}
	if err := c.appExists(ctx, app, dialects); err != nil {
		return "", nil, err
	}
	granted, _ = signin.Split(scopes)
	err = c.update(ctx, "auth_code", func(w *work) (err error) {
		code, err = w.grant(ctx, signin.Grant{Kind: signin.Code, App: app, CustomerID: customer.ID, Scopes: granted})
		return err
	})
	return code, granted, err
}

func (c *Core) appExists(ctx context.Context, app string, dialects []string) error {
	if !storable(app) {
		return payment.Fail(payment.CodeNotFound, "no such app")
	}
	for _, d := range dialects {
		if _, err := c.ProfileByPublicID(ctx, d, app); payment.CodeOf(err) != payment.CodeNotFound {
			return err
		}
	}
	return payment.Fail(payment.CodeNotFound, "no such app")
}

// ExchangeCode turns an app's code, once, into an access token and, with the
// scope offline, a refresh token. CodeUnauthorized for a code that is not good.
func (c *Core) ExchangeCode(ctx context.Context, app, code string) (SignedIn, error) {
	return c.exchange(ctx, "exchange_code", signin.Code, app, code)
}

// RefreshTokens turns an app's refresh token, once, into new tokens.
// CodeUnauthorized for a token that is not good.
func (c *Core) RefreshTokens(ctx context.Context, app, token string) (SignedIn, error) {
	return c.exchange(ctx, "refresh_tokens", signin.Refresh, app, token)
}

func (c *Core) exchange(ctx context.Context, verb string, kind signin.Kind, app, text string) (SignedIn, error) {
	var s SignedIn
	err := c.update(ctx, verb, func(w *work) error {
		g, customer, err := good(ctx, w.Tx, c, kind, app, text)
		if err != nil {
			return err
		}
		switch ok, err := w.UseGrant(ctx, g.Hash, w.now); {
		case err != nil:
			return err
		case !ok:
			return errGrant
		}
		s = SignedIn{Customer: customer, Scopes: g.Scopes}
		if s.Access, err = w.grant(ctx, signin.Grant{Kind: signin.Access, App: app, CustomerID: customer.ID, Scopes: g.Scopes}); err != nil {
			return err
		}
		if g.Has(signin.ScopeOffline) {
			s.Refresh, err = w.grant(ctx, signin.Grant{Kind: signin.Refresh, App: app, CustomerID: customer.ID, Scopes: g.Scopes})
		}
		if err != nil {
			return err
		}
		// What ran out a day ago is of no use to anybody.
		return w.DropGrants(ctx, w.now.AddDate(0, 0, -1))
	})
	return s, err
}

// WhoIs returns the customer of an app's access token, or CodeUnauthorized.
func (c *Core) WhoIs(ctx context.Context, app, token string) (SignedIn, error) {
	return view(ctx, c, "who_is", func(tx *store.Tx) (SignedIn, error) {
		g, customer, err := good(ctx, tx, c, signin.Access, app, token)
		return SignedIn{Customer: customer, Scopes: g.Scopes}, err
	})
}
