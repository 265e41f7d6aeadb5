// Command generate makes test/upgrade/testdata/<version>: the data folder of
// the program as it is now, with some of everything in it. Every later version
// has to be able to go on with it; ../upgrade_test.go sees to that. Run it
// before a release, in the root of the project:
//
//	go run ./test/upgrade/generate -version v1.2.3
//
// The folder "unreleased" is of the program between releases. It is made anew
// when a migration that no release had was changed.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/thungan/thungan/auditor"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/dialect/paykit"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// unreleased is the folder that may be made anew, until there is a release.
const unreleased = "unreleased"

func main() {
	log.SetFlags(0)
	version := flag.String("version", "", "the version that is about to be released, or unreleased; names the folder")
	flag.Parse()
	if *version == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := generate(context.Background(), filepath.Join("test", "upgrade", "testdata", *version), *version); err != nil {
		log.Fatal("generate: ", err)
	}
}

func generate(ctx context.Context, into, version string) error {
	if _, err := os.Stat(filepath.Dir(filepath.Dir(into))); err != nil {
		return fmt.Errorf("run it in the root of the project: %w", err)
	}
	if _, err := os.Stat(into); err == nil && version != unreleased {
		return fmt.Errorf("%s is there already; what was released is not made anew", into)
	}
	work, err := os.MkdirTemp("", "thungan-upgrade-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	data := filepath.Join(work, "data")
	if err := runSandbox(ctx, work, data, version); err != nil {
		return err
	}
	if err := addByCore(ctx, data); err != nil {
		return err
	}
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	if err := zip(filepath.Join(data, "thungan.db"), filepath.Join(into, "thungan.db.gz")); err != nil {
		return err
	}
	for _, name := range []string{"key", "sandbox.json", "flows.json"} {
		text, err := os.ReadFile(filepath.Join(data, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(into, name), text, 0o644)
		}
		if err != nil {
			return err
		}
	}
	fmt.Println("made", into)
	return nil
}

// runSandbox runs the program on a new folder and does what shops and payers do.
func runSandbox(ctx context.Context, work, data, version string) error {
	program := filepath.Join(work, "thungan")
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-X main.version="+version, "-o", program, "./cmd/thungan")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	run := exec.CommandContext(ctx, program, "dev", "--data", data, "--listen", "127.0.0.1:0", "--log-level", "warn")
	run.Stderr = os.Stderr
	if err := run.Start(); err != nil {
		return err
	}
	err := shop(ctx, data)
	return errors.Join(err, run.Process.Signal(syscall.SIGTERM), run.Wait())
}

// street is the running sandbox.
type street struct {
	ctx  context.Context
	base string
	keys map[string]string
}

// shop makes payments that end in every way, and the flows of every dialect.
func shop(ctx context.Context, data string) error {
	ready := filepath.Join(data, "sandbox.json")
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	var info struct {
		parties
		BaseURL    string `json:"base_url"`
		AdminToken string `json:"admin_token"`
		Paykit     struct {
			BaseURL   string `json:"base_url"`
			APIKey    string `json:"api_key"`
			SecretKey string `json:"secret_key"`
		} `json:"paykit"`
	}
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		text, err := os.ReadFile(ready)
		if err == nil {
			if err := json.Unmarshal(text, &info); err != nil {
				return err
			}
			tick.Stop()
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the sandbox did not get ready: %w", ctx.Err())
		}
	}
	s := street{ctx: ctx, base: info.BaseURL, keys: map[string]string{"api-key": info.Paykit.APIKey, "secret-key": info.Paykit.SecretKey}}
	qr := map[string]string{}
	for _, reference := range []string{"PAID", "SHORT", "OVER", "TWICE", "EXPIRED", "LATE", "REFUNDED"} {
		var made struct {
			Transfer struct {
				QR string `json:"vietqr_data"`
			} `json:"bank_transfer_payment"`
			CheckoutURL string `json:"checkout_url"`
		}
		if err := s.post(info.Paykit.BaseURL+"/payment-page-checkout", s.keys, opening(reference, "30m"), &made); err != nil {
			return fmt.Errorf("%s: %w", reference, err)
		}
		qr[reference] = made.Transfer.QR
	}
	pay := func(reference string, amount int64) error {
		return s.post(s.base+"/sandbox/bank-transfers", nil, map[string]any{"vietqr": qr[reference], "amount": amount}, nil)
	}
	advance := func(span string) error {
		return s.post(s.base+"/sandbox/clock", nil, map[string]any{"advance": span}, nil)
	}
	err := errors.Join(
		pay("PAID", 100_000), pay("SHORT", 40_000), pay("OVER", 150_000), pay("TWICE", 100_000), pay("TWICE", 100_000), pay("REFUNDED", 100_000),
		s.post(s.base+"/sandbox/bank-transfers", nil, map[string]any{"bin": "970436", "account": "0000001234567", "amount": 77_000, "memo": "khong ro"}, nil),
		advance("31m"), pay("LATE", 100_000),
		s.post(info.Paykit.BaseURL+"/payment-page-checkout", s.keys, opening("OPEN", "720h"), nil),
		s.post(info.Paykit.BaseURL+"/payment-page-checkout", s.keys, opening("CANCELED", "720h"), nil),
	)
	if err != nil {
		return err
	}
	f, err := s.moneyFlows(info.parties, info.Paykit.BaseURL, info.AdminToken, time.Now().Add(31*time.Minute))
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(data, "flows.json"), append(text, '\n'), 0o644)
}

func opening(reference, due string) map[string]any {
	span, err := time.ParseDuration(due)
	if err != nil {
		panic(err)
	}
	return map[string]any{"payment_method": "BANK_TRANSFER", "payment": map[string]any{
		"id": reference, "amount": 100_000, "currency": "VND", "description": "Trà sữa trân châu",
		"due_time": time.Now().Add(span).UTC().Format(time.RFC3339), "success_url": "https://shop.example.vn/ok", "cancel_url": "https://shop.example.vn/back",
	}}
}

func (s street) post(url string, header map[string]string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(s.ctx, "POST", url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 || bytes.Contains(answer, []byte(`"result":"ERROR"`)) || bytes.Contains(answer, []byte(`"result":"FAILURE"`)) {
		return fmt.Errorf("%s: %d %s", url, res.StatusCode, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

// addByCore adds what no wire of the sandbox makes: refunds by a person, a connector with an
// attempt, tokens that have ended, keys that were rotated. Then it folds the
// ledger, lets the auditor look, and makes the file small.
func addByCore(ctx context.Context, data string) error {
	keys, err := vault.Load(filepath.Join(data, "key"))
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, "sqlite:"+filepath.Join(data, "thungan.db"))
	if err != nil {
		return err
	}
	if err := errors.Join(addTo(ctx, s, keys, data), s.Close()); err != nil {
		return err
	}
	return nil
}

func addTo(ctx context.Context, s *store.Store, keys *vault.Keyring, data string) error {
	if _, err := s.Migrate(ctx); err != nil {
		return err
	}
	moved, err := os.ReadFile(filepath.Join(data, "clock"))
	if err != nil {
		return err
	}
	offset, err := time.ParseDuration(string(bytes.TrimSpace(moved)))
	if err != nil {
		return err
	}
	now := clock.NewSandbox(offset)
	c := core.New(core.Config{
		Store: s, Clock: now, IDs: id.NewSource(rand.Reader, now), Vault: keys, Dialects: []dialect.Dialect{paykit.Dialect{}}, Log: slog.New(slog.DiscardHandler),
	})
	by := core.Actor{Name: "generate", Address: "local"}
	text, err := os.ReadFile(filepath.Join(data, "sandbox.json"))
	if err != nil {
		return err
	}
	var info struct {
		Paykit struct {
			MerchantID string `json:"merchant_id"`
		} `json:"paykit"`
	}
	if err := json.Unmarshal(text, &info); err != nil {
		return err
	}
	merchant := info.Paykit.MerchantID
	refunded, err := c.Find(ctx, merchant, paykit.Name, "REFUNDED")
	if err != nil {
		return err
	}
	_, first, err := c.RefundByOperator(ctx, by, refunded.ID, "R-1", 30_000, "trả lại một phần")
	if err != nil {
		return err
	}
	if _, err := c.JudgeRefund(ctx, by, first.ID, true, "đã chuyển khoản"); err != nil {
		return err
	}
	if _, _, err := c.RefundByOperator(ctx, by, refunded.ID, "R-2", 20_000, "chờ chuyển"); err != nil {
		return err
	}
	canceled, err := c.Find(ctx, merchant, paykit.Name, "CANCELED")
	if err != nil {
		return err
	}
	if _, err := c.CancelByOperator(ctx, by, canceled.ID, "khách đổi ý"); err != nil {
		return err
	}
	unapplied, err := c.Credits(ctx, core.CreditSearch{Unapplied: true, Limit: 50})
	if err != nil {
		return err
	}
	for _, credit := range unapplied {
		if credit.Outcome == payment.OutcomeUnknown {
			if _, err := c.Return(ctx, by, credit.ID, 0, "không rõ của ai"); err != nil {
				return err
			}
		}
	}
	if err := payByCard(ctx, c, by, merchant); err != nil {
		return err
	}
	if _, err := c.AddFeed(ctx, by, core.NewFeed{Name: "old-bank", Kind: "generic", MerchantID: merchant, Secret: "secret of the old bank"}); err != nil {
		return err
	}
	if _, err := c.AddAdminToken(ctx, by, "ended"); err != nil {
		return err
	}
	tokens, err := c.AdminTokens(ctx)
	if err != nil {
		return err
	}
	if err := c.RevokeAdminToken(ctx, by, tokens[len(tokens)-1].ID); err != nil {
		return err
	}
	report, err := auditor.Audit(ctx, s, auditor.Options{Now: now.Now()})
	if err != nil {
		return err
	}
	if !report.Sound() {
		return fmt.Errorf("the auditor finds: %+v", report.Findings)
	}
	return nil
}

// payByCard leaves one card payment done and one that a person has to look at.
func payByCard(ctx context.Context, c *core.Core, by core.Actor, merchant string) error {
	conn, err := c.AddConnector(ctx, by, core.NewConnector{
		MerchantID: merchant, Kind: "vnpay", Methods: []payment.Method{payment.DomesticCard},
		Config: []byte(`{"environment": "sandbox", "tmn_code": "UPGRADE1", "hash_secret": "0123456789abcdef0123456789abcdef"}`),
	})
	if err != nil {
		return err
	}
	m, err := c.Merchant(ctx, merchant)
	if err != nil {
		return err
	}
	for _, reference := range []string{"CARD", "CARD-UNSURE"} {
		p, err := c.Open(ctx, core.Opening{
			Merchant: m, Dialect: paykit.Name, Reference: reference, Amount: 100_000, Methods: []payment.Method{payment.DomesticCard},
			SuccessURL: "https://shop.example.vn/ok", CancelURL: "https://shop.example.vn/back",
		})
		if err != nil {
			return err
		}
		a, _, err := c.StartAttempt(ctx, core.Starting{
			PaymentID: p.ID, Method: payment.DomesticCard, Connector: conn, Reference: func(a payment.Attempt) string { return "A" + reference },
		})
		if err != nil {
			return err
		}
		if _, err := c.AttemptCreated(ctx, a.ID, payment.Handoff{URL: "https://sandbox.vnpayment.vn/paymentv2/vpcpay.html"}, ""); err != nil {
			return err
		}
		if reference == "CARD" {
			_, err = c.Resolve(ctx, core.Word{ConnectorID: conn.ID, Reference: a.Reference, ExternalID: "14422574", Outcome: payment.AttemptDone, Amount: 100_000, Code: "00"})
		} else {
			_, err = c.AbandonAttempt(ctx, a.ID, "nobody could tell")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func zip(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	const most = 300 << 10
	if packed.Len() > most {
		return fmt.Errorf("the database is %d bytes even packed; at most %d are kept", packed.Len(), most)
	}
	return os.WriteFile(to, packed.Bytes(), 0o644)
}
