package admin

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// What an operator sets for bookings (the TTDK Partner API): stations, services,
// promotions, ways to pay, partners; and what became of bookings and orders.

// maxWhole is the largest number that every JSON reader keeps exactly.
const maxWhole = 1<<53 - 1

// elements reads a list of up to limit elements, nil when it is not there.
func (o *object) elements(name string, limit int) []any {
	v, ok := o.value(name)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	switch {
	case !ok:
		o.complain(name, "has to be a list, not "+typeName(v))
		return nil
	case len(list) > limit:
		o.complain(name, fmt.Sprintf("has more than %d elements", limit))
		return nil
	}
	return list
}

// objects reads a list of objects; the complaints about one are the list's.
func (o *object) objects(name string, limit int, read func(in *object)) {
	for i, e := range o.elements(name, limit) {
		values, ok := e.(map[string]any)
		if !ok {
			o.complain(name, fmt.Sprintf("has to be a list of objects; element %d is %s", i, typeName(e)))
			return
		}
		in := newObject("", values, faults{})
		read(in)
		in.refuseUnknown()
		for field, messages := range in.faults {
			o.complain(name, fmt.Sprintf("element %d: %s %s", i, field, messages[0]))
			return
		}
	}
}

// pathNumber is a number in the path. What cannot be one is not found.
func (c *call) pathNumber(name, what string) (int64, error) {
	n, err := strconv.ParseInt(c.r.PathValue(name), 10, 64)
	if err != nil || n < 1 || n > maxWhole || strconv.FormatInt(n, 10) != c.r.PathValue(name) {
		return 0, payment.Fail(payment.CodeNotFound, "no such "+what)
	}
	return n, nil
}

type calendarView struct {
	Slots        []booking.Slot `json:"slots"`
	DaysOff      []string       `json:"days_off"`
	SameDay      bool           `json:"same_day"`
	DaysAhead    int64          `json:"days_ahead"`
	PerDay       int64          `json:"per_day"`
	PerPhone     int64          `json:"per_phone"`
	VehicleTypes []int64        `json:"vehicle_types"`
}

type stationView struct {
	StationID int64        `json:"station_id"`
	Code      string       `json:"code"`
	Name      string       `json:"name"`
	Address   string       `json:"address"`
	Area      string       `json:"area"`
	Enabled   bool         `json:"enabled"`
	Priority  bool         `json:"priority"`
	Calendar  calendarView `json:"calendar"`
}

// listed makes a list that is nil an empty one.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func showStation(s booking.Station) stationView {
	c := s.Calendar
	return stationView{
		StationID: s.ID, Code: s.Code, Name: s.Name, Address: s.Address, Area: s.Area, Enabled: s.Enabled, Priority: s.Priority,
		Calendar: calendarView{
			Slots: listed(c.Slots), DaysOff: listed(c.DaysOff), SameDay: c.SameDay, DaysAhead: c.DaysAhead, PerDay: c.PerDay, PerPhone: c.PerPhone,
			VehicleTypes: listed(c.VehicleTypes),
		},
	}
}

// Bounds of a calendar; core has the same.
const (
	maxSlots     = 500
	maxDaysOff   = 1000
	maxSlotText  = 40
	maxCapacity  = 100_000
	maxDaysAhead = 730
)

// calendar reads a station's calendar; what is left out is empty.
func (o *object) calendar(name string) booking.Calendar {
	var c booking.Calendar
	in := o.inner(name)
	if in == nil {
		return c
	}
	in.objects("slots", maxSlots, func(slot *object) {
		slot.need("weekday", "time", "capacity")
		weekday, span, capacity := slot.whole("weekday", 0, 6), slot.filled("time", maxSlotText), slot.whole("capacity", 1, maxCapacity)
		c.Slots = append(c.Slots, booking.Slot{Weekday: or(weekday, 0), Time: or(span, ""), Capacity: or(capacity, 0)})
	})
	for _, e := range in.elements("days_off", maxDaysOff) {
		day, _ := e.(string)
		if _, err := time.Parse(booking.DateLayout, day); err != nil {
			in.complain("days_off", "has to be a list of dates such as 2026-02-17")
			break
		}
		c.DaysOff = append(c.DaysOff, day)
	}
	for _, e := range in.elements("vehicle_types", 100) {
		n := newObject("", map[string]any{"": e}, faults{}).whole("", 1, maxWhole)
		if n == nil {
			in.complain("vehicle_types", "has to be a list of numbers above 0")
			break
		}
		c.VehicleTypes = append(c.VehicleTypes, *n)
	}
	c.SameDay = or(in.flag("same_day"), false)
	c.DaysAhead = or(in.whole("days_ahead", 0, maxDaysAhead), 0)
	c.PerDay, c.PerPhone = or(in.whole("per_day", 0, maxWhole), 0), or(in.whole("per_phone", 0, maxWhole), 0)
	in.refuseUnknown()
	return c
}

func (a *API) putStation(c *call) (any, error) {
	id, err := c.pathNumber("station_id", "station")
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("name")
	name := o.words("name", maxName)
	code, address, area := o.text("code", maxName), o.text("address", maxName), o.text("area", maxName)
	enabled, priority, calendar := o.flag("enabled"), o.flag("priority"), o.calendar("calendar")
	if err := o.err(); err != nil {
		return nil, err
	}
	return shown(showStation)(a.core.PutStation(c.ctx(), c.by, booking.Station{
		ID: id, Code: or(code, ""), Name: *name, Address: or(address, ""), Area: or(area, ""), Enabled: or(enabled, true), Priority: or(priority, false), Calendar: calendar,
	}))
}

func (a *API) stations(c *call) (any, error) {
	return shortList(c, func() ([]booking.Station, error) { return a.core.Stations(c.ctx()) }, func(s booking.Station) string { return fmt.Sprint(s.ID) }, showStation)
}

// shortList is one page of a list that is read whole and has no ids as cursors.
func shortList[R, T any](c *call, read func() ([]R, error), key func(R) string, show func(R) T) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page := q.pageByName()
	if err := q.err(); err != nil {
		return nil, err
	}
	rows, err := read()
	if err != nil {
		return nil, err
	}
	return cutPage(rows, page, key, show)
}

func (a *API) station(c *call) (any, error) {
	id, err := c.pathNumber("station_id", "station")
	if err != nil {
		return nil, err
	}
	return shown(showStation)(a.core.Station(c.ctx(), id))
}

type serviceView struct {
	ServiceID int64     `json:"service_id"`
	StationID int64     `json:"station_id"`
	Name      string    `json:"name"`
	Kind      int64     `json:"kind"`
	Price     money.VND `json:"price"`
	TaxBP     int64     `json:"tax_bp"`
	Enabled   bool      `json:"enabled"`
}

func showService(s booking.Service) serviceView {
	return serviceView{ServiceID: s.ID, StationID: s.StationID, Name: s.Name, Kind: s.Kind, Price: s.Price, TaxBP: s.TaxBP, Enabled: s.Enabled}
}

func (a *API) putService(c *call) (any, error) {
	station, err := c.pathNumber("station_id", "station")
	if err != nil {
		return nil, err
	}
	id, err := c.pathNumber("service_id", "service")
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("name", "price")
	name, price, tax, kind, enabled := o.words("name", maxName), o.amount("price"), o.whole("tax_bp", 0, booking.MaxBP), o.whole("kind", 0, maxWhole), o.flag("enabled")
	if price != nil && *price > booking.MaxPrice {
		o.complain("price", "is over "+booking.MaxPrice.String())
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	return shown(showService)(a.core.PutService(c.ctx(), c.by, booking.Service{
		ID: id, StationID: station, Name: *name, Kind: or(kind, 1), Price: *price, TaxBP: or(tax, 0), Enabled: or(enabled, true),
	}))
}

func (a *API) services(c *call) (any, error) {
	id, err := c.pathNumber("station_id", "station")
	if err != nil {
		return nil, err
	}
	return shortList(c, func() ([]booking.Service, error) { return a.core.Services(c.ctx(), id) }, func(s booking.Service) string { return fmt.Sprint(s.ID) }, showService)
}

type promotionView struct {
	Code      string    `json:"code"`
	PercentBP int64     `json:"percent_bp"`
	Amount    money.VND `json:"amount"`
	Most      money.VND `json:"most"`
	From      stamp     `json:"from"`
	Until     stamp     `json:"until"`
	Enabled   bool      `json:"enabled"`
}

func showPromotion(p booking.Promotion) promotionView {
	return promotionView{
		Code: p.Code, PercentBP: p.PercentBP, Amount: p.Amount, Most: p.Most, From: stamp(p.From), Until: stamp(p.Until), Enabled: p.Enabled,
	}
}

func (a *API) putPromotion(c *call) (any, error) {
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	percent, amount, most := o.whole("percent_bp", 0, booking.MaxBP), o.amount("amount"), o.amount("most")
	from, until, enabled := o.moment("from"), o.moment("until"), o.flag("enabled")
	o.needOne("percent_bp", "amount")
	if err := o.err(); err != nil {
		return nil, err
	}
	return shown(showPromotion)(a.core.PutPromotion(c.ctx(), c.by, booking.Promotion{
		Code: c.r.PathValue("code"), PercentBP: or(percent, 0), Amount: or(amount, 0), Most: or(most, 0), From: from, Until: until, Enabled: or(enabled, true),
	}))
}

func (a *API) promotions(c *call) (any, error) {
	return shortList(c, func() ([]booking.Promotion, error) { return a.core.Promotions(c.ctx()) }, func(p booking.Promotion) string { return p.Code }, showPromotion)
}

type methodView struct {
	Name      string `json:"name"`
	MethodID  int64  `json:"method_id"`
	Type      int64  `json:"type"`
	PaysBy    string `json:"pays_by"`
	Title     string `json:"title"`
	Account   string `json:"account"`
	Holder    string `json:"holder"`
	ImageURL  string `json:"image_url"`
	Note      string `json:"note"`
	StationID int64  `json:"station_id"`
	Enabled   bool   `json:"enabled"`
}

func showMethod(m booking.Method) methodView {
	return methodView{
		Name: m.Name, MethodID: m.Number, Type: m.Type, PaysBy: string(m.By), Title: m.Title, Account: m.Account, Holder: m.Holder, ImageURL: m.ImageURL,
		Note: m.Note, StationID: m.StationID, Enabled: m.Enabled,
	}
}

func (a *API) putMethod(c *call) (any, error) {
	m, err := a.merchantOfPath(c)
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("method_id", "type")
	number, kind := o.whole("method_id", 1, maxWhole), o.whole("type", 1, maxWhole)
	by := o.choice("pays_by", string(payment.BankTransfer), string(payment.MoMo), string(payment.ZaloPay), string(payment.VNPayQR), string(payment.DomesticCard), string(payment.InternationalCard))
	title, account, holder, note := o.text("title", maxName), o.text("account", maxName), o.text("holder", maxName), o.text("note", maxName)
	image, station, enabled := o.link("image_url"), o.whole("station_id", 0, maxWhole), o.flag("enabled")
	if err := o.err(); err != nil {
		return nil, err
	}
	return shown(showMethod)(a.core.PutMethod(c.ctx(), c.by, booking.Method{
		MerchantID: m.ID, Name: c.r.PathValue("name"), Number: *number, Type: *kind, By: payment.Method(or(by, "")), Title: or(title, ""), Account: or(account, ""),
		Holder: or(holder, ""), ImageURL: or(image, ""), Note: or(note, ""), StationID: or(station, 0), Enabled: or(enabled, true),
	}))
}

func (a *API) methods(c *call) (any, error) {
	m, err := a.merchantOfPath(c)
	if err != nil {
		return nil, err
	}
	return shortList(c, func() ([]booking.Method, error) { return a.core.Methods(c.ctx(), m.ID) }, func(m booking.Method) string { return m.Name }, showMethod)
}

func (a *API) deleteMethod(c *call) (any, error) {
	m, err := a.merchantOfPath(c)
	if err != nil {
		return nil, err
	}
	return nil, a.core.DeleteMethod(c.ctx(), c.by, m.ID, c.r.PathValue("name"))
}

type partnerView struct {
	MerchantID string `json:"merchant_id"`
	StationID  int64  `json:"station_id"`
	PerMinute  int64  `json:"per_minute"`
	Burst      int64  `json:"burst"`
}

func showPartner(p booking.Partner) partnerView {
	return partnerView{MerchantID: p.MerchantID, StationID: p.StationID, PerMinute: p.PerMinute, Burst: p.Burst}
}

func (a *API) partner(c *call) (any, error) {
	m, err := a.merchantOfPath(c)
	if err != nil {
		return nil, err
	}
	return shown(showPartner)(a.core.Partner(c.ctx(), m.ID))
}

// maxCalls bounds a quota; core has the same.
const maxCalls = 1_000_000

func (a *API) putPartner(c *call) (any, error) {
	m, err := a.merchantOfPath(c)
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	station, perMinute, burst := o.whole("station_id", 0, maxWhole), o.whole("per_minute", -1, maxCalls), o.whole("burst", 0, maxCalls)
	o.needOne("station_id", "per_minute", "burst")
	if err := o.err(); err != nil {
		return nil, err
	}
	p, err := a.core.Partner(c.ctx(), m.ID)
	if err != nil {
		return nil, err
	}
	return shown(showPartner)(a.core.PutPartner(c.ctx(), c.by, booking.Partner{
		MerchantID: m.ID, StationID: or(station, p.StationID), PerMinute: or(perMinute, p.PerMinute), Burst: or(burst, p.Burst),
	}))
}

type addedKeyView struct {
	KeyID  string `json:"key_id"`
	APIKey string `json:"api_key"`
}

// maxAPIKey bounds a key that is taken over; core has the same.
const maxAPIKey = 200

func (a *API) addKey(c *call) (any, error) {
	m, err := a.merchantOfPath(c)
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("dialect")
	dialect, key := o.filled("dialect", maxPublicID), o.filled("api_key", maxAPIKey)
	if err := o.err(); err != nil {
		return nil, err
	}
	k, made, err := a.core.AddKey(c.ctx(), c.by, m.ID, *dialect, or(key, ""))
	if payment.CodeOf(err) == payment.CodeConflict {
		return nil, payment.Fail(payment.CodeConflict, "somebody has this key already")
	}
	if err != nil {
		return nil, err
	}
	return addedKeyView{KeyID: k.ID, APIKey: made}, nil
}

func (a *API) revokeKey(c *call) (any, error) {
	m, err := a.merchantOfPath(c)
	if err != nil {
		return nil, err
	}
	id, err := c.pathID("key_id")
	if err != nil {
		return nil, err
	}
	return nil, a.core.RevokeKey(c.ctx(), c.by, m.ID, id)
}

type bookingView struct {
	BookingID   int64  `json:"booking_id"`
	MerchantID  string `json:"merchant_id"`
	OrderID     int64  `json:"order_id"`
	Plate       string `json:"plate"`
	PlateColor  int64  `json:"plate_color"`
	VehicleType int64  `json:"vehicle_type"`
	Phone       string `json:"phone"`
	Name        string `json:"name"`
	Email       string `json:"email"`
	StationID   int64  `json:"station_id"`
	Date        string `json:"date"`
	Time        string `json:"time"`
	Note        string `json:"note"`
	Status      string `json:"status"`
	Reason      string `json:"reason"`
	CreatedAt   stamp  `json:"created_at"`
	UpdatedAt   stamp  `json:"updated_at"`
}

func showBooking(b booking.Booking) bookingView {
	return bookingView{
		BookingID: b.ID, MerchantID: b.MerchantID, OrderID: b.OrderID, Plate: b.Plate, PlateColor: b.PlateColor, VehicleType: b.VehicleType, Phone: b.Phone,
		Name: b.Name, Email: b.Email, StationID: b.StationID, Date: b.Date, Time: b.Time, Note: b.Note, Status: string(b.Status), Reason: b.Reason,
		CreatedAt: stamp(b.CreatedAt), UpdatedAt: stamp(b.UpdatedAt),
	}
}

// bookings lists bookings, newest first. Its cursor is how many were listed.
func (a *API) bookings(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	statuses := make([]string, len(booking.Statuses))
	for i, s := range booking.Statuses {
		statuses[i] = string(s)
	}
	f := core.BookingSearch{MerchantID: q.uuid("merchant_id"), Phone: q.text("phone"), Status: booking.Status(q.choice("status", statuses...)), StationID: q.number("station_id")}
	page := q.pageByName()
	skip := int64(0)
	if page.cursor != "" {
		if skip, err = strconv.ParseInt(page.cursor, 10, 32); err != nil || skip < 0 {
			q.faults.add("cursor", "is not a cursor of this list")
		}
	}
	if err := q.err(); err != nil {
		return nil, err
	}
	f.Skip, f.Limit = skip, int64(page.limit)
	found, total, err := a.core.SearchBookings(c.ctx(), f)
	if err != nil {
		return nil, err
	}
	l := list[bookingView]{Items: make([]bookingView, 0, len(found))}
	for _, b := range found {
		l.Items = append(l.Items, showBooking(b))
	}
	if next := skip + int64(len(found)); next < total && len(found) > 0 && next < math.MaxInt32 {
		l.NextCursor = strconv.FormatInt(next, 10)
	}
	return l, nil
}

// number reads a whole number above 0, 0 when it is not there.
func (q *query) number(name string) int64 {
	s := q.text(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || n > maxWhole {
		q.faults.add(name, "has to be a number above 0")
		return 0
	}
	return n
}

func (a *API) setBookingStatus(c *call) (any, error) {
	id, err := c.pathNumber("booking_id", "booking")
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("status")
	to, reason := o.choice("status", string(booking.Confirmed), string(booking.Closed), string(booking.Canceled)), o.words("reason", maxReason)
	if err := o.err(); err != nil {
		return nil, err
	}
	return shown(showBooking)(a.core.SetBookingStatus(c.ctx(), c.by, id, booking.Status(*to), or(reason, "")))
}

type lineView struct {
	ServiceID int64     `json:"service_id"`
	Name      string    `json:"name"`
	Quantity  int64     `json:"quantity"`
	Price     money.VND `json:"price"`
	TaxBP     int64     `json:"tax_bp"`
}

type orderView struct {
	OrderID    int64      `json:"order_id"`
	MerchantID string     `json:"merchant_id"`
	Code       string     `json:"code"`
	BookingID  int64      `json:"booking_id"`
	Name       string     `json:"name"`
	Lines      []lineView `json:"lines"`
	Promotion  string     `json:"promotion"`
	Subtotal   money.VND  `json:"subtotal"`
	Discount   money.VND  `json:"discount"`
	Tax        money.VND  `json:"tax"`
	Total      money.VND  `json:"total"`
	Phone      string     `json:"phone"`
	Payer      string     `json:"payer"`
	PaymentID  string     `json:"payment_id"`
	CreatedAt  stamp      `json:"created_at"`
	UpdatedAt  stamp      `json:"updated_at"`
	CanceledAt stamp      `json:"canceled_at"`
}

func showOrder(s core.Sold) orderView {
	o := s.Order
	v := orderView{
		OrderID: o.ID, MerchantID: o.MerchantID, Code: o.Code, BookingID: o.BookingID, Name: o.Name, Lines: []lineView{}, Promotion: o.Promotion,
		Subtotal: o.Subtotal, Discount: o.Discount, Tax: o.Tax, Total: o.Total, Phone: o.Phone, Payer: o.Payer,
		CreatedAt: stamp(o.CreatedAt), UpdatedAt: stamp(o.UpdatedAt), CanceledAt: stamp(o.CanceledAt),
	}
	for _, l := range o.Lines {
		v.Lines = append(v.Lines, lineView{l.ServiceID, l.Name, l.Quantity, l.Price, l.TaxBP})
	}
	if s.Payment != nil {
		v.PaymentID = s.Payment.ID
	}
	return v
}

func (a *API) addOrder(c *call) (any, error) {
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("merchant_id", "name", "lines")
	merchant, name, code := o.uuid("merchant_id"), o.words("name", maxName), o.filled("code", booking.MaxCode)
	promotion, phone, payer := o.filled("promotion", 40), o.text("phone", 20), o.words("payer", maxName)
	if code != nil && !booking.IsCode(*code) {
		o.complain("code", "may have letters, digits, dots, dashes and underscores only")
	}
	var lines []booking.Line
	o.objects("lines", booking.MaxLines, func(in *object) {
		in.need("name", "price")
		l := booking.Line{
			ServiceID: or(in.whole("service_id", 0, maxWhole), 0), Name: or(in.words("name", maxName), ""), Quantity: or(in.whole("quantity", 1, booking.MaxQuantity), 1),
			Price: or(in.amount("price"), 0), TaxBP: or(in.whole("tax_bp", 0, booking.MaxBP), 0),
		}
		if l.Price > booking.MaxPrice {
			in.complain("price", "is over "+booking.MaxPrice.String())
		}
		lines = append(lines, l)
	})
	if len(lines) == 0 && len(o.faults) == 0 {
		o.complain("lines", "may not be empty")
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	made, err := a.core.AddOrder(c.ctx(), c.by, core.NewOrder{
		MerchantID: *merchant, Code: or(code, ""), Name: *name, Lines: lines, Promotion: or(promotion, ""), Phone: or(phone, ""), Payer: or(payer, ""),
	})
	if err != nil {
		return nil, err
	}
	return showOrder(core.Sold{Order: made}), nil
}

func (a *API) order(c *call) (any, error) {
	id, err := c.pathNumber("order_id", "order")
	if err != nil {
		return nil, err
	}
	return shown(showOrder)(a.core.Order(c.ctx(), id))
}

func (a *API) cancelOrder(c *call) (any, error) {
	id, err := c.pathNumber("order_id", "order")
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("reason")
	reason := o.words("reason", maxReason)
	if err := o.err(); err != nil {
		return nil, err
	}
	if _, err := a.core.CancelOrder(c.ctx(), c.by, id, *reason); err != nil {
		return nil, err
	}
	return shown(showOrder)(a.core.Order(c.ctx(), id))
}
