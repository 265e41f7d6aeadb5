package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/dialect/tiki"
)

// flows are one story of money in each dialect, told by its wire; flows.json
// keeps what the gateway called them, for the test to look them up by.
type flows struct {
	Card     string `json:"card"` // a Paykit payment by card, of which a part is refunded
	Refund   string `json:"refund"`
	Sale     string `json:"sale"` // an AppotaPay sale that was approved, and one that was voided after
	Voided   string `json:"voided"`
	Schedule int64  `json:"schedule"` // a TTDK booking that was paid by bank transfer, and its order
	Booked   int64  `json:"booked"`
	Order    string `json:"order"` // a Tiki order that was paid by bank transfer
}

// parties are what sandbox.json says of the dialects beside Paykit.
type parties struct {
	AppotaPay struct {
		BaseURL     string `json:"base_url"`
		PartnerCode string `json:"partner_code"`
		APIKey      string `json:"api_key"`
		SecretKey   string `json:"secret_key"`
		TerminalID  string `json:"terminal_id"`
	} `json:"appotapay"`
	Tiki struct {
		BaseURL       string `json:"base_url"`
		ClientKey     string `json:"client_key"`
		ClientSecret  string `json:"client_secret"`
		AppIdentifier string `json:"app_identifier"`
		CustomerID    string `json:"customer_id"`
		GraphQLURL    string `json:"graphql_url"`
	} `json:"tiki"`
	TTDK struct {
		BaseURL         string  `json:"base_url"`
		APIKey          string  `json:"api_key"`
		ClientID        string  `json:"client_id"`
		StationServices []int64 `json:"station_services"`
	} `json:"ttdk"`
}

// moneyFlows pays and takes back by the wire of every dialect.
func (s street) moneyFlows(p parties, paykitURL, adminToken string, now time.Time) (f flows, err error) {
	for _, flow := range []struct {
		name string
		run  func() error
	}{
		{"Paykit by card", func() error { return s.card(&f, paykitURL, adminToken) }},
		{"AppotaPay", func() error { return s.sales(&f, p, now) }},
		{"TTDK", func() error { return s.book(&f, p, now) }},
		{"Tiki", func() error { return s.order(&f, p, adminToken) }},
	} {
		if err := flow.run(); err != nil {
			return f, fmt.Errorf("%s: %w", flow.name, err)
		}
	}
	return f, nil
}

// card pays by card at the sandbox's acquirer and gives a part back.
func (s street) card(f *flows, base, adminToken string) error {
	f.Card, f.Refund = "PAID-BY-CARD", "PAID-BY-CARD-R"
	opening := opening(f.Card, "720h")
	opening["payment_method"] = "DOMESTIC_CARD"
	var made struct {
		CheckoutURL string `json:"checkout_url"`
	}
	err := errors.Join(
		s.post(base+"/payment-page-checkout", s.keys, opening, &made),
		s.post(s.base+"/sandbox/cards/pay", nil, map[string]any{
			"checkout_url": made.CheckoutURL, "number": "9704000000000018", "holder": "NGUYEN VAN A", "expiry": "03/07", "otp": "otp",
		}, nil),
		s.post(base+"/refund", s.keys, map[string]any{"payment_id": f.Card, "refund_id": f.Refund, "amount": 40_000, "currency": "VND"}, nil),
	)
	for err == nil { // until the acquirer has made the refund
		var p struct {
			Refunded int64 `json:"amount_refunded"`
		}
		if err = s.shown("paykit", f.Card, adminToken, &p); p.Refunded == 40_000 {
			break
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-s.ctx.Done():
			err = s.ctx.Err()
		}
	}
	return err
}

func mac(secret, text string) []byte {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(text))
	return m.Sum(nil)
}

// sales sells twice at the terminal, and voids one of the two.
func (s street) sales(f *flows, p parties, now time.Time) error {
	f.Sale, f.Voided = "SALE", "SALE-VOIDED"
	a := p.AppotaPay
	coded := base64.RawURLEncoding.EncodeToString
	token := coded([]byte(`{"typ":"JWT","alg":"HS256","cty":"appotapay-api;v=1"}`)) + "." + coded(fmt.Appendf(nil,
		`{"iss":%q,"jti":"%s-%d","api_key":%q,"exp":%d}`, a.PartnerCode, a.APIKey, now.Unix(), a.APIKey, now.Add(24*time.Hour).Unix()))
	token += "." + coded(mac(a.SecretKey, token))
	act := func(reference, action string) error {
		return s.post(s.base+"/sandbox/terminals/"+a.TerminalID+"/actions", nil, map[string]any{"partner_ref_id": reference, "action": action}, nil)
	}
	for _, reference := range []string{f.Sale, f.Voided} {
		body, err := json.Marshal(map[string]any{"partner_ref_id": reference, "order_info": "Phở bò", "terminal_id": a.TerminalID, "payment_method": "POS", "amount": 45_000})
		if err != nil {
			return err
		}
		header := map[string]string{"X-AppotaPay-Auth": token, "X-Request-Id": "8f14e45f-ceea-4e67-a5d4-0123456789ab", "X-Signature": hex.EncodeToString(mac(a.SecretKey, string(body)))}
		if err := errors.Join(s.post(a.BaseURL+"/api/v2/partner/orders/payment/create", header, json.RawMessage(body), nil), act(reference, "approve")); err != nil {
			return err
		}
	}
	return act(f.Voided, "void")
}

// book books an inspection and pays it by bank transfer.
func (s street) book(f *flows, p parties, now time.Time) error {
	keys := map[string]string{"apiKey": p.TTDK.APIKey, "clientId": p.TTDK.ClientID}
	day := now.Add(7*time.Hour).AddDate(0, 0, 1) // in Vietnam
	if day.Weekday() == time.Sunday {
		day = day.AddDate(0, 0, 1) // the station is closed
	}
	var booked struct {
		Data []int64 `json:"data"`
	}
	err := s.post(p.TTDK.BaseURL+"/PartnerAPI/CustomerSchedule/user/createSchedule", keys, map[string]any{
		"licensePlates": "51G-123.45", "phone": "0987654321", "vehicleType": 1, "licensePlateColor": 1, "stationsId": 57, "dateSchedule": day.Format("02/01/2006"),
		"time": "7h-9h", "stationServicesList": p.TTDK.StationServices[:1],
	}, &booked)
	if err != nil {
		return err
	}
	if len(booked.Data) == 0 {
		return errors.New("no booking was made")
	}
	f.Schedule = booked.Data[0]
	var methods struct {
		Data struct {
			Bank struct {
				Type int64 `json:"paymentMethodType"`
				ID   int64 `json:"paymentMethodId"`
			} `json:"bank"`
		} `json:"data"`
	}
	if err := s.post(p.TTDK.BaseURL+"/PartnerAPI/PaymentQR/user/getPublicPaymentMethod", keys, map[string]any{}, &methods); err != nil {
		return err
	}
	var offer struct {
		Data struct {
			OrderData struct {
				OrderID int64 `json:"orderId"`
			} `json:"orderData"`
			BankQR struct {
				QRCode string `json:"qrCode"`
			} `json:"bankQR"`
		} `json:"data"`
	}
	err = s.post(p.TTDK.BaseURL+"/PartnerAPI/CustomerSchedule/user/createPayment", keys, map[string]any{
		"customerScheduleId": f.Schedule, "paymentMethodType": methods.Data.Bank.Type, "paymentMethodId": methods.Data.Bank.ID,
	}, &offer)
	if err != nil {
		return err
	}
	f.Booked = offer.Data.OrderData.OrderID
	return s.post(s.base+"/sandbox/bank-transfers", nil, map[string]any{"vietqr": offer.Data.BankQR.QRCode}, nil)
}

// order orders in the mini app and pays by bank transfer.
func (s street) order(f *flows, p parties, adminToken string) error {
	t := p.Tiki
	body, err := json.Marshal(map[string]any{
		"customer_id": t.CustomerID, "items": []any{map[string]any{"name": "Cà phê sữa", "quantity": 2, "price": 15_000}}, "shipping_fee": 5_000, "reference_id": "UPGRADE-1",
	})
	if err != nil {
		return err
	}
	stamp := strconv.FormatInt(time.Now().UnixMilli(), 10) // the sandbox's moved clock does not count for signatures
	var placed struct {
		Data struct {
			Order struct {
				ID string `json:"id"`
			} `json:"order"`
		} `json:"data"`
	}
	err = s.post(t.BaseURL+"/order", map[string]string{
		"X-Tiniapp-Client-Id": t.ClientKey, "X-Tiniapp-Timestamp": stamp, "X-Tiniapp-Signature": tiki.Sign(t.ClientKey, t.ClientSecret, stamp, body),
	}, json.RawMessage(body), &placed)
	if err != nil {
		return err
	}
	f.Order = placed.Data.Order.ID
	var session struct {
		AccessToken string `json:"access_token"`
	}
	var paid struct {
		Errors []any `json:"errors"`
	}
	err = errors.Join(
		s.post(s.base+"/sandbox/tiki/user-tokens", nil, map[string]any{"customer_id": t.CustomerID}, &session),
		s.post(t.GraphQLURL, map[string]string{"X-Tiki-Access-Token": session.AccessToken, "X-TiniApp-Id": t.AppIdentifier}, map[string]any{
			"query":     "mutation make_payment($order_id: String!, $config: TransactionConfig) { make_payment(order_id: $order_id, config: $config) { redirect_url { web app } } }",
			"variables": map[string]any{"order_id": f.Order, "config": map[string]any{"payment_method": "bank_transfer", "return_url": map[string]any{"url": "", "app": "", "should_redirect": true}, "countdown": 600}},
		}, &paid),
	)
	if err != nil {
		return err
	}
	if len(paid.Errors) > 0 {
		return fmt.Errorf("make_payment: %v", paid.Errors)
	}
	return s.payAsShown("tiki", f.Order, adminToken)
}

// payAsShown pays what the admin API shows of a payment.
func (s street) payAsShown(dialect, reference, token string) error {
	var p struct {
		Transfer struct {
			VietQR string `json:"vietqr"`
		} `json:"transfer"`
	}
	return errors.Join(
		s.shown(dialect, reference, token, &p),
		s.post(s.base+"/sandbox/bank-transfers", nil, map[string]any{"vietqr": p.Transfer.VietQR}, nil),
	)
}

// shown is a payment as the admin API shows it.
func (s street) shown(dialect, reference, token string, into any) error {
	var list struct {
		Items []struct {
			PaymentID string `json:"payment_id"`
		} `json:"items"`
	}
	if err := s.get(s.base+"/admin/v1/payments?dialect="+dialect+"&reference="+reference, token, &list); err != nil {
		return err
	}
	if len(list.Items) != 1 {
		return fmt.Errorf("%d payments are called %s", len(list.Items), reference)
	}
	return s.get(s.base+"/admin/v1/payments/"+list.Items[0].PaymentID, token, into)
}

func (s street) get(url, token string, into any) error {
	req, err := http.NewRequestWithContext(s.ctx, "GET", url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d %s", strings.SplitN(url, "?", 2)[0], res.StatusCode, answer)
	}
	return json.Unmarshal(answer, into)
}
