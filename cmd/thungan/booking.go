package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect/ttdk"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// bookingCommand is what an operator sets for the TTDK Partner API.
type bookingCommand struct {
	Station   stationCommand   `cmd:"" help:"Stations and when they take vehicles."`
	Service   serviceCommand   `cmd:"" help:"What a station does for a price."`
	Promotion promotionCommand `cmd:"" help:"What lowers the price of orders."`
	Method    methodCommand    `cmd:"" help:"Ways to pay that a partner offers."`
	Partner   partnerCommand   `cmd:"" help:"A partner's station, quota and API keys."`
	Order     orderCommand     `cmd:"" help:"Orders without a booking."`
	List      listBookings     `cmd:"" help:"List bookings, newest first."`
	Status    statusCommand    `cmd:"" help:"Confirm, close or cancel a booking. The partner is told."`
}

type stationCommand struct {
	Put  putStationCommand   `cmd:"" help:"Add a station, or replace the one of the number."`
	List listStationsCommand `cmd:"" help:"List stations."`
}

type putStationCommand struct {
	operatorFlags
	ID           int64    `arg:"" help:"The station's number."`
	Name         string   `help:"What people call it." required:"" env:"-"`
	Code         string   `help:"Its official code." env:"-"`
	Address      string   `help:"Where it is." env:"-"`
	Area         string   `help:"Province or city." env:"-"`
	Slot         []string `help:"A time of the week with its capacity, such as mon-fri/7h-9h/10 or sat/7h-9h/5; may be given many times." placeholder:"DAYS/TIME/CAPACITY" sep:"none" env:"-"`
	DayOff       []string `help:"A date on which it is closed, such as 2026-02-17; may be given many times." placeholder:"DATE" env:"-"`
	SameDay      bool     `help:"Take bookings for the same day." env:"-"`
	DaysAhead    int64    `help:"How far ahead bookings are taken; 0 is 60 days." env:"-"`
	PerDay       int64    `help:"Most bookings of a day over all times; 0 is no limit." env:"-"`
	PerPhone     int64    `help:"Most open bookings of a phone number; 0 is no limit." env:"-"`
	VehicleTypes []int64  `help:"Types of vehicle that it takes; all when left out." env:"-"`
	Priority     bool     `help:"List it as preferred." env:"-"`
	Disabled     bool     `help:"Take no bookings." env:"-"`
}

func (putStationCommand) Help() string {
	return `A station that is open on weekdays:

  thungan booking station put 57 --name "Trạm 2901S" --area "Hà Nội" \
    --slot mon-sat/7h-9h/10 --slot mon-sat/9h-11h/10 --day-off 2026-02-17

Everything is replaced: what is left out is empty again. Bookings that are there stay.`
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// weekday is the number of a day, -1 for none.
func weekday(s string) int {
	for n, name := range weekdays {
		if strings.EqualFold(s, name) {
			return n
		}
	}
	return -1
}

// slots reads one --slot.
func slots(text string) ([]booking.Slot, error) {
	bad := fmt.Errorf("--slot %q is not DAYS/TIME/CAPACITY, such as mon-fri/7h-9h/10", text)
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return nil, bad
	}
	var capacity int64
	if n, err := fmt.Sscanf(parts[2]+"\n", "%d\n", &capacity); n != 1 || err != nil {
		return nil, bad
	}
	first, last, span := strings.Cut(parts[0], "-")
	if !span {
		last = first
	}
	from, until := weekday(first), weekday(last)
	if from < 0 || until < 0 {
		return nil, bad
	}
	var all []booking.Slot
	for day := from; ; day = (day + 1) % len(weekdays) {
		all = append(all, booking.Slot{Weekday: int64(day), Time: parts[1], Capacity: capacity})
		if day == until {
			return all, nil
		}
	}
}

func (c putStationCommand) Run(ctx context.Context) error {
	s := booking.Station{
		ID: c.ID, Code: c.Code, Name: c.Name, Address: c.Address, Area: c.Area, Enabled: !c.Disabled, Priority: c.Priority,
		Calendar: booking.Calendar{
			DaysOff: c.DayOff, SameDay: c.SameDay, DaysAhead: c.DaysAhead, PerDay: c.PerDay, PerPhone: c.PerPhone, VehicleTypes: c.VehicleTypes,
		},
	}
	for _, text := range c.Slot {
		more, err := slots(text)
		if err != nil {
			return err
		}
		s.Calendar.Slots = append(s.Calendar.Slots, more...)
	}
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		s, err := k.PutStation(ctx, by, s)
		if err != nil {
			return err
		}
		return c.show([2]string{"station id", fmt.Sprint(s.ID)}, [2]string{"name", s.Name}, [2]string{"slots", fmt.Sprint(len(s.Calendar.Slots))})
	})
}

type listStationsCommand struct{ operatorFlags }

func (c listStationsCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		all, err := k.Stations(ctx)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, s := range all {
			rows = append(rows, []string{fmt.Sprint(s.ID), s.Code, s.Name, s.Area, fmt.Sprint(s.Enabled), fmt.Sprint(len(s.Calendar.Slots))})
		}
		return c.table([]string{"id", "code", "name", "area", "enabled", "slots"}, rows)
	})
}

type serviceCommand struct {
	Put  putServiceCommand   `cmd:"" help:"Add a service, or replace the one of the number. Orders keep the prices that they were made with."`
	List listServicesCommand `cmd:"" help:"List a station's services."`
}

type putServiceCommand struct {
	operatorFlags
	ID       int64     `arg:"" help:"The service's number."`
	Station  int64     `help:"The station's number." required:"" env:"-"`
	Name     string    `help:"What it is." required:"" env:"-"`
	Price    money.VND `help:"Before tax, đồng." required:"" env:"-"`
	TaxBP    int64     `help:"Tax in hundredths of a percent: 800 is 8 %." name:"tax-bp" env:"-"`
	Kind     int64     `help:"serviceType on the wire." default:"1" env:"-"`
	Disabled bool      `help:"Offer it no more." env:"-"`
}

func (c putServiceCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		s, err := k.PutService(ctx, by, booking.Service{ID: c.ID, StationID: c.Station, Name: c.Name, Kind: c.Kind, Price: c.Price, TaxBP: c.TaxBP, Enabled: !c.Disabled})
		if err != nil {
			return err
		}
		return c.show([2]string{"service id", fmt.Sprint(s.ID)}, [2]string{"station id", fmt.Sprint(s.StationID)}, [2]string{"name", s.Name}, [2]string{"price", s.Price.String()})
	})
}

type listServicesCommand struct {
	operatorFlags
	Station int64 `arg:"" help:"The station's number."`
}

func (c listServicesCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		all, err := k.Services(ctx, c.Station)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, s := range all {
			rows = append(rows, []string{fmt.Sprint(s.ID), s.Name, s.Price.String(), fmt.Sprint(s.TaxBP), fmt.Sprint(s.Enabled)})
		}
		return c.table([]string{"id", "name", "price", "tax bp", "enabled"}, rows)
	})
}

type promotionCommand struct {
	Put  putPromotionCommand   `cmd:"" help:"Add a promotion, or replace the one of the code."`
	List listPromotionsCommand `cmd:"" help:"List promotions."`
}

type putPromotionCommand struct {
	operatorFlags
	Code      string    `arg:"" help:"What payers enter, such as SALE10."`
	PercentBP int64     `help:"Off the subtotal, in hundredths of a percent: 1000 is 10 %." name:"percent-bp" env:"-"`
	Amount    money.VND `help:"Off besides, đồng." default:"0" env:"-"`
	Most      money.VND `help:"At most so much off, đồng; 0 is no limit." default:"0" env:"-"`
	From      string    `help:"From when it holds, such as 2026-02-01T00:00:00+07:00." placeholder:"TIME" env:"-"`
	Until     string    `help:"Until when." placeholder:"TIME" env:"-"`
	Disabled  bool      `help:"It holds no more." env:"-"`
}

func (c putPromotionCommand) Run(ctx context.Context) error {
	p := booking.Promotion{Code: c.Code, PercentBP: c.PercentBP, Amount: c.Amount, Most: c.Most, Enabled: !c.Disabled}
	for flag, t := range map[string]struct {
		text string
		to   *time.Time
	}{"--from": {c.From, &p.From}, "--until": {c.Until, &p.Until}} {
		if t.text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, t.text)
		if err != nil {
			return fmt.Errorf("%s has to be a time with its zone, such as 2026-02-01T00:00:00+07:00", flag)
		}
		*t.to = at.UTC()
	}
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		p, err := k.PutPromotion(ctx, by, p)
		if err != nil {
			return err
		}
		return c.show([2]string{"code", p.Code}, [2]string{"percent bp", fmt.Sprint(p.PercentBP)}, [2]string{"amount", p.Amount.String()})
	})
}

type listPromotionsCommand struct{ operatorFlags }

func (c listPromotionsCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		all, err := k.Promotions(ctx)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, p := range all {
			rows = append(rows, []string{p.Code, fmt.Sprint(p.PercentBP), p.Amount.String(), p.Most.String(), shown(p.From), shown(p.Until), fmt.Sprint(p.Enabled)})
		}
		return c.table([]string{"code", "percent bp", "amount", "most", "from", "until", "enabled"}, rows)
	})
}

type methodCommand struct {
	Put    putMethodCommand    `cmd:"" help:"Set a way to pay, or replace the one of the name."`
	Delete deleteMethodCommand `cmd:"" help:"Take it away; a usual one is as usual again."`
	List   listMethodsCommand  `cmd:"" help:"List what a partner offers."`
}

type putMethodCommand struct {
	operatorFlags
	ID       string `arg:"" help:"The merchant's id."`
	Name     string `arg:"" help:"Its key on the wire: bank, momo, gtelPay, zaloPay, taMove, vnPay, shopeePay, baoKim, kimNgan or vnpayAppInApp."`
	MethodID int64  `help:"paymentMethodId on the wire." required:"" name:"method-id" env:"-"`
	Type     int64  `help:"paymentMethodType on the wire." required:"" env:"-"`
	PaysBy   string `help:"How the money comes in: bank_transfer, momo, zalopay, vnpay_qr, domestic_card or international_card; the usual one when left out." env:"-"`
	Title    string `help:"What payers see; made from the receiving account when left out." env:"-"`
	Account  string `help:"Number or phone that is shown." env:"-"`
	Holder   string `help:"Holder that is shown." env:"-"`
	ImageURL string `help:"A logo." name:"image-url" placeholder:"URL" env:"-"`
	Note     string `help:"Any note." env:"-"`
	Station  int64  `help:"The station that it is shown for." env:"-"`
	Disabled bool   `help:"Offer it no more." env:"-"`
}

func (c putMethodCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		m, err := k.PutMethod(ctx, by, booking.Method{
			MerchantID: c.ID, Name: c.Name, Number: c.MethodID, Type: c.Type, By: payment.Method(c.PaysBy), Title: c.Title, Account: c.Account, Holder: c.Holder,
			ImageURL: c.ImageURL, Note: c.Note, StationID: c.Station, Enabled: !c.Disabled,
		})
		if err != nil {
			return err
		}
		return c.show([2]string{"name", m.Name}, [2]string{"method id", fmt.Sprint(m.Number)}, [2]string{"type", fmt.Sprint(m.Type)}, [2]string{"pays by", string(m.By)})
	})
}

type deleteMethodCommand struct {
	operatorFlags
	ID   string `arg:"" help:"The merchant's id."`
	Name string `arg:"" help:"Its key on the wire."`
}

func (c deleteMethodCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error { return k.DeleteMethod(ctx, by, c.ID, c.Name) })
}

type listMethodsCommand struct {
	operatorFlags
	ID string `arg:"" help:"The merchant's id."`
}

func (c listMethodsCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		all, err := k.Methods(ctx, c.ID)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, m := range all {
			rows = append(rows, []string{m.Name, fmt.Sprint(m.Number), fmt.Sprint(m.Type), string(m.By), m.Title, m.Account, fmt.Sprint(m.Enabled)})
		}
		return c.table([]string{"name", "method id", "type", "pays by", "title", "account", "enabled"}, rows)
	})
}

type partnerCommand struct {
	Set    setPartnerCommand `cmd:"" help:"Set a partner's station and quota."`
	AddKey addKeyCommand     `cmd:"" name:"add-key" help:"Give it one more API key, or take over one that it used elsewhere."`
	EndKey endKeyCommand     `cmd:"" name:"end-key" help:"End one API key at once; see thungan merchant keys list."`
}

type setPartnerCommand struct {
	operatorFlags
	ID        string `arg:"" help:"The merchant's id."`
	Station   *int64 `help:"Where its bookings go that name no station; 0 for none." env:"-"`
	PerMinute *int64 `help:"Calls of one key a minute; 0 is the gateway's own limit, -1 none." env:"-"`
	Burst     *int64 `help:"Calls at once; 0 is a minute's." env:"-"`
}

func (c setPartnerCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		p, err := k.Partner(ctx, c.ID)
		if err != nil {
			return err
		}
		for _, set := range []struct{ from, to *int64 }{{c.Station, &p.StationID}, {c.PerMinute, &p.PerMinute}, {c.Burst, &p.Burst}} {
			if set.from != nil {
				*set.to = *set.from
			}
		}
		if p, err = k.PutPartner(ctx, by, p); err != nil {
			return err
		}
		return c.show([2]string{"station id", fmt.Sprint(p.StationID)}, [2]string{"per minute", fmt.Sprint(p.PerMinute)}, [2]string{"burst", fmt.Sprint(p.Burst)})
	})
}

type addKeyCommand struct {
	operatorFlags
	ID  string `arg:"" help:"The merchant's id."`
	Key string `help:"The key that it used elsewhere; a new one is made when left out. Best given by the environment: other users of this machine can see flags." env:"THUNGAN_PARTNER_KEY" placeholder:"TEXT"`
}

func (c addKeyCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		made, key, err := k.AddKey(ctx, by, c.ID, ttdk.Name, c.Key)
		if payment.CodeOf(err) == payment.CodeConflict {
			return errors.New("somebody has this key already")
		}
		if err != nil {
			return err
		}
		return c.show([2]string{"key id", made.ID}, [2]string{"api key", key})
	})
}

type endKeyCommand struct {
	operatorFlags
	ID  string `arg:"" help:"The merchant's id."`
	Key string `arg:"" help:"The key's id."`
}

func (c endKeyCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error { return k.RevokeKey(ctx, by, c.ID, c.Key) })
}

type orderCommand struct {
	Add    addOrderCommand    `cmd:"" help:"Add an order, to be paid by the partner's payers or confirmed by the partner."`
	Cancel cancelOrderCommand `cmd:"" help:"Cancel an order that has no booking."`
	Show   showOrderCommand   `cmd:"" help:"Show an order."`
}

type addOrderCommand struct {
	operatorFlags
	ID        string   `arg:"" help:"The merchant's id."`
	Name      string   `help:"What is paid for." required:"" env:"-"`
	Code      string   `help:"The partner knows it by this; its number when left out." env:"-"`
	Line      []string `help:"A position, NAME=PRICE in đồng before tax; may be given many times." required:"" placeholder:"NAME=PRICE" sep:"none" env:"-"`
	Promotion string   `help:"A promotion's code." env:"-"`
	Phone     string   `help:"The payer's phone." env:"-"`
	Payer     string   `help:"The payer's name." env:"-"`
}

func (c addOrderCommand) Run(ctx context.Context) error {
	n := core.NewOrder{MerchantID: c.ID, Code: c.Code, Name: c.Name, Promotion: c.Promotion, Phone: c.Phone, Payer: c.Payer}
	for _, line := range c.Line {
		at := strings.LastIndex(line, "=")
		if at < 1 {
			return fmt.Errorf("--line %q is not NAME=PRICE", line)
		}
		price, err := money.Parse(line[at+1:])
		if err != nil {
			return fmt.Errorf("--line %q: the price has to be whole đồng", line)
		}
		n.Lines = append(n.Lines, booking.Line{Name: line[:at], Quantity: 1, Price: price})
	}
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		o, err := k.AddOrder(ctx, by, n)
		if err != nil {
			return err
		}
		return c.show([2]string{"order id", fmt.Sprint(o.ID)}, [2]string{"code", o.Code}, [2]string{"total", o.Total.String()})
	})
}

type cancelOrderCommand struct {
	operatorFlags
	Order  int64  `arg:"" help:"The order's number."`
	Reason string `help:"Why." required:"" env:"-"`
}

func (c cancelOrderCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		_, err := k.CancelOrder(ctx, by, c.Order, c.Reason)
		return err
	})
}

type showOrderCommand struct {
	operatorFlags
	Order int64 `arg:"" help:"The order's number."`
}

func (c showOrderCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		s, err := k.Order(ctx, c.Order)
		if err != nil {
			return err
		}
		o := s.Order
		lines := [][2]string{
			{"order id", fmt.Sprint(o.ID)}, {"code", o.Code}, {"name", o.Name}, {"booking id", fmt.Sprint(o.BookingID)}, {"subtotal", o.Subtotal.String()},
			{"discount", o.Discount.String()}, {"tax", o.Tax.String()}, {"total", o.Total.String()}, {"made", shown(o.CreatedAt)}, {"canceled", shown(o.CanceledAt)},
		}
		if s.Payment != nil {
			lines = append(lines, [2]string{"payment id", s.Payment.ID}, [2]string{"payment", string(s.Payment.State)}, [2]string{"received", s.Payment.Received.String()})
		}
		return c.show(lines...)
	})
}

type listBookings struct {
	operatorFlags
	Merchant string `help:"Of this merchant only." placeholder:"ID" env:"-"`
	Station  int64  `help:"At this station only." env:"-"`
	Phone    string `help:"Of this phone number only." env:"-"`
	Status   string `help:"new, confirmed, canceled or closed." enum:",new,confirmed,canceled,closed" default:"" env:"-"`
	Limit    int64  `help:"How many." default:"50" env:"-"`
}

func (c listBookings) Run(ctx context.Context) error {
	if c.Limit < 1 || c.Limit > 10_000 {
		return errors.New("--limit has to be 1 to 10000")
	}
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		found, _, err := k.SearchBookings(ctx, core.BookingSearch{
			MerchantID: c.Merchant, StationID: c.Station, Phone: c.Phone, Status: booking.Status(c.Status), Limit: c.Limit,
		})
		if err != nil {
			return err
		}
		var rows [][]string
		for _, b := range found {
			rows = append(rows, []string{fmt.Sprint(b.ID), fmt.Sprint(b.OrderID), b.Plate, b.Phone, fmt.Sprint(b.StationID), b.Date, b.Time, string(b.Status), shown(b.CreatedAt)})
		}
		return c.table([]string{"id", "order", "plate", "phone", "station", "date", "time", "status", "made"}, rows)
	})
}

type statusCommand struct {
	operatorFlags
	Booking int64  `arg:"" help:"The booking's number."`
	Status  string `arg:"" help:"confirmed, closed or canceled." enum:"confirmed,closed,canceled"`
	Reason  string `help:"Why." env:"-"`
}

func (c statusCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		b, err := k.SetBookingStatus(ctx, by, c.Booking, booking.Status(c.Status), c.Reason)
		if err != nil {
			return err
		}
		return c.show([2]string{"booking id", fmt.Sprint(b.ID)}, [2]string{"status", string(b.Status)})
	})
}
