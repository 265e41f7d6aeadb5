package core

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// sealedColumn is a column of sealed texts, and the context that a row's text is
// sealed for.
type sealedColumn struct {
	store.SealedColumn
	context func(key []string) string
}

func sealed(table, column string, context func(key []string) string, key ...string) sealedColumn {
	return sealedColumn{store.SealedColumn{Table: table, Column: column, Key: key}, context}
}

// sealedColumns are all of them. A test finds calls of Seal that are for a
// context of none.
var sealedColumns = []sealedColumn{
	sealed("profiles", "notify_secret", func(k []string) string { return payment.Profile{MerchantID: k[0], Dialect: k[1]}.SecretContext() }, "merchant_id", "dialect"),
	sealed("api_keys", "secret", func(k []string) string { return payment.Key{ID: k[0]}.SecretContext() }, "id"),
	sealed("sealed_keys", "sealed", func(k []string) string { return keyContext(k[0]) }, "key_id"),
	sealed("bank_feeds", "secret", func(k []string) string { return payment.Feed{Name: k[0]}.SecretContext() }, "name"),
	sealed("bank_feeds", "api", func(k []string) string { return payment.Feed{Name: k[0]}.APIContext() }, "name"),
	sealed("connectors", "config", func(k []string) string { return payment.Connector{ID: k[0]}.ConfigContext() }, "id"),
	sealed("settings", "value", func(k []string) string { return settingContext(k[0]) }, "name"),
}

// Resealed is what became of the texts of one column.
type Resealed struct {
	Column string // "connectors.config"
	Texts  int    // sealed texts in it
	Done   int    // of them, those that were sealed anew
}

// resealBatch is how many texts one transaction seals anew.
const resealBatch = 100

// Reseal seals with the vault's newest key whatever another key sealed, so that
// the older keys, but for the first, can be taken out of the key file. It may
// run while the gateway serves, once every node has the newest key: one that has
// not cannot open what is sealed here. What it has done stays done when it fails.
func (c *Core) Reseal(ctx context.Context, by Actor) ([]Resealed, error) {
	report := make([]Resealed, len(sealedColumns))
	for i, column := range sealedColumns {
		report[i].Column = column.Table + "." + column.Column
		texts, err := view(ctx, c, "sealed_texts", func(tx *store.Tx) ([]store.Sealed, error) { return tx.SealedTexts(ctx, column.SealedColumn) })
		if err != nil {
			return report, err
		}
		report[i].Texts = len(texts)
		old := slices.DeleteFunc(texts, func(s store.Sealed) bool { return !c.vault.NeedsReseal(s.Text) })
		for batch := range slices.Chunk(old, resealBatch) {
			n, err := c.resealBatch(ctx, column, batch)
			report[i].Done += n
			if err != nil {
				return report, err
			}
		}
	}
	done := map[string]int{}
	for _, r := range report {
		if r.Done > 0 {
			done[r.Column] = r.Done
		}
	}
	return report, c.update(ctx, "reseal", func(w *work) error { return w.audit(ctx, by, "vault.reseal", c.vault.Primary(), nil, done) })
}

// Unopened is how many texts of one column were sealed with keys that the vault
// has not.
type Unopened struct {
	Column string // "connectors.config"
	Texts  int    // sealed texts in it
	Lost   int    // of them, those that cannot be opened
}

// Unopened looks at every column of sealed texts, and gives those that have any.
// It goes by the ids of keys and opens nothing.
func (c *Core) Unopened(ctx context.Context) ([]Unopened, error) {
	var prefixes []string
	for _, id := range c.vault.IDs() {
		prefixes = append(prefixes, vault.Prefix(id))
	}
	var report []Unopened
	for _, column := range sealedColumns {
		u, err := view(ctx, c, "sealed_texts", func(tx *store.Tx) (u Unopened, err error) {
			u.Texts, u.Lost, err = tx.CountSealed(ctx, column.SealedColumn, prefixes)
			return u, err
		})
		if err != nil {
			return nil, err
		}
		if u.Column = column.Table + "." + column.Column; u.Texts > 0 {
			report = append(report, u)
		}
	}
	return report, nil
}

func (c *Core) resealBatch(ctx context.Context, column sealedColumn, batch []store.Sealed) (done int, err error) {
	err = c.update(ctx, "reseal", func(w *work) error {
		done = 0
		for _, old := range batch {
			text, err := c.vault.Reseal(old.Text, column.context(old.Key))
			if err != nil {
				return &payment.Error{
					Code:  payment.CodeInvalidState,
					Text:  fmt.Sprintf("%s.%s of %s cannot be opened: is a key missing in the key file?", column.Table, column.Column, strings.Join(old.Key, "/")),
					Cause: err,
				}
			}
			swapped, err := w.SwapSealed(ctx, column.SealedColumn, old, text)
			if err != nil {
				return err
			}
			if swapped { // else somebody has just changed it, and sealed it with the newest key
				done++
			}
		}
		return nil
	})
	return done, err
}
