package ttdk

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/payment"
)

func timeOf(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

// The vector of our notes on the documents' algorithm (docs/protocol/ttdk.md).
func TestSignatureVector(t *testing.T) {
	got := sign("client_demo_01", "key_demo_0001", "secret_demo_0001", "1750000000000", "0123456789abcdef")
	if want := "8bfd1dcc982152abaf3be7c01fc003667812d455603007414cc545a9eaf0d8d9"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func someNotice(request string, at time.Time) dialect.Notice {
	o := booking.Order{ID: 99999, Code: "99999", Name: "A <b>", Kind: 1, MethodType: 2, Bill: booking.Bill{Subtotal: 120000, Total: 120000}, CreatedAt: at}
	return dialect.Notice{
		Payment: payment.Payment{Reference: "99999", State: payment.Approved, Amount: 120000, Received: 120000, CompletedAt: timeOf("2026-05-15T03:20:30Z")},
		Event:   payment.Event{At: at}, Order: &o, PublicID: "client_demo_01", Key: "key_demo_0001", Secret: "secret_demo_0001",
		URL: "https://partner.example.com/hook", RequestID: request, At: at,
	}
}

// A receiver that does as the documents say takes a webhook once, and each
// attempt of it anew.
func TestReceiverTakesEveryAttemptOnce(t *testing.T) {
	seen := map[string]bool{}
	receive := func(r dialect.Request, now time.Time) string {
		var ms int64
		if err := json.Unmarshal([]byte(r.Headers["timestamp"]), &ms); err != nil {
			return "timestamp"
		}
		if skew := now.Sub(time.UnixMilli(ms)).Abs(); skew > 300*time.Second {
			return "skew"
		}
		if seen[r.Headers["nonce"]] {
			return "nonce"
		}
		seen[r.Headers["nonce"]] = true
		if r.Headers["signature"] != mac("secret_demo_0001", strings.Join([]string{"client_demo_01", "key_demo_0001", r.Headers["timestamp"], r.Headers["nonce"]}, "|")) {
			return "signature"
		}
		return ""
	}
	at := timeOf("2026-05-15T03:20:40Z")
	for i, request := range []string{"one", "two", "three"} {
		now := at.Add(time.Duration(i) * time.Hour)
		r, err := Dialect{}.Notice(someNotice(request, now))
		if err != nil {
			t.Fatal(err)
		}
		if why := receive(r, now.Add(time.Second)); why != "" {
			t.Errorf("attempt %d is refused: %s", i+1, why)
		}
		if why := receive(r, now.Add(time.Second)); why != "nonce" {
			t.Errorf("a repeated attempt: %q", why)
		}
		if why := receive(r, now.Add(6*time.Minute)); why != "skew" {
			t.Errorf("an old attempt: %q", why)
		}
		if len(r.Headers["nonce"]) != 16 || len(r.Headers["signature"]) != 64 {
			t.Errorf("headers %v", r.Headers)
		}
	}
}

// The order webhook, byte for byte.
func TestOrderWebhook(t *testing.T) {
	r, err := Dialect{}.Notice(someNotice("one", timeOf("2026-05-15T03:20:40Z")))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"callbackData":{"orderId":99999,"orderRefId":"99999","orderName":"A <b>","orderCode":"99999","orderStatus":10,"paymentStatus":"Success",` +
		`"subTotalAmount":120000,"discountAmount":0,"taxAmount":0,"totalAmount":120000,"paidAmount":120000,"extraFee":0,"paymentMethodType":2,"orderType":1,` +
		`"orderCategory":1,"salesChannel":"PARTNER","orderPaymentTime":"2026-05-15 10:20:30","orderPaymentInfo":"{}",` +
		`"createdAt":"2026-05-15T03:20:40.000Z","updatedAt":"2026-05-15T03:20:40.000Z"}}`
	if string(r.Body) != want {
		t.Errorf("got  %s\nwant %s", r.Body, want)
	}
}

// An order that was canceled after an event is told as it was at the event.
func TestCanceledLater(t *testing.T) {
	n := someNotice("one", timeOf("2026-05-15T03:20:40Z"))
	n.Payment.State = payment.Expired
	for _, c := range []struct{ canceled, want string }{
		{"2026-05-15T03:20:40Z", `"paymentStatus":"Canceled"`}, {"2026-05-15T03:20:41Z", `"paymentStatus":"Failed"`},
	} {
		n.Order.CanceledAt = timeOf(c.canceled)
		r, err := Dialect{}.Notice(n)
		if err != nil || !strings.Contains(string(r.Body), c.want) {
			t.Errorf("canceled at %s: %s, %v", c.canceled, r.Body, err)
		}
	}
}

// The schedule webhook.
func TestScheduleWebhook(t *testing.T) {
	b := booking.Booking{
		ID: 1869, Hash: "0123", Plate: "30A12345", PlateColor: 3, VehicleType: 1, Phone: "0900000001", Name: "Test User", StationID: 57, Date: "2026-05-20",
		Time: "7h-9h", Kind: 1, Status: booking.Confirmed, CreatedAt: timeOf("2026-05-15T03:20:30Z"), UpdatedAt: timeOf("2026-05-15T03:20:40Z"), OrderID: 99999,
	}
	r, err := Dialect{}.BookingNotice(dialect.BookingNotice{Changed: dialect.BookingChange{Booking: &b}, PublicID: "c", Key: "k", Secret: "s", RequestID: "1", At: b.UpdatedAt})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"customerData":{"customerIdentifier":"0900000001"},"vehicleData":{"vehicleIdentity":"30A12345","vehiclePlateColor":"YELLOW","vehicleType":1},` +
		`"callbackData":{"customerScheduleId":1869,"licensePlates":"30A12345","licensePlateColor":3,"vehicleType":1,"phone":"0900000001","fullnameSchedule":"Test User",` +
		`"email":"","dateSchedule":"20/05/2026","time":"7h-9h","scheduleSerial":1869,"scheduleCode":"BK1869","customerScheduleStatus":10,"scheduleNote":"","scheduleType":1,` +
		`"scheduleHash":"0123","confirmStatus":1,"scheduleTracking":"","createdAt":"2026-05-15T03:20:30.000Z","updatedAt":"2026-05-15T03:20:40.000Z"}}`
	if string(r.Body) != want {
		t.Errorf("got  %s\nwant %s", r.Body, want)
	}
	if r, err := (Dialect{}).BookingNotice(dialect.BookingNotice{Changed: dialect.BookingChange{Booking: &b}, PublicID: "c", Key: "k", RequestID: "1", At: b.UpdatedAt}); !errors.Is(err, dialect.ErrNoSecret) {
		t.Errorf("signed with no secret: %v, %v", r.Headers, err)
	}
	if _, err := (Dialect{}).BookingNotice(dialect.BookingNotice{}); err == nil {
		t.Error("nothing was told")
	}
}

// Exponential back-off: each wait is twice the one before.
func TestRetry(t *testing.T) {
	last, total := time.Duration(0), time.Duration(0)
	tries := 1
	for ; ; tries++ {
		wait, more := Dialect{}.Retry(tries)
		if !more {
			break
		}
		if last != 0 && wait != 2*last {
			t.Errorf("wait %d is %v after %v", tries, wait, last)
		}
		last, total = wait, total+wait
	}
	if tries != 15 || total < 22*time.Hour || total > 24*time.Hour {
		t.Errorf("%d attempts in %v", tries, total)
	}
}
