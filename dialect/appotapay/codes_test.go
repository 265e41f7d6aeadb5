package appotapay

import (
	"strings"
	"testing"

	"github.com/thungan/thungan/payment"
)

func TestEveryCodeHasARow(t *testing.T) {
	for _, code := range payment.Codes {
		row, ok := refusals[code]
		if !ok || row.status < 400 || messages[row.code].vi == "" {
			t.Errorf("%s is told as %+v", code, row)
		}
	}
	if len(refusals) != len(payment.Codes) {
		t.Error("rows for codes that do not exist")
	}
	if got := refusalOf("something new"); got.code != codeInternal || got.status != 500 {
		t.Errorf("an unknown code is told as %+v", got)
	}
}

func TestEveryStateHasARow(t *testing.T) {
	for _, s := range payment.States {
		row, ok := statuses[s]
		if !ok || messages[row.code].vi == "" {
			t.Errorf("no row for state %q", s)
		}
		if final := row.status != statusPending && row.status != statusProcessing; final != s.Closed() {
			t.Errorf("%s is told as %+v", s, row)
		}
	}
	if len(statuses) != len(payment.States) {
		t.Error("rows for states that do not exist")
	}
}

func TestEveryDeclineHasARow(t *testing.T) {
	for _, d := range payment.Declines {
		if code, ok := declines[d]; !ok || messages[code].vi == "" || statusOf(payment.Denied, d).code != code || statusOf(payment.Approved, d).code != codeSuccess {
			t.Errorf("%s is told as %q", d, code)
		}
	}
	if len(declines) != len(payment.Declines) {
		t.Error("rows for reasons that do not exist")
	}
	if got := statusOf(payment.Denied, ""); got.code != codeDeclined {
		t.Errorf("no reason is told as %+v", got)
	}
}

// Texts are there in both languages, and differ.
func TestMessages(t *testing.T) {
	for code, m := range messages {
		if m.vi == "" || m.en == "" || m.vi == m.en || strings.Trim(code, "0123456789") != "" {
			t.Errorf("%s: %+v", code, m)
		}
	}
}

func TestBanks(t *testing.T) {
	for scheme, want := range map[payment.Scheme][2]string{"": {"", ""}, "napas": {"NAPAS", "ATM"}, "visa": {"VISA", "CC"}, "unionpay": {"UNIONPAY", "CC"}} {
		code, kind := bankOf(payment.Payment{Method: payment.CardPresent}, payment.Sale{Scheme: scheme})
		if code != want[0] || kind != want[1] {
			t.Errorf("%s: %s %s", scheme, code, kind)
		}
	}
	// A card sale that a transfer paid in the end is still one on the wire.
	p := payment.Payment{Method: payment.BankTransfer, Methods: []payment.Method{payment.CardPresent}}
	if code, _ := bankOf(p, payment.Sale{}); code != "" || methodToWire(offered(p)) != methodPOS {
		t.Errorf("%q", code)
	}
}
