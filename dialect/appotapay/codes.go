package appotapay

import (
	"net/http"
	"strings"

	"github.com/thungan/thungan/payment"
)

// The values of error_code that we answer (source 2, table of POS codes).
const (
	codeSuccess         = "00"
	codeInvalid         = "1"
	codeSignature       = "2"
	codeDuplicate       = "30"
	codeVoided          = "31"
	codeAmount          = "32"
	codeFailed          = "33"
	codeWaiting         = "34"
	codeNotFound        = "36"
	codeCancelled       = "38"
	codeNotSupported    = "40"
	codeCardType        = "64"
	codeCardData        = "65"
	codeCardRestricted  = "66"
	codeTimeout         = "67"
	codeCardExpired     = "69"
	codeFunds           = "75"
	codeBankError       = "78"
	codeUnprocessable   = "79"
	codeDeclined        = "82"
	codeOverLimit       = "84"
	codeBusy            = "93"
	codeNetwork         = "95"
	codeUnknown         = "99"
	codeSuspicious      = "207"
	codeTerminalBusy    = "250"
	codeSettleFirst     = "253"
	codeUnauthorized    = "401"
	codeInternal        = "500"
	codePartnerLocked   = "3113"
	codePartnerClosed   = "3114"
	codeTerminalInvalid = "3115"
)

// message is the text of a code.
type message struct{ vi, en string }

func (m message) in(lang string) string {
	if lang == english {
		return m.en
	}
	return m.vi
}

// The languages of error_message (A8).
const (
	vietnamese = "vi"
	english    = "en"
)

// messages has a row for every code above.
var messages = map[string]message{
	codeSuccess:         {"Giao dịch thành công", "Transaction successful"},
	codeInvalid:         {"Thông tin yêu cầu thiếu hoặc không hợp lệ", "The request is incomplete or invalid"},
	codeSignature:       {"Signature không đúng", "The signature is wrong"},
	codeDuplicate:       {"Mã giao dịch tham chiếu đã tồn tại", "The partner reference was used before"},
	codeVoided:          {"Giao dịch đã được hoàn tiền", "The transaction has been voided"},
	codeAmount:          {"Số tiền không hợp lệ", "The amount is invalid"},
	codeFailed:          {"Giao dịch thất bại", "Transaction failed"},
	codeWaiting:         {"Giao dịch đang chờ xử lý", "The transaction is waiting"},
	codeNotFound:        {"Giao dịch không tồn tại", "There is no such transaction"},
	codeCancelled:       {"Người dùng huỷ giao dịch", "Cancelled by the user"},
	codeNotSupported:    {"Phương thức thanh toán không được hỗ trợ", "The payment method is not supported"},
	codeCardType:        {"Loại thẻ không được hỗ trợ", "The card type is not supported"},
	codeCardData:        {"Thông tin thẻ không đúng", "The card's data are wrong"},
	codeCardRestricted:  {"Thẻ bị hạn chế giao dịch", "The card is restricted"},
	codeTimeout:         {"Quá thời gian thanh toán", "The time to pay is over"},
	codeCardExpired:     {"Thẻ đã hết hạn", "The card has expired"},
	codeFunds:           {"Số dư không đủ", "Insufficient funds"},
	codeBankError:       {"Lỗi hệ thống ngân hàng", "The bank's system failed"},
	codeUnprocessable:   {"Không xử lý được thẻ", "The card cannot be processed"},
	codeDeclined:        {"Ngân hàng phát hành từ chối giao dịch", "Declined by the issuer"},
	codeOverLimit:       {"Số tiền vượt quá hạn mức cho phép", "The amount is over the allowed limit"},
	codeBusy:            {"Hệ thống đang bận, vui lòng thử lại", "The system is busy, try again"},
	codeNetwork:         {"Lỗi kết nối mạng", "Network error"},
	codeUnknown:         {"Lỗi không xác định", "Unknown error"},
	codeSuspicious:      {"Giao dịch có dấu hiệu bất thường", "The transaction is suspicious"},
	codeTerminalBusy:    {"Thiết bị đang có giao dịch chờ xử lý", "The terminal has a transaction under way"},
	codeSettleFirst:     {"Vượt hạn mức, vui lòng kết toán trước khi tạo giao dịch mới", "Over the limit; settle before creating another transaction"},
	codeUnauthorized:    {"Lỗi xác thực", "Authentication error"},
	codeInternal:        {"Lỗi hệ thống", "System error"},
	codePartnerLocked:   {"Tài khoản đang tạm khoá", "The account is suspended"},
	codePartnerClosed:   {"Tài khoản đã ngừng hoạt động", "The account is stopped"},
	codeTerminalInvalid: {"Thiết bị bị khoá hoặc chưa được đăng ký", "The terminal is locked or not registered"},
}

// refusal is how a failed call is answered.
type refusal struct {
	status int
	code   string
}

// refusals has a row for every one of payment.Codes.
var refusals = map[payment.Code]refusal{
	payment.CodeUnauthorized:       {http.StatusUnauthorized, codeUnauthorized},
	payment.CodeDuplicateReference: {http.StatusBadRequest, codeDuplicate},
	payment.CodeMethodNotSupported: {http.StatusBadRequest, codeNotSupported},
	payment.CodeInvalidAmount:      {http.StatusBadRequest, codeAmount},
	payment.CodeInvalidDueTime:     {http.StatusInternalServerError, codeInternal}, // no call names a time
	payment.CodeTotalLimit:         {http.StatusBadRequest, codeOverLimit},
	payment.CodeMerchantLocked:     {http.StatusForbidden, codePartnerLocked},
	payment.CodeMerchantClosed:     {http.StatusForbidden, codePartnerClosed},
	payment.CodePlatformLocked:     {http.StatusForbidden, codePartnerLocked},
	payment.CodePlatformClosed:     {http.StatusForbidden, codePartnerClosed},
	payment.CodePaymentNotFound:    {http.StatusNotFound, codeNotFound},
	payment.CodeRefundNotFound:     {http.StatusNotFound, codeNotFound},
	payment.CodeInsufficient:       {http.StatusInternalServerError, codeInternal}, // no call refunds
	payment.CodeNotFound:           {http.StatusInternalServerError, codeInternal}, // no call asks for anything else
	payment.CodeInvalidState:       {http.StatusInternalServerError, codeInternal}, // no call changes a sale
	payment.CodeInvalidRequest:     {http.StatusBadRequest, codeInvalid},
	payment.CodeTerminalUnusable:   {http.StatusBadRequest, codeTerminalInvalid},
	payment.CodeTerminalBusy:       {http.StatusBadRequest, codeTerminalBusy},
	payment.CodeSettleFirst:        {http.StatusBadRequest, codeSettleFirst},
	payment.CodeConflict:           {http.StatusServiceUnavailable, codeBusy},
	payment.CodeBusy:               {http.StatusServiceUnavailable, codeBusy},
	payment.CodeInternal:           {http.StatusInternalServerError, codeInternal},
}

// refusalOf says how a failure is answered; what has no row is a fault of ours.
func refusalOf(code payment.Code) refusal {
	if r, ok := refusals[code]; ok {
		return r
	}
	return refusals[payment.CodeInternal]
}

// status is how a payment's state is told. For Denied the code is why the
// device declined (A18).
type status struct {
	status string
	code   string
}

// statuses has a row for every one of payment.States.
var statuses = map[payment.State]status{
	payment.Open:       {statusPending, codeWaiting},
	payment.Processing: {statusProcessing, codeWaiting},
	payment.Approved:   {statusSuccess, codeSuccess},
	payment.Denied:     {statusError, codeDeclined},
	payment.Canceled:   {statusError, codeCancelled},
	payment.Expired:    {statusError, codeTimeout},
	payment.Voided:     {statusVoid, codeVoided},
}

// declines has a row for every one of payment.Declines.
var declines = map[payment.Decline]string{
	payment.DeclineIssuer:      codeDeclined,
	payment.DeclineFunds:       codeFunds,
	payment.DeclineCardType:    codeCardType,
	payment.DeclineCardData:    codeCardData,
	payment.DeclineRestricted:  codeCardRestricted,
	payment.DeclineExpiredCard: codeCardExpired,
	payment.DeclineUnreadable:  codeUnprocessable,
	payment.DeclineLimit:       codeOverLimit,
	payment.DeclineBank:        codeBankError,
	payment.DeclineNetwork:     codeNetwork,
	payment.DeclineSuspicious:  codeSuspicious,
	payment.DeclineFailed:      codeFailed,
}

// statusOf is how a state is told, with the reason of a sale that was denied.
func statusOf(state payment.State, reason payment.Decline) status {
	s := statuses[state]
	if code, ok := declines[reason]; ok && state == payment.Denied {
		s.code = code
	}
	return s
}

// methodFromWire and methodToWire know the methods of a terminal.
var methodFromWire = map[string]payment.Method{
	methodPOS: payment.CardPresent,
	methodQR:  payment.BankTransfer,
}

// methodToWire tells a method; every method that is not paid at the device
// itself is QR, such as a card sale that was paid by transfer in the end.
func methodToWire(m payment.Method) string {
	if m == payment.CardPresent {
		return methodPOS
	}
	return methodQR
}

// offered is the method that a sale was opened with, whatever it was paid by.
func offered(p payment.Payment) payment.Method {
	if len(p.Methods) == 1 {
		return p.Methods[0]
	}
	return p.Method
}

// bankOf is bank_code and bank_type of an IPN (A21).
func bankOf(p payment.Payment, s payment.Sale) (code, kind string) {
	switch {
	case methodToWire(offered(p)) == methodQR:
		return "APPOTA", "EWALLET"
	case s.Scheme == "":
		return "", ""
	case s.Scheme.Domestic():
		return strings.ToUpper(string(s.Scheme)), "ATM"
	}
	return strings.ToUpper(string(s.Scheme)), "CC"
}
