// Package web holds what every page of the gateway shares: the frame around a
// page, the style, the icons, the texts in Vietnamese and English, and the
// security headers. Everything is embedded in the program, and no page loads
// anything from another origin.
//
// A package with pages parses them once with Parse, and answers requests with
// Set.Page. Its templates call:
//
//	t "key" args...   the text in the page's language, see Text
//	lang              the page's language, "vi" or "en"
//	dong amount       money as readers of the language write it: 1.250.000 ₫
//	clock time        17:05 22/11/2026, in Vietnam's time (+07:00)
//	iso time          the same moment for <time datetime>
//	asset "name"      the address of a file of assets/, good for ever
//	icon "name"       a drawing of templates/icons.html, hidden from screen readers
//	pair label value  two values for a template that takes both, as .Label and .Value
//
// Style attributes and inline scripts do not work: the policy forbids them.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/money"
)

//go:embed templates texts assets
var embedded embed.FS

// Head is what the frame of a page shows before the page's own content. A page
// begins with {{template "open" .Head}} and ends with {{template "close"}}.
type Head struct {
	Title string
	// Refresh is when, and to where, the browser goes by itself: "5" loads the
	// page again after five seconds, "5;url=https://..." goes elsewhere. ""
	// stays. See RefreshTo for addresses that come from somebody else.
	Refresh string
	// Reload does the same, but only in browsers that run no scripts.
	Reload  string
	Scripts []string // names of assets
}

// RefreshTo is the value of Head.Refresh that leaves for address after the
// given seconds, or "" when address is not an absolute http or https URL.
func RefreshTo(seconds int, address string) string {
	if !Linkable(address) {
		return ""
	}
	return fmt.Sprintf("%d;url=%s", seconds, address)
}

// Set is the pages of one package, parsed in every language.
type Set struct {
	byLanguage map[string]*template.Template
	styleHash  string
	policy     string
}

// Parse reads every *.html of files as templates on top of the shared ones.
// The named style sheets of assets/ are written into each page, so that it
// needs no second round trip; the policy names their hash.
func Parse(files fs.FS, styles ...string) (*Set, error) {
	css, err := join(styles)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256([]byte(css))
	s := &Set{byLanguage: map[string]*template.Template{}, styleHash: base64.StdEncoding.EncodeToString(hash[:])}
	s.policy = policy(s.styleHash, Allowance{})
	for _, lang := range Languages() {
		t := template.New("").Funcs(functions(lang, css))
		if t, err = t.ParseFS(embedded, "templates/*.html"); err != nil {
			return nil, err
		}
		// Icons are looked up by name, which templates themselves cannot do.
		t.Funcs(template.FuncMap{"icon": func(name string) (template.HTML, error) {
			var b bytes.Buffer
			err := t.ExecuteTemplate(&b, "icon-"+name, nil)
			return template.HTML(b.String()), err // our own drawings
		}})
		if t, err = t.ParseFS(files, "*.html"); err != nil {
			return nil, err
		}
		s.byLanguage[lang] = t
	}
	return s, nil
}

func join(styles []string) (string, error) {
	var b strings.Builder
	for _, name := range styles {
		sheet, err := embedded.ReadFile("assets/" + name)
		if err != nil {
			return "", err
		}
		b.Write(sheet)
	}
	return compact(b.String()), nil
}

// compact leaves out what a browser does not need of a style sheet: comments
// and indentation. Our sheets have neither in strings.
func compact(css string) string {
	for {
		start := strings.Index(css, "/*")
		if start < 0 {
			break
		}
		end := strings.Index(css[start:], "*/")
		if end < 0 {
			break
		}
		css = css[:start] + css[start+end+2:]
	}
	var b strings.Builder
	for line := range strings.Lines(css) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func functions(lang, css string) template.FuncMap {
	return template.FuncMap{
		"t":     func(key string, args ...any) (string, error) { return text(lang, key, args) },
		"lang":  func() string { return lang },
		"css":   func() template.CSS { return template.CSS(css) }, // our own sheets
		"asset": Asset,
		"dong":  func(v money.VND) string { return Dong(lang, v) },
		"clock": Clock,
		"iso":   func(t time.Time) string { return t.In(clock.Vietnam).Format(time.RFC3339) },
		"pair":  func(label, value string) pair { return pair{label, value} },
		"icon":  func(string) template.HTML { return "" }, // replaced by Parse
	}
}

type pair struct{ Label, Value string }

// Fragment renders one template of the set in a language; an unknown one is
// taken as Vietnamese.
func (s *Set) Fragment(lang, name string, data any) ([]byte, error) {
	t, ok := s.byLanguage[lang]
	if !ok {
		t = s.byLanguage[Vietnamese]
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Page answers with a whole page. It is rendered before the first byte is
// sent; when that fails nothing has been written, and the error is returned.
func (s *Set) Page(w http.ResponseWriter, status int, lang, name string, data any) error {
	return s.PageAllowing(w, status, lang, name, data, Allowance{})
}

// PageAllowing is Page for a page that needs something of others.
func (s *Set) PageAllowing(w http.ResponseWriter, status int, lang, name string, data any, also Allowance) error {
	page, err := s.Fragment(lang, name, data)
	if err != nil {
		return err
	}
	h := w.Header()
	s.Protect(h)
	if also != (Allowance{}) {
		h.Set("Content-Security-Policy", policy(s.styleHash, also))
		if also.Framed {
			h.Del("X-Frame-Options") // it knows no "self"
		}
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	// An error here is the reader's connection; there is nobody to tell.
	_, _ = w.Write(page)
	return nil
}

// Dong writes an amount for people: 1.250.000 ₫ in Vietnamese, and 1,250,000 ₫
// in English, whose readers would take the points for decimals. The space does
// not break.
func Dong(lang string, v money.VND) string {
	s := v.Grouped()
	if lang == English {
		s = strings.ReplaceAll(s, ".", ",")
	}
	return s + "\u00a0₫"
}

// Clock writes a moment for people, in Vietnam's time (+07:00).
func Clock(t time.Time) string { return t.In(clock.Vietnam).Format("15:04 02/01/2006") }
