package admin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/thungan/thungan/admin"
	"github.com/thungan/thungan/internal/pan"
	"github.com/thungan/thungan/internal/pan/pantest"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// isAccount is true for the number of a bank account, which may look like a
// card's by chance: an operator whose bank gave out such a one has to be able to
// add it (TestAccountLikeACard).
func isAccount(operation, field string) bool {
	return operation == "POST /merchants/$MERCHANT/receiving-accounts" && strings.TrimPrefix(field, ".") == "number"
}

// A bank's account number is taken, whatever it looks like.
func TestAccountLikeACard(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		for _, number := range []string{"36700102000000", "9704361234567890"} {
			if !pan.Stands(number) {
				t.Fatalf("%s does not look like a card's number", number)
			}
			w.want(201, "POST", w.names().fill("/merchants/$MERCHANT/receiving-accounts"), `{"bin": "970436", "number": "`+number+`", "holder": "A", "recognise": "memo"}`, nil)
		}
	})
}

// No field of any operation lets a card number in: not those of bodies, which
// TestEveryFieldIsTried holds against the document, nor what else stands in
// them, nor the document's parameters and paths. None is answered back or logged.
func TestCardNumbersStayOut(t *testing.T) {
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s)
		w.takeCards()
		w.terminal("TID-GOLDEN")
		names := w.names()
		var numbers pantest.Numbers
		form := 0
		write := func(where string) string {
			form++
			return numbers.Write(pantest.Forms[form%len(pantest.Forms)], where)
		}
		look := func(text string) {
			t.Helper()
			for _, where := range numbers.Find(text) {
				t.Errorf("what was sent in %s shows: %s", where, text)
			}
		}
		for _, b := range bodies {
			method, path, _ := strings.Cut(names.fill(b.operation), " ")
			valid := names.fill(b.valid)
			send := func(body string) { look(string(w.do(method, path, body).body)) }
			for _, name := range slices.Sorted(maps.Keys(b.fields)) {
				if b.fields[name].kinds == "amount" || isAccount(b.operation, name) {
					continue // a sum of money is no text, however large
				}
				where := b.operation + " " + name
				for _, text := range []string{write(where), write(where), numbers.Write("bare", where)} {
					quoted, _ := json.Marshal(text)
					send(with(t, valid, name, string(quoted)))
				}
				send(with(t, valid, name, numbers.Next(where+" (a number)")))
			}
			var value any
			if err := json.Unmarshal([]byte(valid), &value); err != nil {
				t.Fatal(err)
			}
			pantest.Replace(value, func(field string, put func(any)) {
				if isAccount(b.operation, field) {
					return
				}
				put(write(b.operation + " " + field))
				var body bytes.Buffer
				if err := json.NewEncoder(&body).Encode(value); err != nil {
					t.Fatal(err)
				}
				send(body.String())
			})
		}
		for path, item := range doc.Paths.Map() {
			for method, operation := range item.Operations() {
				where := method + " " + path
				query := url.Values{"unknown": {write(where + " unknown")}}
				for _, p := range operation.Parameters {
					switch p.Value.In {
					case "query":
						one := url.Values{p.Value.Name: {write(where + " " + p.Value.Name)}}
						look(string(w.do(method, names.fill(path)+"?"+one.Encode(), "").body))
					case "path":
						number := url.PathEscape(write(where + " " + p.Value.Name))
						look(string(w.do(method, strings.ReplaceAll(path, "{"+p.Value.Name+"}", number), "").body))
					}
				}
				r := httptest.NewRequest(method, admin.Prefix+path+"?"+query.Encode(), nil)
				for _, name := range []string{"Authorization", "User-Agent", "X-Request-Id", "X-Forwarded-For", "Referer", "Cookie"} {
					r.Header.Set(name, write(where+" "+name))
				}
				look(string(w.send(r, "").body))
			}
		}
		look(w.logged.String())
		found := map[string]bool{}
		storetest.Texts(t, s, func(table, column, text string) {
			for _, where := range numbers.Find(text) {
				if name := fmt.Sprint(table, ".", column, " has what was sent in ", where); !found[name] {
					found[name] = true
					t.Errorf("%s: %q", name, text)
				}
			}
		})
		t.Logf("%d numbers", numbers.Len())
	})
}
