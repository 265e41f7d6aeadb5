package browser

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thungan/thungan/internal/chrome"
	"github.com/thungan/thungan/rail/sandbox/acquirer"
	"github.com/thungan/thungan/web"
)

// After every card was used, by a person and by a script, the program has none of their numbers: not in its files, its
// log or its metrics, and the browser in none of the addresses that it has been to.
func TestNoCardNumberIsKept(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	k := keys{s.Paykit.MID, s.Paykit.APIKey, s.Paykit.SecretKey}
	sold := 0
	sell := func() string {
		t.Helper()
		sold++
		var o offer
		post(t, s.Paykit.BaseURL+"/payment-page-checkout", k.header(), map[string]any{
			"available_payment_methods": []string{"DOMESTIC_CARD", "INTERNATIONAL_CARD"},
			"payment": map[string]any{
				"id": fmt.Sprintf("DH-%d", sold), "amount": 200_000, "currency": "VND", "success_url": s.BaseURL + "/sandbox/return", "cancel_url": s.BaseURL + "/sandbox/return",
			},
		}, &o)
		if o.Result != "SUCCESS" {
			t.Fatalf("%+v", o)
		}
		return o.CheckoutURL
	}
	numbers := []string{"4242424242424242", "378282246310005"}
	for _, c := range acquirer.Cards() {
		numbers = append(numbers, c.Number)
		var paid struct{ Outcome string }
		post(t, s.BaseURL+"/sandbox/cards/pay", nil, map[string]any{
			"checkout_url": sell(), "number": c.Number, "holder": "NGUYEN VAN A", "expiry": c.Date(), "csc": c.CSC + map[bool]string{true: "123"}[c.CSC == ""], "otp": c.OTP,
		}, &paid)
		if paid.Outcome != string(c.Result) {
			t.Errorf("%s: %s", c.Number, paid.Outcome)
		}
	}

	v := visit(t, chrome.Options{})
	v.open(sell())
	v.click(`button[name="method"][value="international_card"]`)
	v.atBank()
	for _, number := range numbers[:2] {
		v.card(number, "01/39", "100")
		v.until(`document.querySelector("#number")?.value === ""`) // the form anew
		v.reads(web.Text("vi", "acquirer.problem.unknown"))
		v.expect("422")
	}
	v.card(visa, "01/39", "100")
	v.password("123456")
	v.reads(web.Text("vi", "checkout.approved"))

	places := map[string][]byte{"the log": read(t, s.log), "the metrics": s.get("/metrics"), "the addresses": []byte(strings.Join(v.addresses(), "\n"))}
	err := filepath.WalkDir(s.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		places[d.Name()] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"the log", "the metrics", "the addresses", "acquirer", "thungan.db"} {
		if len(places[name]) == 0 {
			t.Errorf("nothing in %s", name)
		}
	}
	for name, text := range places {
		for _, number := range numbers {
			for _, form := range []string{number, number[:4] + " " + number[4:8], number[:4] + "+" + number[4:8], number[:4] + "%20" + number[4:8], number[:4] + "-" + number[4:8]} {
				if bytes.Contains(text, []byte(form)) {
					t.Errorf("%s has %s", name, form)
				}
			}
		}
	}
}

// get reads an address of the sandbox.
func (s *sandbox) get(path string) []byte {
	s.Helper()
	got, err := http.Get(s.BaseURL + path)
	if err != nil {
		s.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != http.StatusOK {
		s.Fatal(got.StatusCode, err)
	}
	return text
}
