package appotapay

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
)

// transactionID and orderID are what the wire calls a payment (A14). A payment
// without an id of ours, which there is none of, has none there either.
func transactionID(paymentID string) string {
	text, err := id.ULID(paymentID)
	if err != nil {
		return ""
	}
	return text
}

func orderID(paymentID string) string {
	n, err := id.Snowflake(paymentID)
	if err != nil {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func transactionOf(s payment.Sold, lang string) transaction {
	p := s.Payment
	told := statusOf(p.State, s.Sale.Reason)
	return transaction{
		TransactionID: transactionID(p.ID), PartnerRefID: p.Reference, Status: told.status, Amount: p.Amount,
		ErrorCode: told.code, ErrorMessage: messages[told.code].in(lang), PaymentMethod: methodToWire(s.Sale.Method),
		CreatedAt: local(p.CreatedAt), PaidAt: local(p.CompletedAt),
	}
}

func detailOf(s payment.Sold, lang string) detail {
	p := s.Payment
	told := statusOf(p.State, s.Sale.Reason)
	d := detail{
		OrderID: orderID(p.ID), TransactionID: transactionID(p.ID), PaymentMethod: methodToWire(s.Sale.Method), Amount: p.Amount, Status: told.status,
		ErrorCode: told.code, ErrorMessage: messages[told.code].in(lang), CreatedAt: local(p.CreatedAt), PaidAt: local(p.CompletedAt),
		UpdatedAt: local(p.UpdatedAt),
	}
	if settled := s.Sale.Settled(p); !settled.IsZero() {
		d.IsSett, d.UpdatedAt = true, local(settled)
	}
	return d
}

// Parts of the sample's QR code (A17).
const (
	mccRetail   = "5499" // ISO 18245: food stores; what the sample has
	billDigits  = 9
	base62      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	unnamedShop = "THUNGAN"
)

// billNumber is nine base62 characters that tell one payment's code from
// another's; it is made from our id, and nothing is found by it.
func billNumber(paymentID string) string {
	sum := sha256.Sum256([]byte("bill number " + paymentID))
	n, digit, out := new(big.Int).SetBytes(sum[:]), new(big.Int), make([]byte, billDigits)
	for i := range out {
		n.DivMod(n, big.NewInt(int64(len(base62))), digit)
		out[i] = base62[digit.Int64()]
	}
	return string(out)
}

// shopName is a merchant's name as a QR code has it: capitals without marks,
// at most 25.
func shopName(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, vietqr.Unaccent(strings.Join(strings.Fields(name), " ")))
	plain = strings.ToUpper(strings.TrimSpace(plain))
	if plain == "" {
		return unnamedShop
	}
	return strings.TrimSpace(plain[:min(len(plain), vietqr.MaxMerchantName)])
}

// qrText is the VietQR text by which a customer pays a sale.
func qrText(p payment.Payment, shop string, t payment.Terminal) (string, error) {
	text, err := vietqr.Encode(vietqr.Payload{
		Dynamic: true, BIN: p.Transfer.BIN, Account: p.Transfer.Number, MCC: mccRetail, Amount: int64(p.Amount),
		MerchantName: shopName(shop), City: t.City, BillNumber: billNumber(p.ID), Terminal: t.Label, Memo: p.Transfer.Memo(),
	})
	if err != nil {
		return "", &payment.Error{Code: payment.CodeInternal, Cause: fmt.Errorf("appotapay: QR code: %w", err)}
	}
	return text, nil
}
