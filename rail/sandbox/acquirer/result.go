package acquirer

import (
	"time"

	"github.com/thungan/thungan/rail/card"
)

// Result is what became of an order, in one word.
type Result string

// The results.
const (
	Approved           Result = "approved"
	Declined           Result = "declined"
	InsufficientFunds  Result = "insufficient_funds"
	ExpiredCard        Result = "expired_card"
	WrongCSC           Result = "wrong_csc"
	WrongOTP           Result = "wrong_otp"
	NotAuthenticated   Result = "not_authenticated" // the payer refused the 3-D Secure page
	CardNotActive      Result = "card_not_active"
	CardLocked         Result = "card_locked"
	TimedOut           Result = "timed_out" // the card's bank did not answer; nothing was taken
	AcquirerError      Result = "acquirer_error"
	UnspecifiedFailure Result = "unspecified_failure"
	Canceled           Result = "canceled"    // the payer gave up on the acquirer's page
	WalkedAway         Result = "walked_away" // the payer never finished, and the time is over
	Unknown            Result = "unknown"     // the acquirer cannot tell yet
	Waiting            Result = "waiting"     // for the payer
)

// saying is how a result is told: the code in ISO 8583's or VNPay's terms, and
// words for an operator.
type saying struct {
	outcome card.Outcome
	code    string
	text    string
}

var sayings = map[Result]saying{
	Approved:           {card.Done, "00", "approved"},
	Declined:           {card.Failed, "05", "declined by the card's bank"},
	InsufficientFunds:  {card.Failed, "51", "insufficient funds"},
	ExpiredCard:        {card.Failed, "54", "expired card"},
	WrongCSC:           {card.Failed, "N7", "wrong security code"},
	WrongOTP:           {card.Failed, "75", "wrong one-time password, too often"},
	NotAuthenticated:   {card.Failed, "1A", "3-D Secure authentication refused"},
	CardNotActive:      {card.Failed, "78", "card not activated for payments"},
	CardLocked:         {card.Failed, "62", "card locked"},
	TimedOut:           {card.Failed, "68", "the card's bank did not answer in time; reversed"},
	AcquirerError:      {card.Failed, "91", "the card's bank cannot be reached"},
	UnspecifiedFailure: {card.Failed, "99", "unspecified failure"},
	Canceled:           {card.Failed, "24", "canceled by the payer"},
	WalkedAway:         {card.Failed, "11", "not paid in time"},
	Unknown:            {card.Unknown, "96", "the outcome is not known yet"},
	Waiting:            {card.Pending, "01", "the payer has not paid yet"},
}

// How long things take, on the sandbox's clock.
const (
	settleAfter = 15 * time.Second // until an unknown outcome, or a pending refund, is known
	noticeLate  = time.Minute      // how late a late notice is
)

// Plan is what an amount does.
type Plan struct {
	Result Result
	Later  Result // what an unknown result turns out to be after 15 seconds, by query alone
	Notice Notice
}

// Notice is how the gateway is told of an order or refund.
type Notice string

// The ways. The plain one is once and at once.
const (
	NoticePlain Notice = ""
	NoticeNever Notice = "never"
	NoticeTwice Notice = "twice"
	NoticeLate  Notice = "late" // a minute later
)

// Amounts is what the last three digits of an order's amount do. Every other
// amount is approved.
var Amounts = map[int64]Plan{
	105: {Result: Declined},
	120: {Result: Approved, Notice: NoticeNever},
	121: {Result: Approved, Notice: NoticeTwice},
	122: {Result: Approved, Notice: NoticeLate},
	151: {Result: InsufficientFunds},
	154: {Result: ExpiredCard},
	168: {Result: TimedOut},
	196: {Result: Unknown, Later: Approved},
	197: {Result: Unknown, Later: Declined},
}

// Last three digits of amounts whose order is not made at all.
const (
	amountRefused = 201 // the order is refused; another connector may be tried
	amountLost    = 202 // the order is kept, and the answer to the gateway lost
)

// RefundPlan is what a refund's amount does.
type RefundPlan struct {
	Outcome card.Outcome
	Later   card.Outcome // what a pending or unknown one becomes after 15 seconds
	Code    string
	Text    string
	Told    bool // by notice when it is known later; else it has to be asked for
}

// CodeNoBalance is the code of a refund that the merchant's balance does not
// cover.
const CodeNoBalance = "51"

// RefundAmounts is what the last three digits of a refund's amount do. Every
// other refund is made at once.
var RefundAmounts = map[int64]RefundPlan{
	305: {Outcome: card.Failed, Code: "05", Text: "refund denied"},
	309: {Outcome: card.Pending, Later: card.Done, Code: "09", Text: "refund under way", Told: true},
	310: {Outcome: card.Pending, Later: card.Done, Code: "09", Text: "refund under way"},
	311: {Outcome: card.Pending, Later: card.Failed, Code: "09", Text: "refund under way", Told: true},
	351: {Outcome: card.Failed, Code: CodeNoBalance, Text: "the merchant's balance is too low"},
	396: {Outcome: card.Unknown, Later: card.Done, Code: "96", Text: "the outcome is not known yet"},
}
