package railtest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Doer is a card.Doer for tests. It dials loopback, which the real one refuses.
type Doer struct {
	Timeout time.Duration // for a whole exchange
	Limit   int64         // bytes of an answer's body; longer ones are an error

	mu     sync.Mutex
	client *http.Client
	lose   bool
	refuse bool
}

// Lose makes the Doer lose every answer: the request is made.
func (d *Doer) Lose(lose bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lose = lose
}

// Refuse makes the Doer find no connection: nothing is sent.
func (d *Doer) Refuse(refuse bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse = refuse
}

// Close closes the connections that wait for the next request.
func (d *Doer) Close() {
	if d.client != nil {
		d.client.CloseIdleConnections()
	}
}

// Do sends req.
func (d *Doer) Do(req *http.Request) (status int, body []byte, sent bool, err error) {
	d.mu.Lock()
	if d.client == nil {
		d.client = &http.Client{
			Transport:     &http.Transport{DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	client, lose, refuse := d.client, d.lose, d.refuse
	d.mu.Unlock()
	if refuse {
		return 0, nil, false, errors.New("connection refused")
	}
	ctx, cancel := context.WithTimeout(req.Context(), d.Timeout)
	defer cancel()
	res, err := client.Do(req.WithContext(ctx))
	if err != nil {
		dial, ok := errors.AsType[*net.OpError](err)
		return 0, nil, !ok || dial.Op != "dial", errors.New("no proper HTTP answer")
	}
	defer res.Body.Close()
	body, err = io.ReadAll(io.LimitReader(res.Body, d.Limit+1))
	switch {
	case lose:
		return 0, nil, true, errLine
	case err != nil:
		return 0, nil, true, errors.New("connection broken")
	case int64(len(body)) > d.Limit:
		return 0, nil, true, errors.New("the answer is too long")
	}
	return res.StatusCode, body, true, nil
}

// canned gives the same answer to everything.
type canned struct {
	status int
	body   []byte
}

func (c canned) Do(*http.Request) (int, []byte, bool, error) { return c.status, c.body, true, nil }
