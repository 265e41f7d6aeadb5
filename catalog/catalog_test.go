package catalog_test

import (
	"testing"

	"github.com/thungan/thungan/catalog"
)

func TestHas(t *testing.T) {
	for _, c := range []struct {
		p    catalog.Product
		n    int64
		want bool
	}{
		{catalog.Product{OnSale: true, Stock: catalog.Unlimited}, 1 << 40, true}, {catalog.Product{OnSale: true, Stock: 2}, 2, true},
		{catalog.Product{OnSale: true, Stock: 2}, 3, false}, {catalog.Product{OnSale: true}, 1, false}, {catalog.Product{Stock: 5}, 1, false},
	} {
		if got := c.p.Has(c.n); got != c.want {
			t.Errorf("%+v has %d: %t", c.p, c.n, got)
		}
	}
	if a := catalog.DefaultApp("m"); a.OrderLimit != 10_000_000 || a.TestResult != catalog.TestSuccess || a.OfferCOD || a.SellerID != "" {
		t.Errorf("%+v", a)
	}
}
