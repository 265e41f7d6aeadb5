package order_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
)

var start = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)

// paid is an order whose payment is in a state.
func paid(way order.Way, state payment.State) (order.Order, payment.Payment) {
	return order.Order{Way: way, PaymentID: "p", Version: 2, StartedAt: start}, payment.Payment{ID: "p", State: state}
}

func TestStages(t *testing.T) {
	for _, c := range []struct {
		way   order.Way
		state payment.State
		want  order.Stage
	}{
		{"", "", order.Draft},
		{order.Online, payment.Open, order.Paying}, {order.Online, payment.Processing, order.Verifying}, {order.Online, payment.Approved, order.Paid},
		{order.Online, payment.Denied, order.Canceled}, {order.Online, payment.Canceled, order.Canceled}, {order.Online, payment.Expired, order.Canceled},
		{order.Online, payment.Voided, order.Canceled},
		{order.OnDelivery, payment.Open, order.InHand}, {order.OnDelivery, payment.Processing, order.InHand}, {order.OnDelivery, payment.Approved, order.InHand},
		{order.OnDelivery, payment.Canceled, order.Canceled},
		{order.ByTransfer, payment.Open, order.Verifying}, {order.ByTransfer, payment.Processing, order.Verifying}, {order.ByTransfer, payment.Approved, order.InHand},
		{order.ByTransfer, payment.Expired, order.Canceled},
	} {
		o, p := paid(c.way, c.state)
		if c.way == "" {
			o, p = order.Order{Version: 1}, payment.Payment{}
		}
		if got := o.Stage(p); got != c.want {
			t.Errorf("%q, payment %q: %s, want %s", c.way, c.state, got, c.want)
		}
		handed := o
		handed.HandedOverAt = start
		if got := handed.Stage(p); (c.want == order.Paid || c.want == order.InHand) != (got == order.OnItsWay) {
			t.Errorf("%q, payment %q, handed over: %s", c.way, c.state, got)
		}
		for fact, want := range map[order.Stage]order.Order{order.Completed: {CompletedAt: start}, order.Canceled: {CanceledAt: start}} {
			want.Way, want.PaymentID = o.Way, o.PaymentID
			if got := want.Stage(p); got != fact {
				t.Errorf("%q, payment %q: %s though it is %s", c.way, c.state, got, fact)
			}
		}
	}
}

// Whatever is done to an order in whatever order, and whatever becomes of its
// payment: it is paid once, an end is final, versions count up, time does not
// run backwards, and a refused act changes nothing.
func TestActs(t *testing.T) {
	states := append([]payment.State{""}, payment.States...)
	rapid.Check(t, func(t *rapid.T) {
		o, p := order.Order{ID: "1", Version: 1, CreatedAt: start, UpdatedAt: start}, payment.Payment{}
		ways := []order.Way{order.Online, order.OnDelivery, order.ByTransfer}
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			before, stage := o, o.Stage(p)
			at := start.Add(time.Duration(rapid.IntRange(-60, 60).Draw(t, "at")) * time.Minute)
			var next order.Order
			var err error
			act := rapid.SampledFrom([]string{"start", "hand over", "complete", "cancel", "cod", "payment"}).Draw(t, "act")
			switch act {
			case "start":
				next, err = o.Start(rapid.SampledFrom(ways).Draw(t, "way"), "p", at)
			case "hand over":
				next, err = o.HandOver(p, at)
			case "complete":
				next, err = o.Complete(p, "x", "", at)
			case "cancel":
				next, err = o.Cancel(p, "x", "", at)
			case "cod":
				next, err = o.PayOnDelivery(at)
			case "payment":
				if o.PaymentID != "" {
					p = payment.Payment{ID: "p", State: rapid.SampledFrom(states[1:]).Draw(t, "state")}
				}
				continue
			}
			if err != nil {
				if payment.CodeOf(err) != payment.CodeInvalidState || next.Version != before.Version || next.Stage(p) != stage {
					t.Fatalf("a refused %q changed the order: %v", act, err)
				}
				continue
			}
			if next.Version != before.Version+1 || next.UpdatedAt.Before(before.UpdatedAt) {
				t.Fatalf("%q: version %d, then %d", act, before.Version, next.Version)
			}
			if stage == order.Completed || stage == order.Canceled && act != "cod" {
				t.Fatalf("%q in an order that is %s", act, stage)
			}
			if act == "start" && before.Way != "" {
				t.Fatal("an order is used to pay twice")
			}
			if act == "complete" && !slices.Contains([]order.Stage{order.Paid, order.InHand, order.OnItsWay}, stage) {
				t.Fatalf("an order that is %s was completed", stage)
			}
			if act == "start" && p.ID == "" {
				p = payment.Payment{ID: "p", State: payment.Open}
			}
			o = next
		}
	})
}

// A notice tells the order as it was at the event.
func TestAt(t *testing.T) {
	o := order.Order{Way: order.Online, PaymentID: "p", HandedOverAt: start.Add(time.Hour), CompletedAt: start.Add(2 * time.Hour)}
	p := payment.Payment{ID: "p", State: payment.Approved}
	for after, want := range map[time.Duration]order.Stage{0: order.Paid, time.Hour: order.OnItsWay, 90 * time.Minute: order.OnItsWay, 2 * time.Hour: order.Completed} {
		if got := o.At(start.Add(after)).Stage(p); got != want {
			t.Errorf("after %v: %s, want %s", after, got, want)
		}
	}
}

func TestSum(t *testing.T) {
	for _, c := range []struct {
		lines []order.Line
		fee   money.VND
		want  money.VND
		fails bool
	}{
		{nil, 5, 5, false},
		{[]order.Line{{Quantity: 2, Price: 15_000}, {Quantity: 1, Price: 0}}, 5_000, 35_000, false},
		{[]order.Line{{Quantity: 1 << 40, Price: 1 << 40}}, 0, 0, true},
		{[]order.Line{{Quantity: 1, Price: 1<<63 - 1}}, 1, 0, true},
		{[]order.Line{{Quantity: 1, Price: 1<<63 - 1}, {Quantity: 1, Price: 1}}, 0, 0, true},
	} {
		got, err := order.Sum(c.lines, c.fee)
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%+v: %d, %v", c.lines, got, err)
		}
	}
}

// Ids are ordered by time and look like the platform's: 17 or 18 digits until
// 2030. The two dates are those of message ids in the documents.
func TestNumber(t *testing.T) {
	last := int64(0)
	for year := 2021; year < 2030; year++ {
		text := order.Number(time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC), 0xffffffff)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n <= last || len(text) < 17 || len(text) > 18 {
			t.Errorf("%d: %s", year, text)
		}
		last = n
	}
	if got := order.Number(time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC), 7); got != "7" {
		t.Errorf("before the beginning: %s", got)
	}
	if a, b := order.Number(start, 1), order.Number(start.Add(5*time.Millisecond), 0); len(a) != len(b) || a >= b {
		t.Errorf("%s, then %s", a, b)
	}
}
