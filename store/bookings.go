package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/internal/db"
)

// unpacked reads a JSON column of ours.
func unpacked(text string, to any) error {
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), to)
}

func packed(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

// absent gives the absence of a row to the nouns' own words.
func absent(err error, r booking.Reason) error {
	if errors.Is(err, sql.ErrNoRows) || postgresEngine.unstorable(err) {
		return booking.Refuse(r)
	}
	return err
}

func stationRow(r db.Station) (booking.Station, error) {
	s := booking.Station{ID: r.ID, Code: r.Code, Name: r.Name, Address: r.Address, Area: r.Area, Enabled: r.Enabled, Priority: r.Priority}
	return s, unpacked(r.Calendar, &s.Calendar)
}

// PutStation adds or replaces a station.
func (tx *Tx) PutStation(ctx context.Context, s booking.Station) error {
	calendar, err := packed(s.Calendar)
	if err != nil {
		return err
	}
	return tx.q.PutStation(ctx, db.PutStationParams{
		ID: s.ID, Code: s.Code, Name: s.Name, Address: s.Address, Area: s.Area, Enabled: s.Enabled, Priority: s.Priority, Calendar: calendar,
	})
}

// Station loads a station; booking.UnknownStation when there is none.
func (tx *Tx) Station(ctx context.Context, id int64) (booking.Station, error) {
	row, err := tx.q.Station(ctx, id)
	if err != nil {
		return booking.Station{}, absent(err, booking.UnknownStation)
	}
	return stationRow(row)
}

// LockStation is Station, and keeps others from booking there.
func (tx *Tx) LockStation(ctx context.Context, id int64) (booking.Station, error) {
	row, err := tx.q.StationForUpdate(ctx, id)
	if err != nil {
		return booking.Station{}, absent(err, booking.UnknownStation)
	}
	return stationRow(row)
}

// Stations lists all stations by id.
func (tx *Tx) Stations(ctx context.Context) ([]booking.Station, error) {
	rows, err := tx.q.Stations(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]booking.Station, len(rows))
	for i, row := range rows {
		if all[i], err = stationRow(row); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func serviceRow(r db.StationService) booking.Service {
	return booking.Service{ID: r.ID, StationID: r.StationID, Name: r.Name, Kind: r.Kind, Price: money.VND(r.Price), TaxBP: r.TaxBp, Enabled: r.Enabled}
}

// PutService adds or replaces a service. It stays at its station.
func (tx *Tx) PutService(ctx context.Context, s booking.Service) error {
	return tx.q.PutStationService(ctx, db.PutStationServiceParams{
		ID: s.ID, StationID: s.StationID, Name: s.Name, Kind: s.Kind, Price: int64(s.Price), TaxBp: s.TaxBP, Enabled: s.Enabled,
	})
}

// Service loads a service; booking.NoService when there is none.
func (tx *Tx) Service(ctx context.Context, id int64) (booking.Service, error) {
	row, err := tx.q.StationService(ctx, id)
	if err != nil {
		return booking.Service{}, absent(err, booking.NoService)
	}
	return serviceRow(row), nil
}

// Services lists a station's services by id.
func (tx *Tx) Services(ctx context.Context, stationID int64) ([]booking.Service, error) {
	rows, err := tx.q.StationServices(ctx, stationID)
	if err != nil {
		return nil, err
	}
	all := make([]booking.Service, len(rows))
	for i, row := range rows {
		all[i] = serviceRow(row)
	}
	return all, nil
}

func promotionRow(r db.Promotion) booking.Promotion {
	return booking.Promotion{
		Code: r.Code, PercentBP: r.PercentBp, Amount: money.VND(r.Amount), Most: money.VND(r.Most), From: moment(r.FromAt), Until: moment(r.UntilAt), Enabled: r.Enabled,
	}
}

// PutPromotion adds or replaces a promotion.
func (tx *Tx) PutPromotion(ctx context.Context, p booking.Promotion) error {
	return tx.q.PutPromotion(ctx, db.PutPromotionParams{
		Code: p.Code, PercentBp: p.PercentBP, Amount: int64(p.Amount), Most: int64(p.Most), FromAt: millis(p.From), UntilAt: millis(p.Until), Enabled: p.Enabled,
	})
}

// Promotion loads a promotion; booking.BadPromotion when there is none.
func (tx *Tx) Promotion(ctx context.Context, code string) (booking.Promotion, error) {
	row, err := tx.q.Promotion(ctx, code)
	if err != nil {
		return booking.Promotion{}, absent(err, booking.BadPromotion)
	}
	return promotionRow(row), nil
}

// Promotions lists all promotions by code.
func (tx *Tx) Promotions(ctx context.Context) ([]booking.Promotion, error) {
	rows, err := tx.q.Promotions(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]booking.Promotion, len(rows))
	for i, row := range rows {
		all[i] = promotionRow(row)
	}
	return all, nil
}

// PutPartner writes what is set for a merchant that makes bookings.
func (tx *Tx) PutPartner(ctx context.Context, p booking.Partner) error {
	return tx.q.PutBookingPartner(ctx, db.PutBookingPartnerParams{MerchantID: p.MerchantID, StationID: p.StationID, PerMinute: p.PerMinute, Burst: p.Burst})
}

// Partner reads what is set for a merchant; its zero value when nothing is.
func (tx *Tx) Partner(ctx context.Context, merchantID string) (booking.Partner, error) {
	row, err := tx.q.BookingPartner(ctx, merchantID)
	if errors.Is(err, sql.ErrNoRows) {
		return booking.Partner{MerchantID: merchantID}, nil
	}
	return booking.Partner{MerchantID: merchantID, StationID: row.StationID, PerMinute: row.PerMinute, Burst: row.Burst}, err
}

// PutMethod adds or replaces one of a merchant's ways to pay. CodeConflict when
// another one has its number.
func (tx *Tx) PutMethod(ctx context.Context, m booking.Method) error {
	return tx.q.PutBookingMethod(ctx, db.PutBookingMethodParams{
		MerchantID: m.MerchantID, Name: m.Name, Number: m.Number, Type: m.Type, PaysBy: string(m.By), Title: m.Title, Account: m.Account, Holder: m.Holder,
		ImageUrl: m.ImageURL, Note: m.Note, StationID: m.StationID, Enabled: m.Enabled,
	})
}

// DeleteMethod takes a way to pay away; CodeNotFound when it is not there.
func (tx *Tx) DeleteMethod(ctx context.Context, merchantID, name string) error {
	n, err := tx.q.DeleteBookingMethod(ctx, db.DeleteBookingMethodParams{MerchantID: merchantID, Name: name})
	if err == nil && n == 0 {
		return payment.Fail(payment.CodeNotFound, "no such payment method")
	}
	return err
}

// Methods lists a merchant's ways to pay by their numbers.
func (tx *Tx) Methods(ctx context.Context, merchantID string) ([]booking.Method, error) {
	rows, err := tx.q.BookingMethods(ctx, merchantID)
	if err != nil {
		return nil, err
	}
	all := make([]booking.Method, len(rows))
	for i, r := range rows {
		all[i] = booking.Method{
			MerchantID: r.MerchantID, Name: r.Name, Number: r.Number, Type: r.Type, By: payment.Method(r.PaysBy), Title: r.Title, Account: r.Account,
			Holder: r.Holder, ImageURL: r.ImageUrl, Note: r.Note, StationID: r.StationID, Enabled: r.Enabled,
		}
	}
	return all, nil
}

// PutSealedKey keeps an API key, sealed, beside its hash.
func (tx *Tx) PutSealedKey(ctx context.Context, keyID, sealed string) error {
	return tx.q.PutSealedKey(ctx, db.PutSealedKeyParams{KeyID: keyID, Sealed: sealed})
}

// NewestSealedKey loads a merchant's youngest sealed key that is good at a time,
// with its id; both are "" when there is none.
func (tx *Tx) NewestSealedKey(ctx context.Context, merchantID, dialect string, at time.Time) (keyID, sealed string, err error) {
	row, err := tx.q.NewestSealedKey(ctx, db.NewestSealedKeyParams{MerchantID: merchantID, Dialect: dialect, Now: millis(at)})
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", nil
	}
	return row.ID, row.Sealed, err
}

// RevokeKey ends one API key of a merchant; CodeNotFound when it is not there or
// has ended.
func (tx *Tx) RevokeKey(ctx context.Context, merchantID, keyID string, at time.Time) error {
	n, err := tx.q.RevokeKey(ctx, db.RevokeKeyParams{ID: keyID, MerchantID: merchantID, RevokedAt: millis(at)})
	if err == nil && n == 0 {
		return payment.Fail(payment.CodeNotFound, "no such key")
	}
	return err
}

// TakeQuota takes one token of an API key's bucket, which holds burst tokens and
// gets one more each interval. When there is none it takes nothing and says how
// long to wait. All nodes over one database share the bucket.
func (s *Store) TakeQuota(ctx context.Context, keyID string, now time.Time, interval time.Duration, burst int64) (ok bool, wait time.Duration, err error) {
	at, one := now.UnixMicro(), max(interval.Microseconds(), 1)
	full := at + burst*one
	err = s.Group(ctx, func(tx *Tx) error {
		n, err := tx.q.TakeKeyQuota(context.WithoutCancel(ctx), db.TakeKeyQuotaParams{KeyID: keyID, Now: at, One: one, LimitAt: full})
		ok = n > 0
		return err
	})
	switch {
	case err != nil:
		return false, 0, err // the writer of a caller who has gone may still be at ok
	case ok:
		return true, 0, nil
	}
	err = s.View(ctx, func(tx *Tx) error {
		spent, err := tx.q.KeyQuota(ctx, keyID)
		wait = time.Duration(max(spent+one-full, 1)) * time.Microsecond
		return err
	})
	return false, wait, err
}

// NextNumber takes the next number of bookings and orders, of which there is a
// first.
func (tx *Tx) NextNumber(ctx context.Context, first int64) (int64, error) {
	return tx.q.NextNumber(ctx, first)
}

func bookingRow(r db.Booking) booking.Booking {
	return booking.Booking{
		ID: r.ID, MerchantID: r.MerchantID, OrderID: r.OrderID, Version: r.Version, Hash: r.Hash, Plate: r.Plate, PlateColor: r.PlateColor,
		VehicleType: r.VehicleType, Phone: r.Phone, Name: r.Name, Email: r.Email, StationID: r.StationID, Date: r.Day, Time: r.Slot, Kind: r.Kind,
		Note: r.Note, Details: r.Details, Status: booking.Status(r.Status), Reason: r.Reason, HeldUntil: moment(r.HeldUntil),
		CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt),
	}
}

// AddBooking inserts a booking. Its plate is taken until a time, or until the
// booking ends: booking.PlateBooked when it is taken already.
func (tx *Tx) AddBooking(ctx context.Context, b booking.Booking, until time.Time) error {
	plate := sql.NullString{String: b.Plate, Valid: b.Status.Open()}
	if err := tx.q.FreePlate(ctx, db.FreePlateParams{Plate: plate, Now: millis(b.CreatedAt)}); err != nil {
		return err
	}
	n, err := tx.q.InsertBooking(ctx, db.InsertBookingParams{
		ID: b.ID, MerchantID: b.MerchantID, OrderID: b.OrderID, Version: b.Version, Hash: b.Hash, Plate: b.Plate, PlateColor: b.PlateColor,
		VehicleType: b.VehicleType, Phone: b.Phone, Name: b.Name, Email: b.Email, StationID: b.StationID, Day: b.Date, Slot: b.Time, Kind: b.Kind,
		Note: b.Note, Details: b.Details, Status: string(b.Status), Reason: b.Reason, HeldUntil: millis(b.HeldUntil),
		Hold: plate, HoldUntil: millis(until), CreatedAt: millis(b.CreatedAt), UpdatedAt: millis(b.UpdatedAt),
	})
	if err != nil || n > 0 {
		return err
	}
	if _, err := tx.q.Booking(ctx, b.ID); err == nil {
		return payment.Fail(payment.CodeConflict, "there is a booking of that number")
	}
	return booking.Refuse(booking.PlateBooked)
}

// Booking loads a booking; booking.NotFound when there is none.
func (tx *Tx) Booking(ctx context.Context, id int64) (booking.Booking, error) {
	row, err := tx.q.Booking(ctx, id)
	if err != nil {
		return booking.Booking{}, absent(err, booking.NotFound)
	}
	return bookingRow(row), nil
}

// LockBooking is Booking, and keeps others from changing it.
func (tx *Tx) LockBooking(ctx context.Context, id int64) (booking.Booking, error) {
	row, err := tx.q.BookingForUpdate(ctx, id)
	if err != nil {
		return booking.Booking{}, absent(err, booking.NotFound)
	}
	return bookingRow(row), nil
}

// SaveBooking writes a changed booking: station, status, reason, hold.
// CodeConflict when it is not the version after the stored one.
func (tx *Tx) SaveBooking(ctx context.Context, b booking.Booking) error {
	n, err := tx.q.UpdateBooking(ctx, db.UpdateBookingParams{
		ID: b.ID, Version: b.Version, StationID: b.StationID, Status: string(b.Status), Reason: b.Reason, HeldUntil: millis(b.HeldUntil),
		Hold: sql.NullString{String: b.Plate, Valid: b.Status.Open()}, UpdatedAt: millis(b.UpdatedAt),
	})
	if err == nil && n != 1 {
		return payment.Fail(payment.CodeConflict, "the booking was changed by somebody else")
	}
	return err
}

// BookingSearch selects bookings; empty fields select all.
type BookingSearch struct {
	MerchantID string
	Phone      string
	Status     booking.Status
	StationID  int64
	Skip       int64
	Limit      int64
}

// SearchBookings lists bookings, newest first, and counts them all.
func (tx *Tx) SearchBookings(ctx context.Context, f BookingSearch) ([]booking.Booking, int64, error) {
	total, err := tx.q.CountBookings(ctx, db.CountBookingsParams{MerchantID: f.MerchantID, Phone: f.Phone, Status: string(f.Status), StationID: f.StationID})
	if err != nil || total == 0 {
		return nil, 0, absent(err, booking.NotFound)
	}
	rows, err := tx.q.SearchBookings(ctx, db.SearchBookingsParams{
		MerchantID: f.MerchantID, Phone: f.Phone, Status: string(f.Status), StationID: f.StationID, Skip: int32(min(f.Skip, total)), Page: int32(f.Limit),
	})
	if err != nil {
		return nil, 0, err
	}
	found := make([]booking.Booking, len(rows))
	for i, row := range rows {
		found[i] = bookingRow(row)
	}
	return found, total, nil
}

// Occupied is how many places of a slot are taken.
type Occupied struct {
	Date, Time string
	Taken      int64
}

// Occupied lists the taken places of a station in a span of days, both ends
// included.
func (tx *Tx) Occupied(ctx context.Context, dialect string, stationID int64, from, until string, now time.Time) ([]Occupied, error) {
	rows, err := tx.q.Occupied(ctx, db.OccupiedParams{Dialect: dialect, StationID: stationID, FromDay: from, UntilDay: until, Now: millis(now)})
	if err != nil {
		return nil, err
	}
	all := make([]Occupied, len(rows))
	for i, r := range rows {
		all[i] = Occupied{Date: r.Day, Time: r.Slot, Taken: r.Taken}
	}
	return all, nil
}

// CountOpenOfPhone counts the open bookings of a phone number.
func (tx *Tx) CountOpenOfPhone(ctx context.Context, phone string, now time.Time) (int64, error) {
	return tx.q.CountOpenOfPhone(ctx, db.CountOpenOfPhoneParams{Phone: phone, Now: millis(now)})
}

func orderRow(r db.BookingOrder) (booking.Order, error) {
	o := booking.Order{
		ID: r.ID, MerchantID: r.MerchantID, Code: r.Code, BookingID: r.BookingID, Version: r.Version, Name: r.Name, Kind: r.Kind, Promotion: r.Promotion,
		Bill:  booking.Bill{Subtotal: money.VND(r.Subtotal), Discount: money.VND(r.Discount), Tax: money.VND(r.Tax), Total: money.VND(r.Total)},
		Phone: r.Phone, Payer: r.Payer, Offers: r.Offers, Method: r.Method, MethodType: r.MethodType,
		CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt), CanceledAt: moment(r.CanceledAt),
	}
	return o, unpacked(r.Lines, &o.Lines)
}

// AddOrder inserts an order. CodeDuplicateReference when its number or its
// merchant's code for it is taken.
func (tx *Tx) AddOrder(ctx context.Context, o booking.Order) error {
	lines, err := packed(o.Lines)
	if err != nil {
		return err
	}
	n, err := tx.q.InsertBookingOrder(ctx, db.InsertBookingOrderParams{
		ID: o.ID, MerchantID: o.MerchantID, Code: o.Code, Reference: o.Reference(), BookingID: o.BookingID, Version: o.Version, Name: o.Name, Kind: o.Kind,
		Lines: lines, Promotion: o.Promotion, Subtotal: int64(o.Subtotal), Discount: int64(o.Discount), Tax: int64(o.Tax), Total: int64(o.Total),
		Phone: o.Phone, Payer: o.Payer, Offers: o.Offers, Method: o.Method, MethodType: o.MethodType,
		CreatedAt: millis(o.CreatedAt), UpdatedAt: millis(o.UpdatedAt), CanceledAt: millis(o.CanceledAt),
	})
	if err == nil && n == 0 {
		return payment.Fail(payment.CodeDuplicateReference, "there is an order of that number or code")
	}
	return err
}

// Order loads an order; booking.NotFound when there is none.
func (tx *Tx) Order(ctx context.Context, id int64) (booking.Order, error) {
	row, err := tx.q.BookingOrder(ctx, id)
	if err != nil {
		return booking.Order{}, absent(err, booking.NotFound)
	}
	return orderRow(row)
}

// LockOrder is Order, and keeps others from changing it.
func (tx *Tx) LockOrder(ctx context.Context, id int64) (booking.Order, error) {
	row, err := tx.q.BookingOrderForUpdate(ctx, id)
	if err != nil {
		return booking.Order{}, absent(err, booking.NotFound)
	}
	return orderRow(row)
}

// OrderByCode loads a merchant's order by its code.
func (tx *Tx) OrderByCode(ctx context.Context, merchantID, code string) (booking.Order, error) {
	row, err := tx.q.BookingOrderByCode(ctx, db.BookingOrderByCodeParams{MerchantID: merchantID, Code: code})
	if err != nil {
		return booking.Order{}, absent(err, booking.NotFound)
	}
	return orderRow(row)
}

// SaveOrder writes a changed order. CodeConflict when it is not the version
// after the stored one.
func (tx *Tx) SaveOrder(ctx context.Context, o booking.Order) error {
	lines, err := packed(o.Lines)
	if err != nil {
		return err
	}
	n, err := tx.q.UpdateBookingOrder(ctx, db.UpdateBookingOrderParams{
		ID: o.ID, Version: o.Version, Reference: o.Reference(), Lines: lines, Promotion: o.Promotion, Subtotal: int64(o.Subtotal), Discount: int64(o.Discount),
		Tax: int64(o.Tax), Total: int64(o.Total), Offers: o.Offers, Method: o.Method, MethodType: o.MethodType, UpdatedAt: millis(o.UpdatedAt), CanceledAt: millis(o.CanceledAt),
	})
	if err == nil && n != 1 {
		return payment.Fail(payment.CodeConflict, "the order was changed by somebody else")
	}
	return err
}

// LockPaymentOfOrder loads and locks the current payment of an order; ok is
// false when it has none.
func (tx *Tx) LockPaymentOfOrder(ctx context.Context, dialect string, orderID int64) (p payment.Payment, ok bool, err error) {
	// The order first, by a statement of its own. On PostgreSQL one statement that waited for somebody who gives the
	// order another payment would find neither that one nor the one before.
	if _, err := tx.q.BookingOrderForUpdate(ctx, orderID); errors.Is(err, sql.ErrNoRows) {
		return p, false, nil
	} else if err != nil {
		return p, false, err
	}
	id, err := tx.q.LockPaymentOfOrder(ctx, db.LockPaymentOfOrderParams{Dialect: dialect, ID: orderID})
	if errors.Is(err, sql.ErrNoRows) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	p, err = tx.Payment(ctx, id)
	return p, err == nil, err
}

// PutRequest remembers a confirmation by a partner. The same request again
// changes what it said; booking.RequestReused when its id was used for another
// order or amount.
func (tx *Tx) PutRequest(ctx context.Context, r booking.Request) error {
	n, err := tx.q.InsertBookingRequest(ctx, db.InsertBookingRequestParams{
		MerchantID: r.MerchantID, ID: r.ID, OrderID: r.OrderID, Amount: r.Amount, Status: r.Status, At: millis(r.At),
	})
	if err == nil && n == 0 {
		return booking.Refuse(booking.RequestReused)
	}
	return err
}

// Request loads a confirmation; booking.NotFound when there is none.
func (tx *Tx) Request(ctx context.Context, merchantID, id string) (booking.Request, error) {
	r, err := tx.q.BookingRequest(ctx, db.BookingRequestParams{MerchantID: merchantID, ID: id})
	if err != nil {
		return booking.Request{}, absent(err, booking.NotFound)
	}
	return booking.Request{MerchantID: r.MerchantID, ID: r.ID, OrderID: r.OrderID, Amount: r.Amount, Status: r.Status, At: moment(r.At)}, nil
}

// AddBookingEvent keeps what an outbox item tells of, a JSON text.
func (tx *Tx) AddBookingEvent(ctx context.Context, itemID, subject, body string) error {
	return tx.q.InsertBookingEvent(ctx, db.InsertBookingEventParams{ItemID: itemID, Subject: subject, Body: body})
}

// BookingEvent loads what an outbox item tells of.
func (tx *Tx) BookingEvent(ctx context.Context, itemID string) (subject, body string, err error) {
	r, err := tx.q.BookingEvent(ctx, itemID)
	return r.Subject, r.Body, err
}
