package checkout

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// element is one element of a page. The pages are written so that an XML reader
// which knows HTML's void elements can read them.
type element struct {
	name  string
	attrs map[string]string
	text  string // all text inside, also of its children
	in    []string
}

func (e *element) has(attr string) bool { _, ok := e.attrs[attr]; return ok }

// readHTML takes a page apart and fails the test when it is not well formed.
func readHTML(t *testing.T, page string) []*element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.Entity = false, xml.HTMLEntity
	var all, open []*element
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attrs: map[string]string{}}
			for _, a := range token.Attr {
				if e.has(a.Name.Local) {
					t.Errorf("<%s> has %s twice", e.name, a.Name.Local)
				}
				e.attrs[a.Name.Local] = a.Value
			}
			for _, parent := range open {
				e.in = append(e.in, parent.name)
			}
			all = append(all, e)
			if !slices.Contains(xml.HTMLAutoClose, e.name) {
				open = append(open, e)
			}
		case xml.EndElement:
			// The reader ends <rect/> and <link> itself.
			if slices.Contains(xml.HTMLAutoClose, token.Name.Local) {
				continue
			}
			if len(open) == 0 || open[len(open)-1].name != token.Name.Local {
				t.Fatalf("</%s> ends nothing", token.Name.Local)
			}
			open = open[:len(open)-1]
		case xml.CharData:
			for _, e := range open {
				e.text += string(token)
			}
		}
	}
	if len(open) != 0 {
		t.Fatalf("<%s> has no end", open[len(open)-1].name)
	}
	return all
}

func named(all []*element, name string) (found []*element) {
	for _, e := range all {
		if e.name == name {
			found = append(found, e)
		}
	}
	return found
}
