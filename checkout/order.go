package checkout

import (
	"context"
	"slices"
	"strings"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/web"
)

// OrderView is what a page shows of the order that its payment pays.
type OrderView struct {
	Lines    []LineView
	Items    money.VND // what the lines come to
	Fee      money.VND
	Total    money.VND
	Customer order.Customer
}

// LineView is one article.
type LineView struct {
	Name     string
	Image    string // "" for none
	Quantity int64
	Price    money.VND // of one
	Sum      money.VND
	Sections []SectionView
}

// SectionView is a titled group of facts about an article.
type SectionView struct {
	Header string
	Fields []FieldView
}

// FieldView is one fact. Button leads to Link, if a browser can go there.
type FieldView struct {
	Name, Text   string
	Images       []string
	Button, Link string
}

// Known says whether there is anything to show of the customer.
func (o OrderView) Known() bool { return o.Customer != order.Customer{} }

// order is the order of a payment, nil when it pays for none.
func (h *Handler) order(ctx context.Context, p payment.Payment) (*OrderView, error) {
	o, err := h.core.AppOrderOfPayment(ctx, p.ID)
	if payment.CodeOf(err) == payment.CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return newOrderView(o), nil
}

func newOrderView(o order.Order) *OrderView {
	v := &OrderView{Fee: o.ShippingFee, Total: o.Total, Items: o.Total - o.ShippingFee, Customer: o.Customer}
	for _, l := range o.Lines {
		line := LineView{Name: l.Name, Quantity: l.Quantity, Price: l.Price, Sum: l.Price * money.VND(l.Quantity)} // the total was checked
		if web.Linkable(l.ImageURL) {
			line.Image = l.ImageURL
		}
		for _, s := range l.Sections {
			line.Sections = append(line.Sections, sectionView(s))
		}
		v.Lines = append(v.Lines, line)
	}
	return v
}

func sectionView(s order.Section) SectionView {
	v := SectionView{Header: s.Header}
	for _, f := range s.Fields {
		field := FieldView{Name: f.Name, Text: f.Text, Button: f.Button}
		if web.Linkable(f.Link) {
			field.Link = f.Link // the mini app's own addresses lead nowhere here
		}
		for _, image := range f.Images {
			if web.Linkable(image) {
				field.Images = append(field.Images, image)
			}
		}
		if field.Text != "" || len(field.Images) > 0 || field.Link != "" {
			v.Fields = append(v.Fields, field)
		}
	}
	return v
}

// pictures are the origins that the page's pictures come from.
func (o OrderView) pictures() string {
	var origins []string
	add := func(address string) {
		if origin := web.Origin(address); origin != "" && !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	for _, l := range o.Lines {
		add(l.Image)
		for _, s := range l.Sections {
			for _, f := range s.Fields {
				for _, image := range f.Images {
					add(image)
				}
			}
		}
	}
	return strings.Join(origins, " ")
}
