package booking_test

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

func TestPlateOf(t *testing.T) {
	for given, want := range map[string]string{
		"30A-123.45": "30A12345", "30a12345": "30A12345", " 51G 1234 ": "51G1234", "29-X1 123.45": "29X112345", "80NG12345": "80NG12345", "29LĐ-001.23": "29LD00123",
		"TM-12-34": "TM1234",
	} {
		if got, ok := booking.PlateOf(given); got != want || !ok {
			t.Errorf("%q: %q, %v", given, got, ok)
		}
	}
	for _, bad := range []string{"", "30A", "A12345", "30A1234567", "30A12345\x00", "30Á12345", "HELLO", strings.Repeat("3", 100)} {
		if got, ok := booking.PlateOf(bad); ok {
			t.Errorf("%q is taken as %q", bad, got)
		}
	}
}

func TestFindMemos(t *testing.T) {
	for text, want := range map[string][]int64{
		"ORDER99999":                           {99999},
		"order 99999":                          {99999},
		"MBVCB.123.ORDER99999.CT tu 0123 toi":  {99999},
		"SEVQR ORDER-99999 FT26063":            {99999},
		"ORDER99999 ORDER12345":                {99999, 12345},
		"ORDER 12 345":                         {12},
		"ORDER99999CT":                         nil, // where did it end?
		"ORDER":                                nil,
		"ORDER    99999":                       nil,
		"ORDER099999":                          nil,
		"ORDER1234567890123456":                nil,
		"REORDERORDER7":                        {7},
		"":                                     nil,
		strings.Repeat("ORDER1 ", 100):         slices.Repeat([]int64{1}, 16),
		"đơn ORDER99999 của tôi":               {99999},
		"ſORDER5":                              {5},
		"ORDER\u06605":                         nil,
		"Thanh toan don hang so ORDER_100002.": {100002},
	} {
		if got := booking.FindMemos(text); !slices.Equal(got, want) {
			t.Errorf("%.50q: %v, want %v", text, got, want)
		}
	}
}

// Whatever stands around it, an order's own text is found in it.
func TestMemoIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := booking.Order{ID: rapid.Int64Range(1, 999_999_999_999_999).Draw(t, "id")}
		memo := o.Memo()
		if rapid.Bool().Draw(t, "lower") {
			memo = strings.ToLower(memo)
		}
		gap := rapid.SampledFrom([]string{"", " ", "-", ". "}).Draw(t, "gap")
		memo = memo[:5] + gap + memo[5:]
		text := rapid.String().Draw(t, "before") + " " + memo + rapid.SampledFrom([]string{"", " ", ".", "-", ";CT"}).Draw(t, "after") + " " + rapid.StringMatching(`[ a-nA-N0-9]{0,20}`).Draw(t, "rest")
		if !slices.Contains(booking.FindMemos(text), o.ID) && len(booking.FindMemos(text)) < 16 {
			t.Fatalf("%q: %v", text, booking.FindMemos(text))
		}
	})
}

// A bill's sums hold, and tax and discount are rounded as exact arithmetic says.
func TestBill(t *testing.T) {
	round := func(amount money.VND, bp int64) int64 {
		twice := new(big.Int).Mul(big.NewInt(int64(amount)), big.NewInt(2*bp))
		return new(big.Int).Div(twice.Add(twice, big.NewInt(10_000)), big.NewInt(20_000)).Int64()
	}
	rapid.Check(t, func(t *rapid.T) {
		var lines []booking.Line
		for range rapid.IntRange(0, 10).Draw(t, "lines") {
			lines = append(lines, booking.Line{
				Quantity: rapid.Int64Range(1, booking.MaxQuantity).Draw(t, "quantity"), Price: money.VND(rapid.Int64Range(0, int64(booking.MaxPrice)).Draw(t, "price")),
				TaxBP: rapid.Int64Range(0, booking.MaxBP).Draw(t, "tax"),
			})
		}
		p := booking.Promotion{
			PercentBP: rapid.Int64Range(0, booking.MaxBP).Draw(t, "percent"), Amount: money.VND(rapid.Int64Range(0, 1e6).Draw(t, "amount")), Most: money.VND(rapid.Int64Range(0, 1e6).Draw(t, "most")),
		}
		b, err := booking.NewBill(lines, p)
		if err != nil {
			t.Fatal(err)
		}
		var subtotal, tax int64
		for _, l := range lines {
			subtotal += int64(l.Price) * l.Quantity
			tax += round(l.Price*money.VND(l.Quantity), l.TaxBP)
		}
		discount := round(money.VND(subtotal), p.PercentBP) + int64(p.Amount)
		if p.Most > 0 {
			discount = min(discount, int64(p.Most))
		}
		discount = min(discount, subtotal)
		if want := (booking.Bill{Subtotal: money.VND(subtotal), Discount: money.VND(discount), Tax: money.VND(tax), Total: money.VND(subtotal + tax - discount)}); b != want || b.Total < 0 {
			t.Fatalf("got %+v, want %+v", b, want)
		}
	})
	for _, l := range []booking.Line{{Quantity: 0, Price: 1}, {Quantity: 1, Price: -1}, {Quantity: 1001, Price: 1}, {Quantity: 1, Price: booking.MaxPrice + 1}, {Quantity: 1, TaxBP: 10_001}} {
		if _, err := booking.NewBill([]booking.Line{l}, booking.Promotion{}); !errors.Is(err, money.ErrRange) {
			t.Errorf("%+v: %v", l, err)
		}
	}
	if _, err := booking.NewBill(make([]booking.Line, 101), booking.Promotion{}); err == nil {
		t.Error("101 lines are taken")
	}
}

func TestReference(t *testing.T) {
	for offers, want := range map[int64]string{0: "A-1", 1: "A-1", 2: "A-1~2", 17: "A-1~17"} {
		o := booking.Order{Code: "A-1", Offers: offers}
		if o.Reference() != want || booking.CodeOf(o.Reference()) != "A-1" {
			t.Errorf("%d: %s", offers, o.Reference())
		}
	}
	for code, ok := range map[string]bool{"A-1": true, "": false, "a~2": false, ".a": false, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "đ": false} {
		if booking.IsCode(code) != ok {
			t.Errorf("%q", code)
		}
	}
}

func TestCalendar(t *testing.T) {
	day := func(s string) time.Time { d, _ := time.Parse(booking.DateLayout, s); return d }
	c := booking.Calendar{
		Slots:   []booking.Slot{{Weekday: 1, Time: "7h-9h", Capacity: 2}, {Weekday: 1, Time: "9h-11h", Capacity: 3}, {Weekday: 2, Time: "7h-9h", Capacity: 1}},
		DaysOff: []string{"2026-03-09"}, PerDay: 4,
	}
	today := day("2026-03-02") // a Monday
	for _, k := range []struct {
		date, slot string
		want       booking.Reason
	}{
		{"2026-03-03", "7h-9h", ""}, {"2026-03-03", "", ""}, {"2026-03-02", "7h-9h", booking.SameDay}, {"2026-03-01", "", booking.PastDate},
		{"2026-03-08", "", booking.ClosedSunday}, {"2026-03-09", "", booking.DayOff}, {"2026-03-04", "", booking.DayOff}, {"2026-03-03", "9h-11h", booking.NoSlot},
		{"2026-05-02", "", booking.TooEarly}, {"2026-04-27", "9h-11h", ""},
	} {
		err := c.Check(day(k.date), today, k.slot)
		var no *booking.Refusal
		if (err == nil) != (k.want == "") || (err != nil && (!errors.As(err, &no) || no.Reason != k.want)) {
			t.Errorf("%s %s: %v, want %s", k.date, k.slot, err, k.want)
		}
	}
	if c.Room(day("2026-03-16")) != 4 || c.Room(day("2026-03-03")) != 1 || c.Room(day("2026-03-09")) != 0 || c.Capacity(day("2026-03-16"), "9h-11h") != 3 {
		t.Error("room")
	}
	if err := (booking.Calendar{}).Check(day("2026-03-03"), today, ""); err == nil || !c.Takes(20) || (booking.Calendar{VehicleTypes: []int64{1}}).Takes(20) {
		t.Error("an empty calendar, and vehicles")
	}
}

// Every reason has words, and a code for those who know no bookings.
func TestReasons(t *testing.T) {
	for _, r := range booking.Reasons {
		err := booking.Refuse(r)
		if !strings.Contains(err.Error(), string(r)) || len(err.Error()) < len(r)+5 || payment.CodeOf(fmt.Errorf("x: %w", err)) == payment.CodeInternal {
			t.Errorf("%s: %v", r, err)
		}
	}
}
