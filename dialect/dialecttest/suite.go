package dialecttest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// Call is a request to a dialect, without its credentials.
type Call struct {
	Method string
	Path   string
	Body   string
}

// Suite is what the conformance tests need to know of a dialect. Run runs them
// all, on both engines where a database is needed.
type Suite struct {
	Dialect dialect.Dialect

	// Handler serves the dialect for g.
	Handler func(g *Gateway) http.Handler

	// Calls has one valid request of every operation; the references in them
	// need not exist.
	Calls []Call

	// Unknown are paths of the dialect's subtree at which there is nothing.
	Unknown []string

	// Authorize adds who's credentials to a request with that body.
	Authorize func(r *http.Request, who Party, body string)

	// Open is a request for a payment that can be paid by bank transfer.
	Open func(reference string, amount money.VND) Call

	// Reference makes what a payment needs before it can be opened, in a
	// protocol that makes its references itself, and returns the one that stands
	// for name; nil where a name is a reference.
	Reference func(t testing.TB, g *Gateway, who Party, name string, amount money.VND) string

	// Find is a request to look that payment up.
	Find func(reference string) Call

	// Opened and Found say whether an answer to Open and Find means yes.
	Opened, Found func(status int, body string) bool

	// Shows says whether a notice tells the state of p.
	Shows func(r dialect.Request, p payment.Payment) bool

	// KeyOnly says that callers send a key and no secret.
	KeyOnly bool

	// Refuses says whether an answer of 500 and more is how the protocol
	// refuses, and no fault; nil for a protocol that does not.
	Refuses func(status int, body string) bool
}

// fault says whether an answer is one of ours.
func (s Suite) fault(a answer) bool {
	return a.status < 200 || (a.status >= 500 && (s.Refuses == nil || !s.Refuses(a.status, a.body)))
}

// Run runs the suite. The auditor judges what it leaves.
func (s Suite) Run(t *testing.T) {
	t.Run("contract", s.contract)
	t.Run("hostile", func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, db *store.Store) {
			s.hostile(t, NewGateway(t, db, s.Dialect))
			sound(t, db)
		})
	})
	t.Run("money", func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, db *store.Store) {
			s.money(t, db)
			sound(t, db)
		})
	})
}

// reference is what a payment of who is called by.
func (s Suite) reference(t testing.TB, g *Gateway, who Party, name string, amount money.VND) string {
	if s.Reference == nil {
		return name
	}
	return s.Reference(t, g, who, name, amount)
}

// answer is what a handler said.
type answer struct {
	status int
	header http.Header
	body   string
}

// send makes a call as who; with a zero Party it has no credentials.
func (s Suite) send(h http.Handler, who Party, c Call) answer {
	r := httptest.NewRequest(c.Method, c.Path, strings.NewReader(c.Body))
	r.Header.Set("Content-Type", "application/json")
	if who.ID != "" {
		s.Authorize(r, who, c.Body)
	}
	return serve(h, r)
}

func serve(h http.Handler, r *http.Request) answer {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return answer{status: w.Code, header: w.Header(), body: w.Body.String()}
}
