// Package script runs the program as its users do: testdata/*.txtar are scripts of commands and what they have to
// print.
package script

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/thungan/thungan/internal/pgtest"
	"golang.org/x/tools/txtar"
)

// folder is where the program is; it is the first on the scripts' PATH.
var folder string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	var err error
	if folder, err = os.MkdirTemp("", "thungan-script-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	build := exec.Command("go", "build", "-ldflags", "-X main.version=v0.0.0-script", "-o", program(), "github.com/thungan/thungan/cmd/thungan")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func program() string { return filepath.Join(folder, "thungan") }

func TestScripts(t *testing.T) {
	database := pgtest.URL(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
			e.Setenv("POSTGRES", database)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fails": fails, "await": await, "sandboxkeys": sandboxKeys, "address": address, "create": create, "find": find, "take": take,
		},
	})
}

// fails runs `thungan ARGS...`, which has to end with the given status, print nothing but at most two lines of error,
// and nothing that only a programmer understands: fails STATUS ARGS...
func fails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fails STATUS ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("thungan", args[1:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != want {
		ts.Fatalf("it ended with %v, want status %d", err, want)
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("it failed and yet printed %q", out)
	}
	text := ts.ReadFile("stderr")
	if !strings.HasPrefix(text, "thungan: ") || strings.Count(text, "\n") > 2 || regexp.MustCompile(`goroutine|panic|\.go:\d|0x[0-9a-f]{6}|geheim`).MatchString(text) {
		ts.Fatalf("not the error that a stranger needs: %s", text)
	}
}

// await waits until a file is there: await FILE
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	const limit = 30 * time.Second
	deadline := time.After(limit)
	for {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		select {
		case <-deadline:
			ts.Fatalf("%s is not there after %s", args[0], limit)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// take keeps a part of the last output in a variable: take NAME REGEXP, whose first group it is.
func take(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: take NAME REGEXP")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("%s is not in the output", args[1])
	}
	ts.Setenv(args[0], found[1])
}

type sandbox struct {
	BaseURL string `json:"base_url"`
	Paykit  struct {
		BaseURL   string `json:"base_url"`
		APIKey    string `json:"api_key"`
		SecretKey string `json:"secret_key"`
	} `json:"paykit"`
}

func readSandbox(ts *testscript.TestScript, file string) sandbox {
	var s sandbox
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &s))
	return s
}

// contract is what other programs read from sandbox.json.
var contract = map[string][]string{
	"":          {"acquirer", "admin_token", "appotapay", "base_url", "paykit", "tiki", "ttdk"},
	"acquirer":  {"base_url", "merchant", "secret"},
	"appotapay": {"api_key", "base_url", "device_key", "merchant_id", "partner_code", "secret_key", "terminal_id", "terminal_url"},
	"paykit":    {"api_key", "base_url", "ipn_secret_key", "merchant_id", "mid", "platform", "secret_key"},
	"ttdk":      {"api_key", "base_url", "client_id", "customer_schedule_id", "merchant_id", "payment_method_id", "secret_key", "station_services"},
	"paykit.platform": {"ipn_secret_key", "merchant_api_key", "merchant_id", "merchant_secret_key", "mid", "platform_api_key",
		"platform_id", "platform_secret_key"},
	"tiki":         {"app_identifier", "base_url", "client_key", "client_secret", "customer_id", "graphql_url", "merchant_id", "sandbox", "seller_id"},
	"tiki.sandbox": {"base_url", "client_key", "client_secret", "merchant_id"},
}

// sandboxKeys checks the keys of a sandbox.json, and that each has a value: sandboxkeys FILE
func sandboxKeys(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sandboxkeys FILE")
	}
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &object))
	var check func(path string, object map[string]any)
	check = func(path string, object map[string]any) {
		if keys := slices.Sorted(maps.Keys(object)); !slices.Equal(keys, contract[path]) {
			ts.Fatalf("%q has the keys %q, want %q", path, keys, contract[path])
		}
		for key, value := range object {
			switch v := value.(type) {
			case string:
				if v == "" {
					ts.Fatalf("%s %s is empty", path, key)
				}
			case map[string]any:
				check(strings.TrimPrefix(path+"."+key, "."), v)
			case float64:
				if v <= 0 {
					ts.Fatalf("%s %s is %v", path, key, v)
				}
			case []any:
				if len(v) == 0 {
					ts.Fatalf("%s %s is empty", path, key)
				}
			default:
				ts.Fatalf("%s %s is %v", path, key, v)
			}
		}
	}
	check("", object)
	if s := readSandbox(ts, args[0]); s.Paykit.BaseURL != s.BaseURL+"/v2" {
		ts.Fatalf("paykit.base_url is %q", s.Paykit.BaseURL)
	}
}

// address sets $ADDRESS to where a sandbox listens: address FILE
func address(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: address FILE")
	}
	ts.Setenv("ADDRESS", strings.TrimPrefix(readSandbox(ts, args[0]).BaseURL, "http://"))
}

// create makes a payment: create FILE REFERENCE
func create(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: create FILE REFERENCE")
	}
	ask(ts, args[0], "/payment-page-checkout", map[string]any{"payment_method": "BANK_TRANSFER", "payment": map[string]any{
		"id": args[1], "amount": 50000, "currency": "VND", "success_url": "https://shop.example.vn/ok", "cancel_url": "https://shop.example.vn/no",
	}})
}

// find looks a payment up: find FILE REFERENCE
func find(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: find FILE REFERENCE")
	}
	ask(ts, args[0], "/retrieve-payment", map[string]any{"payment_id": args[1]})
}

func ask(ts *testscript.TestScript, file, path string, body any) {
	s := readSandbox(ts, file)
	text, err := json.Marshal(body)
	ts.Check(err)
	req, err := http.NewRequest(http.MethodPost, s.Paykit.BaseURL+path, bytes.NewReader(text))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("api-key", s.Paykit.APIKey)
	req.Header.Set("secret-key", s.Paykit.SecretKey)
	res, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	ts.Check(err)
	defer res.Body.Close()
	text, err = io.ReadAll(res.Body)
	ts.Check(err)
	var answer struct{ Result string }
	if err := json.Unmarshal(text, &answer); err != nil || res.StatusCode != http.StatusOK || answer.Result != "SUCCESS" {
		ts.Fatalf("%s: %s %s", path, res.Status, text)
	}
}

// variable finds the environment variables in a help text.
var variable = regexp.MustCompile(`\(\$([^)]*)\)`)

// TestHelp asks every command for its help.
func TestHelp(t *testing.T) {
	top := help(t)
	_, list, ok := strings.Cut(top, "\nCommands:\n")
	if !ok {
		t.Fatalf("no list of commands:\n%s", top)
	}
	commands := regexp.MustCompile(`(?m)^  ([a-z][a-z -]*[a-z])(  |$)`).FindAllStringSubmatch(list, -1)
	if len(commands) < 20 {
		t.Fatalf("only %d commands:\n%s", len(commands), top)
	}
	for _, c := range commands {
		text := help(t, strings.Fields(c[1])...)
		if !strings.HasPrefix(text, "Usage: thungan "+c[1]) || !strings.Contains(text, "--config") {
			t.Errorf("%s:\n%s", c[1], text)
		}
		for _, name := range variable.FindAllStringSubmatch(strings.Join(strings.Fields(text), " "), -1) {
			if !regexp.MustCompile(`^THUNGAN(_[A-Z]+)+$`).MatchString(name[1]) {
				t.Errorf("%s: variable %s", c[1], name[1])
			}
		}
		for _, line := range strings.Split(text, "\n") {
			if len(line) > 130 {
				t.Errorf("%s: a line of %d characters: %s", c[1], len(line), line)
			}
		}
	}
}

func help(t *testing.T, command ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(program(), append(command, "--help")...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%q --help: %v %s", command, err, &stderr)
	}
	return string(out)
}

// TestVietQRVectors runs the codec's own golden files through the program's standard input and output.
func TestVietQRVectors(t *testing.T) {
	files, err := filepath.Glob("../../rail/vietqr/testdata/*.txtar")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		input, want := archive.Files[0], archive.Files[1]
		cmd := exec.Command(program(), "vietqr", input.Name)
		cmd.Stdin = bytes.NewReader(input.Data)
		got, err := cmd.Output()
		if err != nil || !bytes.Equal(got, want.Data) {
			t.Errorf("%s: %v\n%s\nwant:\n%s", file, err, got, want.Data)
		}
	}
}
