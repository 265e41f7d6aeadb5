package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/sandbox/acquirer"
)

// payer is somebody with a browser without scripts, who walks from page to page
// of this process. Nobody else's pages are asked for.
type payer struct {
	h     *Handler
	ctx   context.Context
	at    *url.URL
	page  document
	body  []byte
	found url.Values // the parameters of the acquirer's return, nil before it
	steps int
}

// maxSteps bounds how many pages a payer asks for; an ordinary walk has about
// ten.
const maxSteps = 40

// failedWalk is a walk that came to an end that it should not.
func failedWalk(format string, args ...any) *failure {
	return &failure{status: http.StatusBadGateway, code: payment.CodeInternal, message: fmt.Sprintf(format, args...)}
}

// goTo asks for an address, and for those that its answer sends the browser to.
func (p *payer) goTo(to string) error { return p.send(http.MethodGet, to, nil) }

// submit sends a form of the page with what the payer filled in.
func (p *payer) submit(f form, filled map[string]string) error {
	for name, value := range filled {
		f.fields.Set(name, value)
	}
	return p.send(http.MethodPost, f.action, f.fields)
}

func (p *payer) send(method, to string, fields url.Values) error {
	for {
		if p.steps++; p.steps > maxSteps {
			return failedWalk("the pages send the payer in circles; the last one is %s", p.at.Path)
		}
		address, err := p.resolve(to)
		if err != nil {
			return err
		}
		if address == nil {
			return nil // to the shop: the walk has ended
		}
		p.at = address
		if p.at.Query().Has(acquirer.ReturnResult) {
			p.found = p.at.Query()
		}
		status, next, err := p.ask(method, fields)
		if err != nil {
			return err
		}
		switch {
		case next == "" && status >= 500:
			return failedWalk("%s answers %d", p.at.Path, status)
		case next == "" && p.page.refresh == "":
			return nil
		case next == "":
			next = p.page.refresh
		}
		method, to, fields = http.MethodGet, next, nil
	}
}

// resolve makes an address of this process absolute; nil for anybody else's.
func (p *payer) resolve(to string) (*url.URL, error) {
	u, err := url.Parse(to)
	if err != nil {
		return nil, failedWalk("the page leads to an address that is none")
	}
	if p.at != nil {
		u = p.at.ResolveReference(u)
	}
	if !strings.HasPrefix(u.String(), p.h.Info.BaseURL+"/") || u.Path == returnPath {
		return nil, nil
	}
	return u, nil
}

// ask makes one request.
func (p *payer) ask(method string, fields url.Values) (status int, next string, err error) {
	r, err := http.NewRequestWithContext(p.ctx, method, p.at.String(), strings.NewReader(fields.Encode()))
	if err != nil {
		return 0, "", err
	}
	r.RemoteAddr, r.RequestURI = "127.0.0.1:0", r.URL.RequestURI()
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	w := &recorder{header: http.Header{}}
	p.h.Gateway.ServeHTTP(w, r)
	if w.status == 0 {
		w.status = http.StatusOK
	}
	p.body, p.page = w.body.Bytes(), document{}
	if w.status/100 == 3 {
		return w.status, w.header.Get("Location"), nil
	}
	if strings.HasPrefix(w.header.Get("Content-Type"), "text/html") {
		if p.page, err = readDocument(p.body); err != nil {
			return w.status, "", failedWalk("the page at %s cannot be read: %v", p.at.Path, err)
		}
	}
	return w.status, "", nil
}
