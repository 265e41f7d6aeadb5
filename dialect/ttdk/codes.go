package ttdk

import (
	"net/http"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/payment"
)

// statuses is how the state of an order's current payment is told; it has a row
// for every one of payment.States. The order itself being canceled comes first,
// unless it is paid.
var statuses = map[payment.State]string{
	payment.Open:       statusNew,
	payment.Processing: statusPending,
	payment.Approved:   statusSuccess,
	payment.Denied:     statusFailed,
	payment.Canceled:   statusFailed, // T11: another offer may follow
	payment.Expired:    statusFailed,
	payment.Voided:     statusFailed,
}

// statusOf is an order's paymentStatus. A nil payment is one that was not opened
// yet.
func statusOf(o booking.Order, p *payment.Payment) string {
	switch {
	case p != nil && p.State == payment.Approved:
		return statusSuccess
	case !o.CanceledAt.IsZero():
		return statusCanceled
	case p == nil:
		return statusNew
	}
	return statuses[p.State]
}

// stageOf is an order's orderStatus (T12).
func stageOf(o booking.Order, p *payment.Payment) int {
	switch {
	case !o.CanceledAt.IsZero():
		return stageCanceled
	case p != nil && p.State == payment.Approved:
		return stageConfirmed
	}
	return stageNew
}

// stages is how a booking's status is told; it has a row for every one of
// booking.Statuses.
var stages = map[booking.Status]struct{ status, confirm int }{
	booking.New:       {stageNew, 0},
	booking.Confirmed: {stageConfirmed, 1},
	booking.Canceled:  {stageCanceled, 2},
	booking.Closed:    {stageClosed, 1},
}

// stageNames finds a status by its number.
var stageNames = map[int64]booking.Status{
	stageNew: booking.New, stageConfirmed: booking.Confirmed, stageCanceled: booking.Canceled, stageClosed: booking.Closed,
}

// paymentTypes are the values of paymentMethodType, with the way to pay that
// clients mean by a type when no record has it (T8). 12 and 13 are a guess of
// source 2.
var paymentTypes = map[int64]string{
	1: "bank", 2: "momo", 3: "gtelPay", 4: "vnPay", 5: "zaloPay", 6: "", 7: "taMove", 8: "bank", 9: "", 10: "shopeePay", 11: "baoKim", 12: "kimNgan", 13: "vnpayAppInApp",
}

// lastType is the greatest of them; they have no gaps.
const lastType = 13

// typeCodes has a row for each of core.MethodNames.
var typeCodes = map[string]string{
	"bank": "ATM_BANK", "momo": "MOMO", "gtelPay": "GTELPAY", "zaloPay": "ZALOPAY", "taMove": "TA_MOVE", "vnPay": "VNPAY", "shopeePay": "SHOPEEPAY",
	"baoKim": "BAOKIM", "kimNgan": "KIMNGAN", "vnpayAppInApp": "VNPAY_APP_IN_APP",
}

// The words of errors.
const (
	errUnauthorized = "UNAUTHORIZED"
	errKeyQuota     = "APIKEY_QUOTA_EXCEEDED"
	errQuota        = "QUOTA_EXCEEDED"
	errInvalid      = "INVALID_REQUEST"
	errUnknown      = "UNKNOWN_ERROR"
	errNotFound     = "NOT_FOUND"
	errOrder        = "INVALID_ORDER"
	errPaid         = "ALREADY_PAID"
	errMethod       = "WRONG_PAYMENT_METHOD"
)

// refusal is how a business error is told: error of the envelope, and code and
// error of the modules by which partners confirm payments.
type refusal struct {
	word  string
	code  string // 00 to 99
	batch string // the word beside code
}

// refusals has a row for every one of booking.Reasons.
var refusals = map[booking.Reason]refusal{
	booking.UnknownStation: {"INVALID_STATION", code02, wordData},
	booking.NoCalendar:     {"INVALID_BOOKING_CONFIG", code02, wordData},
	booking.SlotFull:       {"BOOKING_MAX_LIMITED", code02, wordData},
	booking.DayFull:        {"BOOKING_MAX_LIMITED_BY_CONFIG", code02, wordData},
	booking.PlateBooked:    {"UNCONFIRMED_BOOKING_EXISTED", code02, wordData},
	booking.BadDate:        {"INVALID_DATE", code02, wordData},
	booking.PastDate:       {"INVALID_PAST_DATE_ERROR", code02, wordData},
	booking.NoSlot:         {"INVALID_BOOKING_DATE", code02, wordData},
	booking.DayOff:         {"BOOKING_ON_DAY_OFF", code02, wordData},
	booking.ClosedSunday:   {"BOOKING_ON_SUNDAY", code02, wordData},
	booking.SameDay:        {"BOOKING_ON_TODAY", code02, wordData},
	booking.TooEarly:       {"EARLY_BOOKING", code02, wordData},
	booking.BadPlate:       {"INVALID_PLATE_NUMBER", code02, wordData},
	booking.PhoneLimit:     {"MAX_LIMIT_SCHEDULE_BY_PHONE", code02, wordData},
	booking.VehicleType:    {"STATION_NOT_ACCEPTED_VEHICLE_TYPE", code02, wordData},
	booking.NoService:      {"NO_SERVICE_STATION", code02, wordData},
	booking.NotFound:       {errNotFound, code03, "ORDER_NOT_FOUND"},
	booking.Foreign:        {"MISSING_AUTHORITY", code03, "ORDER_NOT_FOUND"},
	booking.WasCanceled:    {"ALREADY_CANCEL", code06, errOrder},
	booking.StaffConfirmed: {"CONFIRMED_BY_STATION_STAFF", code06, errOrder},
	booking.NotPayable:     {errOrder, code06, errOrder},
	booking.AlreadyPaid:    {errPaid, code04, errPaid},
	booking.WrongMethod:    {errMethod, code02, wordData},
	booking.WrongAmount:    {errOrder, code05, "AMOUNT_MISMATCH"},
	booking.RequestReused:  {errInvalid, code02, wordData},
	booking.BadPromotion:   {errInvalid, code02, wordData}, // calculatePaymentInfo answers it as a validation
}

// The values of code and errorCode, with the messages of module Order Payment
// Confirm.
const (
	code00 = "00"
	code01 = "01"
	code02 = "02"
	code03 = "03"
	code04 = "04"
	code05 = "05"
	code06 = "06"
	code99 = "99"

	wordData = "INVALID_DATA"
)

// codedAnswers has a row for every code above. 05 is 500 on the wire, though
// trying again is pointless; 06 and 99 are not shown by any source.
var codedAnswers = map[string]struct {
	status  int
	message string
}{
	code01: {http.StatusBadRequest, "Xac thuc that bai"},
	code02: {http.StatusBadRequest, "Thieu tham so bat buoc: "},
	code03: {http.StatusBadRequest, "Khong tim thay don hang"},
	code04: {http.StatusBadRequest, "Don hang da thanh toan"},
	code05: {http.StatusInternalServerError, "So tien khong khop"},
	code06: {http.StatusBadRequest, "Don hang khong hop le"},
	code99: {http.StatusInternalServerError, "Loi he thong"},
}

// outcome is what an error that is no booking.Refusal comes to.
type outcome int

const (
	ours      outcome = iota // UNKNOWN_ERROR
	stranger                 // like a bad key
	malformed                // a validation
	refused                  // createPayment answers isSuccess 0; elsewhere INVALID_ORDER
	vanished                 // NOT_FOUND
	unpayable                // WRONG_PAYMENT_METHOD
	settled                  // INVALID_ORDER
)

// outcomes has a row for every one of payment.Codes.
var outcomes = map[payment.Code]outcome{
	payment.CodeUnauthorized:       stranger,
	payment.CodeDuplicateReference: ours,
	payment.CodeMethodNotSupported: unpayable,
	payment.CodeInvalidAmount:      refused,
	payment.CodeInvalidDueTime:     refused,
	payment.CodeTotalLimit:         refused,
	payment.CodeMerchantLocked:     stranger, // T4
	payment.CodeMerchantClosed:     stranger,
	payment.CodePlatformLocked:     stranger,
	payment.CodePlatformClosed:     stranger,
	payment.CodePaymentNotFound:    vanished,
	payment.CodeRefundNotFound:     vanished,
	payment.CodeNotFound:           vanished,
	payment.CodeInvalidState:       settled,
	payment.CodeInvalidRequest:     malformed,
	payment.CodeInsufficient:       ours, // only refunds, which the wire has none of
	payment.CodeConflict:           ours,
	payment.CodeBusy:               ours,
	payment.CodeInternal:           ours,
	payment.CodeTerminalUnusable:   ours, // no call names a terminal
	payment.CodeTerminalBusy:       ours,
	payment.CodeSettleFirst:        ours,
}

// plateColors is vehiclePlateColor of the schedule webhook.
var plateColors = map[int64]string{1: "WHITE", 2: "BLUE", 3: "YELLOW", 4: "RED"}
