package onepay

import (
	"strings"

	"github.com/thungan/thungan/rail/card"
)

// word is what a vpc_TxnResponseCode means.
type word struct {
	outcome card.Outcome
	text    string
}

// words are the codes that we have a text for. P, D and ? are those of the
// Virtual Payment Client, which OnePay's gateway grew out of.
var words = map[string]word{
	"0":   {card.Done, "paid"},
	"1":   {card.Failed, "the bank declined"},
	"2":   {card.Failed, "the bank declined"},
	"3":   {card.Failed, "OnePay does not know the merchant (merchant_id)"},
	"4":   {card.Failed, "wrong access code (access_code)"},
	"5":   {card.Failed, "OnePay does not take the amount"},
	"6":   {card.Failed, "OnePay does not take the currency"},
	"7":   {card.Failed, "OnePay gives no reason"},
	"8":   {card.Failed, "wrong card number"},
	"9":   {card.Failed, "wrong name of the card holder"},
	"10":  {card.Failed, "the card is expired or locked"},
	"11":  {card.Failed, "the card is not registered for payments on the Internet"},
	"12":  {card.Failed, "wrong date of the card"},
	"13":  {card.Failed, "over the limit of the card"},
	"21":  {card.Failed, "not enough money in the payer's account"},
	"22":  {card.Failed, "wrong account data"},
	"23":  {card.Failed, "the account is locked"},
	"24":  {card.Failed, "wrong card data"},
	"25":  {card.Failed, "wrong OTP"},
	"253": {card.Failed, "the payer took too long"},
	"99":  {card.Failed, "the payer gave up"},
	"100": {card.Pending, "the payer has not finished"},
	"300": {card.Pending, "the bank has not decided"},
	"P":   {card.Pending, "the bank has not decided"},
	"D":   {card.Unknown, "the bank has put the payment off: look in OnePay's portal"},
	"?":   {card.Unknown, "OnePay does not know what became of it: look in its portal"},
}

// lookUp says what a code means (decision O2).
func lookUp(code string) word {
	if w, ok := words[code]; ok {
		return w
	}
	if isCode(code) {
		return word{card.Failed, "not paid, for a reason that we have no text for"}
	}
	return word{card.Unknown, "OnePay says something that its documents do not have: look in its portal"}
}

func isCode(text string) bool {
	return text != "" && len(text) <= 4 && strings.Trim(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
