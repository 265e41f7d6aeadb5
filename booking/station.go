package booking

import (
	"slices"
	"time"
)

// Station is a place that vehicles are brought to.
type Station struct {
	ID       int64
	Code     string
	Name     string
	Address  string
	Area     string // province or city
	Enabled  bool
	Priority bool // it may be listed before others
	Calendar Calendar
}

// Calendar says when a station takes vehicles, and how many.
type Calendar struct {
	Slots   []Slot   `json:"slots"`    // what a week looks like
	DaysOff []string `json:"days_off"` // YYYY-MM-DD on which it is closed though the weekday is open
	SameDay bool     `json:"same_day"` // bookings for today are taken
	// DaysAhead is how far ahead bookings are taken; 0 is DefaultDaysAhead.
	DaysAhead int64 `json:"days_ahead"`
	// PerDay bounds the bookings of one day over all slots; 0 is no limit.
	PerDay int64 `json:"per_day"`
	// PerPhone bounds the open bookings of one phone number; 0 is no limit.
	PerPhone int64 `json:"per_phone"`
	// VehicleTypes are those that it takes; none named takes all.
	VehicleTypes []int64 `json:"vehicle_types"`
}

// Slot is a span of one weekday, such as "7h-9h", with the vehicles that it has
// room for. The text is opaque; slots of one day stand in their order.
type Slot struct {
	Weekday  int64  `json:"weekday"` // 0 is Sunday
	Time     string `json:"time"`
	Capacity int64  `json:"capacity"`
}

// DefaultDaysAhead is how far ahead a station takes bookings when nobody said.
const DefaultDaysAhead = 60

// DateLayout is how dates are kept.
const DateLayout = time.DateOnly

// On returns the slots of a date that the calendar is open on.
func (c Calendar) On(date time.Time) []Slot {
	if slices.Contains(c.DaysOff, date.Format(DateLayout)) {
		return nil
	}
	var day []Slot
	for _, s := range c.Slots {
		if s.Weekday == int64(date.Weekday()) {
			day = append(day, s)
		}
	}
	return day
}

// Room is how many vehicles a day has room for.
func (c Calendar) Room(date time.Time) int64 {
	var room int64
	for _, s := range c.On(date) {
		room += s.Capacity
	}
	if c.PerDay > 0 {
		room = min(room, c.PerDay)
	}
	return room
}

// Takes says whether the station takes a type of vehicle.
func (c Calendar) Takes(vehicleType int64) bool {
	return len(c.VehicleTypes) == 0 || slices.Contains(c.VehicleTypes, vehicleType)
}

// Check says why a date and time cannot be booked today, by the calendar alone;
// nil when they can. Time may be "": any slot of the day. Both dates are
// midnights of one zone.
func (c Calendar) Check(date, today time.Time, slot string) error {
	ahead := c.DaysAhead
	if ahead == 0 {
		ahead = DefaultDaysAhead
	}
	switch {
	case len(c.Slots) == 0:
		return Refuse(NoCalendar)
	case date.Before(today):
		return Refuse(PastDate)
	case date.Equal(today) && !c.SameDay:
		return Refuse(SameDay)
	case date.After(today.AddDate(0, 0, int(ahead))):
		return Refuse(TooEarly)
	}
	day := c.On(date)
	switch {
	case len(day) == 0 && date.Weekday() == time.Sunday:
		return Refuse(ClosedSunday)
	case len(day) == 0:
		return Refuse(DayOff)
	case slot != "" && !slices.ContainsFunc(day, func(s Slot) bool { return s.Time == slot }):
		return Refuse(NoSlot)
	}
	return nil
}

// Capacity is the room of one slot of a date.
func (c Calendar) Capacity(date time.Time, slot string) int64 {
	for _, s := range c.On(date) {
		if s.Time == slot {
			return s.Capacity
		}
	}
	return 0
}
