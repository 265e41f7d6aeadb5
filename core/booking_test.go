package core_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// booker is the test dialect with bookings.
type booker struct{ coretest.Dialect }

func (booker) Name() string { return "booker" }
func (booker) BookingNotice(n dialect.BookingNotice) (dialect.Request, error) {
	body, err := json.Marshal(n.Changed)
	return dialect.Request{Body: body}, err
}

// street is a gateway with a station and an order.
type street struct {
	*coretest.Env
	*testing.T
}

// booked runs a test on either engine, on a station 57 with one place in each of
// two times, service 101 for 120,000 đồng, and order 99 of booking 18.
func booked(t *testing.T, test func(b street), options ...coretest.Option) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		b := street{coretest.New(t, s, append(options, coretest.WithDialect(booker{}))...), t}
		station := booking.Station{ID: 57, Name: "Trạm", Enabled: true, Calendar: booking.Calendar{SameDay: true, Slots: []booking.Slot{}}}
		for weekday := range int64(7) {
			station.Calendar.Slots = append(station.Calendar.Slots, booking.Slot{Weekday: weekday, Time: "7h-9h", Capacity: 3}, booking.Slot{Weekday: weekday, Time: "9h-11h", Capacity: 3})
		}
		must[booking.Station](t)(b.Core.PutStation(t.Context(), coretest.Operator, station))
		must[booking.Service](t)(b.Core.PutService(t.Context(), coretest.Operator, booking.Service{ID: 101, StationID: 57, Name: "Kiểm định", Price: 120_000, Enabled: true}))
		must[booking.Order](t)(b.Core.AddOrder(t.Context(), coretest.Operator, core.NewOrder{
			MerchantID: b.Memo.Merchant.ID, Number: 99, Name: "Kiểm định", Lines: []booking.Line{{ServiceID: 101, Name: "Kiểm định", Quantity: 1, Price: 120_000}},
			Booking: &booking.Booking{ID: 18, Plate: "30A12345", StationID: 57},
		}))
		test(b)
	})
}

func (b street) reserving(plate string) core.Reserving {
	return core.Reserving{
		Merchant: b.Memo.Merchant, Plate: plate, VehicleType: 1, Phone: "0900000001", StationID: 57, Date: "2026-03-05", Time: "7h-9h", Services: []int64{101},
	}
}

func (b street) paying() core.Paying {
	return core.Paying{Merchant: b.Memo.Merchant, ID: 18, Type: 2}
}

func reasonOf(err error) booking.Reason {
	var no *booking.Refusal
	if errors.As(err, &no) {
		return no.Reason
	}
	return ""
}

// However many want the last places at once, no place is given twice.
func TestPlacesAreNotGivenTwice(t *testing.T) {
	booked(t, func(b street) {
		var got, full atomic.Int64
		atOnce(12, func(i int) {
			switch _, _, err := b.Core.Book(b.T.Context(), b.reserving(fmt.Sprintf("30A%05d", i))); {
			case err == nil:
				got.Add(1)
			case reasonOf(err) == booking.SlotFull:
				full.Add(1)
			default:
				b.T.Error(err)
			}
		})
		if got.Load() != 3 || full.Load() != 9 {
			b.T.Errorf("%d got a place, %d were refused", got.Load(), full.Load())
		}
	})
}

// One vehicle has one open booking, also when it asks for many at once.
func TestOnePlateOneBooking(t *testing.T) {
	booked(t, func(b street) {
		var got, twice atomic.Int64
		atOnce(10, func(i int) {
			r := b.reserving("51G-123.45")
			r.Date = fmt.Sprintf("2026-03-%02d", 10+i) // different days, so that no place is the reason
			switch _, _, err := b.Core.Book(b.T.Context(), r); {
			case err == nil:
				got.Add(1)
			case reasonOf(err) == booking.PlateBooked:
				twice.Add(1)
			default:
				b.T.Error(err)
			}
		})
		if got.Load() != 1 || twice.Load() != 9 {
			b.T.Errorf("%d booked, %d were refused", got.Load(), twice.Load())
		}
		b.Advance(30 * 24 * time.Hour)
		r := b.reserving("51G12345")
		r.Date = "2026-04-10"
		if _, _, err := b.Core.Book(b.T.Context(), r); err != nil {
			b.T.Errorf("after the day of its booking: %v", err)
		}
	})
}

// However often and in however many ways an order is offered at once, it has
// one payment, and its transfer text leads to it.
func TestOneOffer(t *testing.T) {
	booked(t, func(b street) {
		ids := make([]string, 16)
		atOnce(len(ids), func(i int) {
			p := b.paying()
			p.ID = []int64{18, 99}[i%2]
			s, err := b.Core.Offer(b.T.Context(), p)
			if err != nil {
				b.T.Error(err)
				return
			}
			ids[i] = s.Payment.ID
		})
		for _, id := range ids {
			if id != ids[0] || id == "" {
				b.T.Fatalf("payments %v", ids)
			}
		}
		s := must[core.Sold](b.T)(b.Core.Offer(b.T.Context(), b.paying()))
		qr, memo := core.OrderTransfer(s.Order, *s.Payment)
		if memo != "SEVQR ORDER99" || qr == "" {
			b.T.Errorf("%q, %q", memo, qr)
		}
		credit := b.Stray(120_000)
		credit.Memo = "CK " + memo
		if taken := b.Take(credit)[0]; taken.Payment.ID != ids[0] || taken.Credit.Outcome != payment.OutcomeExact || taken.Credit.Explanation.By != "order" {
			b.T.Errorf("%+v", taken.Credit)
		}
		b.Balances()
	})
}

// An order's text on a transfer into another merchant's account is no payment.
func TestOrderTextOnAnotherAccount(t *testing.T) {
	booked(t, func(b street) {
		must[core.Sold](b.T)(b.Core.Offer(b.T.Context(), b.paying()))
		credit := b.Stray(120_000)
		credit.Memo, credit.BIN, credit.Account = "ORDER99", b.Virtual.Account.BIN, b.Virtual.Account.Number
		if taken := b.Take(credit)[0]; taken.Credit.Outcome != payment.OutcomeUnknown || taken.Credit.Unapplied != 120_000 {
			b.T.Errorf("%+v", taken.Credit)
		}
		credit = b.Stray(1)
		credit.Memo = "ORDER4711 ORDER18" // no such order, and a booking's number
		if taken := b.Take(credit)[0]; taken.Credit.Outcome != payment.OutcomeUnknown {
			b.T.Errorf("%+v", taken.Credit)
		}
	})
}

// A payment that closed unpaid is followed by another; money for the first one's
// code is late, money for the order's text is for the second.
func TestNextOffer(t *testing.T) {
	booked(t, func(b street) {
		first := must[core.Sold](b.T)(b.Core.Offer(b.T.Context(), b.paying()))
		b.Advance(25 * time.Hour)
		second := must[core.Sold](b.T)(b.Core.Offer(b.T.Context(), b.paying()))
		if first.Payment.ID == second.Payment.ID || second.Payment.Reference != "99~2" || b.Reload(*first.Payment).State != payment.Expired {
			b.T.Fatalf("%+v, %+v", first.Payment, second.Payment)
		}
		if taken := b.Pay(*first.Payment, 120_000); taken.Credit.Outcome != payment.OutcomeLate {
			b.T.Errorf("the first one's code: %+v", taken.Credit)
		}
		credit := b.Stray(120_000)
		credit.Memo = "order 99"
		if taken := b.Take(credit)[0]; taken.Payment.ID != second.Payment.ID || taken.Payment.State != payment.Approved {
			b.T.Errorf("the order's text: %+v", taken.Credit)
		}
		if _, err := b.Core.Offer(b.T.Context(), b.paying()); reasonOf(err) != booking.AlreadyPaid {
			b.T.Errorf("paid: %v", err)
		}
		b.Balances()
	})
}

// What a partner says twice, at once, counts once, and is in the ledger as money
// that the partner holds.
func TestCollectedOnce(t *testing.T) {
	booked(t, func(b street) {
		in := core.Collected{Merchant: b.Memo.Merchant, RequestID: "R1", Order: "99", Amount: 120_000, Status: "Success", Paid: true}
		var done, paid atomic.Int64
		atOnce(8, func(int) {
			switch _, err := b.Core.Collect(b.T.Context(), in); {
			case err == nil:
				done.Add(1)
			case reasonOf(err) == booking.AlreadyPaid:
				paid.Add(1)
			default:
				b.T.Error(err)
			}
		})
		if done.Load() != 1 || paid.Load() != 7 {
			b.T.Errorf("%d done, %d refused", done.Load(), paid.Load())
		}
		balances := b.Balances()
		if balances["partner:"+b.Memo.Merchant.ID] != 120_000 || balances["merchant:"+b.Memo.Merchant.ID+":sales"] != -120_000 {
			b.T.Errorf("%v", balances)
		}
		t := must[core.Transaction](b.T)(b.Core.FindTransaction(b.T.Context(), b.Memo.Merchant.ID, "99", "R1"))
		if t.Request.Status != "Success" || t.Payment.State != payment.Approved || t.Payment.Method != payment.AtPartner {
			b.T.Errorf("%+v", t)
		}
		for what, change := range map[string]func(*core.Collected){
			"not_found":    func(c *core.Collected) { c.Order = "4711" },
			"already_paid": func(c *core.Collected) { c.RequestID = "R2" },
		} {
			other := in
			change(&other)
			if _, err := b.Core.Collect(b.T.Context(), other); string(reasonOf(err)) != what {
				b.T.Errorf("%s: %v", what, err)
			}
		}
	})
}

// A booking that is canceled while its order is offered has no payment that
// could be paid afterwards, whichever of the verb's transactions it comes
// behind; a partner who says then that it has collected is refused, and no money
// is recorded for nothing.
func TestCanceledWhileOffered(t *testing.T) {
	for verb, ask := range map[string]func(b street) error{
		"offer": func(b street) error { return second(b.Core.Offer(b.T.Context(), b.paying())) },
		"collect": func(b street) error {
			err := second(b.Core.Collect(b.T.Context(), core.Collected{Merchant: b.Memo.Merchant, RequestID: "R1", Order: "99", Amount: 120_000, Status: "Success", Paid: true}))
			if reasonOf(err) != booking.NotPayable {
				b.T.Errorf("collected: %v", err)
			}
			return err
		},
	} {
		t.Run(verb, func(t *testing.T) {
			var b street
			var meanwhile func()
			observe := coretest.WithObserve(func(did string, outcome payment.Code, _ time.Duration) {
				if run := meanwhile; did == verb && outcome == "" && run != nil {
					meanwhile = nil
					run()
				}
			})
			booked(t, func(made street) {
				b = made
				meanwhile = func() {
					must[booking.Booking](b.T)(b.Core.CancelBooking(b.T.Context(), b.Memo.Merchant.ID, 18, "đổi ý"))
				}
				_ = ask(b)
				if meanwhile != nil {
					b.T.Fatal("nobody canceled")
				}
				s := must[core.Sold](b.T)(b.Core.Order(b.T.Context(), 99))
				if s.Order.CanceledAt.IsZero() || s.Payment != nil && !s.Payment.State.Closed() {
					b.T.Errorf("canceled at %v, its payment is %+v", s.Order.CanceledAt, s.Payment)
				}
				if balances := b.Balances(); len(balances) != 0 {
					b.T.Errorf("money was recorded: %v", balances)
				}
			}, observe)
		})
	}
}

// Whoever asks for an order's payment gets one of the amount that the order then
// came to, however many put other services on it at once.
func TestOffersOfChangingOrders(t *testing.T) {
	booked(t, func(b street) {
		must[booking.Service](b.T)(b.Core.PutService(b.T.Context(), coretest.Operator, booking.Service{ID: 102, StationID: 57, Name: "Rửa xe", Price: 50_000, Enabled: true}))
		atOnce(16, func(i int) {
			p := b.paying()
			if p.Services = []int64{101}; i%2 == 0 {
				p.Services = []int64{101, 102}
			}
			s, err := b.Core.Offer(b.T.Context(), p)
			if err != nil {
				b.T.Error(err)
			} else if s.Payment.Amount != s.Order.Total {
				b.T.Errorf("order of %d, payment of %d", s.Order.Total, s.Payment.Amount)
			}
		})
		s := must[core.Sold](b.T)(b.Core.Order(b.T.Context(), 99))
		if s.Payment == nil || s.Payment.State != payment.Open || s.Payment.Amount != s.Order.Total {
			b.T.Errorf("in the end %+v of %d", s.Payment, s.Order.Total)
		}
	})
}

// A partner without any way to pay can still say that it has collected.
func TestCollectedWithoutMethods(t *testing.T) {
	booked(t, func(b street) {
		must[struct{}](b.T)(struct{}{}, b.Core.EnableReceivingAccount(b.T.Context(), coretest.Operator, b.Memo.Account.ID, false))
		if _, err := b.Core.Offer(b.T.Context(), b.paying()); reasonOf(err) != booking.WrongMethod {
			b.T.Errorf("no method: %v", err)
		}
		in := core.Collected{Merchant: b.Memo.Merchant, RequestID: "R1", Order: "99", Amount: 120_000, Status: "Success", Paid: true}
		if s, err := b.Core.Collect(b.T.Context(), in); err != nil || s.Payment.State != payment.Approved {
			b.T.Errorf("%+v, %v", s, err)
		}
		credit := b.Stray(1)
		credit.Memo = "ORDER99"
		if taken := b.Take(credit)[0]; taken.Credit.Outcome != payment.OutcomeUnknown {
			b.T.Errorf("a transfer for a payment that takes none: %+v", taken.Credit)
		}
	})
}

// Two nodes over one database share a key's bucket: not one call more than it
// holds, and it fills up again as time passes.
func TestQuotaOverNodes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		e := coretest.New(t, s, coretest.WithDialect(booker{}))
		other := core.New(core.Config{Store: s, Clock: e.Clock, IDs: e.IDs, Vault: e.Vault, Dialects: []dialect.Dialect{booker{}}})
		owner := must[core.KeyOwner](t)(e.Core.AuthenticateKey(t.Context(), "booker", e.Memo.Credentials.Key))
		calls := func(n int) (allowed int64) {
			var got atomic.Int64
			atOnce(n, func(i int) {
				node := []*core.Core{e.Core, other}[i%2]
				ok, wait, err := node.TakeQuota(t.Context(), owner.Key, 60, 10)
				if err != nil || (!ok && (wait <= 0 || wait > time.Second)) {
					t.Errorf("%v, wait %v, %v", ok, wait, err)
				}
				if ok {
					got.Add(1)
				}
			})
			return got.Load()
		}
		if n := calls(40); n != 10 {
			t.Errorf("%d of 40 calls, the bucket holds 10", n)
		}
		e.Advance(3 * time.Second)
		if n := calls(20); n != 3 {
			t.Errorf("%d calls after 3 s at one a second", n)
		}
		e.Advance(time.Hour)
		if n := calls(20); n != 10 {
			t.Errorf("%d calls after an hour, the bucket holds 10", n)
		}
		must[booking.Partner](t)(e.Core.PutPartner(t.Context(), coretest.Operator, booking.Partner{MerchantID: e.Memo.Merchant.ID, PerMinute: -1}))
		if ok, _, err := e.Core.TakeQuota(t.Context(), owner.Key, 60, 10); !ok || err != nil {
			t.Errorf("a partner without a limit: %v, %v", ok, err)
		}
	})
}

// API keys of a booker: taken over from elsewhere, ended, sealed for notices.
func TestPartnerKeys(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		e := coretest.New(t, s, coretest.WithDialect(booker{}))
		k, _, err := e.Core.AddKey(t.Context(), coretest.Operator, e.Memo.Merchant.ID, "booker", "demo_partner_api_key")
		wantCode(t, "take a key over", err, "")
		_, _, err = e.Core.AddKey(t.Context(), coretest.Operator, e.Virtual.Merchant.ID, "booker", "demo_partner_api_key")
		wantCode(t, "another's key", err, payment.CodeConflict)
		for _, bad := range []string{"short", "with space in it", "with\x00nul in it", "đấy là khóa"} {
			_, _, err := e.Core.AddKey(t.Context(), coretest.Operator, e.Memo.Merchant.ID, "booker", bad)
			wantCode(t, bad, err, payment.CodeInvalidRequest)
		}
		if owner, err := e.Core.AuthenticateKey(t.Context(), "booker", "demo_partner_api_key"); err != nil || owner.Merchant.ID != e.Memo.Merchant.ID {
			t.Errorf("%+v, %v", owner, err)
		}
		for _, bad := range []string{"", "x", "demo_partner_api_keY", e.Memo.Credentials.Secret, "\x00"} {
			_, err := e.Core.AuthenticateKey(t.Context(), "booker", bad)
			wantCode(t, bad, err, payment.CodeUnauthorized)
		}
		told := func() string {
			p := e.Open(e.Memo, 1000)
			e.Pay(p, 1000)
			return must[core.Told](t)(e.Core.Told(t.Context(), p.ID, 2)).Key
		}
		if got := told(); got != "demo_partner_api_key" {
			t.Errorf("notices are signed over %q", got)
		}
		wantCode(t, "end it", e.Core.RevokeKey(t.Context(), coretest.Operator, e.Memo.Merchant.ID, k.ID), "")
		wantCode(t, "end it again", e.Core.RevokeKey(t.Context(), coretest.Operator, e.Memo.Merchant.ID, k.ID), payment.CodeNotFound)
		_, err = e.Core.AuthenticateKey(t.Context(), "booker", "demo_partner_api_key")
		wantCode(t, "an ended key", err, payment.CodeUnauthorized)
		if got := told(); got != e.Memo.Credentials.Key {
			t.Errorf("notices are signed over %q, after the end", got)
		}
		made := must[core.Credentials](t)(e.Core.RotateKeys(t.Context(), coretest.Operator, e.Memo.Merchant.ID, "booker", 0))
		if got := told(); got != made.Key {
			t.Errorf("notices are signed over %q, after a rotation", got)
		}
	})
}

// A change that no payment event tells of is told as it was.
func TestBookingNotices(t *testing.T) {
	booked(t, func(b street) {
		must[booking.Booking](b.T)(b.Core.SetBookingStatus(b.T.Context(), coretest.Operator, 18, booking.Confirmed, ""))
		must[booking.Booking](b.T)(b.Core.SetBookingStatus(b.T.Context(), coretest.Operator, 18, booking.Canceled, "hết chỗ"))
		items := must[[]store.Item](b.T)(b.Core.Notices(b.T.Context(), core.NoticeSearch{MerchantID: b.Memo.Merchant.ID}))
		var told []string
		for _, i := range items { // newest first
			if i.Kind != core.KindBooking {
				b.T.Errorf("%+v", i)
				continue
			}
			got := must[core.ToldBooking](b.T)(b.Core.ToldBooking(b.T.Context(), i))
			switch {
			case got.Changed.Booking != nil:
				told = append(told, "booking "+string(got.Changed.Booking.Status))
			case got.Changed.Order != nil:
				told = append(told, fmt.Sprint("order canceled ", !got.Changed.Order.CanceledAt.IsZero()))
			}
			if got.Key != b.Memo.Credentials.Key || got.Secret != b.Memo.Credentials.NotifySecret {
				b.T.Errorf("signed with %q, %q", got.Key, got.Secret)
			}
		}
		if fmt.Sprint(told) != "[booking canceled order canceled true booking confirmed]" {
			b.T.Errorf("told %v", told)
		}
		for status, to := range map[booking.Status]booking.Status{booking.Canceled: booking.Confirmed, "x": "nonsense"} {
			_, err := b.Core.SetBookingStatus(b.T.Context(), coretest.Operator, 18, to, "")
			wantCode(b.T, string(status), err, payment.CodeInvalidState)
		}
	})
}

// What operators may not set.
func TestBadBookingSettings(t *testing.T) {
	booked(t, func(b street) {
		ctx, op, m := b.T.Context(), coretest.Operator, b.Memo.Merchant.ID
		station := func(c booking.Calendar) error {
			_, err := b.Core.PutStation(ctx, op, booking.Station{ID: 58, Name: "x", Calendar: c})
			return err
		}
		for what, err := range map[string]error{
			"weekday":       station(booking.Calendar{Slots: []booking.Slot{{Weekday: 7, Time: "a", Capacity: 1}}}),
			"capacity":      station(booking.Calendar{Slots: []booking.Slot{{Weekday: 1, Time: "a"}}}),
			"twice":         station(booking.Calendar{Slots: []booking.Slot{{Weekday: 1, Time: "a", Capacity: 1}, {Weekday: 1, Time: "a", Capacity: 2}}}),
			"day off":       station(booking.Calendar{DaysOff: []string{"17/02/2026"}}),
			"no slot text":  station(booking.Calendar{Slots: []booking.Slot{{Weekday: 1, Capacity: 1}}}),
			"vehicle types": station(booking.Calendar{VehicleTypes: []int64{0}}),
			"days ahead":    station(booking.Calendar{DaysAhead: 1000}),
			"station 0":     second(b.Core.PutStation(ctx, op, booking.Station{Name: "x"})),
			"no name":       second(b.Core.PutStation(ctx, op, booking.Station{ID: 1})),
			"price":         second(b.Core.PutService(ctx, op, booking.Service{ID: 1, StationID: 57, Name: "x", Price: -1})),
			"tax":           second(b.Core.PutService(ctx, op, booking.Service{ID: 1, StationID: 57, Name: "x", TaxBP: 10_001})),
			"promotion":     second(b.Core.PutPromotion(ctx, op, booking.Promotion{Code: "X"})),
			"promotion's":   second(b.Core.PutPromotion(ctx, op, booking.Promotion{Code: "có dấu", PercentBP: 1})),
			"method":        second(b.Core.PutMethod(ctx, op, booking.Method{MerchantID: m, Name: "paypal", Number: 1, Type: 1})),
			"method's way":  second(b.Core.PutMethod(ctx, op, booking.Method{MerchantID: m, Name: "shopeePay", Number: 1, Type: 1})),
			"method's url":  second(b.Core.PutMethod(ctx, op, booking.Method{MerchantID: m, Name: "bank", Number: 1, Type: 1, ImageURL: "x"})),
			"quota":         second(b.Core.PutPartner(ctx, op, booking.Partner{MerchantID: m, PerMinute: -2})),
			"order number":  second(b.Core.AddOrder(ctx, op, core.NewOrder{MerchantID: m, Name: "x", Number: 100_001})),
			"order code":    second(b.Core.AddOrder(ctx, op, core.NewOrder{MerchantID: m, Name: "x", Code: "a~2"})),
		} {
			wantCode(b.T, what, err, payment.CodeInvalidRequest)
		}
		wantCode(b.T, "a service moves", second(b.Core.PutStation(ctx, op, booking.Station{ID: 58, Name: "x"})), "")
		wantCode(b.T, "a service moves", second(b.Core.PutService(ctx, op, booking.Service{ID: 101, StationID: 58, Name: "x"})), payment.CodeConflict)
		wantCode(b.T, "no such station", second(b.Core.PutService(ctx, op, booking.Service{ID: 1, StationID: 59, Name: "x"})), payment.CodeNotFound)
		wantCode(b.T, "a method's number", second(b.Core.PutMethod(ctx, op, booking.Method{MerchantID: m, Name: "bank", Number: 7, Type: 1})), "")
		wantCode(b.T, "a method's number", second(b.Core.PutMethod(ctx, op, booking.Method{MerchantID: m, Name: "momo", Number: 7, Type: 1})), payment.CodeConflict)
		wantCode(b.T, "an order's number", second(b.Core.AddOrder(ctx, op, core.NewOrder{MerchantID: m, Name: "x", Number: 99})), payment.CodeDuplicateReference)
		wantCode(b.T, "a stranger's order", second(b.Core.AddOrder(ctx, op, core.NewOrder{MerchantID: b.IDs.New(), Name: "x"})), payment.CodeNotFound)
	})
}

func second[T any](_ T, err error) error { return err }
