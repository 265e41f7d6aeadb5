package core

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// booker is the dialect whose payments are for orders of package booking, "" for
// none.
func (c *Core) booker() string {
	for name, d := range c.dialects {
		if _, ok := d.(dialect.Booker); ok {
			return name
		}
	}
	return ""
}

// KeyOwner is who an API key belongs to.
type KeyOwner struct {
	Key      payment.Key
	Merchant payment.Merchant
}

// AuthenticateKey finds the merchant of an API key, in a dialect whose callers
// send nothing else. Every failure is CodeUnauthorized. A locked or closed
// merchant is returned; ask Usable.
func (c *Core) AuthenticateKey(ctx context.Context, dialect, key string) (KeyOwner, error) {
	// Two texts: no pair of Authenticate has this digest.
	who, err := c.directory.keys.get(&c.directory, auth.DigestOf(dialect, key), func() (known, error) { return c.lookUpKey(ctx, dialect, auth.Hash(key)) })
	if err == nil && revoked(who.key, c.Now()) {
		err = errUnauthorized
	}
	if err != nil {
		return KeyOwner{}, c.failed("authenticate", err)
	}
	return KeyOwner{Key: who.key, Merchant: who.merchant}, nil
}

func (c *Core) lookUpKey(ctx context.Context, dialect, hash string) (known, error) {
	var who known
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		if who.key, err = tx.KeyByHash(ctx, dialect, hash); err != nil {
			return err
		}
		if revoked(who.key, c.Now()) {
			return errUnauthorized
		}
		who.merchant, err = tx.Merchant(ctx, who.key.MerchantID)
		return err
	})
	return who, err
}

// Bounds of a key that is taken over from another system, in bytes.
const (
	minKey = 8
	maxKey = 200
)

// AddKey gives a merchant a further API key: one that it used with another
// system, or a new one for "". It is shown once. CodeConflict when somebody has
// it.
func (c *Core) AddKey(ctx context.Context, by Actor, merchantID, dialectName, key string) (payment.Key, string, error) {
	if key == "" {
		key = c.ids.Key()
	}
	if len(key) < minKey || len(key) > maxKey || !utf8.ValidString(key) {
		return payment.Key{}, "", invalid("api_key", "has 8 to 200 characters")
	}
	for _, r := range key {
		if r <= ' ' || r > '~' {
			return payment.Key{}, "", invalid("api_key", "has characters that no header can carry")
		}
	}
	if err := noCard("api_key", key); err != nil {
		return payment.Key{}, "", err
	}
	k := payment.Key{
		ID: c.ids.New(), MerchantID: merchantID, Dialect: dialectName, KeyHash: auth.Hash(key), SecretHash: auth.Hash(c.ids.Key()), Hint: key[len(key)-4:],
		CreatedAt: c.Now(),
	}
	err := c.update(ctx, "add_key", func(w *work) error {
		if _, err := w.lockProfile(ctx, merchantID, dialectName); err != nil {
			return err
		}
		if err := w.AddKey(ctx, k); err != nil {
			return err
		}
		if err := w.sealKey(ctx, k, key); err != nil {
			return err
		}
		return w.audit(ctx, by, "key.add", merchantID+"/"+dialectName, nil, map[string]any{"key_id": k.ID, "hint": k.Hint})
	})
	return k, key, err
}

// keepsKeys says whether a dialect's notices are signed over the API key, or
// carry it.
func (c *Core) keepsKeys(name string) bool {
	named, ok := c.dialects[name].(dialect.Named)
	return name != "" && name == c.booker() || ok && named.NamesKeys()
}

// sealKey keeps an API key of a dialect whose notices are signed over it.
func (w *work) sealKey(ctx context.Context, k payment.Key, key string) error {
	if !w.core.keepsKeys(k.Dialect) {
		return nil
	}
	sealed, err := w.core.vault.Seal([]byte(key), keyContext(k.ID))
	if err != nil {
		return err
	}
	return w.PutSealedKey(ctx, k.ID, sealed)
}

func keyContext(keyID string) string { return "api key/" + keyID }

// RevokeKey ends one API key of a merchant at once.
func (c *Core) RevokeKey(ctx context.Context, by Actor, merchantID, keyID string) error {
	return c.update(ctx, "revoke_key", func(w *work) error {
		if err := w.Tx.RevokeKey(ctx, merchantID, keyID, w.now); err != nil {
			return err
		}
		return w.audit(ctx, by, "key.revoke", merchantID, nil, map[string]string{"key_id": keyID})
	})
}

// newestKey opens a merchant's newest API key, "" when none is kept.
func (c *Core) newestKey(ctx context.Context, f payment.Profile) (string, error) {
	if !c.keepsKeys(f.Dialect) {
		return "", nil
	}
	var id, sealed string
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		id, sealed, err = tx.NewestSealedKey(ctx, f.MerchantID, f.Dialect, c.Now())
		return err
	})
	if err != nil || sealed == "" {
		return "", err
	}
	plain, err := c.vault.Open(sealed, keyContext(id))
	if err != nil {
		return "", c.failed("open_secret", &payment.Error{Code: payment.CodeInternal, Cause: err})
	}
	return string(plain), nil
}

// TakeQuota takes one call of an API key's quota: what is set for its merchant,
// else perMinute and burst. When it is used up, ok is false and wait says how
// long until there is one more. All nodes over one database count together.
func (c *Core) TakeQuota(ctx context.Context, k payment.Key, perMinute, burst int64) (ok bool, wait time.Duration, err error) {
	p, err := c.Partner(ctx, k.MerchantID)
	if err != nil {
		return false, 0, err
	}
	if p.PerMinute != 0 {
		perMinute, burst = p.PerMinute, p.Burst
	}
	if perMinute <= 0 {
		return true, 0, nil
	}
	if burst <= 0 {
		burst = perMinute
	}
	ok, wait, err = c.store.TakeQuota(ctx, k.ID, c.clock.Now(), time.Minute/time.Duration(perMinute), burst)
	if err != nil {
		return false, 0, c.failed("quota", err)
	}
	return ok, wait, nil
}
