// Package upgrade opens data folders that earlier versions have left: each is
// brought up to date by the program as it is now, judged by the auditor, and
// worked on. generate makes such a folder.
package upgrade

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/auditor"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/dialect/appotapay"
	"github.com/thungan/thungan/dialect/paykit"
	"github.com/thungan/thungan/dialect/tiki"
	"github.com/thungan/thungan/dialect/ttdk"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// sandbox is what a folder's sandbox.json says.
type sandbox struct {
	AdminToken string `json:"admin_token"`
	Paykit     struct {
		MerchantID   string `json:"merchant_id"`
		MID          string `json:"mid"`
		APIKey       string `json:"api_key"`
		SecretKey    string `json:"secret_key"`
		IPNSecretKey string `json:"ipn_secret_key"`
	} `json:"paykit"`
	AppotaPay struct {
		MerchantID  string `json:"merchant_id"`
		PartnerCode string `json:"partner_code"`
		APIKey      string `json:"api_key"`
		SecretKey   string `json:"secret_key"`
	} `json:"appotapay"`
	Tiki struct {
		MerchantID   string `json:"merchant_id"`
		ClientKey    string `json:"client_key"`
		ClientSecret string `json:"client_secret"`
	} `json:"tiki"`
	TTDK struct {
		MerchantID string `json:"merchant_id"`
		APIKey     string `json:"api_key"`
		ClientID   string `json:"client_id"`
	} `json:"ttdk"`
}

// Every version's folder can be gone on with, on SQLite, where it was made, and
// after a move to PostgreSQL.
func TestUpgrade(t *testing.T) {
	folders, err := filepath.Glob("testdata/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no folders: %v", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder)+"/sqlite", func(t *testing.T) {
			goOn(t, folder, unpack(t, folder))
		})
		t.Run(filepath.Base(folder)+"/postgres", func(t *testing.T) {
			to := storetest.Open(t, storetest.URL(t, "postgres"))
			if err := store.Copy(t.Context(), unpack(t, folder), to, func(store.Copied) {}); err != nil {
				t.Fatal(err)
			}
			goOn(t, folder, to)
		})
	}
}

// unpack opens a copy of a folder's database and brings it up to date.
func unpack(t *testing.T, folder string) *store.Store {
	t.Helper()
	packed, err := os.ReadFile(filepath.Join(folder, "thungan.db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "thungan.db")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return storetest.Open(t, "sqlite:"+path)
}

func goOn(t *testing.T, folder string, s *store.Store) {
	w := open(t, folder, s)
	w.sound("as it was left")
	w.secretsOpen()
	w.rowsAreThere()
	w.flowsAreThere(folder)
	w.workGoesOn()
	w.sound("after work on it")
}

// world is a gateway over an old folder.
type world struct {
	t     *testing.T
	store *store.Store
	core  *core.Core
	clock *clock.Manual
	info  sandbox
}

func open(t *testing.T, folder string, s *store.Store) *world {
	t.Helper()
	w := &world{t: t, store: s}
	// Git keeps no modes, and a key file that everybody may read is refused.
	text, err := os.ReadFile(filepath.Join(folder, "key"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := vault.FromEnv(string(text))
	if err != nil {
		t.Fatal(err)
	}
	text, err = os.ReadFile(filepath.Join(folder, "sandbox.json"))
	if err == nil {
		err = json.Unmarshal(text, &w.info)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.clock = clock.NewManual(w.newest())
	w.core = core.New(core.Config{
		Store: s, Clock: w.clock, IDs: id.NewSource(rand.Reader, w.clock), Vault: keys, Dialects: []dialect.Dialect{paykit.Dialect{}, appotapay.Dialect{}, ttdk.Dialect{}, tiki.Dialect{}, tiki.Dialect{Sandbox: true}},
		PublicURL: "https://pay.example.test", Log: slog.New(slog.DiscardHandler), RefundWait: time.Millisecond,
	})
	return w
}

// newest is a moment after everything in the database.
func (w *world) newest() time.Time {
	w.t.Helper()
	var ms int64
	w.query(`SELECT MAX(updated_at) FROM payments`, &ms)
	return time.UnixMilli(ms).Add(time.Minute)
}

func (w *world) query(statement string, into any) {
	w.t.Helper()
	err := w.store.Snapshot(w.t.Context(), func(q store.Query) error {
		rows, err := q(w.t.Context(), statement)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := rows.Scan(into); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) sound(when string) {
	w.t.Helper()
	report, err := auditor.Audit(w.t.Context(), w.store, auditor.Options{Now: w.clock.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range report.Findings {
		w.t.Errorf("%s: %s: %s", when, f.Check, f.Text)
	}
}

// secretsOpen says that keys and tokens are known, and that what was sealed can
// be opened.
func (w *world) secretsOpen() {
	ctx, p := w.t.Context(), w.info.Paykit
	if m, err := w.core.Authenticate(ctx, paykit.Name, p.APIKey, p.SecretKey); err != nil || m.ID != p.MerchantID {
		w.t.Errorf("the merchant's keys: %q, %v", m.ID, err)
	}
	if _, err := w.core.Authenticate(ctx, paykit.Name, p.APIKey, p.SecretKey+"x"); payment.CodeOf(err) != payment.CodeUnauthorized {
		w.t.Errorf("a wrong secret: %v", err)
	}
	if secret, err := w.core.NotifySecret(ctx, p.MerchantID, paykit.Name); err != nil || secret != p.IPNSecretKey {
		w.t.Errorf("the IPN secret: %v", err)
	}
	if _, err := w.core.CheckAdminToken(ctx, w.info.AdminToken); err != nil {
		w.t.Errorf("the admin token: %v", err)
	}
	feed := must[payment.Feed](w)(w.core.Feed(ctx, "old-bank"))
	if secret, _, err := w.core.FeedSecrets(feed); err != nil || secret != "secret of the old bank" {
		w.t.Errorf("the feed's secret: %q, %v", secret, err)
	}
	for _, conn := range must[[]payment.Connector](w)(w.core.Connectors(ctx, p.MerchantID)) {
		config, err := w.core.ConnectorConfig(conn)
		if err != nil || conn.Kind == "vnpay" && !strings.Contains(string(config), "UPGRADE1") {
			w.t.Errorf("connector %s: %q, %v", conn.Kind, config, err)
		}
	}
	if _, err := w.core.Reseal(ctx, core.Actor{Name: "test"}); err != nil {
		w.t.Errorf("not everything that is sealed opens: %v", err)
	}
}

// rowsAreThere looks payments up as a merchant and a payer would.
func (w *world) rowsAreThere() {
	for reference, want := range map[string]struct {
		state    payment.State
		received int64
	}{
		"PAID": {payment.Approved, 100_000}, "SHORT": {payment.Expired, 0}, "OVER": {payment.Approved, 150_000}, "TWICE": {payment.Approved, 100_000},
		"EXPIRED": {payment.Expired, 0}, "LATE": {payment.Expired, 0}, "CANCELED": {payment.Canceled, 0}, "REFUNDED": {payment.Approved, 100_000},
		"OPEN": {payment.Open, 0}, "CARD": {payment.Approved, 100_000}, "CARD-UNSURE": {payment.Processing, 0},
	} {
		p := w.find(reference)
		if p.State != want.state || int64(p.Received) != want.received {
			w.t.Errorf("%s is %s with %d received, want %s with %d", reference, p.State, p.Received, want.state, want.received)
		}
		key := strings.TrimPrefix(w.core.PageURL(w.info.Paykit.MID, p), "https://pay.example.test/merchant/"+w.info.Paykit.MID+"/payment/"+reference+"?key=")
		if page, err := w.core.FindPage(w.t.Context(), w.info.Paykit.MID, reference, key); err != nil || page.Payment.ID != p.ID {
			w.t.Errorf("%s has no page: %v", reference, err)
		}
	}
	told := must[[]store.Item](w)(w.core.Notices(w.t.Context(), core.NoticeSearch{PaymentID: w.find("PAID").ID}))
	if len(told) == 0 || len(must[[]store.Attempt](w)(w.core.Attempts(w.t.Context(), told[0].ID))) == 0 {
		w.t.Error("the notices and their attempts are lost")
	}
}

// workGoesOn pays, refunds, judges and decides about rows that are old.
func (w *world) workGoesOn() {
	ctx, by := w.t.Context(), core.Actor{Name: "test"}
	feed := must[payment.Feed](w)(w.core.Feed(ctx, "old-bank"))
	pay := func(p payment.Payment, id string) {
		taken := must[[]core.Taken](w)(w.core.TakeCredits(ctx, feed, "", []payment.Credit{{
			ExternalID: id, Reference: id, BIN: p.Transfer.BIN, Account: p.Transfer.Number, Amount: p.Amount, Direction: payment.In, Memo: p.Transfer.Memo(), OccurredAt: w.clock.Now(),
		}}))
		if taken[0].Payment.ID != p.ID {
			w.t.Errorf("the transfer for %s was not recognised: %+v", p.Reference, taken[0].Credit.Explanation)
		}
	}
	pay(w.find("OPEN"), "NEW-1")
	if p := w.find("OPEN"); p.State != payment.Approved {
		w.t.Errorf("an old open payment was paid and is %s", p.State)
	}
	paid := w.find("PAID")
	_, r, err := w.core.RefundByOperator(ctx, by, paid.ID, "R-NEW", 25_000, "a refund of an old payment")
	if err != nil {
		w.t.Fatal(err)
	}
	if r, err = w.core.JudgeRefund(ctx, by, r.ID, true, "paid out"); err != nil || r.State != payment.RefundApproved {
		w.t.Errorf("%+v, %v", r, err)
	}
	waiting := must[payment.Refund](w)(w.core.FindRefund(ctx, w.find("REFUNDED").ID, "R-2"))
	if _, err := w.core.JudgeRefund(ctx, by, waiting.ID, false, "the account was closed"); err != nil {
		w.t.Errorf("a refund that waited: %v", err)
	}
	for _, a := range must[[]payment.Attempt](w)(w.core.AttemptsForReview(ctx, "", "", 50)) {
		if _, err := w.core.JudgeAttempt(ctx, by, a.ID, true, "it is in VNPAY's list"); err != nil {
			w.t.Errorf("an attempt that waited: %v", err)
		}
	}
	if p := w.find("CARD-UNSURE"); p.State != payment.Approved {
		w.t.Errorf("CARD-UNSURE is %s", p.State)
	}
	late := must[[]payment.Credit](w)(w.core.Credits(ctx, core.CreditSearch{PaymentID: w.find("LATE").ID}))
	if p, _, err := w.core.Apply(ctx, by, late[0].ID, w.find("LATE").ID, "the payer waits for the goods"); err != nil || p.State != payment.Approved {
		w.t.Errorf("late money: %s, %v", p.State, err)
	}
	w.clock.Advance(31 * time.Minute)
	if _, err := w.core.ExpireDue(ctx); err != nil {
		w.t.Error(err)
	}
	if _, err := w.core.Fold(ctx); err != nil {
		w.t.Error(err)
	}
	if _, err := w.core.RotateKeys(ctx, by, w.info.Paykit.MerchantID, paykit.Name, 0); err != nil {
		w.t.Error(err)
	}
}

func (w *world) find(reference string) payment.Payment {
	w.t.Helper()
	return must[payment.Payment](w)(w.core.Find(context.WithoutCancel(w.t.Context()), w.info.Paykit.MerchantID, paykit.Name, reference))
}

func must[T any](w *world) func(T, error) T {
	w.t.Helper()
	return func(v T, err error) T {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
		return v
	}
}
