package onepay_test

import (
	"net/http"
	"testing"

	"github.com/thungan/thungan/rail/card"
	"github.com/thungan/thungan/rail/railtest"
)

// Nobody who does not know the secret is believed, whatever is sent.
func FuzzMessage(f *testing.F) {
	for _, m := range railtest.HostileMessages() {
		if len(m.Query)+len(m.Body) < 1000 {
			f.Add(m.Query, m.Body)
		}
	}
	c, config := acquirerCase(), configFor("https://acquirer.example.vn")
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		for _, m := range []card.Message{{Method: http.MethodGet, Query: query}, {Method: http.MethodPost, Query: query, Body: body}} {
			for _, problem := range railtest.HostileProblems(c, config, m) {
				t.Error(problem)
			}
		}
	})
}

// An answer that the acquirer did not sign decides nothing.
func FuzzAnswer(f *testing.F) {
	for _, body := range railtest.HostileAnswers {
		if len(body) < 1000 {
			f.Add(200, []byte(body))
		}
	}
	c, config := acquirerCase(), configFor("https://acquirer.example.vn")
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		for _, problem := range railtest.AnswerProblems(c, config, status, body) {
			t.Error(problem)
		}
	})
}

// A configuration that is accepted can be worked with.
func FuzzConfig(f *testing.F) {
	f.Add(configFor("https://acquirer.example.vn"))
	f.Add([]byte("{}"))
	c := acquirerCase()
	f.Fuzz(func(t *testing.T, config []byte) {
		if c.Connector.CheckConfig(config) != nil {
			return
		}
		for _, problem := range railtest.HostileProblems(c, config, card.Message{Method: http.MethodGet, Query: "a=b"}) {
			t.Error(problem)
		}
	})
}
