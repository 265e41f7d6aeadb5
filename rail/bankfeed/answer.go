package bankfeed

import (
	"errors"
	"net/http"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
)

const jsonType = "application/json; charset=utf-8"

// providerAnswer is the form that SePay, Casso and payOS share. All three take
// 2xx with {"success": true} as delivered and send anything else again, so a
// message that cannot be read is answered like a taken one (decision B4).
func providerAnswer(err error) rail.Answer {
	if err == nil || errors.Is(err, rail.ErrUnreadable) {
		return rail.Answer{Status: http.StatusOK, ContentType: jsonType, Body: []byte(`{"success":true}`)}
	}
	body := appendJSON(nil, object{"success": false, "message": safeText(err)})
	return rail.Answer{Status: status(err), ContentType: jsonType, Body: body}
}

// status is the HTTP status of an error. What we do not know is ours and may
// pass, so the sender is asked to try again.
func status(err error) int {
	switch payment.CodeOf(err) {
	case payment.CodeUnauthorized:
		return http.StatusUnauthorized
	case payment.CodeInvalidRequest:
		return http.StatusBadRequest
	case payment.CodeNotFound:
		return http.StatusNotFound
	}
	return http.StatusServiceUnavailable
}

// safeText is what a sender may read of an error. Why a signature is wrong is
// nobody's business but ours.
func safeText(err error) string {
	switch payment.CodeOf(err) {
	case payment.CodeUnauthorized:
		return "the message is not signed as this feed demands"
	case payment.CodeInvalidRequest, payment.CodeNotFound:
		var e *payment.Error
		if errors.As(err, &e) && e.Text != "" {
			return e.Text
		}
	}
	return "not taken in now, please send it again"
}
