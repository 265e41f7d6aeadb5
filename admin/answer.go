package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/internal/pan"
	"github.com/thungan/thungan/payment"
)

// failure is a refusal that has no payment.Code, or has faults by field.
type failure struct {
	status  int
	code    string
	message string
	fields  faults
}

func (f *failure) Error() string { return f.code + ": " + f.message }

func noSuchPath() error {
	return &failure{status: http.StatusNotFound, code: "not_found", message: "there is nothing at this path; see " + Prefix + "/openapi.yaml"}
}

// faults are the complaints about a request, by the name of the field or query
// parameter. A field inside another is written "ipn_urls.paykit".
type faults map[string][]string

func (f faults) add(name, message string) { f[name] = append(f[name], message) }

// err is nil when there are no complaints.
func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &failure{
		status: http.StatusUnprocessableEntity, code: string(payment.CodeInvalidRequest),
		message: "some fields are wrong; see fields", fields: f,
	}
}

// statuses says how each code of core is answered. A test fails when one has no
// row.
var statuses = map[payment.Code]int{
	payment.CodeUnauthorized:       http.StatusUnauthorized,
	payment.CodeDuplicateReference: http.StatusConflict,
	payment.CodeMethodNotSupported: http.StatusUnprocessableEntity,
	payment.CodeInvalidAmount:      http.StatusUnprocessableEntity,
	payment.CodeInvalidDueTime:     http.StatusUnprocessableEntity,
	payment.CodeTotalLimit:         http.StatusUnprocessableEntity,
	payment.CodeMerchantLocked:     http.StatusConflict,
	payment.CodeMerchantClosed:     http.StatusConflict,
	payment.CodePlatformLocked:     http.StatusConflict,
	payment.CodePlatformClosed:     http.StatusConflict,
	payment.CodePaymentNotFound:    http.StatusNotFound,
	payment.CodeRefundNotFound:     http.StatusNotFound,
	payment.CodeInsufficient:       http.StatusConflict,
	payment.CodeNotFound:           http.StatusNotFound,
	payment.CodeInvalidState:       http.StatusConflict,
	payment.CodeInvalidRequest:     http.StatusUnprocessableEntity,
	payment.CodeConflict:           http.StatusConflict,
	payment.CodeBusy:               http.StatusServiceUnavailable,
	payment.CodeInternal:           http.StatusInternalServerError,
	payment.CodeTerminalUnusable:   http.StatusConflict,
	payment.CodeTerminalBusy:       http.StatusConflict,
	payment.CodeSettleFirst:        http.StatusConflict,
}

// texts stand in where core gave no text of its own.
var texts = map[payment.Code]string{
	payment.CodePaymentNotFound: "no such payment",
	payment.CodeRefundNotFound:  "no such refund",
	payment.CodeNotFound:        "no such thing",
	payment.CodeConflict:        "it exists already, or somebody else changed it first",
	payment.CodeInvalidState:    "its state does not allow this",
	payment.CodeBusy:            "too much at once; nothing was done, try again",
}

// busyWait is how long a caller is asked to wait, in seconds.
const busyWait = "1"

// refuse answers an error. Only texts meant for the caller leave the gateway;
// causes go to the log.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var f *failure
	if !errors.As(err, &f) {
		f = a.failed(r, err)
	}
	if f.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", busyWait)
	}
	var body errorBody
	// Messages quote what was sent.
	body.Error.Code, body.Error.Message, body.Error.Fields = f.code, pan.Hide(f.message), f.fields
	body.Error.RequestID = httpx.RequestIDFrom(r.Context())
	a.answer(w, r, f.status, body)
}

// failed turns an error of core into an answer.
func (a *API) failed(r *http.Request, err error) *failure {
	code := payment.CodeOf(err)
	status, known := statuses[code]
	ours := !known || code == payment.CodeInternal || code == payment.CodeBusy
	if ours && !errors.Is(err, context.Canceled) { // a caller who went away is no fault
		a.log.LogAttrs(r.Context(), slog.LevelError, "admin: request failed",
			slog.String("request_id", httpx.RequestIDFrom(r.Context())), slog.Any("error", err))
	}
	if !known || code == payment.CodeInternal {
		return &failure{status: http.StatusInternalServerError, code: string(payment.CodeInternal), message: "the gateway failed; its log has the cause under this request id"}
	}
	var coded *payment.Error
	text := ""
	if errors.As(err, &coded) {
		text = coded.Text
	}
	if text == "" {
		text = texts[code]
	}
	return &failure{status: status, code: string(code), message: text}
}

type errorBody struct {
	Error struct {
		Code      string `json:"code"`
		Message   string `json:"message"`
		Fields    faults `json:"fields,omitempty"`
		RequestID string `json:"request_id"`
	} `json:"error"`
}

// shown renders what core returns, unless that is an error.
func shown[R, T any](show func(R) T) func(R, error) (any, error) {
	return func(row R, err error) (any, error) {
		if err != nil {
			return nil, err
		}
		return show(row), nil
	}
}

// raw is a body that is sent as it is.
type raw struct {
	kind string // its Content-Type
	text []byte
}

// answer writes a body as JSON; nil is no body.
func (a *API) answer(w http.ResponseWriter, r *http.Request, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	out, ok := body.(raw)
	if !ok {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false) // URLs stay readable
		if err := enc.Encode(body); err != nil {
			a.log.LogAttrs(r.Context(), slog.LevelError, "admin: encode answer",
				slog.String("request_id", httpx.RequestIDFrom(r.Context())), slog.Any("error", err))
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		out = raw{kind: "application/json", text: buf.Bytes()}
	}
	w.Header().Set("Content-Type", out.kind)
	w.WriteHeader(status)
	w.Write(out.text) // a client that has gone away is no fault of ours
}

// stamp writes a time as RFC 3339 in UTC with milliseconds; the zero time is
// null.
type stamp time.Time

const stampLayout = "2006-01-02T15:04:05.000Z"

// MarshalJSON implements json.Marshaler.
func (s stamp) MarshalJSON() ([]byte, error) {
	t := time.Time(s)
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.UTC().Format(stampLayout) + `"`), nil
}
