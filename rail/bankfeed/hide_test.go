package bankfeed_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/thungan/thungan/internal/pan/pantest"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/bankfeed"
)

// what is by which money is told apart.
func what(c payment.Credit) [5]string {
	return [5]string{c.ExternalID, c.Reference, c.OrderCode, c.Account, c.VirtualAccount}
}

// Whatever member of a message has a card number in it, of any provider: it is
// hidden before the message is kept, and the credit is told apart as before.
// Names that are digits and nothing else stay.
func TestHide(t *testing.T) {
	for kind, s := range suites() {
		for _, text := range s.Bodies {
			if got := bankfeed.Hide([]byte(text)); string(got) != text {
				t.Errorf("%s: %s became %s", kind, text, got)
			}
			var value any
			d := json.NewDecoder(strings.NewReader(text))
			d.UseNumber()
			if err := d.Decode(&value); err != nil {
				t.Fatal(err)
			}
			var numbers pantest.Numbers
			pantest.Replace(value, func(field string, put func(any)) {
				for _, form := range append([]string{"a number"}, pantest.Forms...) {
					sent := any(json.Number(numbers.Next(field)))
					if form != "a number" {
						sent = numbers.Write(form, field)
					}
					put(sent)
					var body bytes.Buffer
					if err := json.NewEncoder(&body).Encode(value); err != nil {
						t.Fatal(err)
					}
					hidden := bankfeed.Hide(body.Bytes())
					if !json.Valid(hidden) {
						t.Fatalf("%s: %s became %s", kind, body.Bytes(), hidden)
					}
					before, wrongBefore := s.Notifier.Parse(body.Bytes())
					after, wrongAfter := s.Notifier.Parse(hidden)
					bare := form == "bare" || form == "a number"
					named := false
					if wrongBefore == nil && wrongAfter == nil && len(before.Credits) == len(after.Credits) {
						for i := range before.Credits {
							told := strings.Join(func() []string { w := what(before.Credits[i]); return w[:] }(), "\n")
							named = named || len(numbers.Find(told)) > 0
							if bare && what(before.Credits[i]) != what(after.Credits[i]) {
								t.Errorf("%s, %s (%s): %q became %q", kind, field, form, what(before.Credits[i]), what(after.Credits[i]))
							}
						}
					}
					if shown := numbers.Find(string(hidden)); len(shown) > 0 && !(bare && named) && !(bare && strings.HasSuffix(field, "code")) {
						t.Errorf("%s, %s (%s) still shows in %s", kind, field, form, hidden)
					}
				}
			})
		}
	}
	for in, want := range map[string]string{
		`{"memo":"a\n4111111111111111"}`:                                          `{"memo":"a\n411111…1111"}`,
		`{"memo":"\uff14\uff11\uff11\uff11 1111 1111 1111"}`:                      `{"memo":"411111…1111"}`,
		`{"memo":"x","list":["4111 1111 1111 1111", {"id": "4111111111111111"}]}`: `{"memo":"x","list":["411111…1111", {"id": "4111111111111111"}]}`,
		"no JSON 4111111111111111":                                                "no JSON 411111…1111",
		`{"memo":"half 4111111111111111`:                                          `{"memo":"half 411111…1111`,
	} {
		if got := string(bankfeed.Hide([]byte(in))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func FuzzHide(f *testing.F) {
	f.Add([]byte(genericBody))
	f.Add([]byte(`{"memo":"a\n4111111111111111","x":[4111111111111111,{"id":4111111111111111}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		hidden := bankfeed.Hide(body)
		if json.Valid(body) && !json.Valid(hidden) {
			t.Fatalf("%s became %s", body, hidden)
		}
		if again := bankfeed.Hide(hidden); !bytes.Equal(again, hidden) {
			t.Fatalf("%s became %s, then %s", body, hidden, again)
		}
	})
}
