package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// BenchmarkCreate is a Paykit create through everything but net/http: request
// id, log, metrics, authentication, checks, verb, commit, answer. With -tags
// ceiling the commit is left out; its allocations are then those of the HTTP
// path alone.
func BenchmarkCreate(b *testing.B) {
	db, err := store.Open(b.Context(), "sqlite:"+b.TempDir()+"/thungan.db")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	keyFile := b.TempDir() + "/key"
	if err := vault.Generate(keyFile); err != nil {
		b.Fatal(err)
	}
	keys, err := vault.Load(keyFile)
	if err != nil {
		b.Fatal(err)
	}
	g, err := newGateway(options{
		store: db, keys: keys, clock: clock.System(), publicURL: "https://pay.example.com", pull: time.Hour,
		log: slog.New(httpx.NewMaskHandler(slog.NewJSONHandler(io.Discard, nil))),
	})
	if err != nil {
		b.Fatal(err)
	}
	operator := core.Actor{Name: "benchmark"}
	m, err := g.core.AddMerchant(b.Context(), operator, core.NewMerchant{Name: "Bench Coffee"})
	if err != nil {
		b.Fatal(err)
	}
	_, credentials, err := g.core.Enrol(b.Context(), operator, core.Enrolment{MerchantID: m.ID, Dialect: "paykit"})
	if err != nil {
		b.Fatal(err)
	}
	account := payment.ReceivingAccount{MerchantID: m.ID, BIN: "970436", Number: "0011000000000", Holder: "BENCH COFFEE", Recognise: payment.ByMemo, Enabled: true}
	if _, err := g.core.AddReceivingAccount(b.Context(), operator, account); err != nil {
		b.Fatal(err)
	}
	due := time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05.000000Z")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		body := fmt.Appendf(nil, `{"payment_method":"BANK_TRANSFER","payment":{"id":"bench-%09d","amount":"250000","currency":"VND",`+
			`"success_url":"https://shop.example.com/checkout/return/success","cancel_url":"https://shop.example.com/checkout/return/cancel",`+
			`"description":"Đơn hàng cà phê và bánh mì, giao trong ngày","due_time":"%s","display_language":"vi"}}`, i, due)
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v2/payment-page-checkout", bytes.NewReader(body))
		r.Header.Set("Api-Key", credentials.Key)
		r.Header.Set("Secret-Key", credentials.Secret)
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK || !bytes.Contains(w.Body.Bytes(), []byte(`"SUCCESS"`)) {
			b.Fatal(w.Code, w.Body)
		}
	}
}
