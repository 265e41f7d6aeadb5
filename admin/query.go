package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/payment"
)

// Limits of ?limit.
const (
	defaultLimit = 50
	maxLimit     = 200
)

// query is the query string of a request, read parameter by parameter like an
// object's fields.
type query struct {
	values url.Values
	known  map[string]bool
	faults faults
}

func (c *call) query() (*query, error) {
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return nil, &failure{status: http.StatusBadRequest, code: "invalid_query", message: "the query string is malformed"}
	}
	return &query{values: values, known: map[string]bool{}, faults: faults{}}, nil
}

// text reads a parameter, "" when it is not there.
func (q *query) text(name string) string {
	q.known[name] = true
	given, ok := q.values[name]
	if !ok {
		return ""
	}
	if len(given) > 1 {
		q.faults.add(name, "is there more than once")
		return ""
	}
	if why := badText(given[0], maxName); why != "" {
		q.faults.add(name, why)
		return ""
	}
	// A client's first page may well ask with an empty cursor. An empty filter
	// is more likely a variable that was not set.
	if given[0] == "" && name != "cursor" {
		q.faults.add(name, "may not be empty; leave it out instead")
	}
	return given[0]
}

func (q *query) uuid(name string) string {
	s := q.text(name)
	if s == "" {
		return ""
	}
	known, err := id.Parse(s)
	if err != nil {
		q.faults.add(name, "is not an id of this gateway")
	}
	return known
}

func (q *query) choice(name string, words ...string) string {
	s := q.text(name)
	if s != "" && !slices.Contains(words, s) {
		q.faults.add(name, "has to be one of "+strings.Join(words, ", "))
		return ""
	}
	return s
}

// moment reads a time. The "+" of a zone that was not escaped arrives as a
// space, a common slip.
func (q *query) moment(name string) time.Time {
	s := q.text(name)
	if s == "" {
		return time.Time{}
	}
	t, why := parseTime(strings.ReplaceAll(s, " ", "+"))
	if why != "" {
		q.faults.add(name, why)
	}
	return t
}

// paging is where a page of a list begins and how long it may be.
type paging struct {
	cursor string // "" is the beginning
	limit  int
}

// page reads ?limit and ?cursor of a list whose cursors are ids.
func (q *query) page() paging { return paging{cursor: q.uuid("cursor"), limit: q.limit()} }

// pageByName is page for lists whose cursors are no ids.
func (q *query) pageByName() paging { return paging{cursor: q.text("cursor"), limit: q.limit()} }

func (q *query) limit() int {
	s := q.text("limit")
	if s == "" {
		return defaultLimit
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxLimit {
		q.faults.add("limit", fmt.Sprintf("has to be a number from 1 to %d", maxLimit))
		return defaultLimit
	}
	return n
}

// err tells everything that is wrong, with the parameters nobody asked for.
func (q *query) err() error {
	for name := range q.values {
		if q.known[name] {
			continue
		}
		names := make([]string, 0, len(q.known))
		for k := range q.known {
			names = append(names, k)
		}
		slices.Sort(names)
		message := "is not a parameter here; there are none"
		if len(names) > 0 {
			message = "is not a parameter here; the parameters are " + strings.Join(names, ", ")
		}
		q.faults.add(clip(strings.ToValidUTF8(name, "�")), message)
	}
	return q.faults.err()
}

// list is one page of anything.
type list[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// readPage is one page of a list that core reads page by page. A full page
// costs a second look: whether there is anything behind it.
func readPage[R, T any](p paging, read func(cursor string, limit int) ([]R, error), key func(R) string, show func(R) T) (any, error) {
	rows, err := read(p.cursor, p.limit)
	if err != nil {
		return nil, err
	}
	l := list[T]{Items: make([]T, 0, len(rows))}
	for _, row := range rows {
		l.Items = append(l.Items, show(row))
	}
	if len(rows) < p.limit {
		return l, nil
	}
	last := key(rows[len(rows)-1])
	more, err := read(last, 1)
	if err != nil {
		return nil, err
	}
	if len(more) > 0 {
		l.NextCursor = last
	}
	return l, nil
}

// cutPage is one page of a list that is short by nature and was read whole.
func cutPage[R, T any](rows []R, p paging, key func(R) string, show func(R) T) (any, error) {
	return readPage(p, func(cursor string, limit int) ([]R, error) {
		rest := rows
		if cursor != "" {
			i := slices.IndexFunc(rows, func(row R) bool { return key(row) == cursor })
			if i < 0 {
				return nil, faults{"cursor": {"is not a cursor of this list"}}.err()
			}
			rest = rows[i+1:]
		}
		return rest[:min(limit, len(rest))], nil
	}, key, show)
}

// pathID is an id in the path. What cannot be one is not found.
func (c *call) pathID(name string) (string, error) {
	known, err := id.Parse(c.r.PathValue(name))
	switch {
	case err != nil && name == "payment_id":
		return "", payment.Fail(payment.CodePaymentNotFound, "no such payment")
	case err != nil && name == "refund_id":
		return "", payment.Fail(payment.CodeRefundNotFound, "no such refund")
	case err != nil:
		return "", payment.Fail(payment.CodeNotFound, "no such "+strings.ReplaceAll(strings.TrimSuffix(name, "_id"), "_", " "))
	}
	return known, nil
}
