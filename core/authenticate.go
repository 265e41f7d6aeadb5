package core

import (
	"context"

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
	var m payment.Merchant
	err := c.store.View(ctx, func(tx *store.Tx) error {
		k, err := tx.KeyByHash(ctx, dialect, auth.Hash(key))
		if payment.CodeOf(err) == payment.CodeUnauthorized {
			k = payment.Key{SecretHash: noSecret}
		} else if err != nil {
			return err
		}
		matches := auth.Equal(secret, k.SecretHash)
		revoked := !k.RevokedAt.IsZero() && !c.Now().Before(k.RevokedAt)
		if !matches || revoked || k.ID == "" || secret == "" {
			return payment.Fail(payment.CodeUnauthorized, "the credentials are not valid")
		}
		m, err = tx.Merchant(ctx, k.MerchantID)
		return err
	})
	if err != nil {
		return payment.Merchant{}, c.failed("authenticate", err)
	}
	return m, nil
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
