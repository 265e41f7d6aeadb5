package core

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/thungan/thungan/booking"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/payment"
)

// What a payment may be told by.
const (
	byAccount = "virtual_account"
	byMemo    = "memo"
	byOrder   = "order" // an order's text, which has no check symbol
)

// hint is one thing in a bank credit that may name a payment.
type hint struct {
	by    string // byAccount, byMemo or byOrder
	code  string // as payments keep it; of byOrder, the text behind two characters
	order int64  // of byOrder: its number
}

// match is what the matcher found out about a credit.
type match struct {
	payment     payment.Payment // ID "" when no single payment could be told
	merchantID  string          // whose money it is, when that much is clear
	accountID   string
	explanation payment.Explanation
}

// match finds the payment that a credit is for: by the virtual account that it
// was sent to, else by a code in its memo, never by its amount. The payment is
// locked. What was seen and why it was rejected is in the explanation.
func (w *work) match(ctx context.Context, f payment.Feed, c payment.Credit) (match, error) {
	owners := w.owners(f, c)
	m := match{}
	if len(owners) > 0 {
		m.merchantID, m.accountID = owners[0].MerchantID, owners[0].ID
		for _, o := range owners[1:] {
			if o.MerchantID != m.merchantID {
				m.merchantID, m.accountID = "", ""
			}
		}
	}
	hints, seen := w.hints(c)
	m.explanation.Seen = seen
	var accepted []payment.Payment
	var decisive []hint
	for _, h := range hints {
		if len(accepted) > 0 && decisive[0].by == byAccount && h.by != byAccount {
			m.explanation.Seen = append(m.explanation.Seen, h.code[2:]+": not asked, the account decides")
			continue
		}
		p, ok, err := w.named(ctx, h)
		if err != nil {
			return match{}, err
		}
		against := "no payment has it"
		if ok {
			if against, err = w.against(ctx, f, c, p); err != nil {
				return match{}, err
			}
		}
		if against != "" {
			m.explanation.Seen = append(m.explanation.Seen, h.code[2:]+": "+against)
			continue
		}
		m.explanation.Seen = append(m.explanation.Seen, h.code[2:]+": payment "+p.Reference)
		if len(accepted) == 0 || accepted[0].ID != p.ID {
			accepted, decisive = append(accepted, p), append(decisive, h)
		}
	}
	switch len(accepted) {
	case 0:
		m.explanation.Reason = "no payment could be told from it"
	case 1:
		m.payment, m.merchantID, m.accountID = accepted[0], accepted[0].MerchantID, accepted[0].Transfer.AccountID
		m.explanation.By, m.explanation.Code = decisive[0].by, decisive[0].code[2:]
	default:
		m.explanation.Reason = "it names more than one payment"
	}
	return m, nil
}

// hints reads a credit for everything that may name a payment, and says what
// looked like a code but is none.
func (w *work) hints(c payment.Credit) (hints []hint, rejected []string) {
	known := map[string]bool{}
	add := func(by, code string) {
		if !known[code] {
			known[code] = true
			hints = append(hints, hint{by: by, code: code})
		}
	}
	if number := normalAccount(c.VirtualAccount); number != "" {
		add(byAccount, payment.VirtualMatch(number))
	}
	// Some notifiers give the virtual account as the account itself.
	if number := normalAccount(c.Account); slices.ContainsFunc(w.virtual, func(o payment.ReceivingAccount) bool { return strings.HasPrefix(number, o.Prefix) }) {
		add(byAccount, payment.VirtualMatch(number))
	}
	for _, text := range []string{c.OrderCode, c.Memo} {
		for _, found := range id.FindMemoCodes(text) {
			if found.Valid {
				add(byMemo, payment.MemoMatch(found.Code))
			} else {
				rejected = append(rejected, fmt.Sprintf("%s: %s", found.Code, found.Reason))
			}
		}
	}
	for _, number := range virtualNumbers(c.Memo, w.virtual) {
		add(byMemo, payment.VirtualMatch(number))
	}
	if w.core.booker() != "" {
		for _, number := range booking.FindMemos(c.Memo) {
			hints = append(hints, hint{by: byOrder, code: "O:" + booking.Order{ID: number}.Memo(), order: number})
		}
	}
	return hints, rejected
}

// named finds the payment that a hint names and locks it. An order's is its
// current one.
func (w *work) named(ctx context.Context, h hint) (payment.Payment, bool, error) {
	if h.by == byOrder {
		return w.LockPaymentOfOrder(ctx, w.core.booker(), h.order)
	}
	return w.LockPaymentByCode(ctx, h.code)
}

// maxNumbers bounds how many account numbers are looked for in one memo: a
// short prefix may be found in any long number.
const maxNumbers = 16

// virtualNumbers finds virtual account numbers in a memo: payers and banks
// write the number that was paid to into the transfer's text.
func virtualNumbers(memo string, owners []payment.ReceivingAccount) []string {
	text := normalAccount(memo)
	var numbers []string
	for _, o := range owners {
		for at := 0; o.Prefix != ""; {
			i := strings.Index(text[at:], o.Prefix)
			if i < 0 {
				break
			}
			start := at + i
			end := start + len(o.Prefix)
			for end < len(text) && text[end] >= '0' && text[end] <= '9' && end-start < len(o.Prefix)+id.VirtualDigits {
				end++
			}
			if end-start == len(o.Prefix)+id.VirtualDigits && len(numbers) < maxNumbers {
				numbers = append(numbers, text[start:end])
			}
			at = start + 1
		}
	}
	return numbers
}

// against says what speaks against a credit being for p, "" when nothing does.
func (w *work) against(ctx context.Context, f payment.Feed, c payment.Credit, p payment.Payment) (string, error) {
	if f.MerchantID != "" && f.MerchantID != p.MerchantID {
		return "the feed does not speak for the payment's merchant", nil
	}
	if p.Transfer.AccountID == "" {
		return "the payment takes no bank transfers", nil
	}
	a, err := w.ReceivingAccount(ctx, p.Transfer.AccountID)
	if err != nil {
		return "", err
	}
	if c.BIN != "" && c.BIN != a.BIN {
		return "the money is at bank " + c.BIN + ", the payment's account is at " + a.BIN, nil
	}
	if got := normalAccount(c.Account); got != "" && got != a.Number && got != p.Transfer.Number {
		return "the money is on account " + got + ", the payment's is " + a.Number, nil
	}
	return "", nil
}

// owners are the registered accounts that a credit may have reached.
func (w *work) owners(f payment.Feed, c payment.Credit) []payment.ReceivingAccount {
	number := normalAccount(c.Account)
	candidates := slices.Clip(w.byNumber[number]) // it is remembered for others
	if len(candidates) == 0 {
		for _, o := range w.virtual {
			if strings.HasPrefix(normalAccount(c.VirtualAccount), o.Prefix) || strings.HasPrefix(number, o.Prefix) {
				candidates = append(candidates, o)
			}
		}
	}
	var owners []payment.ReceivingAccount
	for _, o := range candidates {
		if (f.MerchantID == "" || o.MerchantID == f.MerchantID) && (c.BIN == "" || c.BIN == o.BIN) {
			owners = append(owners, o)
		}
	}
	return owners
}

// normalAccount writes an account number as we keep it: upper case, letters and
// digits only.
func normalAccount(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z':
			return r
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		}
		return -1
	}, s)
}
