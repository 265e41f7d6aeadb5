package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// tlsFlags say how the gateway speaks TLS itself, without a proxy.
type tlsFlags struct {
	TLSCert       string `help:"Certificate file (PEM, with the certificates between it and the root), for TLS without a proxy. Renewed files are taken up by themselves." placeholder:"FILE" type:"path" and:"tls"`
	TLSKey        string `help:"Its key file." placeholder:"FILE" type:"path" and:"tls"`
	ACME          bool   `help:"Get a certificate for the public URL's host by ACME (Let's Encrypt). Port 443 has to reach --listen."`
	ACMECache     string `help:"Folder where ACME certificates are kept; when left out, acme in the folder of --data or else in the current one." placeholder:"DIR" type:"path"`
	ACMEDirectory string `help:"Address of the ACME server's directory; Let's Encrypt's when left out." placeholder:"URL"`
	ACMEEmail     string `help:"Address that the ACME server may write to about the certificate." placeholder:"EMAIL"`
}

// config is nil when the gateway is to speak plain HTTP. folder is that of
// --data, "" for none.
func (f tlsFlags) config(public *url.URL, folder string, c clock.Clock, log *slog.Logger) (*tls.Config, error) {
	switch {
	case f.ACME && f.TLSCert != "":
		return nil, errors.New("--acme and --tls-cert exclude each other")
	case f.ACME && public.Scheme != "https":
		return nil, errors.New("--acme needs an https --public-url")
	case f.ACMEDirectory != "" && !f.ACME, f.ACMEEmail != "" && !f.ACME:
		return nil, errors.New("--acme-directory and --acme-email are for --acme")
	case f.ACME:
		return f.acme(public.Hostname(), folder)
	case f.TLSCert != "":
		files := &certificateFiles{cert: f.TLSCert, key: f.TLSKey, clock: c, log: log}
		if err := files.load(); err != nil {
			return nil, fmt.Errorf("--tls-cert and --tls-key: %w", err)
		}
		files.warn(public.Hostname())
		return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: files.get}, nil
	}
	return nil, nil
}

func (f tlsFlags) acme(host, folder string) (*tls.Config, error) {
	cache := f.ACMECache
	if cache == "" {
		cache = filepath.Join(folder, "acme")
	}
	// Now, not when the first payer comes: without it each start would ask for
	// a new certificate, and be refused after a few.
	if err := writable(cache); err != nil {
		return nil, fmt.Errorf("--acme-cache: %w", err)
	}
	manager := &autocert.Manager{
		Prompt: autocert.AcceptTOS, HostPolicy: autocert.HostWhitelist(host), Cache: autocert.DirCache(cache), Email: f.ACMEEmail,
		Client: &acme.Client{DirectoryURL: f.ACMEDirectory, UserAgent: "Thungan/" + version},
	}
	config := manager.TLSConfig()
	config.MinVersion = tls.VersionTLS12
	return config, nil
}

// writable makes a folder that is not there and says whether files can be made in
// it.
func writable(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, ".thungan-")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// certificateLook is how long certificate files are not looked at again.
const certificateLook = 10 * time.Second

// certificateFiles is a certificate in files that somebody else renews. It is
// safe for concurrent use.
type certificateFiles struct {
	cert, key string
	clock     clock.Clock
	log       *slog.Logger

	mu     sync.Mutex
	pair   *tls.Certificate
	seen   [2]fileState // of the files that pair is from
	told   [2]fileState // of those that were complained of
	looked time.Time
}

// fileState tells a file from what was there before.
type fileState struct {
	changed time.Time
	size    int64
}

func stateOf(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{info.ModTime(), info.Size()}
}

func (f *certificateFiles) states() [2]fileState {
	return [2]fileState{stateOf(f.cert), stateOf(f.key)}
}

func (f *certificateFiles) load() error {
	f.looked = f.clock.Now()
	states := f.states() // before the files are read: what changes meanwhile is read again
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return err
	}
	f.pair, f.seen = &pair, states
	return nil
}

// get is tls.Config.GetCertificate. Files that do not fit together, as while they
// are being replaced, leave the certificate as it was.
func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if age := f.clock.Now().Sub(f.looked); age >= 0 && age < certificateLook {
		return f.pair, nil
	}
	f.looked = f.clock.Now()
	now := f.states()
	if now == f.seen {
		return f.pair, nil
	}
	if err := f.load(); err != nil {
		if now != f.told {
			f.log.Error("the new certificate cannot be used; the old one goes on", "file", f.cert, "error", err.Error())
		}
		f.told = now
		return f.pair, nil
	}
	f.log.Info("new certificate", "file", f.cert, "ends", f.pair.Leaf.NotAfter.Format(time.RFC3339))
	return f.pair, nil
}

// warn says what payers' browsers would refuse the certificate for.
func (f *certificateFiles) warn(host string) {
	if err := f.pair.Leaf.VerifyHostname(host); err != nil {
		f.log.Warn("the certificate is not for the host of --public-url", "host", host, "error", err.Error())
	}
	if now := f.clock.Now(); now.After(f.pair.Leaf.NotAfter) || now.Before(f.pair.Leaf.NotBefore) {
		f.log.Warn("the certificate is not valid now", "begins", f.pair.Leaf.NotBefore.Format(time.RFC3339), "ends", f.pair.Leaf.NotAfter.Format(time.RFC3339))
	}
}

// listenTLS opens the address, with TLS unless config is nil.
func listenTLS(address string, config *tls.Config) (net.Listener, error) {
	ln, err := listen(address)
	if err != nil || config == nil {
		return ln, err
	}
	return tls.NewListener(ln, config), nil
}
