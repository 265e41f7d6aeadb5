package vnpay

import (
	"testing"

	"github.com/thungan/thungan/rail/card"
)

// Every code of the documents has a row with a text, and only 00 with 00 is paid.
func TestCodes(t *testing.T) {
	for _, code := range []string{"00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "24", "51", "65", "75", "79", "97", "99"} {
		if responses[code] == "" {
			t.Errorf("response %s has no text", code)
		}
	}
	for name, c := range map[string]struct {
		table map[string]word
		codes []string
	}{
		"payments": {payments, []string{"00", "01", "02", "04", "07"}},
		"refunds":  {refunds, []string{"00", "01", "02", "05", "06", "09"}},
		"answers":  {answers, []string{"02", "03", "91", "94", "95", "97", "99"}},
	} {
		if len(c.table) != len(c.codes) {
			t.Errorf("%s has %d rows, the documents %d", name, len(c.table), len(c.codes))
		}
		for _, code := range c.codes {
			if w := c.table[code]; w.outcome == "" || w.text == "" {
				t.Errorf("%s has no %s", name, code)
			}
		}
	}
	for _, code := range []string{"", "x", "08", "000"} {
		if w := lookUp(payments, code); w != unheard {
			t.Errorf("%q is %+v", code, w)
		}
	}
}

func TestPaymentWord(t *testing.T) {
	for _, c := range []struct {
		response, status string
		want             card.Outcome
	}{
		{"00", "00", card.Done},
		{"00", "", card.Unknown}, {"00", "01", card.Pending}, {"00", "02", card.Unknown}, {"00", "04", card.Unknown}, {"00", "07", card.Unknown}, {"00", "99", card.Unknown},
		{"07", "00", card.Unknown}, {"07", "07", card.Unknown}, {"07", "02", card.Unknown}, {"07", "", card.Unknown},
		{"24", "02", card.Failed}, {"24", "", card.Failed}, {"24", "00", card.Unknown}, {"24", "01", card.Pending}, {"24", "42", card.Unknown},
		{"42", "02", card.Failed}, {"42", "", card.Unknown}, {"42", "00", card.Unknown}, {"", "", card.Unknown},
	} {
		if w := paymentWord(c.response, c.status); w.outcome != c.want || w.text == "" {
			t.Errorf("%s/%s is %+v, want %s", c.response, c.status, w, c.want)
		}
	}
	for response := range responses {
		for status := range payments {
			if w := paymentWord(response, status); w.outcome == card.Done && (response != "00" || status != "00") {
				t.Errorf("%s/%s is paid", response, status)
			}
		}
	}
}
