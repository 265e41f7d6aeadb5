package acquiring

import (
	"errors"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/thungan/thungan/internal/guard"
)

// maxAnswer bounds an acquirer's answer.
const maxAnswer = 1 << 20

// Doer makes the connectors' calls through the guard.
type Doer struct{ client *guard.Client }

// NewDoer makes a Doer. The options are those of the guard; an acquirer's
// address is an operator's choice, so private networks may be allowed.
func NewDoer(o guard.Options) Doer {
	o.Keep, o.MaxRead, o.Timeout = maxAnswer, maxAnswer+1, callTime
	return Doer{guard.New(o)}
}

// Do makes a request. Sent says whether a byte of it may have left.
func (d Doer) Do(req *http.Request) (status int, body []byte, sent bool, err error) {
	var left atomic.Bool
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{WroteHeaderField: func(string, []string) { left.Store(true) }, WroteHeaders: func() { left.Store(true) }})
	res, err := d.client.Do(ctx, req.WithContext(ctx))
	if err != nil {
		text := err.Error()
		if e, ok := errors.AsType[*guard.Error](err); ok {
			text = e.Safe()
		}
		return res.Status, nil, left.Load(), errors.New(text)
	}
	if res.Truncated {
		return res.Status, nil, true, errors.New("the answer is longer than a mebibyte")
	}
	return res.Status, res.Body, true, nil
}
