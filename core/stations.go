package core

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/store"
)

// Bounds of what an operator sets for bookings.
const (
	maxNumber   = 1<<53 - 1 // what every JSON reader keeps exactly
	maxSlots    = 500
	maxDaysOff  = 1000
	maxSlotText = 40
	maxAhead    = 730 // days
	maxPerMin   = 1_000_000
)

func checkNumber(field string, n int64) error {
	if n < 1 || n > maxNumber {
		return invalid(field, "is a number from 1 to 9007199254740991")
	}
	return nil
}

// PutStation adds a station, or replaces the one of its number.
func (c *Core) PutStation(ctx context.Context, by Actor, s booking.Station) (booking.Station, error) {
	s.Name = strings.TrimSpace(s.Name)
	if err := checkStation(s); err != nil {
		return s, err
	}
	return s, c.update(ctx, "put_station", func(w *work) error {
		var before any
		switch was, err := w.LockStation(ctx, s.ID); payment.CodeOf(err) {
		case "":
			before = was
		case payment.CodeNotFound:
		default:
			return err
		}
		if err := w.Tx.PutStation(ctx, s); err != nil {
			return err
		}
		return w.audit(ctx, by, "station.put", fmt.Sprint(s.ID), before, s)
	})
}

func checkStation(s booking.Station) error {
	if err := checkNumber("station_id", s.ID); err != nil {
		return err
	}
	for _, text := range []struct {
		field, text string
		least       int
	}{{"name", s.Name, 1}, {"code", s.Code, 0}, {"address", s.Address, 0}, {"area", s.Area, 0}} {
		if err := checkText(text.field, text.text, text.least, maxName); err != nil {
			return err
		}
	}
	return checkCalendar(s.Calendar)
}

func checkCalendar(c booking.Calendar) error {
	switch {
	case len(c.Slots) > maxSlots:
		return invalid("slots", fmt.Sprintf("are at most %d", maxSlots))
	case len(c.DaysOff) > maxDaysOff:
		return invalid("days_off", fmt.Sprintf("are at most %d", maxDaysOff))
	case c.DaysAhead < 0 || c.DaysAhead > maxAhead:
		return invalid("days_ahead", fmt.Sprintf("is 0 to %d", maxAhead))
	case c.PerDay < 0 || c.PerDay > maxNumber || c.PerPhone < 0 || c.PerPhone > maxNumber:
		return invalid("per_day and per_phone", "are 0 or more")
	}
	seen := map[booking.Slot]bool{}
	for _, s := range c.Slots {
		if s.Weekday < 0 || s.Weekday > 6 {
			return invalid("slots", "have a weekday from 0 (Sunday) to 6")
		}
		if s.Capacity < 1 || s.Capacity > 100_000 {
			return invalid("slots", "have a capacity of 1 to 100000")
		}
		if err := checkText("slots", s.Time, 1, maxSlotText); err != nil {
			return err
		}
		name := booking.Slot{Weekday: s.Weekday, Time: s.Time}
		if seen[name] {
			return invalid("slots", "have "+s.Time+" twice on one weekday")
		}
		seen[name] = true
	}
	for _, day := range c.DaysOff {
		if _, err := time.Parse(booking.DateLayout, day); err != nil {
			return invalid("days_off", "are dates such as 2026-02-17")
		}
	}
	for _, v := range c.VehicleTypes {
		if v < 1 || v > maxNumber {
			return invalid("vehicle_types", "are numbers above 0")
		}
	}
	return nil
}

// Station returns a station, or booking.UnknownStation.
func (c *Core) Station(ctx context.Context, id int64) (booking.Station, error) {
	return view(ctx, c, "station", func(tx *store.Tx) (booking.Station, error) { return tx.Station(ctx, id) })
}

// Stations lists all stations by number.
func (c *Core) Stations(ctx context.Context) ([]booking.Station, error) {
	return view(ctx, c, "stations", func(tx *store.Tx) ([]booking.Station, error) { return tx.Stations(ctx) })
}

// PutService adds a service to a station, or replaces the one of its number,
// which stays where it is. Orders keep the prices that they were made with.
func (c *Core) PutService(ctx context.Context, by Actor, s booking.Service) (booking.Service, error) {
	s.Name = strings.TrimSpace(s.Name)
	if err := checkNumber("service_id", s.ID); err != nil {
		return s, err
	}
	switch {
	case s.Price < 0 || s.Price > booking.MaxPrice:
		return s, invalid("price", "is 0 to "+booking.MaxPrice.String())
	case s.TaxBP < 0 || s.TaxBP > booking.MaxBP:
		return s, invalid("tax_bp", "is 0 to 10000 hundredths of a percent")
	case s.Kind < 0 || s.Kind > maxNumber:
		return s, invalid("kind", "is 0 or more")
	}
	if err := checkText("name", s.Name, 1, maxName); err != nil {
		return s, err
	}
	return s, c.update(ctx, "put_service", func(w *work) error {
		if _, err := w.LockStation(ctx, s.StationID); err != nil {
			return err
		}
		var before any
		switch was, err := w.Service(ctx, s.ID); {
		case err == nil && was.StationID != s.StationID:
			return payment.Fail(payment.CodeConflict, "the service is of another station")
		case err == nil:
			before = was
		case payment.CodeOf(err) != payment.CodeInvalidRequest:
			return err
		}
		if err := w.Tx.PutService(ctx, s); err != nil {
			return err
		}
		return w.audit(ctx, by, "service.put", fmt.Sprint(s.ID), before, s)
	})
}

// Services lists a station's services by number, or booking.UnknownStation.
func (c *Core) Services(ctx context.Context, stationID int64) ([]booking.Service, error) {
	return view(ctx, c, "services", func(tx *store.Tx) ([]booking.Service, error) {
		if _, err := tx.Station(ctx, stationID); err != nil {
			return nil, err
		}
		return tx.Services(ctx, stationID)
	})
}

var promotionForm = regexp.MustCompile(`^[A-Z0-9][A-Z0-9_-]{0,39}$`)

// PutPromotion adds a promotion, or replaces the one of its code.
func (c *Core) PutPromotion(ctx context.Context, by Actor, p booking.Promotion) (booking.Promotion, error) {
	p.Code = strings.ToUpper(strings.TrimSpace(p.Code))
	p.From, p.Until = p.From.Truncate(time.Millisecond), p.Until.Truncate(time.Millisecond)
	switch {
	case !promotionForm.MatchString(p.Code):
		return p, invalid("code", "is 1 to 40 letters, digits, - and _")
	case p.PercentBP < 0 || p.PercentBP > booking.MaxBP:
		return p, invalid("percent_bp", "is 0 to 10000 hundredths of a percent")
	case p.Amount < 0 || p.Most < 0 || p.Amount > MaxAmount || p.Most > MaxAmount:
		return p, invalid("amount and most", "are 0 to 13 digits")
	case p.PercentBP == 0 && p.Amount == 0:
		return p, invalid("percent_bp", "and amount are both 0: it would lower nothing")
	case !p.Until.IsZero() && !p.Until.After(p.From):
		return p, invalid("until", "is not after from")
	}
	return p, c.update(ctx, "put_promotion", func(w *work) error {
		var before any
		if was, err := w.Promotion(ctx, p.Code); err == nil {
			before = was
		}
		if err := w.Tx.PutPromotion(ctx, p); err != nil {
			return err
		}
		return w.audit(ctx, by, "promotion.put", p.Code, before, p)
	})
}

// Promotions lists all promotions by code.
func (c *Core) Promotions(ctx context.Context) ([]booking.Promotion, error) {
	return view(ctx, c, "promotions", func(tx *store.Tx) ([]booking.Promotion, error) { return tx.Promotions(ctx) })
}

// MethodNames are the keys that a way to pay may have, in their order on the
// wire, with what each is paid by when an operator says nothing; "" has to be
// said.
var MethodNames = []struct {
	Name string
	By   payment.Method
}{
	{"bank", payment.BankTransfer}, {"momo", payment.MoMo}, {"gtelPay", ""}, {"zaloPay", payment.ZaloPay}, {"taMove", payment.BankTransfer},
	{"vnPay", payment.VNPayQR}, {"shopeePay", ""}, {"baoKim", ""}, {"kimNgan", ""}, {"vnpayAppInApp", payment.VNPayQR},
}

func methodBy(name string) (by payment.Method, known bool) {
	for _, n := range MethodNames {
		if n.Name == name {
			return n.By, true
		}
	}
	return "", false
}

// PutMethod adds a way to pay for a merchant's bookings, or replaces the one of
// its name. A usual one that is not to be offered is put and not enabled.
func (c *Core) PutMethod(ctx context.Context, by Actor, m booking.Method) (booking.Method, error) {
	usual, known := methodBy(m.Name)
	if !known {
		return m, invalid("name", "is none of the protocol's payment methods")
	}
	if m.By == "" {
		m.By = usual
	}
	if err := checkMethod(m); err != nil {
		return m, err
	}
	err := c.update(ctx, "put_method", func(w *work) error {
		if _, err := w.LockMerchant(ctx, m.MerchantID); err != nil {
			return err
		}
		if m.StationID != 0 {
			if _, err := w.Station(ctx, m.StationID); err != nil {
				return err
			}
		}
		all, err := w.Methods(ctx, m.MerchantID)
		if err != nil {
			return err
		}
		var before any
		for _, o := range all {
			switch {
			case o.Name == m.Name:
				before = o
			case o.Number == m.Number:
				return payment.Fail(payment.CodeConflict, "another payment method of the merchant has this number: "+o.Name)
			}
		}
		if err := w.Tx.PutMethod(ctx, m); err != nil {
			return err
		}
		return w.audit(ctx, by, "booking_method.put", m.MerchantID+"/"+m.Name, before, m)
	})
	return m, err
}

// paysBy are the methods that a way to pay may stand for.
var paysBy = []payment.Method{
	payment.BankTransfer, payment.MoMo, payment.ZaloPay, payment.VNPayQR, payment.DomesticCard, payment.InternationalCard,
}

func checkMethod(m booking.Method) error {
	if err := checkNumber("method_id", m.Number); err != nil {
		return err
	}
	if err := checkNumber("type", m.Type); err != nil {
		return err
	}
	if !slices.Contains(paysBy, m.By) {
		return invalid("pays_by", "says how the money comes in: bank_transfer, momo, zalopay, vnpay_qr, domestic_card or international_card")
	}
	for field, text := range map[string]string{"title": m.Title, "account": m.Account, "holder": m.Holder, "note": m.Note} {
		if err := checkText(field, text, 0, maxName); err != nil {
			return err
		}
	}
	return checkURL("image_url", m.ImageURL)
}

// DeleteMethod takes a way to pay away.
func (c *Core) DeleteMethod(ctx context.Context, by Actor, merchantID, name string) error {
	return c.update(ctx, "delete_method", func(w *work) error {
		if err := w.Tx.DeleteMethod(ctx, merchantID, name); err != nil {
			return err
		}
		return w.audit(ctx, by, "booking_method.delete", merchantID+"/"+name, nil, nil)
	})
}

// usualMethods is what a merchant offers that an operator has set nothing for:
// the bank under the number and type of the documented samples, and wallets
// under the numbers that clients know, as far as the merchant can take them.
var usualMethods = []booking.Method{
	{Name: "bank", Number: 1, Type: 2, By: payment.BankTransfer, Note: "VietQR", Enabled: true},
	{Name: "momo", Number: 2, Type: 2, By: payment.MoMo, Enabled: true},
	{Name: "vnPay", Number: 4, Type: 4, By: payment.VNPayQR, Enabled: true},
	{Name: "zaloPay", Number: 5, Type: 5, By: payment.ZaloPay, Enabled: true},
}

// Methods lists the ways to pay for a merchant's bookings by number: those that
// an operator has set, and the usual ones beside them that the merchant can
// take. What is shown of a bank comes from the merchant's receiving account
// where nothing else was set.
func (c *Core) Methods(ctx context.Context, merchantID string) ([]booking.Method, error) {
	all, err := view(ctx, c, "methods", func(tx *store.Tx) ([]booking.Method, error) { return tx.Methods(ctx, merchantID) })
	if err != nil {
		return nil, err
	}
	for _, m := range usualMethods {
		if slices.ContainsFunc(all, func(o booking.Method) bool { return o.Name == m.Name || o.Number == m.Number }) {
			continue
		}
		_, _, err := c.enabled(ctx, merchantID, []payment.Method{m.By})
		switch payment.CodeOf(err) {
		case "":
			m.MerchantID = merchantID
			all = append(all, m)
		case payment.CodeMethodNotSupported:
		default:
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b booking.Method) int { return cmp.Compare(a.Number, b.Number) })
	accounts, err := c.ReceivingAccounts(ctx, merchantID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(accounts, func(a payment.ReceivingAccount) bool { return a.Enabled })
	for n := range all {
		if m := &all[n]; m.By == payment.BankTransfer && i >= 0 {
			fill(&m.Title, bankName(accounts[i].BIN))
			fill(&m.Account, accounts[i].Number)
			fill(&m.Holder, accounts[i].Holder)
		}
		fill(&all[n].Title, all[n].Name)
	}
	return all, nil
}

func fill(to *string, with string) {
	if *to == "" {
		*to = with
	}
}

// Partner reads what is set for a merchant that makes bookings.
func (c *Core) Partner(ctx context.Context, merchantID string) (booking.Partner, error) {
	return c.directory.partners.get(&c.directory, merchantID, func() (booking.Partner, error) {
		return view(ctx, c, "partner", func(tx *store.Tx) (booking.Partner, error) { return tx.Partner(ctx, merchantID) })
	})
}

// PutPartner sets a merchant's station and quota.
func (c *Core) PutPartner(ctx context.Context, by Actor, p booking.Partner) (booking.Partner, error) {
	switch {
	case p.StationID < 0 || p.StationID > maxNumber:
		return p, invalid("station_id", "is a station's number, or 0 for none")
	case p.PerMinute < -1 || p.PerMinute > maxPerMin:
		return p, invalid("per_minute", fmt.Sprintf("is 1 to %d calls, 0 for the gateway's own limit, -1 for none", maxPerMin))
	case p.Burst < 0 || p.Burst > maxPerMin:
		return p, invalid("burst", fmt.Sprintf("is 0 to %d calls", maxPerMin))
	}
	return p, c.update(ctx, "put_partner", func(w *work) error {
		if _, err := w.LockMerchant(ctx, p.MerchantID); err != nil {
			return err
		}
		if p.StationID != 0 {
			if _, err := w.Station(ctx, p.StationID); err != nil {
				return err
			}
		}
		before, err := w.Partner(ctx, p.MerchantID)
		if err != nil {
			return err
		}
		if err := w.Tx.PutPartner(ctx, p); err != nil {
			return err
		}
		return w.audit(ctx, by, "partner.put", p.MerchantID, before, p)
	})
}

// Quote is what a list of services would cost, with a promotion or without. A
// service may be of any station. Booking.NoService and BadPromotion.
func (c *Core) Quote(ctx context.Context, items []Item, promotion string) (booking.Bill, error) {
	return view(ctx, c, "quote", func(tx *store.Tx) (booking.Bill, error) {
		lines, err := linesOf(ctx, tx, items, 0)
		if err != nil {
			return booking.Bill{}, err
		}
		p, err := promotionAt(ctx, tx, promotion, c.Now())
		if err != nil {
			return booking.Bill{}, err
		}
		return bill(lines, p)
	})
}

// Item is so much of a service.
type Item struct {
	ServiceID int64
	Quantity  int64 // 0 is 1
}

// linesOf looks services up; stationID 0 takes them of any station.
func linesOf(ctx context.Context, tx *store.Tx, items []Item, stationID int64) ([]booking.Line, error) {
	lines := make([]booking.Line, 0, len(items))
	for _, i := range items {
		s, err := tx.Service(ctx, i.ServiceID)
		if err != nil {
			return nil, err
		}
		if !s.Enabled || (stationID != 0 && s.StationID != stationID) {
			return nil, booking.Refuse(booking.NoService)
		}
		lines = append(lines, booking.Line{ServiceID: s.ID, Name: s.Name, Quantity: max(i.Quantity, 1), Price: s.Price, TaxBP: s.TaxBP})
	}
	return lines, nil
}

// promotionAt loads a promotion that holds at a time; "" is none.
func promotionAt(ctx context.Context, tx *store.Tx, code string, at time.Time) (booking.Promotion, error) {
	if code == "" {
		return booking.Promotion{}, nil
	}
	p, err := tx.Promotion(ctx, strings.ToUpper(code))
	if err == nil && !p.Holds(at) {
		err = booking.Refuse(booking.BadPromotion)
	}
	return p, err
}

// bill adds lines up within what can be asked for.
func bill(lines []booking.Line, p booking.Promotion) (booking.Bill, error) {
	b, err := booking.NewBill(lines, p)
	if err != nil || b.Total > MaxAmount {
		return b, &payment.Error{Code: payment.CodeInvalidAmount, Text: "the order's total is out of range", Cause: err}
	}
	return b, nil
}

// bankName is what people call a bank.
func bankName(bin string) string {
	b, _ := vietqr.LookupBIN(bin)
	return b.ShortName
}
