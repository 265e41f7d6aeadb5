package sandbox

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
)

// document is what a payer can do on a page. Our pages are written so that an
// XML reader which knows HTML's void elements can read them.
type document struct {
	title   string
	refresh string // where the page goes by itself at once, "" for nowhere
	alert   string // what is wrong, as the page tells a screen reader
	forms   []form
	links   []string
}

// form is one form with its fields as the page filled them in.
type form struct {
	action  string
	fields  url.Values
	inputs  []string // names of the fields to fill in
	buttons []button
}

type button struct{ name, value, id string }

// readDocument reads a page.
func readDocument(page []byte) (document, error) {
	d := xml.NewDecoder(bytes.NewReader(page))
	d.Strict, d.Entity = false, xml.HTMLEntity
	var doc document
	var open *form
	var text *string // what the text at hand belongs to
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return doc, nil
		}
		if err != nil {
			return doc, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			at := attributes(token)
			switch token.Name.Local {
			case "title":
				text = &doc.title
			case "meta":
				if seconds, to, found := strings.Cut(at["content"], ";url="); found && at["http-equiv"] == "refresh" && seconds == "0" {
					doc.refresh = to
				}
			case "a":
				doc.links = append(doc.links, at["href"])
			case "form":
				doc.forms = append(doc.forms, form{action: at["action"], fields: url.Values{}})
				open = &doc.forms[len(doc.forms)-1]
			case "input":
				open.input(at)
			case "button":
				if open != nil && at["type"] != "button" {
					open.buttons = append(open.buttons, button{at["name"], at["value"], at["id"]})
				}
			}
			if at["role"] == "alert" {
				text = &doc.alert
			}
		case xml.EndElement:
			switch token.Name.Local {
			case "form":
				open = nil
			case "title", "p":
				text = nil
			}
		case xml.CharData:
			if text != nil {
				*text += string(token)
			}
		}
	}
}

func (f *form) input(at map[string]string) {
	if f == nil || at["name"] == "" {
		return
	}
	f.fields.Set(at["name"], at["value"])
	if at["type"] != "hidden" {
		f.inputs = append(f.inputs, at["name"])
	}
}

func attributes(e xml.StartElement) map[string]string {
	all := map[string]string{}
	for _, a := range e.Attr {
		all[a.Name.Local] = a.Value
	}
	return all
}

// asks finds the form that has a field to fill in.
func (d document) asks(input string) (form, bool) {
	i := slices.IndexFunc(d.forms, func(f form) bool { return slices.Contains(f.inputs, input) })
	if i < 0 {
		return form{}, false
	}
	return d.forms[i], true
}

// offers finds the form that has a button.
func (d document) offers(name, value string) (form, bool) {
	i := slices.IndexFunc(d.forms, func(f form) bool {
		return slices.ContainsFunc(f.buttons, func(b button) bool { return b.name == name && b.value == value })
	})
	if i < 0 {
		return form{}, false
	}
	return d.forms[i], true
}

// to finds the form that is sent to a path with this ending.
func (d document) to(ending string) (form, bool) {
	i := slices.IndexFunc(d.forms, func(f form) bool {
		u, err := url.Parse(f.action)
		return err == nil && strings.HasSuffix(u.Path, ending)
	})
	if i < 0 {
		return form{}, false
	}
	return d.forms[i], true
}
