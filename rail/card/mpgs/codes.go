package mpgs

import (
	"strings"

	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/card/wire"
)

// stage is how far an order has come.
type stage int

const (
	waiting stage = iota + 1 // nobody has paid yet
	moved                    // money has moved
	failed                   // the last try failed; the payer may try again (decision G5)
	over                     // it cannot be paid any more
	unclear                  // for a person to look at
)

// orderStatus is what an order's status means.
type orderStatus struct {
	stage stage
	text  string // for an operator
}

// statuses are the values of order.status.
//
// Source: general knowledge of the REST API's reference (Retrieve Order).
var statuses = map[string]orderStatus{
	"INITIATED":                   {waiting, "the payer has begun"},
	"AUTHENTICATION_INITIATED":    {waiting, "the payer is being asked by the card's bank"},
	"AUTHENTICATED":               {waiting, "the card's bank knows the payer; the payment follows"},
	"AUTHENTICATION_NOT_NEEDED":   {waiting, "the card's bank does not ask the payer; the payment follows"},
	"VERIFIED":                    {waiting, "the card is verified; the payment follows"},
	"CAPTURED":                    {moved, "paid"},
	"PARTIALLY_CAPTURED":          {moved, "paid in part"},
	"REFUNDED":                    {moved, "paid, and refunded since"},
	"PARTIALLY_REFUNDED":          {moved, "paid, and refunded in part since"},
	"EXCESSIVELY_REFUNDED":        {moved, "paid, and more than that refunded since"},
	"REFUND_REQUESTED":            {moved, "paid; a refund has been asked for"},
	"DISPUTED":                    {moved, "paid; the payer disputes it"},
	"CHARGEBACK_PROCESSED":        {moved, "paid; the card's bank has taken it back since"},
	"FAILED":                      {failed, "the payment failed"},
	"AUTHENTICATION_UNSUCCESSFUL": {failed, "the payer did not pass the question of the card's bank"},
	"CANCELLED":                   {over, "cancelled or voided"},
	"AUTHORIZED":                  {unclear, "authorised but not captured: capture or void it in the gateway's portal"},
	"FUNDING":                     {unclear, "the money is on its way by another road than a card: look in the gateway's portal"},
	"DISBURSED":                   {unclear, "money was paid out, not in: look in the gateway's portal"},
}

// gatewayCode is what a transaction's response.gatewayCode means.
type gatewayCode struct {
	open bool // it does not say what became of the money
	text string
}

// gatewayCodes are the values of response.gatewayCode. They say why; result says
// what.
//
// Source: developer.mastercard.com/mastercard-gateway, testing (common errors,
// response codes), for the ones there; the rest is general knowledge of the
// REST API's reference.
var gatewayCodes = map[string]gatewayCode{
	"APPROVED":                      {text: "approved"},
	"APPROVED_AUTO":                 {text: "approved by the gateway on the bank's behalf"},
	"APPROVED_PENDING_SETTLEMENT":   {text: "approved, to be settled"},
	"PARTIALLY_APPROVED":            {text: "approved in part"},
	"BASIC_VERIFICATION_SUCCESSFUL": {text: "the card is verified"},
	"NO_VERIFICATION_PERFORMED":     {text: "the card is not verified"},
	"SUBMITTED":                     {open: true, text: "sent to the bank, which has not answered"},
	"PENDING":                       {open: true, text: "the bank has not answered"},
	"DEFERRED_TRANSACTION_RECEIVED": {open: true, text: "taken in, to be made later"},
	"AUTHENTICATION_IN_PROGRESS":    {open: true, text: "the payer is being asked by the card's bank"},
	"TIMED_OUT":                     {open: true, text: "no answer from the bank in time"},
	"ACQUIRER_SYSTEM_ERROR":         {open: true, text: "an error at the acquirer"},
	"SYSTEM_ERROR":                  {open: true, text: "an error at the gateway"},
	"UNKNOWN":                       {open: true, text: "the bank's answer is not known"},
	"LOCK_FAILURE":                  {open: true, text: "another transaction of the order is being made"},
	"ABORTED":                       {text: "the payer gave up"},
	"CANCELLED":                     {text: "the payer cancelled"},
	"AUTHENTICATION_FAILED":         {text: "the payer did not pass the question of the card's bank"},
	"NOT_ENROLLED_3D_SECURE":        {text: "the card takes no part in 3-D Secure"},
	"BLOCKED":                       {text: "blocked by the merchant's rules at the gateway"},
	"DECLINED":                      {text: "declined by the card's bank"},
	"DECLINED_AVS":                  {text: "declined: the address does not match"},
	"DECLINED_AVS_CSC":              {text: "declined: address and security code do not match"},
	"DECLINED_CSC":                  {text: "declined: the security code does not match"},
	"DECLINED_DO_NOT_CONTACT":       {text: "declined by the card's bank; it is not to be tried again"},
	"DECLINED_INVALID_PIN":          {text: "declined: wrong PIN"},
	"DECLINED_PAYMENT_PLAN":         {text: "declined: the payment plan"},
	"DECLINED_PIN_REQUIRED":         {text: "declined: a PIN is needed"},
	"EXCEEDED_RETRY_LIMIT":          {text: "tried too many times"},
	"EXPIRED_CARD":                  {text: "the card has expired"},
	"INSUFFICIENT_FUNDS":            {text: "not enough money"},
	"INVALID_CSC":                   {text: "the security code is wrong"},
	"NOT_SUPPORTED":                 {text: "the acquirer does not do this"},
	"REFERRED":                      {text: "the card's bank wants to be called"},
	"DUPLICATE_BATCH":               {text: "the batch was sent before"},
	"NO_BALANCE":                    {text: "there is no balance"},
	"BALANCE_AVAILABLE":             {text: "there is a balance"},
	"BALANCE_UNKNOWN":               {text: "the balance is not known"},
	"UNSPECIFIED_FAILURE":           {text: "failed for a reason that is not told"},
}

// insufficient beside a refund means the merchant's own balance.
const insufficient = "INSUFFICIENT_FUNDS"

// codeText is a gateway code's meaning, or what can be said of one that is not
// in the table.
func codeText(code string) string {
	if c, ok := gatewayCodes[code]; ok {
		return c.text
	}
	if code == "" {
		return "the gateway gives no reason"
	}
	return "a code that is not in our table"
}

// causes are the values of error.cause: whether the gateway may have acted, and
// what to say.
//
// Source: general knowledge of the REST API's reference.
var causes = map[string]struct {
	acted bool
	text  string
}{
	"INVALID_REQUEST":  {false, "the gateway does not accept the request"},
	"REQUEST_REJECTED": {false, "the gateway rejected the request"},
	"SERVER_BUSY":      {false, "the gateway is too busy"},
	"SERVER_FAILED":    {true, "the gateway failed"},
}

// refusal is an answer whose result is ERROR.
type refusal struct {
	cause string
	acted bool // the gateway may have acted
	text  string
}

// readRefusal reads such an answer. Its explanation goes to an operator, cut
// short.
func readRefusal(status int, o *wire.Object) refusal {
	e := o.Object("error")
	r := refusal{cause: e.Text("cause")}
	known, ok := causes[r.cause]
	r.acted, r.text = known.acted, known.text
	switch {
	case status == 401 || status == 403 && !ok:
		r.acted, r.text = false, "the gateway does not accept the credentials: check merchant_id and api_password"
	case !ok:
		r.acted, r.text = status >= 500 || status < 400, "the gateway refused"
	}
	if explanation := wire.Text(e.Text("explanation"), 200); explanation != "" {
		r.text += ": " + explanation
	}
	return r
}

// notThere says that what was asked for does not exist. The gateway has no code
// for it, only words (general knowledge).
func (r refusal) notThere(status int) bool {
	if status == 404 {
		return true
	}
	if status != 400 || r.cause != "INVALID_REQUEST" {
		return false
	}
	text := strings.ToLower(r.text)
	for _, words := range []string{"unable to find", "not found", "cannot be found", "could not be found", "does not exist", "no such"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// results are the values of a transaction's result.
//
// Source: developer.mastercard.com/mastercard-gateway, interpreting the
// response; general knowledge.
var results = map[string]card.Outcome{
	"SUCCESS": card.Done,
	"PENDING": card.Pending,
	"FAILURE": card.Failed,
	"UNKNOWN": card.Unknown,
}
