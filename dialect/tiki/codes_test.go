package tiki

import (
	"errors"
	"net/http"
	"testing"

	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
)

func TestEveryStageHasARow(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range order.Stages {
		word, ok := statuses[s]
		if !ok || word == "" || seen[word] {
			t.Errorf("%s is told as %q", s, word)
		}
		seen[word] = true
	}
	if len(statuses) != len(order.Stages) {
		t.Error("rows for stages that do not exist")
	}
}

func TestEveryCodeHasARow(t *testing.T) {
	for _, code := range payment.Codes {
		row, ok := refusals[code]
		if !ok || row.status < 400 || http.StatusText(row.status) == "" {
			t.Errorf("%s is told as %+v", code, row)
		}
		if got := refusalOf(payment.Fail(code, "said")); got.message == "" {
			t.Errorf("%s has no message", code)
		}
	}
	if len(refusals) != len(payment.Codes) {
		t.Error("rows for codes that do not exist")
	}
	if got := refusalOf(errors.New("secret cause")); got.status != 500 || got.message != msgInternal {
		t.Errorf("an error without a code is told as %+v", got)
	}
}

func TestEveryRefusalHasARow(t *testing.T) {
	for _, why := range order.Refusals {
		got := refusalOf(order.Refuse(why, "said"))
		if got.reason == "" || got.status != http.StatusBadRequest || got.message != "said" {
			t.Errorf("%v is told as %+v", why, got)
		}
	}
	if len(orderReasons) != len(order.Refusals) {
		t.Error("rows for refusals that do not exist")
	}
}
