package admin_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden plays the exchanges of testdata/*.txtar, each in a world of its
// own: files "request" (method and path, then the body) and "response" (status
// and telling headers, then the body). $NAMES stand for ids and secrets. Worlds
// of files called card-* have acquirers in them.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, s *store.Store) { playGolden(t, s, file) })
		})
	}
}

func playGolden(t *testing.T, s *store.Store, file string) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, s)
	if strings.HasPrefix(filepath.Base(file), "card-") {
		w.takeCards()
	}
	names := w.names()
	changed := false
	for i := 0; i+1 < len(ar.Files); i += 2 {
		request, response := ar.Files[i], &ar.Files[i+1]
		if request.Name != "request" || response.Name != "response" {
			t.Fatalf("%s has %q and %q, want pairs of request and response", file, request.Name, response.Name)
		}
		line, body, _ := strings.Cut(string(request.Data), "\n")
		method, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		got := show(t, w.do(method, names.fill(path), names.fill(strings.TrimSpace(body))), names)
		if got == string(response.Data) {
			continue
		}
		if !*update {
			t.Errorf("%s %s answered\n%s\nwant\n%s", method, path, got, response.Data)
		}
		response.Data, changed = []byte(got), true
	}
	if changed && *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// show writes an answer as the golden files have it.
func show(t *testing.T, a answer, names *names) string {
	var b strings.Builder
	fmt.Fprintln(&b, a.status)
	for _, h := range []string{"Allow", "Retry-After", "WWW-Authenticate"} {
		if v := a.header.Get(h); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", h, v)
		}
	}
	if len(a.body) > 0 {
		var indented bytes.Buffer
		if err := json.Indent(&indented, a.body, "", "  "); err != nil {
			t.Fatal(err)
		}
		b.WriteString(strings.TrimSpace(indented.String()) + "\n")
	}
	return names.hide(b.String())
}

// names replaces what differs from run to run by $NAMES.
type names struct {
	values [][2]string // name, value
	others map[string]string
}

func (w *world) names() *names {
	n := &names{others: map[string]string{}}
	add := func(name, value string) { n.values = append(n.values, [2]string{"$" + name, value}) }
	for _, p := range []struct {
		name string
		id   string
		code string
	}{
		{"OPEN", w.open.ID, w.open.Transfer.Code}, {"PAID", w.paid.ID, w.paid.Transfer.Code}, {"PARTLY", w.partly.ID, w.partly.Transfer.Code},
		{"EXPIRED", w.expired.ID, w.expired.Transfer.Code}, {"OVERPAID", w.over.ID, w.over.Transfer.Code},
	} {
		add(p.name, p.id)
		add("CODE_OF_"+p.name, p.code[2:])
	}
	add("MERCHANT", w.env.Memo.Merchant.ID)
	add("PLATFORM", w.env.Platform.Merchant.ID)
	add("ACCOUNT", w.env.Memo.Account.ID)
	add("PUBLIC", w.env.Memo.Profile.PublicID)
	add("LATE", w.late.ID)
	add("STRAY", w.stray.ID)
	add("EXCESS", w.excess.ID)
	add("FAILED", w.failed.ID)
	add("DELIVERED", w.done.ID)
	add("PENDING", w.pending.ID)
	if w.connector.ID != "" {
		add("CONNECTOR", w.connector.ID)
		add("PORTAL", w.portal.ID)
		add("CARDED", w.carded.ID)
		add("WAITING", w.waiting.ID)
		add("CAPTURED", w.captured.ID)
		add("UNSURE", w.unsure.ID)
		add("BY_HAND", w.byHand.ID)
		add("ASKED", w.asked.ID)
	}
	return n
}

var anyName = regexp.MustCompile(`\$[A-Z_]+`)

func (n *names) fill(s string) string {
	return anyName.ReplaceAllStringFunc(s, func(name string) string {
		for _, v := range n.values {
			if v[0] == name {
				return v[1]
			}
		}
		return name
	})
}

var (
	uuid    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	hidings = []struct {
		what *regexp.Regexp
		with string
	}{
		{regexp.MustCompile(`"(api_key|secret_key|ipn_secret_key|token|device_key)": "[0-9A-Za-z_-]{32,}"`), `"$1": "$$SECRET"`},
		{regexp.MustCompile(`MC_[0-9A-Z]{10}`), `$$MADE_UP`},
		{regexp.MustCompile(`"hint": "[0-9A-F]{4}"`), `"hint": "$$HINT"`},
		{regexp.MustCompile(`"vietqr": "000201[^"]+"`), `"vietqr": "$$VIETQR"`},
		{regexp.MustCompile(`\?key=[0-9A-Za-z_-]{22}`), `?key=$$KEY`},
	}
)

func (n *names) hide(s string) string {
	for _, v := range n.values {
		s = strings.ReplaceAll(s, v[1], v[0])
	}
	s = uuid.ReplaceAllStringFunc(s, func(id string) string {
		if n.others[id] == "" {
			n.others[id] = fmt.Sprintf("$ID%d", len(n.others)+1)
		}
		return n.others[id]
	})
	for _, h := range hidings {
		s = h.what.ReplaceAllString(s, h.with)
	}
	return s
}
