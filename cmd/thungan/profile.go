package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"

	"github.com/thungan/thungan/internal/httpx"
)

// serveProfiles serves Go's profiles until ctx ends. They show the program's
// inside, so they go to this machine only.
func serveProfiles(ctx context.Context, listen string, log *slog.Logger) error {
	if listen == "" {
		return nil
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	if addr, ok := ln.Addr().(*net.TCPAddr); !ok || !addr.IP.IsLoopback() {
		ln.Close()
		return fmt.Errorf("--profile-listen has to be a loopback address, not %q", listen)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	srv := httpx.NewServer(mux, log)
	srv.WriteTimeout = 0 // a profile takes as long as was asked for
	go func() {
		if err := httpx.Serve(ctx, srv, ln, 0); err != nil {
			log.Error("profiles", "error", err.Error())
		}
	}()
	return nil
}
