package onepay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

// patience is how long after its end an order may still be heard of (decision O3).
const patience = 2 * time.Hour

// Query asks by queryDR, if the configuration has a user for it.
func (Connector) Query(ctx context.Context, d card.Dealing, a payment.Attempt) (card.Report, error) {
	c, err := parseConfig(d.Config)
	if err != nil {
		return card.Report{}, err
	}
	over := !a.ExpiresAt.IsZero() && d.Now.After(a.ExpiresAt.Add(patience))
	r := card.Report{Outcome: card.Pending, Reference: a.Reference, Merchant: c.Merchant}
	if c.User == "" {
		// Decision O5.
		r.Text = "OnePay has told nothing, and there is no queryDR user to ask it with"
		if over {
			r.Outcome = card.Unknown
			r.Text += ": look in its portal"
		}
		return r, nil
	}
	fields, err := c.ask(ctx, d.HTTP, a.Reference)
	if err != nil {
		return card.Report{}, err
	}
	signed := c.signed(fields)
	if fields["vpc_DRExists"] == "N" {
		r.Text = "the payer has not come to OnePay"
		switch {
		case over && signed && fields["vpc_Merchant"] == c.Merchant && fields["vpc_MerchTxnRef"] == a.Reference:
			r.Outcome = card.Failed
		case over:
			r.Outcome, r.Text = card.Unknown, "OnePay does not know the payment, but does not prove it by a signature: look in its portal"
		}
		return r, nil
	}
	switch {
	case !signed:
		return card.Report{}, errors.New("OnePay answers without a good signature")
	case fields["vpc_DRExists"] != "Y":
		return card.Report{}, errors.New("OnePay does not say whether it has the order")
	case fields["vpc_Merchant"] != c.Merchant || fields["vpc_MerchTxnRef"] != a.Reference:
		return card.Report{}, errors.New("OnePay answers about another order")
	}
	if r, err = c.report(fields); err != nil {
		return card.Report{}, fmt.Errorf("OnePay's answer: %w", err)
	}
	if r.Outcome == card.Pending && r.Code == "100" && over {
		r.Outcome, r.Text = card.Failed, "the payer did not finish in time"
	}
	return r, nil
}

// ask makes the request. The password is in the body, never in an address.
func (c config) ask(ctx context.Context, do card.Doer, reference string) (map[string]string, error) {
	form := c.form(map[string]string{
		"vpc_Version":     version,
		"vpc_Command":     "queryDR",
		"vpc_Merchant":    c.Merchant,
		"vpc_AccessCode":  c.AccessCode,
		"vpc_User":        c.User,
		"vpc_Password":    c.Password,
		"vpc_MerchTxnRef": reference,
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.QueryURL, strings.NewReader(form))
	if err != nil {
		return nil, errors.New("query_url is not a URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, body, sent, err := do.Do(req)
	switch {
	case err != nil && sent:
		return nil, fmt.Errorf("no answer from OnePay: %w", err)
	case err != nil:
		return nil, fmt.Errorf("OnePay was not reached: %w", err)
	case status != http.StatusOK:
		return nil, fmt.Errorf("OnePay answered HTTP %d", status)
	}
	fields, err := read(strings.TrimSpace(string(body)))
	if err != nil {
		return nil, fmt.Errorf("OnePay's answer: %w", err)
	}
	return fields, nil
}
