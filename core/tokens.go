package core

import (
	"context"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/store"
)

// AddAdminToken makes a token for the admin API. It is shown once; only its
// hash is kept.
func (c *Core) AddAdminToken(ctx context.Context, by Actor, name string) (string, error) {
	if err := checkText("name", name, 1, maxName); err != nil {
		return "", err
	}
	token := c.ids.Token(32)
	t := store.AdminToken{ID: c.ids.New(), Name: name, Hash: auth.Hash(token), CreatedAt: c.Now()}
	return token, c.update(ctx, "add_token", func(w *work) error {
		if err := w.AddAdminToken(ctx, t); err != nil {
			return err
		}
		return w.audit(ctx, by, "token.add", t.ID, nil, map[string]string{"name": name})
	})
}

// AdminTokens lists the tokens, oldest first.
func (c *Core) AdminTokens(ctx context.Context) ([]store.AdminToken, error) {
	return view(ctx, c, "tokens", func(tx *store.Tx) ([]store.AdminToken, error) { return tx.AdminTokens(ctx) })
}

// RevokeAdminToken ends a token.
func (c *Core) RevokeAdminToken(ctx context.Context, by Actor, id string) error {
	return c.update(ctx, "revoke_token", func(w *work) error {
		if err := w.Tx.RevokeAdminToken(ctx, id, w.now); err != nil {
			return err
		}
		return w.audit(ctx, by, "token.revoke", id, nil, nil)
	})
}

// AuditLog lists administrative acts, newest first. Before is the last id of
// the page before.
func (c *Core) AuditLog(ctx context.Context, before string, limit int) ([]store.AuditRecord, error) {
	return view(ctx, c, "audit", func(tx *store.Tx) ([]store.AuditRecord, error) { return tx.AuditLog(ctx, before, page(limit)) })
}

// Setting reads a sealed value of the gateway itself, "" when there is none.
func (c *Core) Setting(ctx context.Context, name string) (string, error) {
	sealed, err := view(ctx, c, "setting", func(tx *store.Tx) (string, error) { return tx.Setting(ctx, name) })
	if err != nil || sealed == "" {
		return "", err
	}
	plain, err := c.vault.Open(sealed, settingContext(name))
	return string(plain), err
}

// PutSetting writes a value of the gateway itself, sealed.
func (c *Core) PutSetting(ctx context.Context, name, value string) error {
	sealed, err := c.vault.Seal([]byte(value), settingContext(name))
	if err != nil {
		return err
	}
	return c.update(ctx, "put_setting", func(w *work) error { return w.Tx.PutSetting(ctx, name, sealed) })
}

// settingContext is what the value of a setting is sealed for.
func settingContext(name string) string { return "setting/" + name }
