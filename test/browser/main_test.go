// Package browser pays through the pages in a real Chromium: the start page of `thungan dev` as a newcomer sees it, and
// the hosted payment page in all its states, with scripts and without them.
//
// With THUNGAN_SCREENSHOTS set to a folder, TestLooks writes pictures of every page there:
//
//	THUNGAN_SCREENSHOTS=$PWD/bin/screenshots go test ./test/browser -run Looks
package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/thungan/thungan/money"
)

// program is the binary under test.
var program string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	folder, err := os.MkdirTemp("", "thungan-browser-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	program = filepath.Join(folder, "thungan")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/thungan/thungan/cmd/thungan").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// sandbox is a running `thungan dev`.
type sandbox struct {
	testing.TB
	data       string // its folder
	log        string // the file that it writes to
	BaseURL    string `json:"base_url"`
	AdminToken string `json:"admin_token"`
	Tiki       struct {
		BaseURL      string `json:"base_url"`
		ClientKey    string `json:"client_key"`
		ClientSecret string `json:"client_secret"`
	} `json:"tiki"`
	Paykit struct {
		BaseURL   string `json:"base_url"`
		MID       string `json:"mid"`
		APIKey    string `json:"api_key"`
		SecretKey string `json:"secret_key"`
	} `json:"paykit"`
	AppotaPay partner `json:"appotapay"`
}

// startSandbox starts the program on a free port, with an empty folder. At the end of the test the program must stop
// when it is asked to.
func startSandbox(t testing.TB) *sandbox {
	t.Helper()
	data := t.TempDir()
	out, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	process := exec.Command(program, "dev", "--listen", "127.0.0.1:0", "--data", data)
	process.Stdout, process.Stderr = out, out
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	t.Cleanup(func() {
		if err := process.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		select {
		case err := <-ended:
			if err != nil || t.Failed() {
				t.Errorf("thungan dev ended with %v and wrote:\n%s", err, read(t, out.Name()))
			}
		case <-time.After(patience):
			_ = process.Process.Kill()
			<-ended
			t.Errorf("thungan dev did not stop; it wrote:\n%s", read(t, out.Name()))
		}
	})
	s := &sandbox{TB: t, data: data, log: out.Name()}
	deadline, look := time.After(patience), time.NewTicker(blink)
	defer look.Stop()
	for {
		if text, err := os.ReadFile(filepath.Join(data, "sandbox.json")); err == nil {
			if err := json.Unmarshal(text, s); err != nil {
				t.Fatal(err)
			}
			return s
		}
		select {
		case <-look.C:
		case err := <-ended:
			ended <- err
			t.Fatal("thungan dev ended before it was ready")
		case <-deadline:
			t.Fatal("thungan dev is not ready")
		}
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
	}
	return text
}

// post sends JSON and reads a JSON answer; the status must be 200.
func post(t testing.TB, address string, header map[string]string, body, answer any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	all, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %d %s", address, got.StatusCode, all)
	}
	if err := json.Unmarshal(all, answer); err != nil {
		t.Fatalf("%s answers %s: %v", address, all, err)
	}
}

// offer is a payment as Paykit's payment-page-checkout answers it.
type offer struct {
	Result      string `json:"result"`
	CheckoutURL string `json:"checkout_url"`
	Payment     struct {
		ID string `json:"id"`
	} `json:"payment"`
	BankTransfer struct {
		VietQRData string `json:"vietqr_data"`
	} `json:"bank_transfer_payment"`
}

// keys are a Paykit merchant's.
type keys struct{ mid, api, secret string }

func (k keys) header() map[string]string {
	return map[string]string{"mid": k.mid, "api-key": k.api, "secret-key": k.secret}
}

// order asks Paykit's API for a payment page, as a shop's server does.
func order(t testing.TB, base string, k keys, id string, amount money.VND, language, back string) offer {
	t.Helper()
	var o offer
	post(t, base+"/payment-page-checkout", k.header(), map[string]any{
		"payment_method": "BANK_TRANSFER",
		"payment": map[string]any{
			"id": id, "amount": amount, "currency": "VND", "description": "Trà sữa trân châu", "display_language": language,
			"success_url": back + "?order=1", "cancel_url": back + "?order=1",
		},
	}, &o)
	if o.Result != "SUCCESS" || !strings.Contains(o.CheckoutURL, "key=") || o.BankTransfer.VietQRData == "" {
		t.Fatalf("%+v", o)
	}
	return o
}
