package ttdk

import (
	"testing"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
)

func TestEveryStateHasARow(t *testing.T) {
	for _, s := range payment.States {
		if statuses[s] == "" {
			t.Errorf("no row for state %q", s)
		}
		if (statuses[s] == statusSuccess) != (s == payment.Approved) {
			t.Errorf("%s is told as %s", s, statuses[s])
		}
	}
	if len(statuses) != len(payment.States) {
		t.Error("rows for states that do not exist")
	}
}

func TestEveryStatusHasARow(t *testing.T) {
	for _, s := range booking.Statuses {
		row, ok := stages[s]
		if !ok || stageNames[int64(row.status)] != s {
			t.Errorf("%s is told as %+v", s, row)
		}
	}
	if len(stages) != len(booking.Statuses) || len(stageNames) != len(stages) {
		t.Error("rows for statuses that do not exist")
	}
}

func TestEveryReasonHasARow(t *testing.T) {
	words := map[string]booking.Reason{}
	for _, r := range booking.Reasons {
		row, ok := refusals[r]
		if !ok || row.word == "" || row.batch == "" {
			t.Errorf("%s is told as %+v", r, row)
		}
		if _, ok := codedAnswers[row.code]; !ok {
			t.Errorf("%s: no answer for code %s", r, row.code)
		}
		words[row.word] = r
	}
	if len(refusals) != len(booking.Reasons) || len(words) < 20 {
		t.Error("rows for reasons that do not exist, or words that mean too much")
	}
}

func TestEveryCodeHasARow(t *testing.T) {
	for _, c := range payment.Codes {
		if _, ok := outcomes[c]; !ok {
			t.Errorf("no row for %s", c)
		}
	}
	if len(outcomes) != len(payment.Codes) {
		t.Error("rows for codes that do not exist")
	}
}

func TestEveryMethodHasARow(t *testing.T) {
	for _, m := range core.MethodNames {
		if typeCodes[m.Name] == "" {
			t.Errorf("no row for method %s", m.Name)
		}
	}
	if len(typeCodes) != len(core.MethodNames) {
		t.Error("rows for methods that do not exist")
	}
	for n := int64(1); n <= lastType; n++ {
		name, ok := paymentTypes[n]
		if !ok || (name != "" && typeCodes[name] == "") {
			t.Errorf("type %d means %q", n, name)
		}
	}
	if len(paymentTypes) != lastType {
		t.Error("a gap in the types")
	}
}

// What an order's status is, is computed from its own facts and its payment's.
func TestStatusOf(t *testing.T) {
	in := func(s payment.State) *payment.Payment { return &payment.Payment{State: s} }
	canceled := booking.Order{CanceledAt: timeOf("2026-01-01T00:00:00Z")}
	for _, c := range []struct {
		o       booking.Order
		p       *payment.Payment
		status  string
		stage   int
		comment string
	}{
		{booking.Order{}, nil, "New", 0, "no payment yet"},
		{booking.Order{}, in(payment.Open), "New", 0, "offered"},
		{booking.Order{}, in(payment.Processing), "Pending", 0, "at the acquirer"},
		{booking.Order{}, in(payment.Approved), "Success", 10, "paid"},
		{booking.Order{}, in(payment.Canceled), "Failed", 0, "the payer gave up; another offer may follow"},
		{canceled, nil, "Canceled", 20, "canceled before it was offered"},
		{canceled, in(payment.Canceled), "Canceled", 20, "canceled while it was offered"},
		{canceled, in(payment.Approved), "Success", 20, "canceled after it was paid: the money is there"},
	} {
		if got := statusOf(c.o, c.p); got != c.status {
			t.Errorf("%s: paymentStatus %s, want %s", c.comment, got, c.status)
		}
		if got := stageOf(c.o, c.p); got != c.stage {
			t.Errorf("%s: orderStatus %d, want %d", c.comment, got, c.stage)
		}
	}
}
