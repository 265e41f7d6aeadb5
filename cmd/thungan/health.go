package main

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/httpx"
)

// lowDisk is the free space below which a database on this disk is in danger.
const lowDisk = 256 << 20

// healthz says that the process answers; what is wrong with the rest is for
// readyz.
func (g *gateway) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"status": "ok", "version": version, "time": g.clock.Now().Format(time.RFC3339Nano)})
}

// readyz tells the truth: 200 when the gateway can take payments, else 503, and
// what each check found.
func (g *gateway) readyz(w http.ResponseWriter, r *http.Request) {
	checks, ready := g.readiness(r.Context())
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, map[string]any{"ready": ready, "checks": checks})
}

// readiness is whether the gateway can take payments, and what each check found.
func (g *gateway) readiness(ctx context.Context) (checks map[string]any, ready bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	ready = true
	fail := func(text string) string { ready = false; return text }

	checks = map[string]any{"database": "ok"}
	switch migrated, err := g.store.Migrated(ctx); {
	case err != nil:
		checks["database"] = fail("does not answer")
	case !migrated:
		checks["database"] = fail("is not migrated")
	}
	if pending, oldest, err := g.store.Backlog(ctx); err == nil {
		notices := map[string]any{"pending": pending}
		if !oldest.IsZero() {
			notices["oldest_seconds"] = int64(g.clock.Now().Sub(oldest) / time.Second)
		}
		checks["notifications"] = notices
	}
	// Told, and not a reason to take no payments: of two clocks nobody here knows
	// which one is wrong, and on a wrong database's all nodes would stop.
	if ahead, ok, err := g.drift(ctx); err == nil && ok {
		checks["database_clock_ahead_seconds"] = ahead.Seconds()
		if ahead.Abs() > mostDrift {
			checks["clock"] = "differs from the database's"
		}
	}
	if g.dataFolder != "" {
		var disk syscall.Statfs_t
		if err := syscall.Statfs(g.dataFolder, &disk); err == nil {
			free := int64(disk.Bavail) * int64(disk.Bsize)
			checks["disk_free_bytes"] = free
			if free < lowDisk {
				checks["disk"] = fail("is nearly full")
			}
		}
	}
	return checks, ready
}

// readyGauge is 1 when the gateway can take payments, else 0.
func (g *gateway) readyGauge() float64 {
	if _, ready := g.readiness(context.Background()); ready {
		return 1
	}
	return 0
}

// feedLags are how long ago the feeds that can be asked were last read to their
// end; of a new one that is since it was added.
func (g *gateway) feedLags() map[string]time.Duration {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	feeds, err := g.core.Feeds(ctx)
	if err != nil {
		g.log.Error("cannot list the bank feeds", "error", err.Error())
	}
	lags := map[string]time.Duration{}
	for _, f := range feeds {
		if f.Enabled && f.API != "" {
			seen := f.SeenUntil
			if seen.IsZero() {
				seen = f.CreatedAt
			}
			lags[f.Name] = g.clock.Now().Sub(seen)
		}
	}
	return lags
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller has gone
}

// metrics are for holders of an admin token. Where a request comes from says
// nothing: a proxy on this machine passes on everybody's.
func (g *gateway) metrics(w http.ResponseWriter, r *http.Request) {
	if !g.openMetrics {
		key := auth.AddrKey(httpx.ClientAddr(r, g.proxies))
		if ok, wait := g.guesses.Check(key); !ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			http.Error(w, "too many wrong tokens from this address", http.StatusTooManyRequests)
			return
		}
		if _, err := g.core.CheckAdminToken(r.Context(), httpx.Bearer(r)); err != nil {
			g.guesses.Fail(key)
			httpx.Note(r.Context(), "client", key)
			w.Header().Set("WWW-Authenticate", `Bearer realm="thungan"`)
			http.Error(w, "an admin token is needed", http.StatusUnauthorized)
			return
		}
	}
	g.meter.Handler().ServeHTTP(w, r)
}

// surface is the part of the gateway that a route belongs to, for metrics.
// Who has no pattern of a mux notes its routes as "paykit: refund".
func surface(route string) string {
	if name, _, noted := strings.Cut(route, ": "); noted {
		return name
	}
	_, path, _ := strings.Cut(route, "/")
	switch first, _, _ := strings.Cut(path, "/"); first {
	case "merchant", "assets":
		return "checkout"
	case "admin":
		return "admin"
	case "bank-feeds":
		return "bankfeed"
	}
	return "other"
}
