package core

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

const (
	// placeFor is how long a booking that is to be paid first keeps its place.
	placeFor = 30 * time.Minute
	// plateFor is how long a plate is taken by a booking without a date.
	plateFor = 30 * 24 * time.Hour
)

// Limits of a booking's texts, in characters.
const (
	maxPhone   = 20
	maxDetails = 16 << 10 // bytes
)

// Reserving is a partner's request for a booking.
type Reserving struct {
	Merchant    payment.Merchant
	Plate       string
	PlateColor  int64
	VehicleType int64
	Phone       string
	Name        string
	Email       string
	StationID   int64  // 0 is the partner's own, if it has one
	Date        string // YYYY-MM-DD, "" for none
	Time        string // a slot of the station, "" for any
	Services    []int64
	Kind        int64
	Note        string
	Details     string // JSON
	PayFirst    bool   // the place is kept for half an hour only, until it is paid
}

// Book makes a booking and the order that it is paid by. Everything that speaks
// against it is a *booking.Refusal.
func (c *Core) Book(ctx context.Context, r Reserving) (booking.Booking, booking.Order, error) {
	var b booking.Booking
	var o booking.Order
	plate, ok := booking.PlateOf(r.Plate)
	if !ok {
		return b, o, booking.Refuse(booking.BadPlate)
	}
	if err := r.Merchant.Usable(); err != nil {
		return b, o, err
	}
	if err := checkReserving(r); err != nil {
		return b, o, err
	}
	err := c.update(ctx, "book", func(w *work) error {
		b = booking.Booking{
			MerchantID: r.Merchant.ID, Version: 1, Hash: strings.ToLower(c.ids.Key()), Plate: plate, PlateColor: r.PlateColor, VehicleType: r.VehicleType,
			Phone: r.Phone, Name: r.Name, Email: r.Email, StationID: r.StationID, Date: r.Date, Time: r.Time, Kind: r.Kind, Note: r.Note, Details: r.Details,
			Status: booking.New, CreatedAt: w.now, UpdatedAt: w.now,
		}
		if b.StationID == 0 {
			p, err := w.Partner(ctx, r.Merchant.ID)
			if err != nil {
				return err
			}
			b.StationID = p.StationID
		}
		plateUntil, err := w.fits(ctx, b)
		if err != nil {
			return err
		}
		if r.PayFirst {
			b.HeldUntil = w.now.Add(placeFor)
			plateUntil = b.HeldUntil
		}
		items := make([]Item, len(r.Services))
		for i, id := range r.Services {
			items[i].ServiceID = id
		}
		lines, err := linesOf(ctx, w.Tx, items, b.StationID)
		if err != nil {
			return err
		}
		o = booking.Order{
			MerchantID: r.Merchant.ID, Version: 1, Name: orderName(lines, plate), Kind: 1, Lines: lines, Phone: r.Phone, Payer: r.Name, Offers: 1,
			CreatedAt: w.now, UpdatedAt: w.now,
		}
		if o.Bill, err = bill(lines, booking.Promotion{}); err != nil {
			return err
		}
		if b.ID, err = w.NextNumber(ctx, firstNumber); err != nil {
			return err
		}
		if o.ID, err = w.NextNumber(ctx, firstNumber); err != nil {
			return err
		}
		b.OrderID, o.BookingID, o.Code = o.ID, b.ID, fmt.Sprint(o.ID)
		if err := w.AddBooking(ctx, b, plateUntil); err != nil {
			return err
		}
		return w.AddOrder(ctx, o)
	})
	return b, o, err
}

func checkReserving(r Reserving) error {
	for _, text := range []struct {
		field, text string
		most        int
	}{{"phone", r.Phone, maxPhone}, {"name", r.Name, maxName}, {"email", r.Email, maxName}, {"time", r.Time, maxSlotText}} {
		if err := checkText(text.field, text.text, 0, text.most); err != nil {
			return err
		}
	}
	// Numbers of kinds are small, and so there is no room in them for anything else.
	const kindsMost = 1_000_000
	for field, n := range map[string]int64{"plate_color": r.PlateColor, "vehicle_type": r.VehicleType, "kind": r.Kind} {
		if n > kindsMost {
			return invalid(field, fmt.Sprintf("is at most %d", kindsMost))
		}
	}
	if !storable(r.Note) || len([]rune(r.Note)) > maxURL {
		return invalid("note", fmt.Sprintf("has at most %d characters", maxURL))
	}
	if err := noCard("note", r.Note); err != nil {
		return err
	}
	if len(r.Details) > maxDetails || !storable(r.Details) {
		return invalid("details", fmt.Sprintf("has at most %d bytes", maxDetails))
	}
	return noCard("details", r.Details)
}

func orderName(lines []booking.Line, plate string) string {
	if len(lines) == 0 {
		return "Đặt lịch " + plate
	}
	return cut(lines[0].Name, maxName-20) + " " + plate
}

// today is midnight in Vietnam of the day that it is there.
func today(now time.Time) time.Time {
	t := now.In(clock.Vietnam)
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, clock.Vietnam)
}

func dateOf(s string) (time.Time, error) {
	t, err := time.ParseInLocation(booking.DateLayout, s, clock.Vietnam)
	if err != nil {
		return t, booking.Refuse(booking.BadDate)
	}
	return t, nil
}

// fits checks a new booking against its station's rules, which are locked, and
// says until when its plate is taken.
func (w *work) fits(ctx context.Context, b booking.Booking) (time.Time, error) {
	plateUntil := w.now.Add(plateFor)
	if b.Date != "" {
		date, err := dateOf(b.Date)
		if err != nil {
			return plateUntil, err
		}
		if date.Before(today(w.now)) {
			return plateUntil, booking.Refuse(booking.PastDate)
		}
		plateUntil = date.AddDate(0, 0, 1)
	}
	if b.StationID == 0 {
		return plateUntil, nil
	}
	s, err := w.admitted(ctx, b)
	if err != nil || b.Date == "" || s.Calendar.PerPhone == 0 {
		return plateUntil, err
	}
	open, err := w.CountOpenOfPhone(ctx, b.Phone, w.now)
	if err == nil && open >= s.Calendar.PerPhone {
		err = booking.Refuse(booking.PhoneLimit)
	}
	return plateUntil, err
}

// admitted locks a booking's station and checks whether it takes the booking.
func (w *work) admitted(ctx context.Context, b booking.Booking) (booking.Station, error) {
	s, err := w.LockStation(ctx, b.StationID)
	switch {
	case err != nil:
		return s, err
	case !s.Enabled:
		return s, booking.Refuse(booking.UnknownStation)
	case !s.Calendar.Takes(b.VehicleType):
		return s, booking.Refuse(booking.VehicleType)
	case b.Date == "":
		return s, nil
	}
	date, err := dateOf(b.Date)
	if err != nil {
		return s, err
	}
	if err := s.Calendar.Check(date, today(w.now), b.Time); err != nil {
		return s, err
	}
	return s, w.hasRoom(ctx, s, b, date)
}

// hasRoom checks what is taken already.
func (w *work) hasRoom(ctx context.Context, s booking.Station, b booking.Booking, date time.Time) error {
	taken, err := w.Occupied(ctx, w.core.booker(), s.ID, b.Date, b.Date, w.now)
	if err != nil {
		return err
	}
	var day, slot int64
	for _, t := range taken {
		day += t.Taken
		if t.Time == b.Time {
			slot += t.Taken
		}
	}
	switch {
	case b.Time != "" && slot >= s.Calendar.Capacity(date, b.Time):
		return booking.Refuse(booking.SlotFull)
	case day >= s.Calendar.Room(date):
		return booking.Refuse(booking.DayFull)
	}
	return nil
}

// Free is a date or a time of a station with the room that it has.
type Free struct {
	Date  string // YYYY-MM-DD
	Time  string // "" for a whole day
	Room  int64
	Taken int64
	Open  bool // it can be booked now
}

// maxSpan bounds how many days one call lists.
const maxSpan = 100

// FreeDates lists the days from one date to another, both included, at most 100
// of them. Dates that are "" are today and as far as bookings are taken.
func (c *Core) FreeDates(ctx context.Context, stationID, vehicleType int64, from, until string) ([]Free, error) {
	now := c.Now()
	return view(ctx, c, "free_dates", func(tx *store.Tx) ([]Free, error) {
		s, first, err := c.openStation(ctx, tx, stationID, from, now)
		if err != nil {
			return nil, err
		}
		ahead := s.Calendar.DaysAhead
		if ahead == 0 {
			ahead = booking.DefaultDaysAhead
		}
		last := today(now).AddDate(0, 0, int(min(ahead, maxSpan-1)))
		if until != "" {
			if last, err = dateOf(until); err != nil {
				return nil, err
			}
		}
		if furthest := first.AddDate(0, 0, maxSpan-1); last.After(furthest) {
			last = furthest
		}
		taken, err := tx.Occupied(ctx, c.booker(), s.ID, first.Format(booking.DateLayout), last.Format(booking.DateLayout), now)
		if err != nil {
			return nil, err
		}
		by := map[string]int64{}
		for _, t := range taken {
			by[t.Date] += t.Taken
		}
		days := []Free{}
		for d := first; !d.After(last); d = d.AddDate(0, 0, 1) {
			f := Free{Date: d.Format(booking.DateLayout), Room: s.Calendar.Room(d)}
			f.Taken = by[f.Date]
			f.Open = s.Enabled && s.Calendar.Takes(vehicleType) && f.Taken < f.Room && s.Calendar.Check(d, today(now), "") == nil
			days = append(days, f)
		}
		return days, nil
	})
}

// FreeTimes lists the times of a station's day.
func (c *Core) FreeTimes(ctx context.Context, stationID, vehicleType int64, date string) ([]Free, error) {
	now := c.Now()
	return view(ctx, c, "free_times", func(tx *store.Tx) ([]Free, error) {
		s, day, err := c.openStation(ctx, tx, stationID, date, now)
		if err != nil {
			return nil, err
		}
		date := day.Format(booking.DateLayout)
		taken, err := tx.Occupied(ctx, c.booker(), s.ID, date, date, now)
		if err != nil {
			return nil, err
		}
		var all int64
		by := map[string]int64{}
		for _, t := range taken {
			by[t.Time] += t.Taken
			all += t.Taken
		}
		times := []Free{}
		for _, slot := range s.Calendar.On(day) {
			f := Free{Date: date, Time: slot.Time, Room: slot.Capacity, Taken: by[slot.Time]}
			f.Open = s.Enabled && s.Calendar.Takes(vehicleType) && f.Taken < f.Room && all < s.Calendar.Room(day) && s.Calendar.Check(day, today(now), slot.Time) == nil
			times = append(times, f)
		}
		return times, nil
	})
}

func (c *Core) openStation(ctx context.Context, tx *store.Tx, id int64, date string, now time.Time) (booking.Station, time.Time, error) {
	s, err := tx.Station(ctx, id)
	if err != nil || date == "" {
		return s, today(now), err
	}
	day, err := dateOf(date)
	return s, day, err
}

// BookingSearch selects bookings; empty fields select all.
type BookingSearch = store.BookingSearch

// SearchBookings lists a partner's bookings, newest first, and counts them all;
// MerchantID "" lists everybody's.
func (c *Core) SearchBookings(ctx context.Context, f BookingSearch) (found []booking.Booking, total int64, err error) {
	_, err = view(ctx, c, "search_bookings", func(tx *store.Tx) (struct{}, error) {
		found, total, err = tx.SearchBookings(ctx, f)
		return struct{}{}, err
	})
	return found, total, err
}

// CancelBooking gives a booking up, for the partner that made it, and the offer
// to pay for it. Money that came is the operator's to return.
func (c *Core) CancelBooking(ctx context.Context, merchantID string, id int64, reason string) (booking.Booking, error) {
	return c.changeBooking(ctx, "cancel_booking", id, func(w *work, b *booking.Booking) error {
		switch {
		case b.MerchantID != merchantID:
			return booking.Refuse(booking.Foreign)
		case b.Status == booking.Canceled:
			return booking.Refuse(booking.WasCanceled)
		case b.Status != booking.New:
			return booking.Refuse(booking.StaffConfirmed)
		}
		return w.cancelBooking(ctx, b, ActorMerchant, reason)
	})
}

// SetBookingStatus is what a station's staff does: it confirms a booking, closes
// it when it is over, or cancels it.
func (c *Core) SetBookingStatus(ctx context.Context, by Actor, id int64, to booking.Status, reason string) (booking.Booking, error) {
	if err := checkNote("reason", reason); err != nil {
		return booking.Booking{}, err
	}
	return c.changeBooking(ctx, "set_booking_status", id, func(w *work, b *booking.Booking) error {
		before := b.Status
		switch {
		case !before.Open() || to == booking.New || to == before:
			return payment.Fail(payment.CodeInvalidState, fmt.Sprintf("a booking that is %s does not become %s", before, to))
		case to == booking.Canceled:
			if err := w.cancelBooking(ctx, b, by.Name, reason); err != nil {
				return err
			}
		case to == booking.Confirmed || to == booking.Closed:
			b.Status = to
		default:
			return invalid("status", "is confirmed, closed or canceled")
		}
		return w.audit(ctx, by, "booking.status", fmt.Sprint(id), before, map[string]any{"status": to, "reason": reason})
	})
}

// changeBooking runs a change of a locked booking, saves it and tells of it.
func (c *Core) changeBooking(ctx context.Context, verb string, id int64, fn func(w *work, b *booking.Booking) error) (booking.Booking, error) {
	var b booking.Booking
	err := c.update(ctx, verb, func(w *work) (err error) {
		if b, err = w.LockBooking(ctx, id); err != nil {
			return err
		}
		if err := fn(w, &b); err != nil {
			return err
		}
		b.Version++
		b.UpdatedAt = w.now
		if err := w.SaveBooking(ctx, b); err != nil {
			return err
		}
		return w.oweBooking(ctx, b.MerchantID, bookingChange{Booking: &b}, "")
	})
	return b, err
}

// cancelBooking cancels a booking and its order.
func (w *work) cancelBooking(ctx context.Context, b *booking.Booking, actor, reason string) error {
	if err := checkNote("reason", reason); err != nil {
		return err
	}
	b.Status, b.Reason = booking.Canceled, reason
	o, err := w.LockOrder(ctx, b.OrderID)
	if err != nil {
		return err
	}
	return w.cancelOrder(ctx, o, actor, reason)
}

// cancelOrder cancels an order. Its open payment is closed, which tells the
// partner; otherwise the order itself is told of.
func (w *work) cancelOrder(ctx context.Context, o booking.Order, actor, reason string) error {
	if !o.CanceledAt.IsZero() {
		return nil
	}
	o.CanceledAt, o.UpdatedAt = w.now, w.now
	o.Version++
	if err := w.SaveOrder(ctx, o); err != nil {
		return err
	}
	p, has, err := w.LockPaymentOfOrder(ctx, w.core.booker(), o.ID)
	if err != nil {
		return err
	}
	if has && p.State == payment.Open {
		_, err := w.close(ctx, p, payment.ActCancel, actor, reason)
		return err
	}
	change := bookingChange{Order: &o}
	if has {
		change.Payment = &p
	}
	return w.oweBooking(ctx, o.MerchantID, change, p.ID)
}

// KindBooking is the outbox's name for telling a partner of a change that is no
// event of a payment.
const KindBooking = "booking"

// bookingChange is dialect.BookingChange as it is kept.
type bookingChange struct {
	Booking *booking.Booking `json:"booking,omitempty"`
	Order   *booking.Order   `json:"order,omitempty"`
	Payment *payment.Payment `json:"payment,omitempty"`
}

func (ch bookingChange) subject() string {
	if ch.Booking != nil {
		return fmt.Sprintf("booking/%d", ch.Booking.ID)
	}
	return fmt.Sprintf("order/%d", ch.Order.ID)
}

// oweBooking enqueues what tells a partner of a change, as it is now. Those of
// one payment keep their order.
func (w *work) oweBooking(ctx context.Context, merchantID string, ch bookingChange, paymentID string) error {
	name := w.core.booker()
	f, err := w.Profile(ctx, merchantID, name)
	if payment.CodeOf(err) == payment.CodeNotFound || (err == nil && f.NotifyURL == "") {
		return nil
	}
	if err != nil {
		return err
	}
	body, err := json.Marshal(ch)
	if err != nil {
		return err
	}
	id := w.core.ids.New()
	if err := w.AddBookingEvent(ctx, id, ch.subject(), string(body)); err != nil {
		return err
	}
	w.owed = true
	return w.AddItem(ctx, store.Item{
		ID: id, Kind: KindBooking, PaymentID: paymentID, MerchantID: merchantID, Dialect: name, Target: f.NotifyURL, Lane: lane(f.NotifyURL),
		State: store.ItemPending, DueAt: w.now, CreatedAt: w.now,
	})
}
