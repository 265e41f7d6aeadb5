// Package cardtest plays the golden exchanges of connectors, one case a file.
package cardtest

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/card"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Setup is what the cases of a connector share. A case may change parts of it.
type Setup struct {
	Connector card.Connector
	Config    string
	Now       time.Time
	Order     card.Order // its Attempt is the one that queries and refunds are about
	Refund    card.Refund
}

// The addresses of ours that every case has.
const (
	ReturnURL = "https://pay.example.vn/acquirers/01997b9c-0000-7000-8000-00000000c0de/return/01997b9c-8f00-7000-8000-0123456789ab"
	NotifyURL = "https://pay.example.vn/acquirers/01997b9c-0000-7000-8000-00000000c0de/notify"
)

// Golden plays each testdata/*.txtar. A case has the parts
//
//	call     create, query, refund, query_refund, notify, return or acknowledge
//	with     optional: JSON of what differs from the setup (type changes)
//	message  of notify and return: header lines, an empty line, the body, or ? and a query; a return's is its query alone
//	reply    of the others: the acquirer's HTTP status, an empty line, the body; or "lost", or "unreached"
//	want     what went out and what came of it; -update rewrites it
func Golden(t *testing.T, s Setup) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, s, parts(a))
			last := len(a.Files) - 1
			if a.Files[last].Name != "want" {
				t.Fatal("the last part is not want")
			}
			if *update {
				a.Files[last].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := string(a.Files[last].Data); got != want {
				t.Errorf("(-want +got)\n%s", cmp.Diff(want, got))
			}
		})
	}
}

// Seeds are the named parts of all golden files, for fuzz targets.
func Seeds(t testing.TB, part string) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	var seeds []string
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := parts(a)[part]; ok {
			_, body, cut := strings.Cut(text, "\n\n")
			if !cut {
				body = text
			}
			seeds = append(seeds, body)
		}
	}
	return seeds
}

func parts(a *txtar.Archive) map[string]string {
	p := map[string]string{}
	for _, f := range a.Files {
		p[f.Name] = strings.TrimSuffix(string(f.Data), "\n")
	}
	return p
}

// changes is the part "with".
type changes struct {
	Config     json.RawMessage `json:"config"`
	Now        time.Time       `json:"now"`
	Method     payment.Method  `json:"method"`
	Amount     int64           `json:"amount"`
	Refund     int64           `json:"refund"`
	Before     int64           `json:"before"`
	ExternalID *string         `json:"external_id"`
	Describe   *string         `json:"description"`
	Language   string          `json:"language"`
	NeverSent  bool            `json:"never_sent"`
	Left       bool            `json:"left"`
}

func (s Setup) changed(t *testing.T, with string) Setup {
	t.Helper()
	if with == "" {
		return s
	}
	var c changes
	d := json.NewDecoder(strings.NewReader(with))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		t.Fatalf("with: %v", err)
	}
	a := &s.Order.Attempt
	set(&s.Config, string(c.Config))
	set(&s.Now, c.Now)
	set(&a.Method, c.Method)
	set((*int64)(&a.Amount), c.Amount)
	set((*int64)(&s.Refund.Refund.Amount), c.Refund)
	set((*int64)(&s.Refund.Before), c.Before)
	set(&s.Order.Language, c.Language)
	set(&a.Left, c.Left)
	if c.ExternalID != nil {
		a.ExternalID = *c.ExternalID
	}
	if c.Describe != nil {
		s.Order.Description = *c.Describe
	}
	if c.NeverSent {
		a.Handoff = payment.Handoff{}
	}
	return s
}

func set[T comparable](at *T, v T) {
	var zero T
	if v != zero {
		*at = v
	}
}

// play makes a case's call and writes down what happened.
func play(t *testing.T, s Setup, p map[string]string) string {
	t.Helper()
	s = s.changed(t, p["with"])
	var b strings.Builder
	d := card.Dealing{Config: []byte(s.Config), Now: s.Now, ReturnURL: ReturnURL, NotifyURL: NotifyURL, HTTP: replier{t: t, reply: p["reply"], out: &b}}
	s.Refund.Attempt = s.Order.Attempt
	ctx := t.Context()
	switch p["call"] {
	case "create":
		created, err := s.Connector.Create(ctx, d, s.Order)
		if err == nil {
			h, _ := json.MarshalIndent(created, "", "  ")
			fmt.Fprintf(&b, "created %s\n", h)
		}
		writeError(&b, err)
	case "query":
		r, err := s.Connector.Query(ctx, d, s.Order.Attempt)
		writeReport(&b, r, err)
	case "refund":
		r, err := s.Connector.(card.Refunder).Refund(ctx, d, s.Refund)
		writeReport(&b, r, err)
	case "query_refund":
		r, err := s.Connector.(card.Refunder).QueryRefund(ctx, d, s.Refund)
		writeReport(&b, r, err)
	case "return":
		r, err := s.Connector.VerifyReturn(d, card.Message{Method: http.MethodGet, Query: p["message"], Header: http.Header{}})
		writeReport(&b, r, err)
	case "notify":
		r, err := s.Connector.VerifyNotify(d, Message(p["message"]))
		writeReport(&b, r, err)
		writeAnswer(&b, "answer", s.Connector.Acknowledge(false, err))
	case "acknowledge":
		writeAnswer(&b, "taken in", s.Connector.Acknowledge(false, nil))
		writeAnswer(&b, "told before", s.Connector.Acknowledge(true, nil))
		named := []payment.Code{payment.CodeUnauthorized, payment.CodeInvalidRequest, payment.CodePaymentNotFound, payment.CodeInvalidAmount, payment.CodeConflict}
		for _, code := range named {
			writeAnswer(&b, string(code), s.Connector.Acknowledge(false, payment.Fail(code, "a reason")))
		}
		other := s.Connector.Acknowledge(false, payment.Fail(payment.CodeInternal, "a reason"))
		for _, code := range payment.Codes {
			if got := s.Connector.Acknowledge(false, payment.Fail(code, "a reason")); !slices.Contains(named, code) && !reflect.DeepEqual(got, other) {
				t.Errorf("%s is not acknowledged like every other fault", code)
			}
		}
		writeAnswer(&b, "any other fault", other)
		writeAnswer(&b, "an error without a code", s.Connector.Acknowledge(false, errors.New("a disk")))
	default:
		t.Fatalf("call %q", p["call"])
	}
	return b.String()
}

// Message is a POST written as header lines, an empty line and the body, or a
// GET written as ? and its query.
func Message(text string) card.Message {
	if query, ok := strings.CutPrefix(text, "?"); ok {
		return card.Message{Method: http.MethodGet, Header: http.Header{}, Query: query}
	}
	m := card.Message{Method: http.MethodPost, Header: http.Header{}}
	head, body, ok := strings.Cut(text, "\n\n")
	if !ok {
		head, body = "", text
	}
	for line := range strings.Lines(head) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		m.Header.Add(name, value)
	}
	m.Body = []byte(body)
	return m
}

func writeError(b *strings.Builder, err error) {
	switch {
	case errors.Is(err, card.ErrUncertain):
		fmt.Fprintf(b, "uncertain: %s\n", err)
	case err != nil:
		fmt.Fprintf(b, "error: %s\n", err)
	}
}

func writeReport(b *strings.Builder, r card.Report, err error) {
	if err == nil {
		of := ""
		if r.OfRefund {
			of = " of a refund"
		}
		fmt.Fprintf(b, "report %s%s\n", r.Outcome, of)
		for _, f := range []struct{ name, value string }{
			{"reference", r.Reference}, {"external id", r.ExternalID}, {"amount", r.Amount.String()}, {"currency", r.Currency},
			{"merchant", r.Merchant}, {"code", r.Code}, {"text", r.Text}, {"reason", string(r.Reason)},
		} {
			if f.value != "" && f.value != "0" || f.name == "code" && f.value != "" {
				fmt.Fprintf(b, "  %s: %s\n", f.name, f.value)
			}
		}
		if !r.At.IsZero() {
			fmt.Fprintf(b, "  at: %s\n", r.At.Format(time.RFC3339Nano))
		}
	}
	writeError(b, err)
}

func writeAnswer(b *strings.Builder, name string, a card.Answer) {
	fmt.Fprintf(b, "%s: %d %s\n", name, a.Status, a.ContentType)
	if len(a.Body) > 0 {
		fmt.Fprintf(b, "  %s\n", a.Body)
	}
}

// replier writes a request down and gives the case's reply.
type replier struct {
	t     *testing.T
	reply string
	out   *strings.Builder
}

func (r replier) Do(req *http.Request) (status int, body []byte, sent bool, err error) {
	fmt.Fprintf(r.out, "> %s %s\n", req.Method, req.URL)
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		fmt.Fprintf(r.out, "> %s: %s\n", name, strings.Join(req.Header[name], ", "))
	}
	if req.Body != nil {
		content, err := io.ReadAll(req.Body)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(content) > 0 {
			fmt.Fprintf(r.out, ">\n> %s\n", content)
		}
	}
	switch r.reply {
	case "":
		r.t.Fatal("a request, but the case has no reply")
	case "lost":
		return 0, nil, true, errors.New("no full answer in time")
	case "unreached":
		return 0, nil, false, errors.New("connection refused")
	}
	head, text, _ := strings.Cut(r.reply, "\n\n")
	if status, err = strconv.Atoi(head); err != nil {
		r.t.Fatalf("reply: %v", err)
	}
	return status, []byte(text), true, nil
}
