package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/vault"
	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/sandbox"
	"github.com/thungan/thungan/rail/sandbox/acquirer"
)

type devCommand struct {
	logFlags
	Listen string `help:"Address to serve on (${default}); port 0 takes a free one." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Data   string `help:"Folder for the database, the key and sandbox.json (${default}); what is in it is kept." default:"thungan-dev" placeholder:"DIR" type:"path"`
}

func (devCommand) Help() string {
	return `Everything on one machine and no other set-up: open the address that it prints, make
a demo payment, pay it, and watch the notification arrive. DIR/sandbox.json has the
addresses and keys for programs. Nothing here is real money.`
}

func (c devCommand) Run(ctx context.Context) error {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return err
	}
	lock, err := claim(c.Data)
	if err != nil {
		return err
	}
	defer lock.Close()
	ln, err := listen(c.Listen)
	if err != nil {
		return err
	}
	return errors.Join(c.serve(ctx, ln), closed(ln))
}

// serve runs the sandbox on a listener until ctx ends.
func (c devCommand) serve(ctx context.Context, ln net.Listener) error {
	// Its presence means "ready", so one of an earlier run must not stand.
	ready := filepath.Join(c.Data, "sandbox.json")
	if err := os.Remove(ready); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	keyFile := filepath.Join(c.Data, "key")
	if _, err := os.Stat(keyFile); errors.Is(err, fs.ErrNotExist) {
		if err := vault.Generate(keyFile); err != nil {
			return err
		}
	}
	flags, err := databaseFlags{Data: c.Data}.resolve()
	if err != nil {
		return err
	}
	keys, err := flags.keyring()
	if err != nil {
		return err
	}
	offset := offsetFile(filepath.Join(c.Data, "clock"))
	moved, err := offset.load()
	if err != nil {
		return err
	}
	now := clock.NewSandbox(moved)
	s, err := flags.open(ctx)
	if err != nil {
		return err
	}
	base := "http://" + reachable(ln.Addr())
	g, err := newGateway(options{
		store: s, keys: keys, clock: now, log: c.logger(), publicURL: base, pull: time.Minute, loopback: true, openMetrics: true, dataFolder: c.Data,
		connectors:  []card.Connector{acquirer.Connector{}},
		tikiOptions: tikiOptions{realTime: clock.System()},
	})
	if err != nil {
		return errors.Join(err, s.Close())
	}
	info, err := sandbox.Seed(ctx, g.core, base)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	demo, err := sandbox.New(sandbox.Config{Core: g.core, Clock: now, Gateway: g.handler, Feeds: g.intake, POS: g.pos, SaveOffset: offset.save, Info: info, Log: g.log})
	if err != nil {
		return errors.Join(err, s.Close())
	}
	bank, err := acquirer.New(acquirer.Config{
		BaseURL: base, Merchants: map[string]string{info.Acquirer.Merchant: info.Acquirer.Secret}, Clock: now, Client: g.client, Log: g.log,
		File: filepath.Join(c.Data, "acquirer"),
	})
	if err != nil {
		return errors.Join(err, s.Close())
	}
	g.mux.Handle(acquirer.Path, bank)
	g.mux.Handle("/sandbox/", demo)
	g.mux.Handle("/{$}", demo)

	srv := httpx.NewServer(g.handler, g.log)
	serve := func(ctx context.Context, ln net.Listener) error { return httpx.Serve(ctx, srv, ln, drainFor) }
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var late sync.WaitGroup
	late.Go(func() { bank.Run(running) })
	err = g.run(ctx, ln, serve, func() error {
		if err := writeReady(ready, info); err != nil {
			return err
		}
		fmt.Print(banner(info, c.Data))
		return nil
	})
	stop()
	late.Wait()
	return errors.Join(err, bank.Close())
}

// claim keeps other runs off the folder until this process ends, however it ends.
func claim(folder string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is in use by another 'thungan dev'; stop that one, or choose another folder with --data", folder), lock.Close())
	}
	return lock, nil
}

// closed closes a listener that may be closed already.
func closed(ln net.Listener) error {
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// reachable is an address that a browser on this machine can open.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// writeReady writes sandbox.json whole or not at all. It has keys, so it is
// for its owner only.
func writeReady(path string, info sandbox.Info) error {
	text, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func banner(info sandbox.Info, folder string) string {
	p := info.Paykit
	body := `{"payment_method":"BANK_TRANSFER","payment":{"id":"ORDER-1","amount":50000,"currency":"VND","success_url":"` +
		info.BaseURL + `/sandbox/return","cancel_url":"` + info.BaseURL + `/sandbox/return"}}`
	return strings.Join([]string{
		"",
		"  Thungan sandbox is ready: open " + info.BaseURL + "/",
		"",
		"  Paykit    " + p.BaseURL + "   mid " + p.MID,
		"            api-key " + p.APIKey + "   secret-key " + p.SecretKey,
		"  TTDK      " + info.TTDK.BaseURL + "/PartnerAPI   apiKey " + info.TTDK.APIKey + "   clientId " + info.TTDK.ClientID,
		"  AppotaPay " + info.AppotaPay.BaseURL + "   partner " + info.AppotaPay.PartnerCode + "   terminal " + info.AppotaPay.TerminalID,
		"            open " + info.AppotaPay.TerminalURL + " and tap a card",
		"  Tiki      " + info.Tiki.BaseURL + "   client key " + info.Tiki.ClientKey + "   client secret " + info.Tiki.ClientSecret,
		"            " + info.BaseURL + "/sandbox/tini/ runs a mini app on a phone",
		"  Admin     " + info.BaseURL + "/admin/v1   Authorization: Bearer " + info.AdminToken,
		"  Keys      " + filepath.Join(folder, "sandbox.json"),
		"",
		"  Create a payment:",
		"  curl -s " + p.BaseURL + "/payment-page-checkout -H 'api-key: " + p.APIKey + "' -H 'secret-key: " + p.SecretKey + "' \\",
		"    -H 'Content-Type: application/json' -d '" + body + "'",
		"",
		"  Ctrl-C ends it. Nothing here is real money.",
		"", "",
	}, "\n")
}

// offsetFile remembers how far the sandbox's clock has been moved, so that time
// does not run backwards when it is started again.
type offsetFile string

func (f offsetFile) load() (time.Duration, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return time.ParseDuration(strings.TrimSpace(string(text)))
}

func (f offsetFile) save(offset time.Duration) error {
	if err := os.WriteFile(string(f)+".new", []byte(offset.String()+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(string(f)+".new", string(f))
}
