package acquirer

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

// Card is a published test card.
type Card struct {
	Number string
	Scheme string // "Napas", "Visa", "Mastercard" or "JCB"
	Issuer string // who published it: "VNPay NCB"
	Method payment.Method
	Holder string   // the name on it; "" takes any
	Dates  []string // the published ones, MM/YY: an issue date or an expiry
	CSC    string   // the right security code, "" for none
	OTP    string   // the right one-time password, "" for none
	Secure bool     // 3-D Secure page before the outcome
	Result Result   // with everything right
}

// holder is the name on the test cards.
const holder = "NGUYEN VAN A"

// secureOTP is the password of our 3-D Secure page.
const secureOTP = "123456"

// testCards are VNPay's, NAPAS', OnePay's, ZaloPay's, Cardinal's, MPGS' and
// Paykit's published cards. Where none was published, the OTP is ours.
var testCards = []Card{
	domestic("9704198526191432198", "VNPay NCB", "07/15", "123456", Approved),
	domestic("9704195798459170488", "VNPay NCB", "07/15", "123456", InsufficientFunds),
	domestic("9704192181368742", "VNPay NCB", "07/15", "123456", CardNotActive),
	domestic("9704193370791314", "VNPay NCB", "07/15", "123456", CardLocked),
	domestic("9704194841945513", "VNPay NCB", "07/15", "123456", ExpiredCard),
	domestic("9704000000000018", "NAPAS, Paykit", "03/07", "otp", Approved),
	domestic("9704020000000016", "NAPAS", "03/07", "otp", Approved),
	domestic("9704310005819191", "VNPay Eximbank", "10/26", "123456", Approved),

	international("5123450000000008", "Mastercard", "MPGS, Paykit", "01/39", "100", true),
	international("4440000009900010", "Visa", "Paykit", "01/39", "100", true),
	international("2223000000000007", "Mastercard", "MPGS", "01/39", "100", true),
	international("5111111111111118", "Mastercard", "MPGS", "01/39", "100", false),
	international("4508750015741019", "Visa", "MPGS", "01/39", "100", true),
	international("4012000033330026", "Visa", "MPGS", "01/39", "100", true),
	international("4456530000001005", "Visa", "VNPay", "12/26", "123", false),
	international("4456530000001096", "Visa", "VNPay", "12/26", "123", true),
	international("5200000000001005", "Mastercard", "VNPay", "12/26", "123", false),
	international("5200000000001096", "Mastercard", "VNPay", "12/26", "123", true),
	international("3337000000000008", "JCB", "VNPay", "12/26", "123", false),
	international("3337000000200004", "JCB", "VNPay", "12/24", "123", true),
	international("4000000000000002", "Visa", "OnePay", "05/21", "123", true),
	international("4111111111111111", "Visa", "ZaloPay", "", "", false),
	international("4000000000001091", "Visa", "CyberSource", "", "123", true),
}

func domestic(number, issuer, date, otp string, r Result) Card {
	return Card{Number: number, Scheme: "Napas", Issuer: issuer, Method: payment.DomesticCard, Holder: holder, Dates: []string{date}, OTP: otp, Result: r}
}

func international(number, scheme, issuer, date, csc string, secure bool) Card {
	c := Card{Number: number, Scheme: scheme, Issuer: issuer, Method: payment.InternationalCard, CSC: csc, Secure: secure, Result: Approved}
	if date != "" {
		c.Dates = []string{date}
	}
	if secure {
		c.OTP = secureOTP
	}
	return c
}

// Cards lists the test cards.
func Cards() []Card { return slices.Clone(testCards) }

// Grouped is the number in groups of four.
func (c Card) Grouped() string {
	var b strings.Builder
	for i, r := range c.Number {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Last4 is all that is kept of the number.
func (c Card) Last4() string { return c.Number[len(c.Number)-4:] }

// Date is a date to fill in: a published one, or one that lies ahead.
func (c Card) Date() string {
	if len(c.Dates) > 0 {
		return c.Dates[0]
	}
	return "12/39"
}

// FindCard finds a test card by its number, written with or without spaces and
// dashes.
func FindCard(number string) (Card, bool) {
	digits := strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(number)
	i := slices.IndexFunc(testCards, func(c Card) bool { return c.Number == digits })
	if i < 0 {
		return Card{}, false
	}
	return testCards[i], true
}

// Expiries is MPGS's table: the expiry of any card chooses the outcome.
var Expiries = map[string]Result{
	"01/39": Approved,
	"05/39": Declined,
	"04/27": ExpiredCard,
	"08/28": TimedOut,
	"01/37": AcquirerError,
	"02/37": UnspecifiedFailure,
	"05/37": Unknown,
}

// MPGS's security codes; every code but these two is a mismatch for its cards.
const (
	cscMatch        = "100"
	cscNotProcessed = "101"
)

// ParseDate reads MM/YY, also written MM/YYYY, MM-YY or MMYY, and returns it as
// MM/YY.
func ParseDate(s string) (string, bool) {
	digits := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case r == '/' || r == '-' || r == ' ' || r == '.':
			return -1
		}
		return 'x'
	}, s)
	if len(digits) == 6 && digits[2:4] == "20" {
		digits = digits[:2] + digits[4:]
	}
	if len(digits) != 4 || strings.Contains(digits, "x") || digits[:2] < "01" || digits[:2] > "12" {
		return "", false
	}
	return digits[:2] + "/" + digits[2:], true
}

// past says whether a card that is good through a month, MM/YY, has expired.
func past(date string, now time.Time) bool {
	month, _ := strconv.Atoi(date[:2]) // ParseDate has seen to the digits
	year, _ := strconv.Atoi(date[3:])
	return !now.Before(time.Date(2000+year, time.Month(month)+1, 1, 0, 0, 0, 0, clock.Vietnam))
}

// dateKnown says whether a date may be typed in for the card at all.
func (c Card) dateKnown(date string) bool {
	_, trick := Expiries[date]
	return trick || c.Method == payment.InternationalCard || slices.Contains(c.Dates, date)
}

// holds says whether a name is the card's. Cards print names without marks;
// capitals do not count.
func (c Card) holds(name string) bool {
	return c.Holder == "" && strings.TrimSpace(name) != "" || c.Holder != "" && squeeze(name) == c.Holder
}

// squeeze writes a name as cards do, in capitals and without marks.
func squeeze(name string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToUpper(bare(r))
	}, name)), " ")
}

// marked are the letters of the test cards' name with Vietnamese marks.
var marked = map[rune]rune{'ễ': 'e', 'Ễ': 'E', 'ê': 'e', 'Ê': 'E', 'ă': 'a', 'Ă': 'A'}

func bare(r rune) rune {
	if b, ok := marked[r]; ok {
		return b
	}
	return r
}

// decide says what an order paid with a card comes to once the payer is known
// to be its holder. The expiry's word comes first, then the card's, then the
// security code's, then the amount's.
func decide(c Card, date, csc string, amount money.VND, now time.Time) Plan {
	if r := Expiries[date]; r != "" && r != Approved {
		p := Plan{Result: r}
		if r == Unknown {
			p.Later = Approved
		}
		return p
	}
	switch {
	case c.Result != Approved:
		return Plan{Result: c.Result}
	case !c.takes(csc):
		return Plan{Result: WrongCSC}
	case c.Method == payment.InternationalCard && !slices.Contains(c.Dates, date) && past(date, now):
		return Plan{Result: ExpiredCard}
	}
	return planFor(amount)
}

func (c Card) takes(csc string) bool {
	return c.CSC == "" || csc == c.CSC || c.CSC == cscMatch && csc == cscNotProcessed
}

// planFor is the amount's word.
func planFor(amount money.VND) Plan {
	if p, ok := Amounts[int64(amount%1000)]; ok {
		return p
	}
	return Plan{Result: Approved}
}
