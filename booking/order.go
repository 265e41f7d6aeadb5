package booking

import (
	"math/bits"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/money"
)

// Service is what a station does for a price.
type Service struct {
	ID        int64
	StationID int64
	Name      string
	Kind      int64     // serviceType of the wire
	Price     money.VND // before tax
	TaxBP     int64     // tax in hundredths of a percent: 800 is 8 %
	Enabled   bool
}

// Line is one position of an order, with the price as it was when ordered.
type Line struct {
	ServiceID int64     `json:"service_id,omitempty"` // 0 for what is no service of a station
	Name      string    `json:"name"`
	Quantity  int64     `json:"quantity"`
	Price     money.VND `json:"price"` // of one, before tax
	TaxBP     int64     `json:"tax_bp"`
}

// Amount is the line's price before tax. NewBill has made sure that it fits.
func (l Line) Amount() money.VND { return l.Price * money.VND(l.Quantity) }

// Promotion lowers what is to be paid.
type Promotion struct {
	Code      string    // upper case
	PercentBP int64     // of the subtotal, in hundredths of a percent
	Amount    money.VND // off besides
	Most      money.VND // at most so much off; 0 is no limit
	From      time.Time // zero is always
	Until     time.Time // exclusive; zero is always
	Enabled   bool
}

// Holds says whether the promotion can be used at a time.
func (p Promotion) Holds(at time.Time) bool {
	return p.Enabled && !at.Before(p.From) && (p.Until.IsZero() || at.Before(p.Until))
}

// Bill is what an order costs: Total = Subtotal + Tax - Discount.
type Bill struct {
	Subtotal money.VND
	Discount money.VND
	Tax      money.VND // of each line before the discount
	Total    money.VND
}

// Bounds of an order. With them nothing below can overflow.
const (
	MaxLines    = 100
	MaxQuantity = 1000
	MaxPrice    = money.VND(99_999_999_999)
	MaxBP       = 10_000
)

// NewBill adds up an order. The tax of a line and the discount are rounded to
// whole đồng, halves up. A discount never exceeds the subtotal. The error is
// money.ErrRange for what is outside the bounds.
func NewBill(lines []Line, p Promotion) (Bill, error) {
	var b Bill
	if len(lines) > MaxLines {
		return b, money.ErrRange
	}
	for _, l := range lines {
		if l.Quantity < 1 || l.Quantity > MaxQuantity || l.Price < 0 || l.Price > MaxPrice || l.TaxBP < 0 || l.TaxBP > MaxBP {
			return b, money.ErrRange
		}
		b.Subtotal += l.Amount()
		b.Tax += Share(l.Amount(), l.TaxBP)
	}
	b.Discount = Share(b.Subtotal, p.PercentBP) + p.Amount
	if p.Most > 0 {
		b.Discount = min(b.Discount, p.Most)
	}
	b.Discount = min(b.Discount, b.Subtotal)
	b.Total = b.Subtotal + b.Tax - b.Discount
	return b, nil
}

// Share is bp hundredths of a percent of an amount that is not negative, to
// whole đồng, halves up.
func Share(amount money.VND, bp int64) money.VND {
	high, low := bits.Mul64(uint64(amount), uint64(bp))
	low, carry := bits.Add64(low, MaxBP/2, 0)
	share, _ := bits.Div64(high+carry, low, MaxBP)
	return money.VND(share)
}

// Order is what is paid for. Its payments live in package payment; what the
// money's state is, is theirs to say.
type Order struct {
	ID         int64
	MerchantID string // the partner's
	Code       string // the partner's or an operator's name for it; its number when nobody gave one
	BookingID  int64  // 0 for an order without a booking
	Version    int64
	Name       string
	Kind       int64 // orderType of the wire: 1 inspection, 9 something else
	Lines      []Line
	Promotion  string // its code, "" for none
	Bill
	Phone  string
	Payer  string // a name
	Offers int64  // how many payments it has had, or is about to have
	Method string // Method.Name of the last choice, "" before it
	// MethodType is its Method.Type.
	MethodType int64

	CreatedAt  time.Time
	UpdatedAt  time.Time
	CanceledAt time.Time // zero while it is not
}

// offerMark stands between an order's code and the number of a payment after
// the first; no code has it.
const offerMark = "~"

// Reference is the payment's, of the order's current payment. A payment that
// closed unpaid is followed by another one.
func (o Order) Reference() string {
	if o.Offers <= 1 {
		return o.Code
	}
	return o.Code + offerMark + strconv.FormatInt(o.Offers, 10)
}

// CodeOf is the code of the order that a payment's reference belongs to.
func CodeOf(reference string) string {
	code, _, _ := strings.Cut(reference, offerMark)
	return code
}

// MaxCode bounds an order's code, in characters.
const MaxCode = 64

var codeForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// IsCode says whether a text can be an order's code.
func IsCode(s string) bool { return codeForm.MatchString(s) }

// memoWord begins the transfer text of every order.
const memoWord = "ORDER"

// Memo is the text that a transfer for the order carries, ORDER99999. It is
// made from the number alone, so it is the same for every payment of the order.
func (o Order) Memo() string { return memoWord + strconv.FormatInt(o.ID, 10) }

// Bounds of FindMemos.
const (
	maxMemoGap    = 3 // separators between the word and the number
	maxMemoDigits = 15
	maxMemos      = 16
)

// FindMemos finds the numbers of orders in a transfer's text. Banks change
// case, put separators between words and text around them; a number that runs
// into other digits or letters is none, since nobody can say where it ended.
func FindMemos(text string) []int64 {
	upper := strings.ToUpper(text)
	var found []int64
	for at := 0; len(found) < maxMemos; {
		i := strings.Index(upper[at:], memoWord)
		if i < 0 {
			return found
		}
		start := at + i + len(memoWord)
		at = start
		for gap := 0; gap < maxMemoGap && start < len(upper) && strings.IndexByte(" .-_", upper[start]) >= 0; gap++ {
			start++
		}
		end := start
		for end < len(upper) && upper[end] >= '0' && upper[end] <= '9' {
			end++
		}
		if end == start || end-start > maxMemoDigits || upper[start] == '0' || (end < len(upper) && upper[end] >= 'A' && upper[end] <= 'Z') {
			continue
		}
		n, err := strconv.ParseInt(upper[start:end], 10, 64)
		if err == nil {
			found = append(found, n)
		}
	}
	return found
}
