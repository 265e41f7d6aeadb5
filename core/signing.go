package core

import (
	"context"

	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// signs says whether a dialect's callers sign with their secrets.
func (c *Core) signs(name string) bool {
	_, ok := c.dialects[name].(dialect.Signing)
	return ok
}

// signsNotices says whether a dialect's notices are signed with the same ones.
func (c *Core) signsNotices(name string) bool {
	d, ok := c.dialects[name].(dialect.Signing)
	return ok && d.SignsNotices()
}

// signer is a key pair with its merchant and its secret, opened.
type signer struct {
	known
	secret string
}

// SigningKey finds the merchant of an API key and the secret that it signs
// with, in a dialect that is dialect.Signing. The caller checks a signature
// with the secret before it believes anything.
//
// An unknown or revoked key is CodeUnauthorized, and comes with a secret that
// nobody has: a caller who checks the signature in any case, and only then
// refuses, takes the same time for both. A locked or closed merchant is
// returned; ask Usable. CodeBusy is a key that is used too often.
func (c *Core) SigningKey(ctx context.Context, dialect, key string) (payment.Merchant, string, error) {
	hash := auth.Hash(key)
	who, err := c.directory.signers.get(&c.directory, dialect+" "+hash, func() (signer, error) { return c.lookUpSigner(ctx, dialect, hash) })
	if err == nil && revoked(who.key, c.Now()) {
		err = errUnauthorized
	}
	if err != nil {
		return payment.Merchant{}, c.nobodysSecret, c.failed("authenticate", err)
	}
	if err := c.admit(who.key); err != nil {
		return payment.Merchant{}, c.nobodysSecret, err
	}
	return who.merchant, who.secret, nil
}

func (c *Core) lookUpSigner(ctx context.Context, dialect, hash string) (signer, error) {
	var who signer
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		if who.key, err = tx.KeyByHash(ctx, dialect, hash); err != nil {
			return err
		}
		if revoked(who.key, c.Now()) || who.key.Secret == "" {
			return errUnauthorized
		}
		who.merchant, err = tx.Merchant(ctx, who.key.MerchantID)
		return err
	})
	if payment.CodeOf(err) == payment.CodeUnauthorized {
		return signer{}, errUnauthorized
	}
	if err == nil {
		who.secret, err = c.openSecret(who.key.Secret, who.key.SecretContext())
	}
	return who, err
}

// newestSecret opens the secret of a profile's newest key pair.
func (c *Core) newestSecret(ctx context.Context, f payment.Profile) (string, error) {
	k, err := view(ctx, c, "newest_key", func(tx *store.Tx) (payment.Key, error) { return tx.NewestKey(ctx, f.MerchantID, f.Dialect, c.Now()) })
	switch {
	case payment.CodeOf(err) == payment.CodeNotFound:
		return "", nil
	case err != nil:
		return "", err
	case k.Secret == "":
		return "", nil
	}
	return c.openSecret(k.Secret, k.SecretContext())
}
