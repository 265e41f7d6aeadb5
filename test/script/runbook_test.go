package script

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const runbookPage = "../../docs/runbook.md"

// block is a marked block of the runbook.
type block struct {
	line int // of its first command
	text string
}

// blocks are the page's blocks of a language, in order.
func blocks(t *testing.T, language string) []block {
	t.Helper()
	page, err := os.ReadFile(runbookPage)
	if err != nil {
		t.Fatal(err)
	}
	var all []block
	for _, at := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllSubmatchIndex(page, -1) {
		all = append(all, block{1 + bytes.Count(page[:at[2]], []byte("\n")), string(page[at[2]:at[3]])})
	}
	return all
}

// around is what the world does before and after a block, which the block's own
// commands cannot: payers pay, shops fail, files are lost. Each is for the one
// block that has the text.
var around = []struct{ block, before, after string }{
	{block: "pay ORDER-1", after: `await_ipn ORDER-1`},
	{block: "NOTICE=", before: `
curl -sS $SHOP/mode -d bad
MEMO=$(pay STUCK-1 60000 | thungan vietqr decode | jq -r .memo); bank STUCK-1 60000 "$MEMO"
until api GET '/notifications?state=pending' | jq -e '.items[0].attempts_made > 0'; do sleep .1; done`},
	{block: "/replay", before: `curl -sS $SHOP/mode -d good`, after: `await_ipn STUCK-1
until api GET /notifications/$NOTICE | jq -e '.state == "done"'; do sleep .1; done`},
	{block: "/apply", before: `pay ORDER-2 70000; bank NOTEXT-1 70000 "cam on shop"`, after: `
shop retrieve-payment '{"payment_id": "ORDER-2"}' | jq -e '.payment.result == "APPROVED"'`},
	{block: "/return", before: `bank NOTEXT-2 80000 "cam on shop"`, after: `test "$(api GET /unapplied | jq '.items | length')" = 0`},
	{block: "/judge", after: `shop retrieve-payment '{"payment_id": "ORDER-2"}' | jq -e '.payment.refunded_amount == 20000'`},
	{block: "mv /var/lib/thungan ", after: `
curl -sS --retry 5 --retry-all-errors --fail-with-body $GW/readyz
shop retrieve-payment '{"payment_id": "ORDER-1"}' | jq -e '.payment.result == "APPROVED"'`},
	{block: "key reseal", after: `test "$(thungan key reseal --json | jq -r '[.[] | .sealed_anew | tonumber] | add')" = 0`},
	{block: "export THUNGAN_FEED_SECRET=$NEW", after: `
sleep 1 # a serving gateway may know the feed as it was a second ago
MEMO=$(pay ROTATED-1 10000 | thungan vietqr decode | jq -r .memo); bank ROTATED-1 10000 "$MEMO"; await_ipn ROTATED-1`},
	{block: "copy sqlite:", after: `
shop retrieve-payment '{"payment_id": "ORDER-1"}' | jq -e '.payment.result == "APPROVED"'
curl -sS -H "Authorization: Bearer $TOKEN" $GW/metrics | grep '^thungan_database_clock_ahead_seconds'`},
	{block: "MOMENT=", before: `
pay BEFORE-1 10000; sleep .1; NOW=$(runuser -u postgres -- psql -Atc 'SELECT clock_timestamp()'); sleep .1; pay AFTER-1 10000`, after: `
there() { psql -p 5433 -h 127.0.0.1 -U thungan -Atc "SELECT COUNT(*) FROM payments WHERE reference = '$1'" thungan; }
test "$(there BEFORE-1)$(there AFTER-1)" = 10
pg_ctl -D /base/then -w -m immediate stop`},
	{block: "sqlite:/backups/thungan.db", after: `thungan check --database sqlite:/backups/thungan.db | grep -q 'nothing is wrong'`},
	{block: "merchant keys rotate-ipn $MERCHANT\nexport", before: `
cp /var/lib/thungan/key /safe/lost; thungan key new /var/lib/thungan/other
(THUNGAN_KEY_FILE=/var/lib/thungan/other THUNGAN_LISTEN=127.0.0.1:0 timeout 60 /usr/local/bin/thungan serve || true) 2>&1 | grep 'opens none of the secrets'
rm /var/lib/thungan/key`, after: `
MEMO=$(pay LOST-1 10000 | thungan vietqr decode | jq -r .memo); bank LOST-1 10000 "$MEMO"; await_ipn LOST-1
thungan check`},
}

// prelude stands in for what a test machine has not: a service manager, other
// users, a system's own PostgreSQL.
const prelude = `set -euo pipefail
cd "$HERE"; mkdir local; export PATH="$PGBIN:$PATH"
make() { test "$*" = build; }
useradd() { :; }
runuser() { test "$1" = -u; shift 3; "$@"; }
install() {
  mode='' folder='' rest=()
  while [ $# -gt 0 ]; do case $1 in
    -d) folder=1;; -m) mode=$2; shift;; -o|-g) shift;; *) rest+=("$1");;
  esac; shift; done
  if [ "$folder" ]; then command install -d -m $mode "${rest[@]}"; else command install -m $mode "${rest[@]}"; fi; }
gateway=''
systemctl() {
  case "$*" in
    "enable --now thungan"|"start thungan") ( set -a; . /etc/thungan.env; set +a; exec /usr/local/bin/thungan serve ) >>"$HERE/serve.log" 2>&1 & gateway=$!
      until curl -s $GW/healthz >/dev/null; do kill -0 $gateway || return 1; sleep .05; done;;
    "stop thungan") kill $gateway; wait $gateway; gateway='';;
    "restart thungan") systemctl stop thungan; systemctl start thungan;;
    "restart postgresql") pg_ctl -D "$HERE/pg" -w -m fast restart >/dev/null;;
    *) echo "systemctl $*: not here" >&2; return 1;;
  esac; }
await_ipn() { for _ in $(seq 300); do curl -s $SHOP/seen | grep -qx "$1" && return; sleep .1; done; echo "no IPN for $1" >&2; return 1; }
ended() { status=$?; set +e; [ "$gateway" ] && kill $gateway && wait $gateway; pg_ctl -D /base/then -m immediate stop; pg_ctl -D "$HERE/pg" -m immediate stop; exit $status; }
trap 'ended >/dev/null 2>&1' EXIT
initdb -D pg -A trust --no-sync -U postgres >/dev/null
printf "port = $PGPORT\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n" >> pg/postgresql.conf
pg_ctl -D pg -w -l pg.log start >/dev/null
`

// TestRunbook runs the commands of docs/runbook.md as they stand there, from the
// first to the last, on SQLite and on a PostgreSQL of its own.
func TestRunbook(t *testing.T) {
	for _, name := range []string{"bash", "curl", "jq", "openssl"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("the runbook needs %s: make deps installs it", name)
		}
	}
	here := runbookFolder(t)
	shop, gateway, postgres, second := receiver(t), freePort(t), freePort(t), freePort(t)

	// Names of this machine's places for those of the page. Nothing else of it
	// is changed.
	stands := strings.NewReplacer(
		"/usr/local/bin/thungan", here+"/local/thungan", "/etc/thungan.env", here+"/thungan.env", "/var/lib/thungan", here+"/data", "/tmp/recovery.conf", here+"/recovery.conf",
		" /backups", " "+here+"/backups", ":/backups", ":"+here+"/backups", " /safe", " "+here+"/safe", " /wal", " "+here+"/wal", "'cp /wal/%f %p'", "'cp "+here+"/wal/%f %p'", " /base", " "+here+"/base", "$(cat /backups", "$(cat "+here+"/backups",
		"https://pay.example.vn", "http://127.0.0.1:"+gateway, "https://shop.example.vn/ipn", shop+"/ipn", "THUNGAN_LISTEN=:443", "THUNGAN_LISTEN=127.0.0.1:"+gateway,
		"THUNGAN_ACME=true", "THUNGAN_ALLOW_IPN_NETWORKS=127.0.0.1/32\nTHUNGAN_ALLOW_IPN_PORTS="+shop[strings.LastIndex(shop, ":")+1:],
		"127.0.0.1:5432", "127.0.0.1:"+postgres, "5433", second, "'2026-11-25 19:24:14.977+00'", `"$NOW"`,
	)
	var script strings.Builder
	script.WriteString(stands.Replace(prelude))
	used := make([]bool, len(around))
	marked := blocks(t, "sh")
	if len(marked) < 20 {
		t.Fatalf("only %d blocks of commands", len(marked))
	}
	for _, b := range marked {
		before, after := "", ""
		for i, a := range around {
			if strings.Contains(b.text, a.block) && !used[i] {
				used[i], before, after = true, before+a.before+"\n", after+a.after+"\n"
			}
		}
		fmt.Fprintf(&script, "echo; echo '=== docs/runbook.md:%d'\n%s%s%s", b.line, stands.Replace(before), stands.Replace(b.text), stands.Replace(after))
	}
	for i, a := range around {
		if !used[i] {
			t.Errorf("no block of the page has %q", a.block)
		}
	}
	script.WriteString("echo; echo '=== done'\n")

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // a bound for machines that do much else
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script.String())
	cmd.Env = []string{
		"HERE=" + here, "PATH=" + os.Getenv("PATH"), "PGBIN=" + postgresPrograms(t), "SHOP=" + shop, "GW=http://127.0.0.1:" + gateway, "LC_ALL=C",
		"PGHOST=127.0.0.1", "PGPORT=" + postgres, "PGUSER=postgres",
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: other(t)}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) } // with what it started
	cmd.WaitDelay = 20 * time.Second
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out) // with -v it can be read what an operator sees
	if err != nil || !bytes.Contains(out, []byte("=== done")) {
		log, _ := os.ReadFile(filepath.Join(here, "serve.log"))
		t.Fatalf("%v; the gateway's log:\n%s", err, tail(log, 4000))
	}
}

func tail(text []byte, most int) []byte { return text[max(0, len(text)-most):] }

// runbookFolder is where the page's commands run, with the program built already.
func runbookFolder(t *testing.T) string {
	t.Helper()
	here, err := os.MkdirTemp("", "thungan-runbook-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(here) })
	text, err := os.ReadFile(program())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bin/thungan", "thungan-new"} {
		path := filepath.Join(here, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if who := other(t); who != nil {
		err = filepath.Walk(here, func(path string, _ os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			return os.Chown(path, int(who.Uid), int(who.Gid))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return here
}

// other is whom root runs the commands as, since PostgreSQL refuses root.
func other(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// postgresPrograms is the folder of PostgreSQL's programs.
func postgresPrograms(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	out, err := exec.Command("pg_config", "--bindir").Output()
	if err != nil {
		t.Fatal("PostgreSQL's programs are missing: make deps installs them")
	}
	return strings.TrimSpace(string(out))
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}

// receiver is the shop: it takes IPNs, or fails while its mode is "bad", and
// lists the payments of those that it took.
func receiver(t *testing.T) string {
	var mu sync.Mutex
	var seen []string
	bad := false
	payment := regexp.MustCompile(`"payment_id":"([^"]+)"`)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		switch found := payment.FindSubmatch(body); {
		case r.URL.Path == "/mode":
			bad = string(body) == "bad"
		case r.URL.Path == "/seen":
			fmt.Fprintln(w, strings.Join(seen, "\n"))
		case bad || found == nil:
			http.Error(w, "the shop is broken", http.StatusInternalServerError)
		default:
			seen = append(seen, string(found[1]))
			fmt.Fprint(w, `{"result":"SUCCESS"}`)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestRunbookUnit lets systemd read the page's unit.
func TestRunbookUnit(t *testing.T) {
	units := blocks(t, "ini")
	if len(units) != 1 || !strings.Contains(units[0].text, "ExecStart=/usr/local/bin/thungan serve\n") {
		t.Fatalf("the page has no unit for systemd: %v", units)
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze here")
	}
	file := filepath.Join(t.TempDir(), "thungan.service")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(units[0].text, "/usr/local/bin/thungan", program())), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", "--man=no", file).CombinedOutput(); err != nil || bytes.Contains(out, []byte("thungan.service")) {
		t.Errorf("%v\n%s", err, out)
	}
}
