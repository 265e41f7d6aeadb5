package admin_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/thungan/thungan/admin"
	"github.com/thungan/thungan/api"
)

// document is the OpenAPI document, with a mux that finds its paths.
var document = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Admin)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(openapi3.NewLoader().Context)
})

var paths = sync.OnceValue(func() *http.ServeMux {
	mux := http.NewServeMux()
	doc, err := document()
	if err != nil {
		panic(err)
	}
	for path := range doc.Paths.Map() {
		mux.Handle(admin.Prefix+path, http.NotFoundHandler())
	}
	return mux
})

// checkAnswer holds an answer against the document, and what was accepted too:
// a request that worked has to be one that the document allows.
func checkAnswer(t testing.TB, r *http.Request, body string, a answer) {
	t.Helper()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	_, pattern := paths().Handler(r)
	path := strings.TrimPrefix(pattern, admin.Prefix)
	item := doc.Paths.Map()[path]
	if item == nil || item.GetOperation(r.Method) == nil {
		if a.status < 400 {
			t.Errorf("%s %s works and is not in the document", r.Method, r.URL.Path)
		}
		return
	}
	in := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: pathValues(r, pattern),
		Route:   &routers.Route{Spec: doc, Path: path, PathItem: item, Method: r.Method, Operation: item.GetOperation(r.Method)},
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if a.status < 300 {
		r.Body = io.NopCloser(strings.NewReader(body))
		if err := openapi3filter.ValidateRequest(t.Context(), in); err != nil {
			t.Errorf("%s %s %s works and the document does not allow it: %v", r.Method, r.URL, body, err)
		}
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	})
	if err != nil {
		t.Errorf("%s %s %s: the answer %d is not as the document says: %v", r.Method, r.URL, body, a.status, err)
	}
}

// pathValues takes the values of a path's {names}.
func pathValues(r *http.Request, pattern string) map[string]string {
	values := map[string]string{}
	given := strings.Split(r.URL.Path, "/")
	for i, part := range strings.Split(pattern, "/") {
		if strings.HasPrefix(part, "{") && i < len(given) {
			values[strings.Trim(part, "{}")] = given[i]
		}
	}
	return values
}

// Whatever the document names exists, and the other way round, with the same
// status of success, and everything is described.
func TestDocumentIsComplete(t *testing.T) {
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]*openapi3.Operation{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			documented[method+" "+path] = op
		}
	}
	for _, r := range admin.Routes() {
		op := documented[r]
		if op == nil {
			t.Errorf("%s is not in the document", r)
			continue
		}
		delete(documented, r)
		if op.Summary == "" || op.OperationID == "" || len(op.Tags) != 1 {
			t.Errorf("%s has no summary, no id or not one tag", r)
		}
		if op.Responses.Status(admin.Success(r)) == nil {
			t.Errorf("%s: the document does not have the status %d", r, admin.Success(r))
		}
	}
	for r := range documented {
		t.Errorf("%s is in the document only", r)
	}
}

// Bodies and answers of the document name every field they take, so that a slip
// in a name is found by machines too.
func TestDocumentIsStrict(t *testing.T) {
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range doc.Components.Schemas {
		if s.Value.Type.Is("object") && s.Value.AdditionalProperties.Has == nil && s.Value.AdditionalProperties.Schema == nil {
			t.Errorf("%s takes any field", name)
		}
		for field, p := range s.Value.Properties {
			if strings.ToLower(field) != field {
				t.Errorf("%s.%s is not snake_case", name, field)
			}
			if p.Value == nil {
				t.Errorf("%s.%s has no schema", name, field)
			}
		}
	}
}
