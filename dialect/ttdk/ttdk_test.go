package ttdk_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/dialect/dialecttest"
	"github.com/thungan/thungan/dialect/ttdk"
	"github.com/thungan/thungan/internal/pgtest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/sandbox"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func config(g *dialecttest.Gateway) ttdk.Config {
	return ttdk.Config{Core: g.Core, Clock: g.Clock, Log: g.Log}
}

// fixtures serves a gateway that has what the documents' samples name.
func fixtures(t testing.TB, g *dialecttest.Gateway, c ttdk.Config) http.Handler {
	t.Helper()
	check(t, sandbox.SeedBookings(t.Context(), g.Core, g.Shop.ID))
	return ttdk.New(c)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The golden exchanges: each endpoint and each error, on both engines.
func TestExchanges(t *testing.T) { exchanges(t).Run(t, "testdata") }

// No field of the wire lets a card number in.
func TestCardNumbersStayOut(t *testing.T) { exchanges(t).CardNumbers(t, "testdata") }

func exchanges(t *testing.T) dialecttest.Exchanges {
	return dialecttest.Exchanges{
		Dialect: ttdk.Dialect{},
		Handler: func(g *dialecttest.Gateway) http.Handler { return fixtures(t, g, config(g)) },
		Names: func(g *dialecttest.Gateway) map[string]string {
			return map[string]string{
				"key": g.Shop.Key, "client": g.Shop.PublicID, "secret": g.Shop.NotifySecret,
				"other-key": g.Other.Key, "other-client": g.Other.PublicID,
			}
		},
		Hide:  hide,
		Apart: true,
		Steps: map[string]func(*testing.T, *dialecttest.Gateway, []string){
			// staff NUMBER confirmed|closed|canceled
			"staff": func(t *testing.T, g *dialecttest.Gateway, a []string) {
				_, err := g.Core.SetBookingStatus(t.Context(), dialecttest.Operator, number(t, a[0]), booking.Status(a[1]), "")
				check(t, err)
			},
			// station off
			"station": func(t *testing.T, g *dialecttest.Gateway, a []string) {
				s, err := g.Core.Station(t.Context(), 57)
				check(t, err)
				switch a[0] {
				case "off":
					s.Enabled = false
				case "bare":
					s.Calendar = booking.Calendar{}
				case "tight": // one vehicle in each time, three a day
					s.Calendar.PerDay = 3
					for i := range s.Calendar.Slots {
						s.Calendar.Slots[i].Capacity = 1
					}
				case "rules":
					s.Calendar.SameDay, s.Calendar.PerPhone, s.Calendar.DaysOff, s.Calendar.VehicleTypes = false, 1, []string{"2026-03-05"}, []int64{1}
				}
				_, err = g.Core.PutStation(t.Context(), dialecttest.Operator, s)
				check(t, err)
			},
			// quota PERMINUTE BURST
			"quota": func(t *testing.T, g *dialecttest.Gateway, a []string) {
				_, err := g.Core.PutPartner(t.Context(), dialecttest.Operator, booking.Partner{MerchantID: g.Shop.ID, PerMinute: number(t, a[0]), Burst: number(t, a[1])})
				check(t, err)
			},
			// home NUMBER: the partner's own station
			"home": func(t *testing.T, g *dialecttest.Gateway, a []string) {
				_, err := g.Core.PutPartner(t.Context(), dialecttest.Operator, booking.Partner{MerchantID: g.Shop.ID, StationID: number(t, a[0])})
				check(t, err)
			},
			// method NAME NUMBER TYPE BY on|off
			"method": func(t *testing.T, g *dialecttest.Gateway, a []string) {
				_, err := g.Core.PutMethod(t.Context(), dialecttest.Operator, booking.Method{
					MerchantID: g.Shop.ID, Name: a[0], Number: number(t, a[1]), Type: number(t, a[2]), By: payment.Method(a[3]), Enabled: a[4] == "on",
				})
				check(t, err)
			},
			// memo TEXT AMOUNT: a transfer with just this text
			"memo": func(t *testing.T, g *dialecttest.Gateway, a []string) {
				g.Transfer(t, strings.ReplaceAll(a[0], "_", " "), money.VND(number(t, a[1])))
			},
		},
	}
}

func number(t testing.TB, s string) int64 {
	t.Helper()
	var n int64
	_, err := fmt.Sscan(s, &n)
	check(t, err)
	return n
}

func TestConformance(t *testing.T) {
	post := func(path, body string) dialecttest.Call {
		return dialecttest.Call{Method: "POST", Path: path, Body: body}
	}
	has := func(want string) func(int, string) bool {
		return func(status int, body string) bool { return status == http.StatusOK && strings.Contains(body, want) }
	}
	dialecttest.Suite{
		Dialect: ttdk.Dialect{},
		Handler: func(g *dialecttest.Gateway) http.Handler { return &ordering{t: t, g: g, next: ttdk.New(config(g))} },
		Calls: []dialecttest.Call{
			post("/PartnerAPI/PaymentQR/user/getPublicPaymentMethod", `{}`),
			post("/PaymentQR/user/getPublicPaymentMethod", `{}`),
			post("/PartnerAPI/Order/user/calculatePaymentInfo", `{"orderId": 77}`),
			post("/PartnerAPI/CustomerSchedule/user/createPayment", `{"customerScheduleId": 77, "paymentMethodType": 2}`),
			post("/PartnerAPI/Order/paymentConfirmBatch", `{"items": [{"requestId": "R", "orderId": "NONE", "amount": 1, "paymentStatus": "Success"}]}`),
			post("/PartnerAPI/Order/queryOrderBatch", `{"items": [{"orderId": "NONE", "amount": 1}]}`),
			post("/PartnerAPI/Order/queryTransactionBatch", `{"items": [{"orderId": "NONE", "amount": 1}]}`),
			post("/PartnerAPI/Order/paymentConfirm", `{"requestId": "R", "orderId": "NONE", "amount": 1, "paymentStatus": "Success"}`),
			post("/PartnerAPI/Order/queryOrder", `{"requestId": "R", "orderId": "NONE", "amount": 1}`),
			post("/PartnerAPI/Order/queryTransaction", `{"requestId": "R", "transactionId": "T", "orderId": "NONE", "amount": 1}`),
			post("/PartnerAPI/CustomerSchedule/user/createSchedule", `{"licensePlates": "none", "phone": "1", "vehicleType": 1, "licensePlateColor": 1}`),
			post("/PartnerAPI/CustomerSchedule/user/userCreateConsultant", `{"licensePlates": "none", "phone": "1", "licensePlateColor": 1}`),
			post("/PartnerAPI/Order/user/createOrderSchedule", `{"licensePlates": "none", "phone": "1", "vehicleType": 1, "licensePlateColor": 1, "isImmediate": 1}`),
			post("/PartnerAPI/CustomerSchedule/user/getDetailSchedule", `{"customerScheduleId": 77}`),
			post("/PartnerAPI/CustomerSchedule/user/getListSchedule", `{"filter": {"phone": "1"}}`),
			post("/PartnerAPI/CustomerSchedule/user/cancelSchedule", `{"customerScheduleId": 77}`),
			post("/PartnerAPI/Order/user/getOrderDetail", `{"id": 77}`),
			post("/Order/user/getOrderDetail", `{"id": 77}`),
			post("/PartnerAPI/StationServices/user/getListStationService", `{"filter": {"stationsId": 57}}`),
			post("/PartnerAPI/StationServices/user/getStationByApiKey", `{"apiKey": "x"}`),
			post("/PartnerAPI/Stations/user/getList", `{}`),
			post("/PartnerAPI/Stations/user/getAllExternal", `{}`),
			post("/PartnerAPI/Stations/user/getAllStationArea", `{}`),
			post("/PartnerAPI/Stations/user/getDetail", `{"id": 57}`),
			post("/PartnerAPI/Stations/user/getListScheduleDate", `{"stationsId": 57, "vehicleType": 1}`),
			post("/PartnerAPI/Stations/user/getListScheduleTime", `{"stationsId": 57, "vehicleType": 1, "date": "04/03/2026"}`),
		},
		Unknown: []string{
			"/PartnerAPI", "/PartnerAPI/", "/PartnerAPI/Order", "/PartnerAPI//Order/queryOrder", "/PartnerAPI/Order/queryOrder/x", "/Order/user/", "/PaymentQR/user/x",
			"/PartnerAPI/PaymentQR/99999/xxx/qr.png", "/PartnerAPI/PaymentQR/x/y/qr.png", "/PartnerAPI/PaymentQR/99999999999999999999/y/qr.png",
		},
		KeyOnly: true,
		Refuses: func(status int, body string) bool {
			var a struct {
				Error string
				Code  string
			}
			if json.Unmarshal([]byte(body), &a) != nil || status != http.StatusInternalServerError {
				return false
			}
			return (a.Error != "" && a.Error != "UNKNOWN_ERROR") || a.Code == "05"
		},
		Authorize: func(r *http.Request, who dialecttest.Party, _ string) {
			r.Header.Set("apiKey", who.Key)
			r.Header.Set("clientId", who.PublicID)
		},
		Open: func(reference string, amount money.VND) dialecttest.Call {
			return post("/PartnerAPI/CustomerSchedule/user/createPayment", fmt.Sprintf(`{"customerScheduleId": "%s %d", "paymentMethodType": 2}`, reference, amount))
		},
		Find: func(reference string) dialecttest.Call {
			return post("/PartnerAPI/Order/queryOrder", `{"requestId": "R", "orderId": "`+reference+`", "amount": 50000}`)
		},
		Opened: has(`"isSuccess":1`),
		Found:  has(`"code":"00"`),
		Shows: func(r dialect.Request, p payment.Payment) bool {
			want := map[payment.State]string{payment.Approved: "Success", payment.Canceled: "Failed", payment.Expired: "Failed"}[p.State]
			return strings.Contains(string(r.Body), `"orderCode":"`+p.Reference+`"`) && strings.Contains(string(r.Body), `"paymentStatus":"`+want+`"`) &&
				strings.Contains(string(r.Body), `"paidAmount":`+p.Received.String())
		},
	}.Run(t)
}

// ordering stands in for whoever makes orders: the suite asks for payments by
// references of its own, the protocol only knows orders that are there. A body
// whose customerScheduleId is "REFERENCE AMOUNT" gets an order made for it.
type ordering struct {
	t    *testing.T
	g    *dialecttest.Gateway
	next http.Handler
	mu   sync.Mutex
}

func (o *ordering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "createPayment") || r.Method != "POST" {
		o.next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	check(o.t, err)
	var in struct{ CustomerScheduleID string }
	var reference string
	var amount int64
	if json.Unmarshal(body, &in) == nil {
		if n, _ := fmt.Sscan(in.CustomerScheduleID, &reference, &amount); n == 2 {
			body = []byte(strings.Replace(string(body), `"`+in.CustomerScheduleID+`"`, fmt.Sprint(o.order(r, reference, amount)), 1))
		}
	}
	again := httptest.NewRequest(r.Method, r.URL.String(), strings.NewReader(string(body)))
	again.Header = r.Header
	o.next.ServeHTTP(w, again)
}

func (o *ordering) order(r *http.Request, reference string, amount int64) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	who := o.g.Shop.ID
	if r.Header.Get("apiKey") == o.g.Other.Key {
		who = o.g.Other.ID
	}
	if s, err := o.g.Core.FindOrderByCode(o.t.Context(), who, reference); err == nil {
		return s.Order.ID
	}
	made, err := o.g.Core.AddOrder(o.t.Context(), dialecttest.Operator, core.NewOrder{
		MerchantID: who, Code: reference, Name: "Thử", Lines: []booking.Line{{Name: "Thử", Quantity: 1, Price: money.VND(amount)}},
	})
	check(o.t, err)
	return made.ID
}
