package sandbox

import (
	"context"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
)

const (
	ttdk         = "ttdk" // the dialect
	inboxPartner = "ttdk" // where the demo partner is told
)

// The partner of the TTDK documents, with the key and client id of their
// samples.
const (
	partnerKey      = "demo_partner_api_key"
	partnerClientID = "TESTCLIENT"
)

// TTDK is the demo partner of the TTDK Partner API, with what its documents'
// samples name.
type TTDK struct {
	MerchantID         string  `json:"merchant_id"` // of the admin API
	BaseURL            string  `json:"base_url"`    // what comes before /PartnerAPI
	APIKey             string  `json:"api_key"`
	ClientID           string  `json:"client_id"`
	SecretKey          string  `json:"secret_key"` // webhooks are signed with it
	CustomerScheduleID int64   `json:"customer_schedule_id"`
	PaymentMethodID    int64   `json:"payment_method_id"`
	StationServices    []int64 `json:"station_services"`
}

// partnerAccount is the one of the documented QR code; no bank has it.
var partnerAccount = payment.ReceivingAccount{BIN: "970407", Number: "0000000000001", Holder: "CONG TY VI DU", Recognise: payment.ByMemo, Enabled: true}

// The numbers of the documented samples.
const (
	sampleStation = 57
	sampleService = 101
	taxedService  = 102
	sampleBooking = 1869
	sampleOrder   = 99999
	quotedOrder   = 12345
)

func (s *seed) partner() error {
	t := &s.info.TTDK
	if err := s.party(&t.MerchantID, core.NewMerchant{Name: "Đối tác TTDK Demo"}, partnerAccount); err != nil {
		return err
	}
	made, err := s.enrolled(core.Enrolment{MerchantID: t.MerchantID, Dialect: ttdk, PublicID: partnerClientID, NotifyURL: inboxPath + inboxPartner}, t.APIKey, "")
	if err != nil {
		return err
	}
	t.ClientID, t.SecretKey, t.APIKey = made.PublicID, made.NotifySecret, partnerKey
	t.CustomerScheduleID, t.PaymentMethodID, t.StationServices = sampleBooking, 1, []int64{sampleService}
	owner, err := s.core.AuthenticateKey(s.ctx, ttdk, partnerKey)
	switch {
	case payment.CodeOf(err) == payment.CodeUnauthorized:
		if _, _, err := s.core.AddKey(s.ctx, seeder, t.MerchantID, ttdk, partnerKey); err != nil {
			return err
		}
	case err != nil:
		return err
	case owner.Merchant.ID != t.MerchantID:
		t.APIKey = made.Key // somebody else has taken it
	}
	return SeedBookings(s.ctx, s.core, t.MerchantID)
}

// SeedBookings makes the stations, services, orders and bookings that the
// samples of the TTDK documents name, for a merchant, as far as they are not
// there.
func SeedBookings(ctx context.Context, c *core.Core, merchantID string) error {
	b := bookingSeed{ctx: ctx, core: c, merchantID: merchantID}
	for _, step := range []func() error{b.station, b.services, b.promotion, b.method, b.orders, b.testOrders} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

type bookingSeed struct {
	ctx        context.Context
	core       *core.Core
	merchantID string
}

// absent says that something is not there, and has to be made.
func absent(err error) (bool, error) {
	switch payment.CodeOf(err) {
	case "":
		return false, nil
	case payment.CodeNotFound:
		return true, nil
	}
	return false, err
}

func (b bookingSeed) station() error {
	_, err := b.core.Station(b.ctx, sampleStation)
	if missing, err := absent(err); !missing {
		return err
	}
	s := booking.Station{
		ID: sampleStation, Code: "2901S", Name: "Trạm đăng kiểm Demo", Address: "1 Phố Demo, Hà Nội", Area: "Hà Nội", Enabled: true,
		Calendar: booking.Calendar{SameDay: true, DaysOff: []string{}, VehicleTypes: []int64{}},
	}
	for weekday := int64(1); weekday <= 6; weekday++ {
		for _, span := range []string{"7h-9h", "9h-11h", "13h-15h", "15h-17h"} {
			s.Calendar.Slots = append(s.Calendar.Slots, booking.Slot{Weekday: weekday, Time: span, Capacity: 10})
		}
	}
	_, err = b.core.PutStation(b.ctx, seeder, s)
	return err
}

func (b bookingSeed) services() error {
	has, err := b.core.Services(b.ctx, sampleStation)
	if err != nil || len(has) > 0 {
		return err
	}
	for _, s := range []booking.Service{
		{ID: sampleService, StationID: sampleStation, Name: "Kiểm định xe cơ giới", Kind: 1, Price: 120_000, Enabled: true},
		{ID: taxedService, StationID: sampleStation, Name: "Kiểm định và vệ sinh xe", Kind: 1, Price: 200_000, TaxBP: 800, Enabled: true},
	} {
		if _, err := b.core.PutService(b.ctx, seeder, s); err != nil {
			return err
		}
	}
	return nil
}

func (b bookingSeed) promotion() error {
	has, err := b.core.Promotions(b.ctx)
	if err != nil || len(has) > 0 {
		return err
	}
	_, err = b.core.PutPromotion(b.ctx, seeder, booking.Promotion{Code: "SALE10", PercentBP: 1000, Enabled: true})
	return err
}

func (b bookingSeed) method() error {
	has, err := b.core.Methods(b.ctx, b.merchantID)
	if err != nil {
		return err
	}
	for _, m := range has {
		if m.Name == "bank" && m.StationID != 0 {
			return nil
		}
	}
	_, err = b.core.PutMethod(b.ctx, seeder, booking.Method{
		MerchantID: b.merchantID, Name: "bank", Number: 1, Type: 2, Note: "VietQR", StationID: sampleStation, Enabled: true,
	})
	return err
}

// order adds an order unless it is there.
func (b bookingSeed) order(n core.NewOrder) (added bool, err error) {
	_, err = b.core.Order(b.ctx, n.Number)
	if missing, err := absent(err); !missing {
		return false, err
	}
	n.MerchantID = b.merchantID
	_, err = b.core.AddOrder(b.ctx, seeder, n)
	return err == nil, err
}

func (b bookingSeed) orders() error {
	_, err := b.order(core.NewOrder{
		Number: sampleOrder, Name: "Kiểm định xe cơ giới", Kind: 1, Phone: "0900000001", Payer: "Test User",
		Lines:   []booking.Line{{ServiceID: sampleService, Name: "Kiểm định xe cơ giới", Quantity: 1, Price: 120_000}},
		Booking: &booking.Booking{ID: sampleBooking, Plate: "30A12345", PlateColor: 1, VehicleType: 1, Phone: "0900000001", Name: "Test User", StationID: sampleStation, Kind: 1},
	})
	if err != nil {
		return err
	}
	_, err = b.order(core.NewOrder{
		Number: quotedOrder, Name: "Kiểm định và vệ sinh xe", Kind: 1, Phone: "0900000001", Payer: "Test User", Promotion: "SALE10",
		Lines: []booking.Line{{ServiceID: taxedService, Name: "Kiểm định và vệ sinh xe", Quantity: 1, Price: 200_000, TaxBP: 800}},
	})
	return err
}

// testOrders are those by which a paying partner tests its confirmations.
func (b bookingSeed) testOrders() error {
	lines := []booking.Line{
		{Name: "Phí dịch vụ đặt lịch", Quantity: 1, Price: 45_500}, {Name: "Phí kiểm định", Quantity: 1, Price: 45_500},
	}
	for number, code := range map[int64]string{
		9001: "TEST_ORDER_PARTNER_PENDING_001", 9002: "TEST_ORDER_PARTNER_PAID_001", 9003: "TEST_ORDER_PARTNER_CANCELED_001",
	} {
		added, err := b.order(core.NewOrder{Number: number, Code: code, Name: "Đơn thử của đối tác", Phone: "0900000001", Payer: "Test User", Lines: lines})
		if err != nil {
			return err
		}
		switch {
		case added && number == 9002:
			var m payment.Merchant
			if m, err = b.core.Merchant(b.ctx, b.merchantID); err == nil {
				_, err = b.core.Collect(b.ctx, core.Collected{
					Merchant: m, RequestID: "TEST_TXN_QUERY_OK_001", Order: code, Amount: 91_000, Status: "Success", Paid: true,
				})
			}
		case added && number == 9003:
			_, err = b.core.CancelOrder(b.ctx, seeder, number, "thử")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
