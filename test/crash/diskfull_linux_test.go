package crash

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/thungan/thungan/internal/pgtest"
)

// TestDiskFull fills the disk of the database under load, and frees it again: meanwhile writes are refused cleanly and
// reads work; afterwards all is well by itself. It mounts a small file system, so it is for root; what a full disk does
// to SQLite, TestNthWriteFails shows everywhere.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		folder := smallDisk(t)
		diskFull(t, newTrial(t, 2), folder, "sqlite:"+filepath.Join(folder, "thungan.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		folder := smallDisk(t)
		r := newTrial(t, 2)
		server := pgtest.NewServer(t, true)
		// The tables are on the small disk, the write-ahead log is not: without a log PostgreSQL ends altogether, which
		// TestPostgresRestarts shows.
		query(t, server.URL(), "CREATE TABLESPACE small LOCATION '"+folder+"'")
		query(t, server.URL(), "CREATE DATABASE small TEMPLATE template0 ENCODING 'UTF8' TABLESPACE small")
		u, err := url.Parse(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		u.Path = "/small"
		diskFull(t, r, folder, u.String())
		if err := server.Stop(pgtest.Immediate); err != nil { // before the disk goes
			t.Error(err)
		}
	})
}

const diskSize = 64 << 20

// smallDisk mounts a file system of 64 MiB that PostgreSQL's user may use.
func smallDisk(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "thungan-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(folder); err != nil {
			t.Error(err)
		}
	})
	err = syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+strconv.Itoa(diskSize)+",mode=0700")
	if errors.Is(err, fs.ErrPermission) {
		t.Skip("mounting a small file system needs root")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if account, err := user.Lookup("postgres"); err == nil && os.Geteuid() == 0 {
		uid, _ := strconv.Atoi(account.Uid)
		gid, _ := strconv.Atoi(account.Gid)
		if err := os.Chown(folder, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func diskFull(t *testing.T, r *trial, folder, database string) {
	s := newSite(t, database)
	n := s.start()
	l := newLoad(s, r.random, false, n)
	probe := quiet(s, n)
	first := probe.name + "-first"
	if !probe.serve(first, exact, r.random) {
		t.Fatal("no first order")
	}
	for {
		l.pause(time.Duration(200+r.random.IntN(500)) * time.Millisecond)
		ballast := fill(t, folder)
		refused := probe.untilRefused()
		r.most("ms until a full disk was noticed", refused.Milliseconds())
		// Reads work.
		found, _, ok := probe.ask(mustJSON(map[string]string{"payment_id": first}), "/v2/retrieve-payment")
		if !ok || found.Payment.ID != first || found.Payment.Result != "APPROVED" {
			t.Errorf("on a full disk a look-up shows %+v", found)
		}
		if _, err := all[shownPayment](t.Context(), s, n, "/payments"); err != nil {
			t.Errorf("on a full disk the list of payments: %v", err)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		r.most("ms until it worked again", l.worksWithin(backAfter).Milliseconds())
		if !r.left() {
			break
		}
	}
	h := l.finish()
	h.add(probe.finish())
	s.verdict(r, n, h)
}

// fill takes what is free on a disk.
func fill(t *testing.T, folder string) string {
	t.Helper()
	path := filepath.Join(folder, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 4096; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			size /= 2
		}
	}
	return path
}

// untilRefused makes orders until one is refused, which has to be clean: 503, in the protocol's form.
func (l *load) untilRefused() time.Duration {
	l.site.t.Helper()
	for start := time.Now(); ; {
		o := &order{
			reference: "FULL-" + strconv.FormatInt(loads.Add(1), 10), amount: 10_000, plan: leave, description: "xôi",
			due: time.Now().Add(2 * time.Hour).UTC().Truncate(time.Second),
		}
		status, text, err := l.post("/v2/payment-page-checkout", l.createBody(o), func(h http.Header) {
			h.Set("api-key", l.site.apiKey)
			h.Set("secret-key", l.site.secretKey)
		})
		switch {
		case err != nil:
			l.site.t.Fatalf("a create on a full disk: %v", err)
		case status == http.StatusOK:
			o.answered = true
			l.history.orders = append(l.history.orders, o)
		case status == http.StatusServiceUnavailable:
			return time.Since(start)
		case status == http.StatusInternalServerError:
			// It does not know whether it was done: it may be there.
			l.history.orders = append(l.history.orders, o)
			return time.Since(start)
		default:
			l.site.t.Fatalf("a create on a full disk was answered %d %s", status, text)
		}
		if time.Since(start) > patience {
			l.site.t.Fatalf("the disk is full and yet everything is written for %s", patience)
		}
	}
}
