package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/internal/clock"
)

// certificate makes a self-signed pair in PEM.
func certificate(t *testing.T, serial int64, host string, ends time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: ends.Add(-90 * 24 * time.Hour), NotAfter: ends,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// Renewed files are taken up, in whichever order they are written, and what does
// not fit together meanwhile changes nothing and is told once.
func TestRenewedCertificate(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	c := clock.NewManual(now)
	var log bytes.Buffer
	folder := t.TempDir()
	f := tlsFlags{TLSCert: filepath.Join(folder, "cert.pem"), TLSKey: filepath.Join(folder, "key.pem")}
	written := now
	put := func(path string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		written = written.Add(time.Second) // however coarse the disk's times are
		if err := os.Chtimes(path, written, written); err != nil {
			t.Fatal(err)
		}
	}
	oldCert, oldKey := certificate(t, 1, "pay.example.vn", now.Add(10*24*time.Hour))
	newCert, newKey := certificate(t, 2, "pay.example.vn", now.Add(100*24*time.Hour))
	put(f.TLSCert, oldCert)
	put(f.TLSKey, oldKey)

	config, err := f.config(&url.URL{Scheme: "https", Host: "pay.example.vn"}, "", c, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	serves := func(want int64, when string) {
		t.Helper()
		pair, err := config.GetCertificate(nil)
		if err != nil || pair.Leaf.SerialNumber.Int64() != want {
			t.Fatalf("%s: certificate %v, %v; want %d", when, pair.Leaf.SerialNumber, err, want)
		}
	}
	serves(1, "at the start")
	put(f.TLSCert, newCert)
	serves(1, "a moment later")
	for range 3 {
		c.Advance(certificateLook)
		serves(1, "with half of the files")
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("told %d times:\n%s", n, &log)
	}
	put(f.TLSKey, newKey)
	c.Advance(certificateLook)
	serves(2, "with both")
	if err := os.Remove(f.TLSKey); err != nil {
		t.Fatal(err)
	}
	c.Advance(certificateLook)
	serves(2, "with a file away")
	if !strings.Contains(log.String(), "new certificate") {
		t.Errorf("nothing told:\n%s", &log)
	}
}

// What a browser would refuse is told at the start.
func TestCertificateWarnings(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	folder := t.TempDir()
	f := tlsFlags{TLSCert: filepath.Join(folder, "cert.pem"), TLSKey: filepath.Join(folder, "key.pem")}
	cert, key := certificate(t, 1, "shop.example.vn", now.Add(-time.Hour))
	for path, text := range map[string][]byte{f.TLSCert: cert, f.TLSKey: key} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	if _, err := f.config(&url.URL{Scheme: "https", Host: "pay.example.vn"}, "", clock.Fixed(now), slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"not for the host of --public-url", "not valid now"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not told:\n%s", want, &log)
		}
	}
}

// Certificates of ACME are kept beside the data, unless another folder is named.
func TestACMEFolder(t *testing.T) {
	data := t.TempDir()
	public := &url.URL{Scheme: "https", Host: "pay.example.vn"}
	config, err := tlsFlags{ACME: true}.config(public, data, clock.System(), slog.New(slog.DiscardHandler))
	if err != nil || config.GetCertificate == nil || config.NextProtos[len(config.NextProtos)-1] != "acme-tls/1" {
		t.Fatalf("%+v %v", config, err)
	}
	if info, err := os.Stat(filepath.Join(data, "acme")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info, err)
	}
	file := filepath.Join(data, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (tlsFlags{ACME: true, ACMECache: file}).config(public, data, clock.System(), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "--acme-cache") {
		t.Errorf("a cache that is no folder: %v", err)
	}
}
