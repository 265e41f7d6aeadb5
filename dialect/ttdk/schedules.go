package ttdk

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
)

// What is around a payment: stations, free times, bookings.

// extras are the members of a booking that are kept as they came.
var extras = []string{"vehicleSubType", "vehicleSubCategory", "certificateSeries", "notificationMethod", "attachmentList"}

func (h *handler) reserve(ctx context.Context, c call, payFirst bool) (booking.Booking, booking.Order, error) {
	date, err := readDate(c.in.text("dateSchedule"))
	if err != nil {
		return booking.Booking{}, booking.Order{}, err
	}
	r := core.Reserving{
		Merchant: c.merchant, Plate: c.in.text("licensePlates"), PlateColor: c.in.number("licensePlateColor"), VehicleType: 1, Phone: c.in.text("phone"),
		Name: "-", Email: c.in.text("email"), StationID: c.in.number("stationsId"), Date: date, Time: c.in.text("time"),
		Services: c.in.numbers("stationServicesList"), Kind: 1, Note: c.in.text("scheduleNote"), PayFirst: payFirst,
	}
	if c.in.has("vehicleType") {
		r.VehicleType = c.in.number("vehicleType")
	}
	if c.in.has("scheduleType") {
		r.Kind = c.in.number("scheduleType")
	}
	if name := c.in.text("fullnameSchedule"); name != "" {
		r.Name = name
	}
	details := map[string]any{}
	for _, name := range extras {
		if v, ok := c.in[name]; ok {
			details[name] = v
		}
	}
	if len(details) > 0 {
		text, err := json.Marshal(details)
		if err != nil {
			return booking.Booking{}, booking.Order{}, err
		}
		r.Details = string(text)
	}
	return h.core.Book(ctx, r)
}

func (h *handler) createSchedule(ctx context.Context, c call) (any, error) {
	b, _, err := h.reserve(ctx, c, false)
	return []int64{b.ID}, err
}

// createOrderSchedule books now with isImmediate 1; otherwise the place is kept
// until the order is paid, for half an hour (T17).
func (h *handler) createOrderSchedule(ctx context.Context, c call) (any, error) {
	_, o, err := h.reserve(ctx, c, c.in.number("isImmediate") == 0)
	return []int64{o.ID}, err
}

// row shows a booking to its partner.
func row(b booking.Booking) schedule {
	v := showSchedule(b)
	v.StationID, v.OrderID = orNull(b.StationID), b.OrderID
	return v
}

func (h *handler) scheduleDetail(ctx context.Context, c call) (any, error) {
	s, err := h.core.FindSold(ctx, c.merchant.ID, c.in.number("customerScheduleId"))
	if err != nil {
		return nil, err
	}
	if s.Booking == nil {
		return nil, booking.Refuse(booking.NotFound)
	}
	d := scheduleDetail{
		schedule: row(*s.Booking), Order: orderShort{OrderID: s.Order.ID, Total: s.Order.Total, PaymentStatus: statusOf(s.Order, s.Payment)},
	}
	if qr := h.bankQR(s); qr != nil {
		d.PaymentQR = &detailQR{BankQR: qr}
	}
	if s.Booking.StationID == 0 {
		return d, nil
	}
	at, err := h.core.Station(ctx, s.Booking.StationID)
	if err != nil {
		return nil, err
	}
	d.Station = &stationShort{Name: at.Name, Code: at.Code, Address: at.Address}
	return d, nil
}

// defaultLimit is how many rows a list has when nobody says.
const defaultLimit = 20

func limitOf(in values) int64 {
	if !in.has("limit") {
		return defaultLimit
	}
	return in.number("limit")
}

func (h *handler) listSchedules(ctx context.Context, c call) (any, error) {
	f := c.in.object("filter")
	search := core.BookingSearch{MerchantID: c.merchant.ID, Phone: f.text("phone"), Skip: c.in.number("skip"), Limit: limitOf(c.in)}
	for _, name := range []string{"CustomerScheduleStatus", "customerScheduleStatus"} {
		if !f.has(name) {
			continue
		}
		status, known := stageNames[f.number(name)]
		if !known {
			return page[schedule]{Data: []schedule{}}, nil
		}
		search.Status = status
	}
	found, total, err := h.core.SearchBookings(ctx, search)
	if err != nil {
		return nil, err
	}
	list := page[schedule]{Data: []schedule{}, Total: total}
	for _, b := range found {
		v := row(b)
		v.Hash = ""
		list.Data = append(list.Data, v)
	}
	return list, nil
}

func (h *handler) cancelSchedule(ctx context.Context, c call) (any, error) {
	_, err := h.core.CancelBooking(ctx, c.merchant.ID, c.in.number("customerScheduleId"), c.in.text("reason"))
	return 1, err
}

// orderDetail takes a booking's number too: the web client polls with whatever
// it was given (T13).
func (h *handler) orderDetail(ctx context.Context, c call) (any, error) {
	s, err := h.core.FindSold(ctx, c.merchant.ID, c.in.number("id"))
	if err != nil {
		return nil, err
	}
	return showOrder(s.Order, s.Payment), nil
}

func showStation(s booking.Station) stationRow {
	return stationRow{
		ID: s.ID, Code: s.Code, Name: s.Name, Address: s.Address, Area: s.Area, Status: bit(s.Enabled), Priority: bit(s.Priority),
	}
}

// cut is one page of a list that is short by nature.
func cut[T any](all []T, in values) page[T] {
	p := page[T]{Data: []T{}, Total: int64(len(all))}
	from := min(max(in.number("skip"), 0), p.Total)
	until := min(from+max(limitOf(in), 0), p.Total)
	p.Data = append(p.Data, all[from:until]...)
	return p
}

// listStations answers getList and getAllExternal. Filters that a list has no
// use for are ignored.
func (h *handler) listStations(ctx context.Context, c call) (any, error) {
	all, err := h.core.Stations(ctx)
	if err != nil {
		return nil, err
	}
	f := c.in.object("filter")
	var rows []stationRow
	for _, s := range all {
		switch {
		case !matches(c.in.text("searchText"), s.Name, s.Code, s.Address):
		case f.text("stationArea") != "" && f.text("stationArea") != s.Area:
		case f.has("availableStatus") && f.number("availableStatus") != int64(bit(s.Enabled)):
		case f.has("enablePriorityMode") && f.number("enablePriorityMode") != int64(bit(s.Priority)):
		default:
			rows = append(rows, showStation(s))
		}
	}
	return cut(rows, c.in), nil
}

// matches says whether a text is in one of others, whatever its letter case.
func matches(text string, in ...string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(in, func(s string) bool { return strings.Contains(strings.ToLower(s), text) })
}

func (h *handler) stationAreas(ctx context.Context, _ call) (any, error) {
	all, err := h.core.Stations(ctx)
	areas := []string{}
	for _, s := range all {
		if s.Area != "" && !slices.Contains(areas, s.Area) {
			areas = append(areas, s.Area)
		}
	}
	slices.Sort(areas)
	return areas, err
}

func (h *handler) stationDetail(ctx context.Context, c call) (any, error) {
	s, err := h.core.Station(ctx, c.in.number("id"))
	if payment.CodeOf(err) == payment.CodeNotFound {
		return nil, booking.Refuse(booking.NotFound)
	}
	return showStation(s), err
}

func (h *handler) listServices(ctx context.Context, c call) (any, error) {
	all, err := h.core.Services(ctx, c.in.object("filter").number("stationsId"))
	if err != nil {
		return nil, err
	}
	var rows []serviceRow
	for _, s := range all {
		if matches(c.in.text("searchText"), s.Name) {
			rows = append(rows, serviceRow{
				ID: s.ID, StationID: s.StationID, Name: s.Name, Kind: s.Kind, Price: s.Price, Active: bit(s.Enabled), Online: bit(s.Price > 0), Prepay: bit(s.Price > 0),
			})
		}
	}
	return cut(rows, c.in), nil
}

// stationByKey answers for the caller's own keys only: what another key is, is
// nobody's business (T19).
func (h *handler) stationByKey(ctx context.Context, c call) (any, error) {
	key := c.in.text("apiKey")
	owner, err := h.core.AuthenticateKey(ctx, Name, key)
	if payment.CodeOf(err) == payment.CodeUnauthorized || (err == nil && owner.Merchant.ID != c.merchant.ID) {
		return nil, booking.Refuse(booking.NotFound)
	}
	if err != nil {
		return nil, err
	}
	p, err := h.core.Partner(ctx, c.merchant.ID)
	return keyRow{Key: key, Name: owner.Merchant.Name, StationID: orNull(p.StationID)}, err
}

func (h *handler) listDates(ctx context.Context, c call) (any, error) {
	from, err := readDate(c.in.text("startDate"))
	if err != nil {
		return nil, err
	}
	until, err := readDate(c.in.text("endDate"))
	if err != nil {
		return nil, err
	}
	days, err := h.core.FreeDates(ctx, c.in.number("stationsId"), c.in.number("vehicleType"), from, until)
	rows := []dateRow{}
	for _, d := range days {
		rows = append(rows, dateRow{Date: showDate(d.Date), Status: bit(d.Open), Total: d.Room, Booked: d.Taken})
	}
	return rows, err
}

func (h *handler) listTimes(ctx context.Context, c call) (any, error) {
	date, err := readDate(c.in.text("date"))
	if err != nil {
		return nil, err
	}
	times, err := h.core.FreeTimes(ctx, c.in.number("stationsId"), c.in.number("vehicleType"), date)
	rows := []timeRow{}
	for _, t := range times {
		rows = append(rows, timeRow{Time: t.Time, Status: bit(t.Open), Total: t.Room, Booked: t.Taken})
	}
	return rows, err
}
