package tiki

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/thungan/thungan/catalog"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/order"
)

// maxDepth bounds the nesting of a request; our own needs nine.
const maxDepth = 32

// maxProblems bounds how many bad fields an answer names.
const maxProblems = 20

// invalid is a request that cannot be read: what is wrong, by field (T7).
type invalid map[string]string

func (v invalid) Error() string { return msgInvalid }

func (v invalid) add(field, what string) {
	if _, had := v[field]; !had && len(v) < maxProblems {
		v[field] = what
	}
}

// object reads the fields of one JSON object and gathers what is wrong with all
// of them. Each method returns the zero value for a field that is absent or bad.
type object struct {
	at     string // where it stands, such as "items[0]."
	values map[string]any
	bad    invalid
}

// decode reads a body that has to be one JSON object.
func decode(body []byte) (object, error) {
	if err := httpx.CheckJSON(body, maxDepth); err != nil {
		return object{}, invalid{"body": bodyProblem(err)}
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return object{}, invalid{"body": "is not JSON"}
	}
	values, ok := v.(map[string]any)
	if !ok {
		return object{}, invalid{"body": "is not a JSON object"}
	}
	return object{values: values, bad: invalid{}}, nil
}

func bodyProblem(err error) string {
	switch {
	case errors.Is(err, httpx.ErrEmpty):
		return "is empty"
	case errors.Is(err, httpx.ErrNotUTF8):
		return "is not UTF-8"
	case errors.Is(err, httpx.ErrTooDeep):
		return "is nested too deeply"
	case errors.Is(err, httpx.ErrTrailing):
		return "has something after the JSON value"
	}
	return "is not JSON"
}

// err returns what was gathered, nil for nothing.
func (o object) err() error {
	if len(o.bad) == 0 {
		return nil
	}
	return o.bad
}

// look returns the value of a field; false when it is absent or null, which is
// an error for null always and for absence when it is required.
func (o object) look(name string, required bool) (any, bool) {
	v, present := o.values[name]
	switch {
	case !present && required:
		o.bad.add(o.at+name, "is missing")
	case present && v == nil:
		o.bad.add(o.at+name, "is null")
	}
	return v, v != nil
}

// text reads a string of up to limit characters; a required one is not empty.
func (o object) text(name string, limit int, required bool) string {
	v, ok := o.look(name, required)
	if !ok {
		return ""
	}
	return o.textOf(name, v, limit, required)
}

func (o object) textOf(name string, v any, limit int, required bool) string {
	s, ok := v.(string)
	switch {
	case !ok:
		o.bad.add(o.at+name, "is not a string")
	case required && strings.TrimSpace(s) == "":
		o.bad.add(o.at+name, "is empty")
	case utf8.RuneCountInString(s) > limit:
		o.bad.add(o.at+name, fmt.Sprintf("has more than %d characters", limit))
	case strings.ContainsRune(s, 0):
		o.bad.add(o.at+name, "has a NUL character")
	case strings.ContainsRune(s, utf8.RuneError): // what encoding/json makes of half a surrogate pair
		o.bad.add(o.at+name, "has half a surrogate pair, or U+FFFD, which stands for a lost character")
	default:
		return s
	}
	return ""
}

// link reads an optional http or https address.
func (o object) link(name string) string {
	s := o.text(name, maxURL, false)
	if s != "" && !isLink(s) {
		o.bad.add(o.at+name, "is not an http or https address")
		return ""
	}
	return s
}

func isLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// number reads an integer from least to most.
func (o object) number(name string, least, most int64, required bool) int64 {
	v, ok := o.look(name, required)
	if !ok {
		return 0
	}
	digits, ok := v.(json.Number)
	n, err := strconv.ParseInt(digits.String(), 10, 64)
	switch {
	case !ok || (err != nil && !errors.Is(err, strconv.ErrRange)):
		o.bad.add(o.at+name, "is not an integer")
	case err != nil || n < least || n > most:
		o.bad.add(o.at+name, fmt.Sprintf("is not from %d to %d", least, most))
	default:
		return n
	}
	return 0
}

// flag reads an optional boolean.
func (o object) flag(name string, unless bool) bool {
	v, ok := o.look(name, false)
	if !ok {
		return unless
	}
	b, ok := v.(bool)
	if !ok {
		o.bad.add(o.at+name, "is not a boolean")
	}
	return b
}

// inner reads a nested object.
func (o object) inner(name string, required bool) (object, bool) {
	v, ok := o.look(name, required)
	if !ok {
		return object{}, false
	}
	values, ok := v.(map[string]any)
	if !ok {
		o.bad.add(o.at+name, "is not an object")
		return object{}, false
	}
	return object{at: o.at + name + ".", values: values, bad: o.bad}, true
}

// list reads an array of up to limit elements; a required one is not empty.
func (o object) list(name string, limit int, required bool) []any {
	v, ok := o.look(name, required)
	if !ok {
		return nil
	}
	l, ok := v.([]any)
	switch {
	case !ok:
		o.bad.add(o.at+name, "is not an array")
	case required && len(l) == 0:
		o.bad.add(o.at+name, "is empty")
	case len(l) > limit:
		o.bad.add(o.at+name, fmt.Sprintf("has more than %d elements", limit))
	default:
		return l
	}
	return nil
}

// objects reads an array of objects.
func (o object) objects(name string, limit int, required bool) []object {
	var all []object
	for i, v := range o.list(name, limit, required) {
		at := fmt.Sprintf("%s%s[%d]", o.at, name, i)
		values, ok := v.(map[string]any)
		if !ok {
			o.bad.add(at, "is not an object")
			continue
		}
		all = append(all, object{at: at + ".", values: values, bad: o.bad})
	}
	return all
}

// texts reads an array of non-empty strings.
func (o object) texts(name string, limit, length int) []string {
	var all []string
	for i, v := range o.list(name, limit, false) {
		if s := o.textOf(fmt.Sprintf("%s[%d]", name, i), v, length, true); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// decodeOrder reads the body of POST /order, or of /order/multi-sku.
func decodeOrder(body []byte, bySKU bool) (core.Placing, error) {
	o, err := decode(body)
	if err != nil {
		return core.Placing{}, err
	}
	p := core.Placing{
		CustomerID: o.text("customer_id", maxText, true), Reference: o.text("reference_id", maxText, false), Extra: o.text("extra", maxLongText, false),
		Customer: readCustomer(o), FromCatalog: bySKU,
	}
	if !bySKU {
		p.ShippingFee = money.VND(o.number("shipping_fee", 0, int64(core.MaxAmount), false))
	}
	for _, item := range o.objects("items", maxItems, true) {
		p.Lines = append(p.Lines, readItem(item, bySKU))
	}
	return p, o.err()
}

func readItem(o object, bySKU bool) order.Line {
	l := order.Line{
		Name: o.text("name", maxText, true), Quantity: o.number("quantity", 1, maxQuantity, true),
		ImageURL: o.link("image_url"), Extra: o.text("extra", maxLongText, false), Sections: readMetadata(o),
	}
	if bySKU {
		l.SKU = o.text("sku", maxText, true)
		return l
	}
	l.Price = money.VND(o.number("price", 0, int64(core.MaxAmount), true))
	return l
}

// readCustomer reads customer_info, or what old clients send (T27).
func readCustomer(o object) order.Customer {
	for _, name := range []string{"customer_info", "shipping_address", "billing_address"} {
		if in, ok := o.inner(name, false); ok {
			return order.Customer{
				Name: in.text("name", maxText, false), Phone: in.text("phone", maxText, false),
				Email: in.text("email", maxText, false), Street: in.text("street", maxText, false),
			}
		}
	}
	return order.Customer{}
}

// readMetadata reads the sections to show of an item. Fields of an unknown type
// are left out.
func readMetadata(o object) []order.Section {
	in, ok := o.inner("metadata", false)
	if !ok {
		return nil
	}
	if _, ok := in.look("sections", true); !ok {
		return nil
	}
	var sections []order.Section
	for _, s := range in.objects("sections", maxSections, false) {
		section := order.Section{Header: s.text("header", maxText, false)}
		for _, f := range s.objects("fields", maxFields, false) {
			if field, ok := readField(f); ok {
				section.Fields = append(section.Fields, field)
			}
		}
		sections = append(sections, section)
	}
	return sections
}

func readField(o object) (order.Field, bool) {
	f := order.Field{Name: o.text("name", maxText, false)}
	switch o.text("type", maxText, true) {
	case "text":
		f.Text = o.text("value", maxLongText, true)
	case "images":
		f.Images = o.texts("value", maxImages, maxURL)
		for i, address := range f.Images {
			if !isLink(address) {
				o.bad.add(fmt.Sprintf("%svalue[%d]", o.at, i), "is not an http or https address")
			}
		}
	case "action":
		if in, ok := o.inner("value", true); ok {
			f.Button, f.Link = in.text("button_name", maxText, true), in.text("link", maxURL, true)
		}
	default:
		return f, false
	}
	return f, true
}

// decodeEnding reads the body of complete and cancel.
func decodeEnding(body []byte) (core.Ending, error) {
	o, err := decode(body)
	if err != nil {
		return core.Ending{}, err
	}
	e := core.Ending{OrderID: o.text("order_id", maxText, true), Comment: o.text("comment", maxLongText, true)}
	if in, ok := o.inner("push_opts", false); ok {
		e.PushPage = in.text("page_path", maxURL, true)
	}
	return e, o.err()
}

// decodeText reads a body of one string.
func decodeText(body []byte, name string) (string, error) {
	o, err := decode(body)
	if err != nil {
		return "", err
	}
	s := o.text(name, maxCodeLength, true)
	return s, o.err()
}

// decodeProduct reads the body of product_create (T24).
func decodeProduct(body []byte) (catalog.Product, error) {
	o, err := decode(body)
	if err != nil {
		return catalog.Product{}, err
	}
	p := catalog.Product{
		SKU: o.text("sku", maxText, true), Name: o.text("name", maxText, true), Price: money.VND(o.number("price", 0, int64(core.MaxAmount), true)),
		ImageURL: o.link("image_url"), OnSale: o.flag("on_sale", true), Stock: catalog.Unlimited,
	}
	if _, given := o.values["stock"]; given {
		p.Stock = o.number("stock", catalog.Unlimited, maxStock, false)
	}
	return p, o.err()
}

const maxStock = 1_000_000_000

// parameter reads one query parameter that has to be there once.
func parameter(r *http.Request, name string) (string, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", invalid{"query": "cannot be read"}
	}
	values := q[name]
	switch {
	case len(values) == 0:
		return "", invalid{name: "is missing"}
	case len(values) > 1:
		return "", invalid{name: "stands there more than once"}
	case strings.TrimSpace(values[0]) == "":
		return "", invalid{name: "is empty"}
	case !utf8.ValidString(values[0]) || strings.ContainsRune(values[0], 0):
		return "", invalid{name: "is no text"}
	}
	return values[0], nil
}

// decodeIDs reads order_ids.
func decodeIDs(r *http.Request) ([]string, error) {
	text, err := parameter(r, "order_ids")
	if err != nil {
		return nil, err
	}
	var ids []string
	for id := range strings.SplitSeq(text, ",") {
		if id = strings.TrimSpace(id); id != "" {
			ids = append(ids, id)
		}
	}
	switch {
	case len(ids) == 0:
		return nil, invalid{"order_ids": "is empty"}
	case len(ids) > maxIDs:
		return nil, invalid{"order_ids": fmt.Sprintf("has more than %d ids", maxIDs)}
	}
	return ids, nil
}
