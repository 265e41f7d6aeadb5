package admin_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/dialect/ttdk"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

func init() {
	maps.Copy(bad, map[string][]string{
		"count":   {`null`, `"1"`, `true`, `1.5`, `-2`, `1e20`, `9007199254740992`, `[]`, `{}`},
		"array":   {`null`, `1`, `"x"`, `{}`, `true`},
		"lines":   {`[]`, `[1]`, `[{}]`, `[{"name": "x"}]`, `[{"name": "x", "price": -1}]`, `[{"name": "x", "price": 1, "quantity": 0}]`, `[{"name": "x", "price": 1, "y": 1}]`, `[{"name": "x", "price": 100000000000}]`},
		"slots":   {`[1]`, `[{}]`, `[{"weekday": 7, "time": "x", "capacity": 1}]`, `[{"weekday": 1, "time": "", "capacity": 1}]`, `[{"weekday": 1, "time": "x", "capacity": 0}]`, `[{"weekday": 1, "time": "x", "capacity": 1, "y": 1}]`},
		"dates":   {`[1]`, `["x"]`, `["2026-02-30"]`, `["17/02/2026"]`, `[null]`},
		"numbers": {`["1"]`, `[0]`, `[1.5]`, `[null]`},
		"code":    {`"a b"`, `"~"`, `"đ"`, `".a"`},
		"price":   {`100000000000`},
	})
	add := func(operation, valid string, fields map[string]field) {
		bodies = append(bodies, struct {
			operation string
			valid     string
			fields    map[string]field
		}{operation, valid, fields})
	}
	add("PUT /stations/57", `{"name": "Trạm"}`, map[string]field{
		"name": {"text words", 255, true}, "code": {"text", 255, false}, "address": {"text", 255, false}, "area": {"text", 255, false},
		"enabled": {"flag", 0, false}, "priority": {"flag", 0, false}, "calendar": {"object", 0, false},
		"calendar.slots": {"array slots", 0, false}, "calendar.days_off": {"array dates", 0, false}, "calendar.same_day": {"flag", 0, false},
		"calendar.days_ahead": {"count", 0, false}, "calendar.per_day": {"count", 0, false}, "calendar.per_phone": {"count", 0, false}, "calendar.vehicle_types": {"array numbers", 0, false},
	})
	add("PUT /stations/57/services/101", `{"name": "Kiểm định", "price": 120000}`, map[string]field{
		"name": {"text words", 255, true}, "price": {"amount price", 0, true}, "tax_bp": {"count", 0, false}, "kind": {"count", 0, false}, "enabled": {"flag", 0, false},
	})
	add("PUT /promotions/SALE10", `{"percent_bp": 1000}`, map[string]field{
		"percent_bp": {"count", 0, false}, "amount": {"amount", 0, false}, "most": {"amount", 0, false}, "from": {"time", 255, false}, "until": {"time", 255, false}, "enabled": {"flag", 0, false},
	})
	add("PUT /merchants/$MERCHANT/booking-methods/bank", `{"method_id": 1, "type": 2}`, map[string]field{
		"method_id": {"count", 0, true}, "type": {"count", 0, true}, "pays_by": {"choice", 255, false}, "title": {"text", 255, false}, "account": {"text", 255, false},
		"holder": {"text", 255, false}, "image_url": {"text url", 2000, false}, "note": {"text", 255, false}, "station_id": {"count", 0, false}, "enabled": {"flag", 0, false},
	})
	add("PUT /merchants/$MERCHANT/partner", `{"burst": 1}`, map[string]field{
		"station_id": {"count", 0, false}, "per_minute": {"count", 0, false}, "burst": {"count", 0, false},
	})
	add("POST /merchants/$MERCHANT/keys", `{"dialect": "test"}`, map[string]field{"dialect": {"text filled", 64, true}, "api_key": {"text filled", 200, false}})
	add("POST /bookings/1869/status", `{"status": "confirmed"}`, map[string]field{"status": {"choice", 255, true}, "reason": {"text words", 500, false}})
	add("POST /booking-orders", `{"merchant_id": "$MERCHANT", "name": "x", "lines": [{"name": "x", "price": 1}]}`, map[string]field{
		"merchant_id": {"id", 255, true}, "name": {"text words", 255, true}, "code": {"text filled code", 64, false}, "lines": {"array lines", 0, true},
		"promotion": {"text filled", 40, false}, "phone": {"text", 20, false}, "payer": {"text words", 255, false},
	})
	add("POST /booking-orders/99999/cancel", `{"reason": "x"}`, map[string]field{"reason": {"text words", 500, true}})
}

// An operator sets up a station, a partner books and pays there, the operator
// sees it and acts. Every answer is held against the document.
func TestBookings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		e := coretest.New(t, s, coretest.WithDialect(ttdk.Dialect{}))
		c := newClient(t, e)
		m := e.Memo.Merchant.ID
		var got object
		c.want(200, "PUT", "/stations/57", `{"name": "Trạm Hà Nội", "area": "Hà Nội", "calendar": {"same_day": true, "slots": [{"weekday": 4, "time": "7h-9h", "capacity": 1}], "days_off": ["2026-03-12"], "vehicle_types": [1]}}`, &got)
		if fmt.Sprint(got["calendar"]) != "map[days_ahead:0 days_off:[2026-03-12] per_day:0 per_phone:0 same_day:true slots:[map[capacity:1 time:7h-9h weekday:4]] vehicle_types:[1]]" {
			t.Errorf("the station: %v", got)
		}
		c.get("/stations/57", &got)
		c.want(200, "PUT", "/stations/58", `{"name": "Trạm khác", "enabled": false}`, nil)
		c.want(200, "PUT", "/stations/57/services/101", `{"name": "Kiểm định", "price": "120000", "tax_bp": 800}`, nil)
		c.refused(409, "conflict", "PUT", "/stations/58/services/101", `{"name": "x", "price": 1}`)
		c.refused(404, "not_found", "PUT", "/stations/59/services/1", `{"name": "x", "price": 1}`)
		c.want(200, "PUT", "/promotions/sale10", `{"percent_bp": 1000, "until": "2027-01-01T00:00:00+07:00"}`, &got)
		if got["code"] != "SALE10" || got["until"] != "2026-12-31T17:00:00.000Z" || got["from"] != nil {
			t.Errorf("the promotion: %v", got)
		}
		c.refused(422, "invalid_request", "PUT", "/promotions/đ", `{"percent_bp": 1000}`)
		c.want(200, "PUT", "/merchants/"+m+"/booking-methods/bank", `{"method_id": 1, "type": 2, "station_id": 57}`, &got)
		if got["pays_by"] != "bank_transfer" {
			t.Errorf("the method: %v", got)
		}
		c.refused(422, "invalid_request", "PUT", "/merchants/"+m+"/booking-methods/paypal", `{"method_id": 3, "type": 2}`)
		c.refused(409, "conflict", "PUT", "/merchants/"+m+"/booking-methods/momo", `{"method_id": 1, "type": 2}`)
		c.want(200, "PUT", "/merchants/"+m+"/partner", `{"station_id": 57}`, nil)
		c.want(200, "PUT", "/merchants/"+m+"/partner", `{"per_minute": 600, "burst": 10}`, &got)
		if got["station_id"] != 57.0 || got["per_minute"] != 600.0 {
			t.Errorf("the partner: %v", got)
		}
		c.get("/merchants/"+m+"/partner", &got)
		c.want(201, "POST", "/merchants/"+m+"/keys", `{"dialect": "ttdk", "api_key": "demo_partner_api_key"}`, &got)
		c.refused(409, "conflict", "POST", "/merchants/"+m+"/keys", `{"dialect": "ttdk", "api_key": "demo_partner_api_key"}`)
		c.refused(404, "not_found", "POST", "/merchants/"+m+"/keys", `{"dialect": "klingon"}`)
		if _, err := e.Core.AuthenticateKey(t.Context(), "ttdk", "demo_partner_api_key"); err != nil {
			t.Error(err)
		}
		c.want(204, "DELETE", "/merchants/"+m+"/keys/"+got["key_id"].(string), "", nil)
		c.refused(404, "not_found", "DELETE", "/merchants/"+m+"/keys/"+got["key_id"].(string), "")

		b, o, err := e.Core.Book(t.Context(), core.Reserving{Merchant: e.Memo.Merchant, Plate: "30A-12345", VehicleType: 1, Phone: "0900000001", Date: "2026-03-05", Time: "7h-9h", Services: []int64{101}})
		if err != nil {
			t.Fatal(err)
		}
		var p page
		c.get("/bookings?phone=0900000001&station_id=57&status=new&merchant_id="+m, &p)
		if len(p.Items) != 1 || p.Items[0]["booking_id"] != float64(b.ID) || p.Items[0]["date"] != "2026-03-05" || p.Next != "" {
			t.Errorf("bookings: %+v", p)
		}
		c.want(200, "POST", fmt.Sprintf("/bookings/%d/status", b.ID), `{"status": "confirmed"}`, &got)
		if got["status"] != "confirmed" {
			t.Errorf("confirmed: %v", got)
		}
		c.refused(409, "invalid_state", "POST", fmt.Sprintf("/bookings/%d/status", b.ID), `{"status": "confirmed"}`)
		c.refused(404, "not_found", "POST", "/bookings/1/status", `{"status": "confirmed"}`)
		sold, err := e.Core.Offer(t.Context(), core.Paying{Merchant: e.Memo.Merchant, ID: o.ID, Type: 2})
		if err != nil {
			t.Fatal(err)
		}
		c.get(fmt.Sprintf("/booking-orders/%d", o.ID), &got)
		if got["total"] != 129600.0 || got["tax"] != 9600.0 || got["payment_id"] != sold.Payment.ID || got["booking_id"] != float64(b.ID) {
			t.Errorf("the order: %v", got)
		}
		c.refused(409, "invalid_state", "POST", fmt.Sprintf("/booking-orders/%d/cancel", o.ID), `{"reason": "x"}`)
		c.want(201, "POST", "/booking-orders", `{"merchant_id": "`+m+`", "name": "Bảo hiểm", "code": "INS-1", "promotion": "sale10", "lines": [{"name": "Bảo hiểm", "price": 480000}]}`, &got)
		if got["total"] != 432000.0 || got["code"] != "INS-1" || got["canceled_at"] != nil {
			t.Errorf("the insurance: %v", got)
		}
		c.refused(409, "duplicate_reference", "POST", "/booking-orders", `{"merchant_id": "`+m+`", "name": "x", "code": "INS-1", "lines": [{"name": "x", "price": 1}]}`)
		c.refused(422, "invalid_request", "POST", "/booking-orders", `{"merchant_id": "`+m+`", "name": "x", "promotion": "NONE", "lines": [{"name": "x", "price": 1}]}`)
		c.want(200, "POST", fmt.Sprintf("/booking-orders/%v/cancel", int64(got["order_id"].(float64))), `{"reason": "khách đổi ý"}`, &got)
		if got["canceled_at"] == nil {
			t.Errorf("canceled: %v", got)
		}
		c.refused(404, "not_found", "GET", "/booking-orders/1", "")
		c.refused(404, "not_found", "GET", "/booking-orders/x", "")
		for path, n := range map[string]int{"/stations": 2, "/stations/57/services": 1, "/promotions": 1, "/merchants/" + m + "/booking-methods": 1} {
			c.get(path, &p)
			if len(p.Items) != n {
				t.Errorf("%s: %+v", path, p)
			}
		}
		var first page
		c.get("/stations?limit=1", &first)
		c.get("/stations?limit=1&cursor="+first.Next, &p)
		if first.Next != "57" || len(p.Items) != 1 || p.Items[0]["station_id"] != 58.0 {
			t.Errorf("pages: %+v, %+v", first, p)
		}
		c.refused(422, "invalid_request", "GET", "/bookings?cursor=x", "")
		c.refused(422, "invalid_request", "GET", "/bookings?station_id=0", "")
		c.want(204, "DELETE", "/merchants/"+m+"/booking-methods/bank", "", nil)
		c.refused(404, "not_found", "DELETE", "/merchants/"+m+"/booking-methods/bank", "")
	})
}
