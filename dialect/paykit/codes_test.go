package paykit

import (
	"net/http"
	"slices"
	"testing"

	"github.com/thungan/thungan/payment"
)

var allMethods = []payment.Method{payment.BankTransfer, payment.DomesticCard, payment.InternationalCard}

func TestEveryStateHasARow(t *testing.T) {
	for _, s := range payment.States {
		row, ok := statuses[s]
		if !ok {
			t.Errorf("no row for state %q", s)
		}
		if s.Closed() != (row.status == statusClosed) || s.Closed() != (row.result != "") {
			t.Errorf("%s is told as %+v", s, row)
		}
		if row.success != (s == payment.Approved) {
			t.Errorf("%s leads to success_url: %v", s, row.success)
		}
	}
	if len(statuses) != len(payment.States) {
		t.Error("rows for states that do not exist")
	}
	if statuses[payment.Voided].result != "CANCELED" {
		t.Error("P19")
	}
}

func TestEveryMethodHasARow(t *testing.T) {
	for _, m := range allMethods {
		if methodFromWire[methodToWire[m]] != m {
			t.Errorf("no row for method %q", m)
		}
	}
	if len(methodNames) != len(allMethods) {
		t.Errorf("methods %v", methodNames)
	}
}

func TestEveryRefundStateHasARow(t *testing.T) {
	for _, s := range []payment.RefundState{payment.RefundProcessing, payment.RefundApproved, payment.RefundDenied} {
		row, ok := refundOutcomes[s]
		if !ok || (row.status == statusClosed) != (row.result != "") || !slices.Contains(pages[opRefund], row.gatewayCode) {
			t.Errorf("%s is told as %+v", s, row)
		}
	}
}

// Every operation has an answer for every code, and only in words of its own
// page (P25).
func TestEveryCodeHasARow(t *testing.T) {
	for _, code := range payment.Codes {
		row, ok := refusals[code]
		if !ok || (row.gatewayCode == "") == (row.cause == "") {
			t.Errorf("%s is told as %+v", code, row)
		}
		for op, page := range pages {
			r := refusalOf(op, code)
			if (r.gatewayCode == "") == (r.cause == "") {
				t.Errorf("%s: %s is told as %+v", op, code, r)
			}
			if r.gatewayCode != "" && !slices.Contains(page, r.gatewayCode) {
				t.Errorf("%s does not know %s", op, r.gatewayCode)
			}
			if r.cause != "" && causeStatus[r.cause] == 0 {
				t.Errorf("no HTTP status for %s", r.cause)
			}
		}
	}
	if len(refusals) != len(payment.Codes) {
		t.Error("rows for codes that do not exist")
	}
	if got := refusalOf(opCheckout, "something new"); got.cause != causeServerFailed {
		t.Errorf("an unknown code is told as %+v", got)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		op   string
		code payment.Code
		want string
	}{
		{opCheckout, payment.CodeDuplicateReference, "DUPLICATE_PAYMENT_ID"},
		{opRefund, payment.CodeDuplicateReference, "DUPLICATE_REFUND_ID"},
		{opRefund, payment.CodeInvalidState, "INVALID_PAYMENT"},
		{opCheckout, payment.CodeInvalidState, "SERVER_FAILED"},
		{opRetrievePayment, payment.CodeMerchantLocked, "SERVER_FAILED"},
		{opRetrieveRefund, payment.CodeRefundNotFound, "REFUND_NOT_FOUND"},
		{opRetrievePayment, payment.CodeRefundNotFound, "SERVER_FAILED"},
		{opCheckout, payment.CodeBusy, "SERVER_BUSY"},
		{opCheckout, payment.CodeConflict, "SERVER_BUSY"},
	} {
		if r := refusalOf(c.op, c.code); r.gatewayCode+r.cause != c.want {
			t.Errorf("%s, %s: %+v, want %s", c.op, c.code, r, c.want)
		}
	}
}

// P4.
func TestErrorStatus(t *testing.T) {
	for cause, want := range map[string][3]int{
		causeInvalidRequest:  {http.StatusOK, http.StatusBadRequest, http.StatusOK},
		causeRequestRejected: {http.StatusUnauthorized, http.StatusUnauthorized, http.StatusOK},
		causeServerBusy:      {http.StatusServiceUnavailable, http.StatusServiceUnavailable, http.StatusOK},
		causeServerFailed:    {http.StatusInternalServerError, http.StatusInternalServerError, http.StatusOK},
	} {
		for i, s := range []ErrorStatus{ErrorStatusDefault, ErrorStatusHTTP, ErrorStatusOK} {
			if got := s.of(cause, causeStatus[cause]); got != want[i] {
				t.Errorf("%q, %s: %d, want %d", s, cause, got, want[i])
			}
		}
	}
}

// P31, P32: a refund is refused for the merchant's balance when core says so,
// and with two of the page's codes never.
func TestRefundCodes(t *testing.T) {
	if got := refusalOf(opRefund, payment.CodeInsufficient).gatewayCode; got != "INSUFFICIENT_BALANCE" {
		t.Errorf("a balance that is short is answered %q", got)
	}
	for _, code := range payment.Codes {
		switch got := refusalOf(opRefund, code).gatewayCode; got {
		case "INVALID_REFUND", "EXCEEDED_RETRY_LIMIT":
			t.Errorf("%s is answered %s", code, got)
		}
	}
}
