package dialecttest

import (
	"context"
	"sync"
	"testing"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
)

// Connect connects Shop to an acquirer for both card methods. It is played by
// Card and by the exchanges' steps; no connector is needed.
func (g *Gateway) Connect(t testing.TB) {
	t.Helper()
	_, err := g.Core.AddConnector(t.Context(), Operator, core.NewConnector{
		MerchantID: g.Shop.ID, Kind: "played", Methods: []payment.Method{payment.DomesticCard, payment.InternationalCard}, Config: []byte(`{}`),
	})
	check(t, err)
}

// Card sends the payer of p, a payment of Shop's, to the acquirer, where the
// first of the card methods that it offers is paid or declined.
func (g *Gateway) Card(t testing.TB, p payment.Payment, paid bool) {
	t.Helper()
	ctx := t.Context()
	for _, m := range p.Methods {
		connectors, err := g.Core.ConnectorsFor(ctx, p.MerchantID, m)
		check(t, err)
		if len(connectors) == 0 {
			continue
		}
		a, _, err := g.Core.StartAttempt(ctx, core.Starting{
			PaymentID: p.ID, Method: m, Connector: connectors[0], Reference: func(a payment.Attempt) string { return a.ID },
		})
		check(t, err)
		_, err = g.Core.AttemptCreated(ctx, a.ID, payment.Handoff{URL: "https://acquirer.example.com/"}, "")
		check(t, err)
		word := core.Word{ConnectorID: a.ConnectorID, Reference: a.Reference, Outcome: payment.AttemptFailed, Code: "51"}
		if paid {
			word = core.Word{ConnectorID: a.ConnectorID, Reference: a.Reference, ExternalID: "theirs", Outcome: payment.AttemptDone, Amount: a.Amount, Currency: "VND", Code: "00"}
		}
		_, err = g.Core.Resolve(ctx, word)
		check(t, err)
		return
	}
	t.Fatalf("%s offers no method that an acquirer takes", p.Reference)
}

// answerRefunds plays the acquirer while a request is under way: each refund of
// Shop's that it has not been asked for yet gets this word, unless the word is
// empty. Stop it before the next request.
func (g *Gateway) answerRefunds(t testing.TB, word core.RefundWord) (stop func()) {
	if word.Outcome == "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-g.Core.Wake():
				if err := g.resolveRefunds(context.WithoutCancel(ctx), word); err != nil {
					t.Error(err)
				}
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

func (g *Gateway) resolveRefunds(ctx context.Context, word core.RefundWord) error {
	payments, err := g.Core.Search(ctx, core.Search{MerchantID: g.Shop.ID})
	if err != nil {
		return err
	}
	for _, p := range payments {
		refunds, err := g.Core.Refunds(ctx, p.ID)
		if err != nil {
			return err
		}
		for _, r := range refunds {
			if r.State != payment.RefundProcessing || r.Manual || r.Asked {
				continue
			}
			if _, _, err := g.Core.AskRefund(ctx, r.ID); err != nil {
				return err
			}
			if _, err := g.Core.ResolveRefund(ctx, r.ID, word); err != nil {
				return err
			}
		}
	}
	return nil
}
