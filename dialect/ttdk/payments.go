package ttdk

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/pan"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
)

// Module Order Payment.

func (h *handler) publicMethods(ctx context.Context, c call) (any, error) { return h.methodsOf(ctx, c) }

// offeredMethods is the twin of the web client, which takes no nulls (T6).
func (h *handler) offeredMethods(ctx context.Context, c call) (any, error) {
	all, err := h.methodsOf(ctx, c)
	return offered(all), err
}

func (h *handler) methodsOf(ctx context.Context, c call) (methods, error) {
	var all methods
	found, err := h.core.Methods(ctx, c.merchant.ID)
	if err != nil {
		return all, err
	}
	places := map[string]**method{
		"bank": &all.Bank, "momo": &all.MoMo, "gtelPay": &all.GtelPay, "zaloPay": &all.ZaloPay, "taMove": &all.TaMove, "vnPay": &all.VNPay,
		"shopeePay": &all.ShopeePay, "baoKim": &all.BaoKim, "kimNgan": &all.KimNgan, "vnpayAppInApp": &all.VNPayAppInApp,
	}
	for _, m := range found {
		place := places[m.Name]
		if place == nil {
			continue
		}
		*place = &method{
			ID: m.Number, Name: m.Title, Type: m.Type, Identity: m.Account, Owner: m.Holder, ImageURL: m.ImageURL, Enable: bit(m.Enabled), Note: m.Note,
			StationsID: orNull(m.StationID), ReceiverName: m.Holder, ReferName: m.Title, TypeCode: typeCodes[m.Name],
		}
	}
	return all, nil
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// orNull is null for a number that is not there.
func orNull(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// calculate answers what an order costs, or what services would (T14).
func (h *handler) calculate(ctx context.Context, c call) (any, error) {
	plates := c.in.list("licensePlatesList")
	for i, p := range plates {
		if _, ok := booking.PlateOf(p.(string)); !ok {
			label := strconv.Itoa(i)
			return nil, &invalid{
				message: fmt.Sprintf(`child "licensePlatesList" fails because ["licensePlatesList" at position %d fails because ["%s" is not a licence plate]]`, i, label),
				member:  true, path: "licensePlatesList." + label,
			}
		}
	}
	var bill booking.Bill
	var paid money.VND
	var err error
	promotion := c.in.text("promotionCode")
	if c.in.has("orderId") {
		var s core.Sold
		s, bill, err = h.core.QuoteOrder(ctx, c.merchant.ID, c.in.number("orderId"), promotion)
		if s.Payment != nil && !s.Payment.State.Closed() || s.Payment != nil && s.Payment.State == payment.Approved {
			paid = s.Payment.Received
		}
	} else {
		bill, err = h.core.Quote(ctx, products(c.in.list("productIds"), int64(len(plates))), promotion)
	}
	if no := (*booking.Refusal)(nil); errors.As(err, &no) && no.Reason == booking.BadPromotion {
		return nil, &invalid{message: `child "promotionCode" fails because ["promotionCode" is not a valid promotion]`, member: true, path: "promotionCode"}
	}
	if err != nil {
		return nil, err
	}
	return calculation{
		SubTotal: bill.Subtotal, Payment: bill.Subtotal, Tax: bill.Tax, Discount: bill.Discount, TotalPayment: bill.Total, Total: bill.Total,
		Paid: paid, Unpaid: max(bill.Total-paid, 0), SalesChannel: salesChannel,
	}, nil
}

// products reads productIds. One without a quantity is charged once for each
// plate.
func products(list []any, plates int64) []core.Item {
	items := make([]core.Item, len(list))
	for i, p := range list {
		switch p := p.(type) {
		case num:
			items[i] = core.Item{ServiceID: values{"": p}.number(""), Quantity: max(plates, 1)}
		case values:
			items[i] = core.Item{ServiceID: p.number("productId"), Quantity: max(plates, 1)}
			if p.has("quantity") {
				items[i].Quantity = p.number("quantity")
			}
		}
	}
	return items
}

// showFor is how long a client shows a code before it asks anew; the offer
// itself lives longer (T10).
const showFor = 15 * time.Minute

func (h *handler) createPayment(ctx context.Context, c call) (any, error) {
	kind := c.in.number("paymentMethodType")
	s, err := h.core.Offer(ctx, core.Paying{
		Merchant: c.merchant, ID: c.in.number("customerScheduleId"), Type: kind, Number: c.in.number("paymentMethodId"), Usual: paymentTypes[kind],
		Services: c.in.numbers("stationServicesList"), StationID: c.in.number("stationsId"),
	})
	answer := created{
		CustomerScheduleID: c.in.number("customerScheduleId"), IsSuccess: 1, PaymentStatus: statusOf(s.Order, s.Payment), TotalPayment: s.Order.Total,
		OrderData: orderNumber{s.Order.ID}, MethodID: s.Method.Number, MethodType: s.Method.Type, MethodSubType: textOrNull(pan.Hide(c.in.text("paymentMethodSubType"))),
	}
	switch {
	case err != nil && s.Order.ID != 0 && outcomes[payment.CodeOf(err)] == refused:
		// The order is all right, but the gateway does not take the payment.
		return h.unsuccessful(answer, payment.CodeOf(err), safeText(err)), nil
	case err != nil:
		return nil, err
	}
	httpx.Note(ctx, "payment_id", s.Payment.ID)
	if s.Method.By == payment.BankTransfer {
		answer.BankQR = h.bankQR(s)
	} else {
		h.handOff(ctx, c, s, &answer)
	}
	if h.Mirror {
		answer.MirrorOrderID = s.Order.ID
		answer.Mirror = &mirror{BankQR: answer.BankQR, MoMoQR: answer.MoMoQR, GatewayData: answer.GatewayData}
		if answer.BankQR != nil {
			answer.Mirror.Content = &answer.BankQR.Content
		}
	}
	return answer, nil
}

// unsuccessful is an answer that says no in the two fields for that.
func (h *handler) unsuccessful(answer created, code payment.Code, text string) created {
	word := strings.ToUpper(string(code))
	answer.IsSuccess, answer.ErrorCode, answer.ErrorMessage = 0, &word, &text
	answer.PaymentStatus = statusFailed
	return answer
}

// minutes is how long a code is to be shown.
func (h *handler) minutes(p payment.Payment) int64 {
	return max(int64(min(showFor, p.DueAt.Sub(h.Clock.Now()))/time.Minute), 1)
}

// bankQR is how the payment of an order is made by bank transfer, nil when
// nothing is due.
func (h *handler) bankQR(s core.Sold) *bankQR {
	if s.Payment == nil {
		return nil
	}
	code, memo := core.OrderTransfer(s.Order, *s.Payment)
	if code == "" {
		return nil
	}
	return &bankQR{
		Data: fmt.Sprintf("%s/PartnerAPI/PaymentQR/%d/%s/qr.png", h.core.PublicURL(), s.Order.ID, h.core.PageKey(*s.Payment)), Code: code, Content: memo,
		Minutes: h.minutes(*s.Payment),
	}
}

// handOff fills in the way to a wallet or card page (T9).
func (h *handler) handOff(ctx context.Context, c call, s core.Sold, answer *created) {
	page := h.core.PageURL(c.clientID, *s.Payment)
	if h.Starter == nil {
		answer.LinkURL = &page
		return
	}
	way, err := h.Starter.Start(ctx, s.Payment.ID, s.Method.By, c.ip)
	if payment.CodeOf(err) == payment.CodeInvalidState {
		// The payer is at another wallet, and chooses this one instead.
		if _, left := h.core.LeaveAttempt(ctx, s.Payment.ID); left == nil {
			way, err = h.Starter.Start(ctx, s.Payment.ID, s.Method.By, c.ip)
		}
	}
	if err != nil {
		if outcomes[payment.CodeOf(err)] == ours {
			h.Log.ErrorContext(ctx, "payer not handed off", "payment_id", s.Payment.ID, "error", err.Error())
		}
		*answer = h.unsuccessful(*answer, "payment_failed", safeText(err))
		return
	}
	// A form cannot be handed over by a link; the hosted page posts it.
	link := way.URL
	if len(way.Fields) > 0 || way.Script != "" || link == "" {
		link = page
	}
	answer.PaymentStatus = statusPending
	answer.DeepLink = textOrNull(way.App)
	switch {
	case s.Method.Name == "momo" && way.QR != "":
		if image, err := vietqr.PNG(way.QR, imageScale); err == nil {
			answer.MoMoQR = &momoQR{
				DataURL: "data:image/png;base64," + base64.StdEncoding.EncodeToString(image), Content: s.Order.Memo(), Minutes: h.minutes(*s.Payment),
			}
			return
		}
	case s.Method.Name == "gtelPay":
		id := strconv.FormatInt(s.Order.ID, 10)
		answer.InAppGtelOrderID = &id
	}
	answer.LinkURL = &link
}

// imageScale is how many pixels a module of a QR code has.
const imageScale = 8

// image serves the QR codes of bankQR.qrData. Its address has a key: numbers of
// orders can be counted, the key cannot. It says whether the path was one.
func (h *handler) image(w http.ResponseWriter, r *http.Request) bool {
	parts := strings.Split(r.URL.Path, "/")
	if len(parts) != 6 || !strings.EqualFold(parts[1], "PartnerAPI") || !strings.EqualFold(parts[2], "PaymentQR") || !strings.EqualFold(parts[5], "qr.png") {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	httpx.NoteRoute(r.Context(), "ttdk: qr.png")
	id, err := strconv.ParseInt(parts[3], 10, 64)
	if err != nil {
		id = -1
	}
	s, err := h.core.OrderOfPage(r.Context(), id, parts[4])
	switch {
	case payment.CodeOf(err) == payment.CodeNotFound:
		h.send(w, http.StatusNotFound, notFound)
		return true
	case err != nil:
		h.fail(w, r, operation{module: modulePartner}, err)
		return true
	}
	code, _ := core.OrderTransfer(s.Order, *s.Payment)
	picture, err := vietqr.PNG(code, imageScale)
	if err != nil { // nothing is due any more
		h.send(w, http.StatusNotFound, notFound)
		return true
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Content-Length", strconv.Itoa(len(picture)))
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(picture)
	}
	return true
}
