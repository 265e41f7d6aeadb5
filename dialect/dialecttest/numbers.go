package dialecttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/pan/pantest"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// places is in how many cases a field gets card numbers: a case may refuse the
// request for a reason of its own before it looks at the field.
const places = 3

// anew is in how many databases of its own a case is begun anew, in protocols
// that need that; what is left then is sent in the last of them.
const anew = 3

// CardNumbers sends card numbers in every field that the golden exchanges of
// dir know, in the middle of each exchange: members of bodies, their names,
// parameters, parts of the path, headers. Then it looks through the answers, the
// log, the notices and every column of the database: none may show one.
func (e Exchanges) CardNumbers(t *testing.T, dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	check(t, err)
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		sweep := &sweep{Exchanges: e, db: db, tried: map[string]int{}}
		for _, file := range files {
			sweep.file(t, file)
		}
		sweep.look(t, db)
		t.Logf("%d numbers in %d fields", sweep.numbers.Len(), len(sweep.tried))
	})
}

// sweep is one walk through all cases.
type sweep struct {
	Exchanges
	db      *store.Store
	numbers pantest.Numbers
	tried   map[string]int // cases by field
	form    int
	from    int
}

func (s *sweep) file(t *testing.T, file string) {
	script, err := txtar.ParseFile(file)
	check(t, err)
	for i, section := range script.Files {
		if section.Name != "request" {
			continue
		}
		want := ""
		if i+1 < len(script.Files) && script.Files[i+1].Name == "response" {
			want = string(script.Files[i+1].Data)
		}
		spoilt := s.spoil(string(section.Data))
		for n := 1; len(spoilt) > 0; n++ {
			// A test of its own, so that its database is closed when it ends.
			left := []spoiltRequest(nil)
			t.Run(fmt.Sprintf("%s, section %d", filepath.Base(file), i+1), func(t *testing.T) {
				left = s.try(t, script.Files[:i], spoilt, string(section.Data), want, s.Apart && n >= anew)
			})
			spoilt = left
		}
	}
}

// try does what comes before a request, then sends the spoilt ones, until one of
// them has been taken for the good one: the others are returned for another go,
// unless it is the last.
func (s *sweep) try(t *testing.T, before []txtar.File, spoilt []spoiltRequest, good, want string, last bool) (left []spoiltRequest) {
	db := s.db
	if s.Apart {
		db = storetest.Open(t, storetest.URL(t, db.Engine()))
	}
	g := NewGateway(t, db, s.Dialect)
	c := &exchange{Exchanges: s.Exchanges, g: g, handler: s.Handler(g), names: s.Names(g)}
	for _, section := range before {
		c.section(t, section)
	}
	for n, one := range spoilt {
		s.from++
		c.from = fmt.Sprintf("198.18.%d.%d:1234", s.from/250%250, s.from%250+1)
		g.Clock.Advance(time.Second) // a protocol may have a quota
		got := c.request(t, string(one))
		for _, where := range s.numbers.Find(got) {
			t.Errorf("the answer shows what was sent in %s: %s", where, got)
		}
		if left = spoilt[n+1:]; got == want && len(left) > 0 && !last && c.request(t, good) != want {
			break
		}
	}
	s.lookAt(t, g)
	if s.Apart {
		s.look(t, db)
	}
	return left
}

// spoiltRequest is a request with a card number in one field.
type spoiltRequest string

// spoil makes the spoilt requests of one: those of fields that have not been
// tried often enough.
func (s *sweep) spoil(text string) (all []spoiltRequest) {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	method, target, _ := strings.Cut(lines[0], " ")
	path, query, _ := strings.Cut(target, "?")
	route := method + " " + path
	fresh := func(field string) bool {
		s.tried[route+" "+field]++
		return s.tried[route+" "+field] <= places
	}
	write := func(field string) string {
		s.form++
		return s.numbers.Write(pantest.Forms[s.form%len(pantest.Forms)], route+" "+field)
	}
	add := func(first string, headers []string, body string) {
		all = append(all, spoiltRequest(first+"\n"+strings.Join(headers, "\n")+"\n\n"+body))
	}
	for i, line := range lines[1:] {
		if name, _, _ := strings.Cut(line, ":"); fresh("header " + name) {
			headers := slices.Clone(lines[1:])
			headers[i] = name + ": " + write("header "+name)
			add(lines[0], headers, body)
		}
	}
	if fresh("headers of every request") {
		headers := slices.Clone(lines[1:])
		for _, name := range []string{"User-Agent", "Referer", "X-Request-Id", "X-Forwarded-For", "Accept-Language", "Cookie", "Authorization", "X-Unknown"} {
			headers = append(headers, name+": "+write("header "+name))
		}
		add(lines[0], headers, body)
	}
	steps := strings.Split(path, "/")
	for i := 1; i < len(steps); i++ {
		if field := fmt.Sprint("path ", i); fresh(field) {
			other := slices.Clone(steps)
			other[i] = url.PathEscape(write(field))
			add(method+" "+strings.Join(other, "/")+"?"+query, lines[1:], body)
		}
	}
	parameters, _ := url.ParseQuery(query)
	for _, name := range append(slices.Sorted(maps.Keys(parameters)), "unknown") {
		if fresh("parameter " + name) {
			other := maps.Clone(parameters)
			other[name] = []string{write("parameter " + name)}
			// {name} stands for a value.
			add(method+" "+path+"?"+strings.NewReplacer("%7B", "{", "%7D", "}").Replace(url.Values(other).Encode()), lines[1:], body)
		}
	}
	var value any
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return all
	}
	pantest.Replace(value, func(field string, put func(value any)) {
		if !fresh("body " + field) {
			return
		}
		send := func(v any) {
			put(v)
			var text bytes.Buffer
			e := json.NewEncoder(&text)
			e.SetEscapeHTML(false)
			if err := e.Encode(value); err != nil {
				panic(err) // it came from JSON
			}
			add(lines[0], lines[1:], text.String())
		}
		send(write("body " + field))
		if s.tried[route+" body "+field] > 1 {
			return
		}
		send(s.numbers.Next(route + " body " + field + " (bare)"))
		send(json.Number(s.numbers.Next(route + " body " + field + " (a number)")))
	})
	return all
}

// lookAt looks through a gateway's log and notices.
func (s *sweep) lookAt(t *testing.T, g *Gateway) {
	t.Helper()
	for _, where := range s.numbers.Find(g.Logged.String()) {
		t.Errorf("the log shows what was sent in %s", where)
	}
	payments, err := g.Core.Search(t.Context(), core.Search{MerchantID: g.Shop.ID, Limit: 200})
	check(t, err)
	for _, p := range payments {
		items, err := g.Core.Notices(t.Context(), core.NoticeSearch{PaymentID: p.ID})
		check(t, err)
		for _, i := range items {
			told, err := g.Core.Told(t.Context(), p.ID, i.Version)
			check(t, err)
			r, err := s.Dialect.Notice(g.notice(told, NotifyURL))
			check(t, err)
			for _, where := range s.numbers.Find(fmt.Sprint(string(r.Body), r.Headers)) {
				t.Errorf("a notice shows what was sent in %s: %s", where, r.Body)
			}
		}
		for _, where := range s.numbers.Find(s.Dialect.Return(p, payment.Profile{})) {
			t.Errorf("the way back shows what was sent in %s", where)
		}
	}
}

// look looks through a database, in which one number is that has to be found.
func (s *sweep) look(t *testing.T, db *store.Store) {
	t.Helper()
	const control = "the control"
	g := NewGateway(t, db, s.Dialect)
	accounts, err := g.Core.ReceivingAccounts(t.Context(), g.Shop.ID)
	check(t, err)
	_, err = g.Core.TakeCredits(t.Context(), g.feed, "", []payment.Credit{{
		ExternalID: s.numbers.Next(control), BIN: accounts[0].BIN, Account: accounts[0].Number, Amount: 1000, Direction: payment.In,
		Memo: s.numbers.Write("sentence", "a transfer's text"), Reference: g.ids.New(), OccurredAt: g.Clock.Now(),
	}})
	check(t, err)
	found := false
	storetest.Texts(t, db, func(table, column, text string) {
		for _, where := range s.numbers.Find(text) {
			if where == control && table+"."+column == "bank_credits.external_id" {
				found = true // a bank's name for a transaction is kept as it is
				continue
			}
			t.Errorf("%s.%s has what was sent in %s: %q", table, column, where, text)
		}
	})
	if !found {
		t.Error("the number that was put into the database was not found")
	}
}
