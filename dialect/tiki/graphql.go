package tiki

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/pan"
	"github.com/thungan/thungan/order"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/signin"
)

// GraphQLPath is where the container calls (source 4).
const GraphQLPath = "/tiniapp/api/graphql/query"

// The headers of its calls (source 4).
const (
	headerToken    = "X-Tiki-Access-Token"
	headerApp      = "X-TiniApp-Id"
	headerPlatform = "X-TiniApp-Platform" // mobile-ios or mobile-android; not looked at
)

// maxGraphQL bounds a call of the container.
const maxGraphQL = 64 << 10

// onlineMethods are what the payment page offers, as far as the merchant can
// take it.
var onlineMethods = []payment.Method{
	payment.BankTransfer, payment.DomesticCard, payment.InternationalCard, payment.MoMo, payment.ZaloPay, payment.VNPayQR,
}

// The values of config.payment_method.
const (
	methodCOD          = "cod"
	methodBankTransfer = "bank_transfer"
	methodBankShort    = "banktransfer" // what the page says; the container's is the other
)

// orderURN is what order_get calls an order.
const orderURN = "urn:order:order:"

// graphRequest is one call.
type graphRequest struct {
	Query     string         `json:"query"`
	Operation string         `json:"operationName"`
	Variables map[string]any `json:"variables"`
}

type graphAnswer struct {
	Data   any          `json:"data"`
	Errors []graphError `json:"errors,omitempty"`
}

type graphError struct {
	Message    string         `json:"message"`
	Path       []string       `json:"path,omitempty"`
	Extensions map[string]any `json:"extensions,omitempty"`
}

// session is whose call it is.
type session struct {
	token string
	app   string // X-TiniApp-Id, "" for none
}

// resolver answers one root field.
type resolver func(ctx context.Context, s session, args map[string]any) (map[string]any, error)

// root is one root field: who answers it, and what the answer has, so that a
// call is held against it before anything is done.
type root struct {
	run   resolver
	shape map[string]any
}

// roots are the root fields of a query or a mutation.
func (h *handler) roots(kind string) map[string]root {
	if kind == "mutation" {
		return map[string]root{"make_payment": {h.makePayment, map[string]any{"redirect_url": fields("web", "app")}}}
	}
	return map[string]root{
		"order_get":     {h.orderGet, fields("id", "status", "grand_total", "tiki_order_id", "tiki_order_code")},
		"get_auth_code": {h.getAuthCode, fields("code", "scopes")},
		"customer":      {h.customer, fields("id", "name", "phone", "email", "avatar")},
	}
}

// fields is the shape of an answer without anything nested.
func fields(names ...string) map[string]any {
	shape := map[string]any{}
	for _, name := range names {
		shape[name] = ""
	}
	return shape
}

// graphQL answers the container.
func (h *handler) graphQL(w http.ResponseWriter, r *http.Request) {
	httpx.NoteRoute(r.Context(), "tiki: graphql")
	// A mini app's page may be of another origin; the token, not a cookie, says
	// whose call it is.
	w.Header().Set("Access-Control-Allow-Origin", "*")
	if r.Method == http.MethodOptions {
		w.Header().Set("Access-Control-Allow-Methods", "POST")
		w.Header().Set("Access-Control-Allow-Headers", strings.Join([]string{"Content-Type", headerToken, headerApp, headerPlatform}, ", "))
		w.Header().Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "OPTIONS, POST")
		h.graphFail(w, http.StatusMethodNotAllowed, "GraphQL takes POST")
		return
	}
	body, err := httpx.ReadBody(w, r, maxGraphQL)
	if err != nil {
		h.graphFail(w, http.StatusRequestEntityTooLarge, "the request is too large, or did not arrive whole")
		return
	}
	req, err := readGraphRequest(body)
	if err != nil {
		h.graphFail(w, http.StatusBadRequest, err.Error())
		return
	}
	op, err := parseQuery(req.Query, req.Operation)
	if err != nil {
		h.graphFail(w, http.StatusBadRequest, err.Error())
		return
	}
	h.send(w, http.StatusOK, h.execute(r, op, req.Variables))
}

func readGraphRequest(body []byte) (graphRequest, error) {
	var req graphRequest
	if err := httpx.CheckJSON(body, maxDepth); err != nil {
		return req, errors.New("the body " + bodyProblem(err))
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	if err := d.Decode(&req); err != nil {
		return req, errors.New(`the body is not {"query": string, "variables": object}`)
	}
	return req, nil
}

func (h *handler) graphFail(w http.ResponseWriter, status int, message string) {
	h.send(w, status, graphAnswer{Errors: []graphError{{Message: pan.Mask(message)}}})
}

// execute runs the root fields one after another, or none of them when one asks
// for what is not there: a payment that was begun can only be told once.
func (h *handler) execute(r *http.Request, op operation, variables map[string]any) graphAnswer {
	roots, answer := h.roots(op.kind), graphAnswer{}
	for _, f := range op.fields {
		if f.name == typeName {
			continue
		}
		root, known := roots[f.name]
		if !known {
			answer.Errors = append(answer.Errors, graphError{Message: "Cannot query field " + strconv.Quote(f.name) + " on " + op.kind, Path: []string{f.alias}})
		} else if _, err := project(root.shape, f); err != nil {
			answer.Errors = append(answer.Errors, h.graphError(r, f, err))
		}
	}
	if len(answer.Errors) > 0 {
		return answer
	}
	s := session{token: single(r, headerToken), app: single(r, headerApp)}
	data := map[string]any{}
	for _, f := range op.fields {
		if f.name == typeName {
			data[f.alias] = op.kind
			continue
		}
		args := map[string]any{}
		for name, v := range f.args {
			// null is like nothing given (GraphQL, 2.9.5), inside objects too.
			if x, _ := v.resolve(variables, op.defaults); x != nil {
				args[name] = given(x)
			}
		}
		found, err := roots[f.name].run(r.Context(), s, args)
		var shown any
		if err == nil {
			shown, err = project(found, f)
		}
		if err != nil {
			data[f.alias] = nil
			answer.Errors = append(answer.Errors, h.graphError(r, f, err))
			continue
		}
		data[f.alias] = shown
	}
	if len(data) > len(answer.Errors) {
		answer.Data = data
	}
	return answer
}

// given leaves out of an argument what is null.
func given(v any) any {
	if fields, ok := v.(map[string]any); ok {
		out := map[string]any{}
		for name, x := range fields {
			if x != nil {
				out[name] = given(x)
			}
		}
		return out
	}
	return v
}

// graphError is why a field could not be answered.
func (h *handler) graphError(r *http.Request, f selection, err error) graphError {
	e := graphError{Message: err.Error(), Path: []string{f.alias}}
	var bad invalid
	if errors.As(err, &bad) {
		e.Extensions = map[string]any{"code": http.StatusBadRequest, "fields": bad}
		return e
	}
	refused := refusalOf(err)
	if refused.status >= http.StatusInternalServerError {
		h.log.ErrorContext(r.Context(), "request failed", "operation", "graphql "+f.name, "request_id", httpx.RequestIDFrom(r.Context()), "error", err.Error())
	}
	e.Message, e.Extensions = refused.message, map[string]any{"code": refused.status, "reason": refused.reason}
	return e
}

// typeName is the field that everything has.
const typeName = "__typename"

// project keeps of an answer what was asked for.
func project(found map[string]any, f selection) (any, error) {
	if len(f.sub) == 0 {
		return nil, invalid{f.name: "needs a selection of fields"}
	}
	out := map[string]any{}
	for _, s := range f.sub {
		v, known := found[s.name]
		switch inner, nested := v.(map[string]any); {
		case s.name == typeName:
			out[s.alias] = f.name
		case !known:
			return nil, invalid{f.name: "has no field " + s.name}
		case nested:
			shown, err := project(inner, s)
			if err != nil {
				return nil, err
			}
			out[s.alias] = shown
		case s.sub != nil && v != nil:
			return nil, invalid{s.name: "has no fields"}
		default:
			out[s.alias] = v
		}
	}
	return out, nil
}

// argument makes the reader of a field's arguments.
func argument(args map[string]any) object { return object{values: args, bad: invalid{}} }

// whose finds the customer of a call.
func (h *handler) whose(ctx context.Context, s session) (signin.Customer, error) {
	c, err := h.core.Session(ctx, s.token)
	return c, unauthorized(err, reasonToken, "invalid access token")
}

// getAuthCode is the query get_auth_code. Beside code it knows scopes, those
// that were granted.
func (h *handler) getAuthCode(ctx context.Context, s session, args map[string]any) (map[string]any, error) {
	o := argument(args)
	in, ok := o.inner("input", true)
	if !ok {
		return nil, o.err()
	}
	app := in.text("app_identifier", maxText, true)
	token := s.token
	if t := in.text("tiki_token", maxCodeLength, false); t != "" {
		token = t
	}
	scopes := in.texts("scopes", maxScopes, maxText)
	if err := o.err(); err != nil {
		return nil, err
	}
	code, granted, err := h.core.AuthCode(ctx, token, app, []string{Name, SandboxName}, scopes)
	if err != nil {
		return nil, unauthorized(err, reasonToken, "invalid access token")
	}
	return map[string]any{"code": code, "scopes": listed(granted)}, nil
}

// customer is our own query: what my.getUserInfo shows.
func (h *handler) customer(ctx context.Context, s session, _ map[string]any) (map[string]any, error) {
	c, err := h.whose(ctx, s)
	if err != nil {
		return nil, err
	}
	return map[string]any{"id": strconv.FormatInt(c.ID, 10), "name": c.Name, "phone": c.Phone, "email": c.Email, "avatar": c.AvatarURL}, nil
}

// orderGet is the query order_get. Only the customer's own orders are found.
func (h *handler) orderGet(ctx context.Context, s session, args map[string]any) (map[string]any, error) {
	o := argument(args)
	id := o.text("id", maxText, true)
	if err := o.err(); err != nil {
		return nil, err
	}
	c, err := h.whose(ctx, s)
	if err != nil {
		return nil, err
	}
	number, ok := strings.CutPrefix(id, orderURN)
	if !ok {
		return nil, invalid{"id": "does not begin with " + orderURN}
	}
	p, err := h.core.AnyAppOrder(ctx, number)
	if err == nil && (p.Order.CustomerID != strconv.FormatInt(c.ID, 10) || !slices.Contains([]string{Name, SandboxName}, p.Order.Dialect)) {
		err = payment.Fail(payment.CodeNotFound, "no such order")
	}
	if err != nil {
		return nil, err
	}
	shown := orderOf(p)
	return map[string]any{
		"id": id, "status": shown.Status, "grand_total": shown.GrandTotal, "tiki_order_id": shown.TikiOrderID, "tiki_order_code": shown.TikiOrderCode,
	}, nil
}

// makePayment is the mutation make_payment: it opens the payment of an order,
// once (T26), and says where the customer pays.
func (h *handler) makePayment(ctx context.Context, s session, args map[string]any) (map[string]any, error) {
	o := argument(args)
	n := core.PayingApp{
		OrderID: o.text("order_id", maxText, true), App: s.app, Way: order.Online, Methods: onlineMethods,
		Dialects: map[string]core.Ends{Name: Production.Ends, SandboxName: Sandbox.Ends},
	}
	if config, ok := o.inner("config", false); ok {
		switch config.text("payment_method", maxText, false) {
		case "":
		case methodCOD:
			n.Way = order.OnDelivery
		case methodBankTransfer, methodBankShort:
			n.Way = order.ByTransfer
		default:
			config.bad.add(config.at+"payment_method", "is cod or bank_transfer, or left out")
		}
		if back, ok := config.inner("return_url", false); ok {
			// Only an address of a page can be gone back to; the container
			// sends "" and "tiki://" too.
			if address := back.text("url", maxURL, false); isLink(address) {
				n.ReturnURL = address
			}
		}
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	c, err := h.whose(ctx, s)
	if err != nil {
		return nil, err
	}
	n.CustomerID = strconv.FormatInt(c.ID, 10)
	p, err := h.core.StartPaying(ctx, n)
	if err != nil {
		return nil, err
	}
	httpx.Note(ctx, "payment_id", p.Payment.ID)
	f, err := h.core.Profile(ctx, p.Order.MerchantID, p.Order.Dialect)
	if err != nil {
		return nil, err
	}
	web := h.core.PageURL(f.PublicID, p.Payment)
	return map[string]any{"redirect_url": map[string]any{"web": web, "app": appURL(p, web)}}, nil
}

// appURL is what the container looks at: ref_id for makePaymentV2, and in the
// sandbox environment how the payment has ended (source 4).
func appURL(p core.PlacedOrder, web string) string {
	ref := "ref_id=" + url.QueryEscape(p.Order.ReceiptCode)
	if p.Order.Dialect != SandboxName || p.Order.Way != order.Online {
		return addQuery(web, ref)
	}
	status := "failed"
	if p.Payment.State == payment.Approved {
		status = "succeed"
	}
	return "tikivn://sandbox-payment?status=" + status + "&" + ref
}
