package booking

import "github.com/thungan/thungan/payment"

// Reason says in one word why something cannot be booked or paid. Dialects map
// it to their own words.
type Reason string

// The reasons.
const (
	UnknownStation Reason = "unknown_station"
	NoCalendar     Reason = "no_calendar" // the station takes no bookings
	SlotFull       Reason = "slot_full"
	DayFull        Reason = "day_full"
	PlateBooked    Reason = "plate_booked" // the plate has an open booking
	BadDate        Reason = "bad_date"
	PastDate       Reason = "past_date"
	NoSlot         Reason = "no_slot" // the station has no such time on that day
	DayOff         Reason = "day_off"
	ClosedSunday   Reason = "closed_sunday"
	SameDay        Reason = "same_day"
	TooEarly       Reason = "too_early" // further ahead than bookings are taken
	BadPlate       Reason = "bad_plate"
	PhoneLimit     Reason = "phone_limit"
	VehicleType    Reason = "vehicle_type"
	NoService      Reason = "no_service" // the station has no such service
	NotFound       Reason = "not_found"
	Foreign        Reason = "foreign" // it is another partner's
	WasCanceled    Reason = "was_canceled"
	StaffConfirmed Reason = "staff_confirmed"
	NotPayable     Reason = "not_payable" // the order is canceled or closed, or there is nothing to pay
	AlreadyPaid    Reason = "already_paid"
	WrongMethod    Reason = "wrong_method"
	WrongAmount    Reason = "wrong_amount"
	RequestReused  Reason = "request_reused" // its id was used for another order or amount
	BadPromotion   Reason = "bad_promotion"
)

// Reasons lists every reason, for the total tables of dialects.
var Reasons = []Reason{
	UnknownStation, NoCalendar, SlotFull, DayFull, PlateBooked, BadDate, PastDate, NoSlot, DayOff, ClosedSunday, SameDay, TooEarly, BadPlate,
	PhoneLimit, VehicleType, NoService, NotFound, Foreign, WasCanceled, StaffConfirmed, NotPayable, AlreadyPaid, WrongMethod, WrongAmount,
	RequestReused, BadPromotion,
}

// texts say the reasons in words for operators.
var texts = map[Reason]string{
	UnknownStation: "there is no such station, or it is not in use", NoCalendar: "the station takes no bookings", SlotFull: "that time is booked up",
	DayFull: "that day is booked up", PlateBooked: "the plate has an open booking", BadDate: "that is no date", PastDate: "that date has passed",
	NoSlot: "the station has no such time on that day", DayOff: "the station is closed on that day", ClosedSunday: "the station is closed on Sundays",
	SameDay: "the station takes no bookings for the same day", TooEarly: "that is further ahead than bookings are taken", BadPlate: "that is no licence plate",
	PhoneLimit: "the phone number has as many open bookings as it may", VehicleType: "the station does not take that type of vehicle",
	NoService: "the station has no such service", NotFound: "there is no such booking or order", Foreign: "it belongs to another partner",
	WasCanceled: "it was canceled before", StaffConfirmed: "the station's staff has confirmed it", NotPayable: "the order cannot be paid",
	AlreadyPaid: "the order is paid", WrongMethod: "the order cannot be paid in this way", WrongAmount: "the amount is not the order's",
	RequestReused: "the request id was used for something else", BadPromotion: "the promotion cannot be used",
}

// Refusal is why something cannot be booked or paid.
type Refusal struct {
	Reason Reason
	cause  *payment.Error
}

// Refuse makes a Refusal. Those who know no bookings see it as
// payment.CodeNotFound, CodeConflict or CodeInvalidRequest.
func Refuse(r Reason) *Refusal {
	code := payment.CodeInvalidRequest
	switch r {
	case NotFound, Foreign, UnknownStation:
		code = payment.CodeNotFound
	case PlateBooked, SlotFull, DayFull, WasCanceled, StaffConfirmed, AlreadyPaid, NotPayable, RequestReused:
		code = payment.CodeConflict
	}
	return &Refusal{Reason: r, cause: payment.Fail(code, texts[r])}
}

func (r *Refusal) Error() string { return string(r.Reason) + ": " + texts[r.Reason] }

func (r *Refusal) Unwrap() error { return r.cause }
