package momo

import (
	"errors"
	"strings"

	"github.com/thungan/thungan/rail/card/wire"
)

// The fields that are signed, in their order, which is that of the alphabet.
// The access key is signed but never sent.
//
// Source: momo-wallet/payment, nodejs/MoMo.js (create) and
// php/PayMoMo/ipn_momo.php (result); developers.momo.vn/v3, query and refund.
var (
	createFields = []string{"accessKey", "amount", "extraData", "ipnUrl", "orderId", "orderInfo", "partnerCode", "redirectUrl", "requestId", "requestType"}
	queryFields  = []string{"accessKey", "orderId", "partnerCode", "requestId"}
	refundFields = []string{"accessKey", "amount", "description", "orderId", "partnerCode", "requestId", "transId"}
	resultFields = []string{"accessKey", "amount", "extraData", "message", "orderId", "orderInfo", "orderType", "partnerCode", "payType", "requestId", "responseTime", "resultCode", "transId"}
)

// sign signs the values of fields.
func (c config) sign(fields []string, value func(name string) string) string {
	return wire.HMAC(c.SecretKey, c.signedText(fields, value))
}

func (c config) signedText(fields []string, value func(name string) string) string {
	var b strings.Builder
	for i, name := range fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(name)
		b.WriteByte('=')
		if name == "accessKey" {
			b.WriteString(c.AccessKey)
		} else {
			b.WriteString(value(name))
		}
	}
	return b.String()
}

// verify checks the signature of a result, in a notice or a return.
func (c config) verify(o *wire.Object) error {
	text := c.signedText(resultFields, o.Raw)
	signature := o.Raw("signature")
	if err := o.Err(); err != nil {
		return wire.Unreadable(err)
	}
	if !wire.Signed(c.SecretKey, text, signature) {
		return wire.Unauthorized("wrong signature")
	}
	for _, name := range resultFields[1:] {
		if strings.Count(text, "&"+name+"=") != 1 {
			return wire.Unauthorized("the signed text can be read in two ways (decision M2)")
		}
	}
	if o.Raw("partnerCode") != c.PartnerCode {
		return wire.Unauthorized("the message is for another partner code")
	}
	return nil
}

var errNoTransaction = errors.New("paid, but without a transId (decision M4)")
