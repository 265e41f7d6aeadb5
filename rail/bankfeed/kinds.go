package bankfeed

import (
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
)

// notifiers are the providers that there are, by kind.
var notifiers = byKind(SePay{}, Casso{}, PayOS{}, Generic{})

func byKind(list ...rail.Notifier) map[string]rail.Notifier {
	m := map[string]rail.Notifier{}
	for _, n := range list {
		m[n.Kind()] = n
	}
	return m
}

// Kinds lists the values of payment.Feed.Kind.
func Kinds() []string { return []string{"sepay", "casso", "payos", "generic"} }

// CheckFeed says what is wrong with the settings of a feed before they are
// kept: an unknown kind, a secret that can prove nothing, API credentials of
// the wrong form or for a provider that has no list of transactions. api is ""
// for none. Errors have payment.CodeInvalidRequest.
func CheckFeed(kind, secret, api string) error {
	n, ok := notifiers[kind]
	if !ok {
		return payment.Fail(payment.CodeInvalidRequest, "kind has to be sepay, casso, payos or generic")
	}
	if err := n.CheckSecret(secret); err != nil {
		return err
	}
	if api == "" {
		return nil
	}
	p, ok := n.(rail.Puller)
	if !ok {
		return payment.Fail(payment.CodeInvalidRequest, kind+" has no list of transactions to pull")
	}
	return p.CheckAPI(api)
}
