// Package archtest holds the import table of ARCHITECTURE.md as a test.
package archtest

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/thungan/thungan/"

// rule bans imports from a package and everything below it. The sub-packages
// named in but are no part of it.
type rule struct {
	from   string
	but    []string
	allow  []string // of this module; nothing else of it may be imported
	reason string
}

var rules = []rule{
	{from: "money", allow: nil, reason: "money is arithmetic; everything may depend on it and it on nothing"},
	{from: "ledger", allow: []string{"money"}, reason: "the ledger must be judged without knowing what caused its entries"},
	{from: "payment", allow: []string{"money"}, reason: "nouns and rules are pure: no clock, no HTTP, no SQL"},
	{from: "booking", allow: []string{"money", "payment"}, reason: "nouns and rules are pure: no clock, no HTTP, no SQL"},
	{from: "order", allow: []string{"money", "payment"}, reason: "nouns and rules are pure"},
	{from: "catalog", allow: []string{"money"}, reason: "nouns and rules are pure"},
	{from: "signin", allow: nil, reason: "nouns and rules are pure"},
	{from: "dialect", but: []string{"dialect/paykit", "dialect/appotapay", "dialect/ttdk", "dialect/tiki", "dialect/dialecttest"}, allow: []string{"payment", "booking", "order"}, reason: "core knows this contract, so the contract cannot know core"},
	{from: "rail/vietqr", allow: nil, reason: "the codec is usable as a package alone"},
	{from: "rail", but: []string{"rail/vietqr", "rail/bankfeed", "rail/pos", "rail/sandbox", "rail/railtest", "rail/acquiring", "rail/card"}, allow: []string{"payment"}, reason: "a contract knows nouns only"},
	{from: "rail/card", allow: []string{"money", "payment", "internal", "rail/vietqr"}, reason: "a contract, and connectors that talk to acquirers and decide nothing; of the QR codec they use how to write Vietnamese without marks"},
	{from: "rail/acquiring", allow: []string{"money", "payment", "rail/card", "core", "store", "outbox", "internal"}, reason: "it drives the connectors through core's verbs; of store it uses the outbox's items"},
	{from: "store", but: []string{"store/storetest"}, allow: []string{"money", "ledger", "payment", "booking", "order", "catalog", "signin", "store/internal"}, reason: "the store keeps what it is given and decides nothing"},
	{from: "auditor", allow: []string{"store"}, reason: "who judges shares nothing with who is judged but the tables; of store it uses the connection"},
	{from: "outbox", allow: []string{"store", "payment", "internal/clock"}, reason: "durable work knows no dialects, core or HTTP; of payment it uses the error codes"},
	{from: "core", but: []string{"core/coretest"}, allow: []string{"money", "ledger", "payment", "booking", "order", "catalog", "signin", "dialect", "store", "internal/clock", "internal/id", "internal/vault", "internal/auth", "internal/pan", "rail/vietqr"}, reason: "verbs know contracts, never a dialect, a rail or HTTP; the QR codec is the exception: the QR is part of the offer"},
	{from: "dialect/paykit", allow: []string{"money", "payment", "dialect", "core", "internal", "rail/vietqr"}, reason: "a dialect makes one call to core and sees neither SQL nor other dialects nor rails"},
	{from: "dialect/appotapay", allow: []string{"money", "payment", "dialect", "core", "internal", "rail/vietqr"}, reason: "a dialect makes one call to core and sees neither SQL nor other dialects nor rails"},
	{from: "dialect/ttdk", allow: []string{"money", "payment", "booking", "dialect", "core", "internal", "rail/vietqr"}, reason: "a dialect makes one call to core and sees neither SQL nor other dialects nor rails"},
	{from: "rail/pos", allow: []string{"money", "payment", "core", "internal"}, reason: "a rail hands facts to core and sees neither SQL nor dialects"},
	{from: "dialect/tiki", allow: []string{"money", "payment", "order", "catalog", "signin", "dialect", "core", "internal"}, reason: "as dialect/paykit; beside payments it knows orders, products and sign-in"},
	{from: "rail/bankfeed", allow: []string{"money", "payment", "rail", "core", "internal"}, reason: "a rail hands facts to core and sees neither SQL nor dialects"},
	{from: "rail/sandbox/acquirer", allow: []string{"money", "payment", "internal", "rail/card", "web"}, reason: "the imitation stands outside: it knows the contract of connectors and nothing of the gateway behind it"},
	{from: "rail/sandbox", but: []string{"rail/sandbox/acquirer"}, allow: []string{"money", "payment", "booking", "order", "catalog", "signin", "core", "internal", "rail/vietqr", "rail/bankfeed", "web", "ledger", "store"}, reason: "the simulators stand outside: they reach the gateway as a payer, a bank or a shop would, and show core's records"},
	{from: "notify", allow: []string{"payment", "dialect", "store", "outbox", "core", "internal"}, reason: "the sender forms nothing itself: the dialect does"},
	{from: "checkout", allow: []string{"money", "payment", "order", "core", "internal", "rail/vietqr", "web"}, reason: "the page shows what core says"},
	{from: "admin", allow: []string{"money", "ledger", "payment", "booking", "order", "catalog", "signin", "core", "internal", "store", "api", "rail/vietqr"}, reason: "the admin API is one more caller of core; of store it uses the record types that core returns"},
	{from: "web", allow: []string{"money", "internal"}, reason: "templates and texts know no payments"},
	{from: "api", allow: nil, reason: "documents only"},
	{from: "internal", but: []string{"internal/archtest"}, allow: []string{"internal", "money"}, reason: "plumbing without a story"},
}

// banned are packages of others that only some may use.
var banned = []struct {
	what   string
	only   []string
	reason string
}{
	{"database/sql", []string{"store", "auditor", "internal/pgtest", "test"}, "there is one database package; the auditor scans rows of its own"},
	{"github.com/jackc/pgx/v5", []string{"store", "internal/pgtest", "test"}, "there is one database package"},
	{"modernc.org/sqlite", []string{"store", "test"}, "there is one database package"},
	{"net/http", []string{"dialect/paykit", "dialect/appotapay", "dialect/ttdk", "dialect/tiki", "dialect/dialecttest", "rail", "checkout", "admin", "web", "notify", "internal", "cmd", "test"}, "money is decided where no HTTP is known"},
	{"crypto/md5", nil, "broken (ASVS 11.4.1)"},
	{"crypto/sha1", nil, "broken (ASVS 11.4.1)"},
	{"crypto/des", nil, "broken"},
	{"crypto/rc4", nil, "broken"},
	{"math/rand", []string{"store", "outbox", "rail/sandbox", "test"}, "for waits and simulators only; what has to be unguessable comes from crypto/rand (ASVS 11.5.1)"},
	{"os/exec", []string{"internal/pgtest", "internal/chrome", "test"}, "the program runs no others (ASVS 1.2.5)"},
	{"unsafe", []string{"test"}, "memory is Go's to keep safe (ASVS 1.4.1)"},
	{"plugin", nil, "no code comes in at run time (ASVS 1.3.2)"},
	{"encoding/gob", nil, "nothing decodes objects that a stranger composed (ASVS 1.5.2)"},
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p pkg
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// within says whether path is one of the folders or below one.
func within(path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return path == f || strings.HasPrefix(path, f+"/") })
}

func TestImports(t *testing.T) {
	all := packages(t)
	for _, r := range rules {
		met := false
		for _, p := range all {
			from := strings.TrimPrefix(p.ImportPath, module)
			if !within(from, []string{r.from}) || within(from, r.but) {
				continue
			}
			met = true
			for _, imported := range p.Imports {
				to, ours := strings.CutPrefix(imported, module)
				if ours && !within(to, append([]string{r.from}, r.allow...)) {
					t.Errorf("%s imports %s: %s", from, to, r.reason)
				}
			}
		}
		if !met {
			t.Errorf("no package %s: the table is out of date", r.from)
		}
	}
}

func TestBannedImports(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, b := range banned {
			for _, imported := range p.Imports {
				if within(imported, []string{b.what}) && !within(from, b.only) {
					t.Errorf("%s imports %s: %s", from, imported, b.reason)
				}
			}
		}
	}
}
