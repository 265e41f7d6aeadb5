// Package booking holds what is booked and what it costs: stations and their
// calendars, services, bookings, the orders that they are paid by, promotions
// and tax. It is pure: it knows no HTTP, no SQL and no clock.
//
// Ids are small numbers, because that is what the wire (TTDK Partner API) has.
// Ids of bookings and of orders come from one sequence, so that a number is
// never both.
package booking

import (
	"strconv"
	"time"

	"github.com/thungan/thungan/payment"
)

// Status is where a booking stands.
type Status string

// The statuses.
const (
	New       Status = "new"       // the station has not looked at it
	Confirmed Status = "confirmed" // the station's staff expects the vehicle
	Canceled  Status = "canceled"
	Closed    Status = "closed" // over
)

// Statuses lists every status, for the total tables of dialects.
var Statuses = []Status{New, Confirmed, Canceled, Closed}

// Open says whether a booking is still ahead.
func (s Status) Open() bool { return s == New || s == Confirmed }

// Booking is a vehicle's appointment at a station. Times are UTC with
// millisecond precision.
type Booking struct {
	ID         int64
	MerchantID string // the partner that made it
	OrderID    int64  // what it is paid by
	Version    int64  // 1 when made, then one more with each change
	Hash       string // an unguessable name for it, 32 hexadecimal digits

	Plate       string // as PlateOf makes it
	PlateColor  int64  // 1 white, 2 blue, 3 yellow, 4 red
	VehicleType int64  // 1 car, 10 other, 20 trailer, 30 motorbike, 40 electric
	Phone       string
	Name        string // of the customer; "-" when not given
	Email       string
	StationID   int64  // 0 when none was chosen
	Date        string // YYYY-MM-DD in Vietnam, "" when none was chosen
	Time        string // one of the station's slots, "" when none was chosen
	Kind        int64  // scheduleType of the wire; 1 is a periodic inspection
	Note        string
	Details     string // what else the partner sent, a JSON object

	Status    Status
	Reason    string    // why it was canceled
	HeldUntil time.Time // until when it takes a place though it is not paid; zero for ever

	CreatedAt time.Time
	UpdatedAt time.Time
}

// Code is the booking's number as people read it aloud.
func (b Booking) Code() string { return "BK" + strconv.FormatInt(b.ID, 10) }

// Method is one of the ways to pay that a partner's payers are offered.
type Method struct {
	MerchantID string
	Name       string         // its key on the wire: "bank", "momo" ...; unique per merchant
	Number     int64          // its id on the wire; unique per merchant
	Type       int64          // its type on the wire
	By         payment.Method // how the money comes in
	Title      string         // for people; "" is made from the receiving account
	Account    string         // number or phone that is shown; "" is the receiving account's
	Holder     string         // "" is the receiving account's
	ImageURL   string
	Note       string
	StationID  int64 // the station that it is shown for; 0 for none
	Enabled    bool
}

// Partner is what an operator has set for a merchant that makes bookings.
type Partner struct {
	MerchantID string
	StationID  int64 // where its bookings go that name no station; 0 for none
	PerMinute  int64 // calls of one key a minute; 0 is the gateway's own limit, -1 none
	Burst      int64 // calls at once; 0 is PerMinute
}

// Request is a confirmation by a partner that has collected the money itself.
type Request struct {
	MerchantID string
	ID         string // the partner's id of it; unique per merchant
	OrderID    int64
	Amount     int64  // đồng, as the partner said
	Status     string // what the partner said became of the payment, in the wire's words
	At         time.Time
}
