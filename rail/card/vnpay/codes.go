package vnpay

import (
	"github.com/thungan/thungan/rail/card"
)

// responses are what vnp_ResponseCode says of a payment.
var responses = map[string]string{
	"00": "paid",
	"01": "the order exists already",
	"02": "VNPAY does not know the terminal (tmn_code)",
	"03": "VNPAY cannot read what was sent",
	"04": "VNPAY has locked the merchant's site",
	"05": "wrong payment password, too many times",
	"06": "wrong OTP",
	"07": "paid, but suspected of fraud: accept or refuse it in VNPAY's portal",
	"08": "the payer's bank is under maintenance",
	"09": "the card or account is not registered for Internet banking",
	"10": "the payer's card or account data were wrong more than three times",
	"11": "the payer took too long",
	"12": "the card or account is locked",
	"13": "wrong OTP",
	"24": "the payer gave up",
	"51": "not enough money in the payer's account",
	"65": "the payer's daily limit is reached",
	"75": "the payer's bank is under maintenance",
	"79": "wrong payment password, too many times",
	"97": "VNPAY says that our signature is wrong",
	"99": "VNPAY gives no reason",
}

// word is what a vnp_TransactionStatus means.
type word struct {
	outcome card.Outcome
	text    string
}

// payments are the statuses of a payment, the ones of refunds left out.
var payments = map[string]word{
	"00": {card.Done, "paid"},
	"01": {card.Pending, "the payer has not finished"},
	"02": {card.Failed, "the payment failed"},
	"04": {card.Unknown, "debited at the bank, but not successful at VNPAY, which reverses it: look in its portal"},
	"07": {card.Unknown, "paid, but suspected of fraud: accept or refuse it in VNPAY's portal"},
}

// refunds are the statuses of a refund.
var refunds = map[string]word{
	"00": {card.Done, "refunded"},
	"01": {card.Pending, "the refund is not finished"},
	"02": {card.Failed, "the refund failed"},
	"05": {card.Pending, "VNPAY works on the refund"},
	"06": {card.Pending, "VNPAY has sent the refund to the bank"},
	"09": {card.Failed, "the refund was refused"},
}

// answers are what the API's vnp_ResponseCode means besides "00"; for a refund,
// whether anything happened.
var answers = map[string]word{
	"02": {card.Failed, "VNPAY does not know the terminal (tmn_code)"},
	"03": {card.Failed, "VNPAY cannot read what was sent"},
	"91": {card.Failed, "VNPAY does not know the payment"},
	"94": {card.Unknown, "VNPAY has this request, or another refund of the payment, already in hand: look in its portal"},
	"95": {card.Failed, "the payment was not successful at VNPAY, so there is nothing to refund"},
	"97": {card.Failed, "VNPAY says that our signature is wrong"},
	"99": {card.Unknown, "VNPAY gives no reason"},
}

// paymentWord joins the two codes of a notice (decision V3).
func paymentWord(response, status string) word {
	text, known := responses[response]
	said := payments[status]
	switch {
	case response == "00" && status == "00":
		return said
	case response == "07" || status == "07":
		return payments["07"]
	case status == "04" || status == "01":
		return said
	case response == "00" || status == "00":
		return word{card.Unknown, "VNPAY's codes contradict each other: look in its portal"}
	case known && (status == "02" || status == ""):
		return word{card.Failed, text}
	case status == "02":
		return said
	}
	return unheard
}

var unheard = word{card.Unknown, "VNPAY says something that its documents do not have: look in its portal"}

// lookUp is a row of a table, or unheard.
func lookUp(table map[string]word, code string) word {
	if w, ok := table[code]; ok {
		return w
	}
	return unheard
}

// codes writes a response code and a status as one.
func codes(response, status string) string {
	if status == "" || status == response {
		return response
	}
	return response + "/" + status
}
