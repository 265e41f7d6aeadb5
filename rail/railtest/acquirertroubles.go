package railtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/thungan/thungan/rail/card"
)

// turnedAway are the troubles that a connector may take for a refusal: nobody
// has read the request.
var turnedAway = []string{"HTTP 302", "HTTP 403", "HTTP 404"}

// troubles answer instead of the acquirer.
func troubles() map[string]func(http.ResponseWriter, *http.Request) bool {
	answer := func(status int, contentType, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	list := map[string]func(http.ResponseWriter, *http.Request) bool{
		"HTTP 500":         answer(500, "text/html", "<h1>Server Error</h1>"),
		"HTTP 502 of JSON": answer(502, "application/json", `{"message":"x"}`),
		"HTTP 503":         answer(503, "text/plain", ""),
		"HTTP 302":         answer(302, "text/plain", ""),
		"HTTP 403":         answer(403, "text/html", "<h1>Forbidden</h1>"),
		"HTTP 404":         answer(404, "text/plain", "404 page not found"),
		"a broken line": func(http.ResponseWriter, *http.Request) bool {
			panic(http.ErrAbortHandler)
		},
		"an endless body": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"x":"`))
			for range 1000 {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1000)); err != nil {
					break
				}
			}
			return true
		},
	}
	for _, body := range HostileAnswers {
		list[fmt.Sprintf("the answer %.40q", body)] = answer(200, "application/json", body)
	}
	return list
}

// HostileAnswers are bodies that answer no question of ours.
var HostileAnswers = []string{
	"", " ", "null", "true", "0", `""`, "[]", "{}", "[{}]", "{", "\xff\xfe", "\x00", "<html></html>", "a=b&c", "%", "&&&==", "vpc_DRExists=Y", "vpc_DRExists=N&vpc_DRExists=Y",
	`{"vnp_ResponseCode":"00"}`, `{"vnp_ResponseCode":{}}`, `{"vnp_ResponseCode":null,"vnp_SecureHash":null}`, `{"resultCode":"0"}`, `{"resultCode":0}`, `{"resultCode":null}`,
	`{"return_code":"1"}`, `{"return_code":1}`, `{"result":"SUCCESS"}`, `{"result":{}}`, `{"resultCode":1e400}`, `{"return_code":1.0e0}`, `{"a":1}{"b":2}`, `{"\ud800":"\ud800"}`,
	strings.Repeat("[", 30_000), strings.Repeat(`{"a":`, 9_000) + "1" + strings.Repeat("}", 9_000), `{"amount":` + strings.Repeat("9", 30_000) + `}`,
}

var errLine = errors.New("the line went dead")

// createTrouble is for connectors that ask the acquirer in Create.
func (s *acquirerReport) createTrouble() {
	s.stage(func(st *stage) {
		before := st.requests()
		if _, ok := st.create(st.order()); !ok || st.requests() == before {
			return
		}
		try := func(why string, uncertain bool) {
			o := st.order()
			_, err := s.c.Connector.Create(context.Background(), st.dealing(AcquirerNow, o.Attempt.ID), o)
			s.failed("Create", err)
			if err == nil || errors.Is(err, card.ErrUncertain) != uncertain && !slices.Contains(turnedAway, why) {
				s.failf("Create after %s: %v", why, err)
			}
		}
		for why, trouble := range troubles() {
			st.troubled(trouble)
			try(why, true)
		}
		st.troubled(nil)
		st.doer.Lose(true)
		try("an answer that was lost", true)
		st.doer.Lose(false)
		st.doer.Refuse(true)
		try("no connection", false)
		st.doer.Refuse(false)
	})
}
