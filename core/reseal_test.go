package core_test

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// After a key has been added, everything that the old one sealed is sealed with
// the new one, opens as before, and no row of any table has a text of the old
// key left. Then the old key may go, but for the first.
func TestReseal(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		e := coretest.New(t, s, coretest.WithDialect(booker{}), coretest.WithDialect(signing{}))
		ctx, by := t.Context(), coretest.Operator
		conn := must[payment.Connector](t)(e.Core.AddConnector(ctx, by, core.NewConnector{
			MerchantID: e.Memo.Merchant.ID, Kind: "fake", Methods: []payment.Method{payment.DomesticCard}, Config: []byte(`{"secret": "of the acquirer"}`),
		}))
		must[payment.Feed](t)(e.Core.AddFeed(ctx, by, core.NewFeed{Name: "pulled", Kind: "fake", Secret: "of the feed", API: `{"token": "of the API"}`}))
		if _, _, err := e.Core.Enrol(ctx, by, core.Enrolment{MerchantID: e.Memo.Merchant.ID, Dialect: "booker"}); err != nil {
			t.Fatal(err)
		}
		if err := e.Core.PutSetting(ctx, "sandbox", "of the gateway"); err != nil {
			t.Fatal(err)
		}
		old := e.Vault.Primary()
		before := sealedTexts(t, s, old)

		must[string](t)(vault.Rotate(e.Keys))
		ring := must[*vault.Keyring](t)(vault.Load(e.Keys))
		next := newCore(e, ring)
		report := must[[]core.Resealed](t)(next.Reseal(ctx, by))
		for _, r := range report {
			if r.Texts == 0 || r.Done != r.Texts || before[r.Column] != r.Texts {
				t.Errorf("%s: %d of %d sealed anew; the table had %d", r.Column, r.Done, r.Texts, before[r.Column])
			}
			delete(before, r.Column)
		}
		if len(before) > 0 {
			t.Errorf("sealed texts in columns that Reseal does not know: %v", slices.Collect(maps.Keys(before)))
		}
		if left := sealedTexts(t, s, old); len(left) > 0 {
			t.Errorf("still sealed with the old key: %v", left)
		}

		// Whoever has the new key alone opens them all.
		lines := strings.Split(strings.TrimSpace(string(must[[]byte](t)(os.ReadFile(e.Keys)))), "\n")
		alone := newCore(e, must[*vault.Keyring](t)(vault.FromEnv(lines[1])))
		if config, err := alone.ConnectorConfig(must[payment.Connector](t)(alone.Connector(ctx, conn.ID))); err != nil || string(config) != `{"secret": "of the acquirer"}` {
			t.Errorf("connector: %q, %v", config, err)
		}
		secret, api, err := alone.FeedSecrets(must[payment.Feed](t)(alone.Feed(ctx, "pulled")))
		if err != nil || secret != "of the feed" || api != `{"token": "of the API"}` {
			t.Errorf("feed: %q, %q, %v", secret, api, err)
		}
		if value, err := alone.Setting(ctx, "sandbox"); err != nil || value != "of the gateway" {
			t.Errorf("setting: %q, %v", value, err)
		}
		if notify, err := alone.NotifySecret(ctx, e.Memo.Merchant.ID, "signing"); err != nil || notify != e.Memo.Credentials.NotifySecret {
			t.Errorf("notify secret: %q, %v", notify, err)
		}
		if _, secret, err := alone.SigningKey(ctx, "signing", e.Memo.Credentials.Key); err != nil || secret != e.Memo.Credentials.Secret {
			t.Errorf("signing key: %q, %v", secret, err)
		}

		// A second time there is nothing to do; and it is in the audit log.
		for _, r := range must[[]core.Resealed](t)(next.Reseal(ctx, by)) {
			if r.Done != 0 {
				t.Errorf("%s: %d sealed anew for nothing", r.Column, r.Done)
			}
		}
		log := must[[]store.AuditRecord](t)(next.AuditLog(ctx, "", 2))
		if len(log) != 2 || log[1].Act != "vault.reseal" || log[1].Subject != ring.Primary() || !strings.Contains(log[1].After, `"connectors.config":1`) {
			t.Errorf("audit log: %+v", log)
		}
	})
}

// Without the key that sealed a text, Reseal says which text it is, and neither
// it nor anything after it is touched.
func TestResealWithoutTheKey(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		must[string](t)(vault.Rotate(e.Keys))
		lines := strings.Split(strings.TrimSpace(string(must[[]byte](t)(os.ReadFile(e.Keys)))), "\n")
		_, err := newCore(e, must[*vault.Keyring](t)(vault.FromEnv(lines[1]))).Reseal(t.Context(), coretest.Operator)
		wantCode(t, "reseal", err, payment.CodeInvalidState)
		if err == nil || !strings.Contains(err.Error(), "profiles.notify_secret") {
			t.Errorf("it says %v", err)
		}
		if secret, err := e.Core.NotifySecret(t.Context(), e.Memo.Merchant.ID, coretest.Name); err != nil || secret != e.Memo.Credentials.NotifySecret {
			t.Errorf("%q, %v", secret, err)
		}
	})
}

func newCore(e *coretest.Env, ring *vault.Keyring) *core.Core {
	return core.New(core.Config{
		Store: e.Store, Clock: e.Clock, IDs: e.IDs, Vault: ring, Dialects: []dialect.Dialect{coretest.Dialect{}, signing{}, booker{}}, PublicURL: coretest.PublicURL,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

// sealedTexts counts, by table.column, the texts in the whole database that a
// key has sealed.
func sealedTexts(t *testing.T, s *store.Store, key string) map[string]int {
	t.Helper()
	columns := `SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.type = 'TEXT'`
	if s.Engine() == "postgres" {
		columns = `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() AND data_type = 'text'`
	}
	counts := map[string]int{}
	err := s.Snapshot(t.Context(), func(q store.Query) error {
		rows, err := q(t.Context(), columns)
		if err != nil {
			return err
		}
		var all [][2]string
		for rows.Next() {
			var c [2]string
			if err := rows.Scan(&c[0], &c[1]); err != nil {
				return err
			}
			all = append(all, c)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for _, c := range all {
			found, err := q(t.Context(), fmt.Sprintf(`SELECT COUNT(*) FROM %s WHERE %s LIKE 'v1:%s:%%'`, c[0], c[1], key))
			if err != nil {
				return err
			}
			for found.Next() {
				var n int
				if err := found.Scan(&n); err != nil {
					return err
				}
				if n > 0 {
					counts[c[0]+"."+c[1]] = n
				}
			}
			if err := found.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return counts
}
