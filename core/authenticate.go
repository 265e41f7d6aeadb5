package core

import (
	"context"
	"time"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// noSecret is what an unknown key's secret is compared with, so that it takes
// the time of a known one.
var noSecret = auth.Hash("")

// Authenticate finds the merchant of a key pair. Every failure is
// CodeUnauthorized: a caller learns nothing from it. A locked or closed
// merchant is returned; ask Usable.
func (c *Core) Authenticate(ctx context.Context, dialect, key, secret string) (payment.Merchant, error) {
	// Only a right pair is remembered, so that a wrong secret takes the time of
	// an unknown key.
	pair := auth.DigestOf(dialect, key, secret)
	who, err := c.directory.keys.get(&c.directory, pair, func() (known, error) { return c.lookUp(ctx, dialect, auth.Hash(key), secret) })
	if err == nil && revoked(who.key, c.Now()) {
		err = errUnauthorized
	}
	if err != nil {
		return payment.Merchant{}, c.failed("authenticate", err)
	}
	if err := c.admit(who.key); err != nil {
		return payment.Merchant{}, err // the caller's doing, so no line in the log
	}
	return who.merchant, nil
}

// maxCallers is of how many keys the calls are counted at a time.
const maxCallers = 10_000

// admit counts a call with a key that has been found right. Beyond the limit it
// is CodeBusy: nothing was done, and in a moment it may be tried again.
func (c *Core) admit(k payment.Key) error {
	if c.calls == nil {
		return nil
	}
	if ok, _ := c.calls.Allow(k.ID); !ok {
		return payment.Fail(payment.CodeBusy, "too many calls with this key")
	}
	return nil
}

var errUnauthorized = payment.Fail(payment.CodeUnauthorized, "the credentials are not valid")

func revoked(k payment.Key, now time.Time) bool {
	return !k.RevokedAt.IsZero() && !now.Before(k.RevokedAt)
}

func (c *Core) lookUp(ctx context.Context, dialect, keyHash, secret string) (known, error) {
	var who known
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		who.key, err = tx.KeyByHash(ctx, dialect, keyHash)
		if payment.CodeOf(err) == payment.CodeUnauthorized {
			who.key = payment.Key{SecretHash: noSecret}
		} else if err != nil {
			return err
		}
		if matches := auth.Equal(secret, who.key.SecretHash); !matches || revoked(who.key, c.Now()) || who.key.ID == "" || secret == "" {
			return errUnauthorized
		}
		who.merchant, err = tx.Merchant(ctx, who.key.MerchantID)
		return err
	})
	return who, err
}

// CheckAdminToken returns the name of the token's owner, or CodeUnauthorized.
func (c *Core) CheckAdminToken(ctx context.Context, token string) (name string, err error) {
	err = c.store.View(ctx, func(tx *store.Tx) error {
		t, err := tx.AdminTokenByHash(ctx, auth.Hash(token))
		if err != nil {
			return err
		}
		if !auth.Equal(token, t.Hash) || !t.RevokedAt.IsZero() {
			return payment.Fail(payment.CodeUnauthorized, "the token is not valid")
		}
		name = t.Name
		return nil
	})
	if err != nil {
		return "", c.failed("authenticate", err)
	}
	return name, nil
}
