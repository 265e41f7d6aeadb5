package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
)

// The languages of the pages. Vietnamese is the one for everybody who asks for
// neither.
const (
	Vietnamese = "vi"
	English    = "en"
)

// Languages lists the languages of the pages, the default first.
func Languages() []string { return []string{Vietnamese, English} }

// tables is the texts by language and key. texts/checkout.vi.json holds the
// Vietnamese texts whose keys begin with "checkout."; other parts have files of
// their own.
var tables = sync.OnceValue(func() map[string]map[string]string {
	files, err := embedded.ReadDir("texts")
	if err != nil {
		panic(err) // a fault of the build, as below; the package's tests read the same files
	}
	all := map[string]map[string]string{}
	for _, lang := range Languages() {
		all[lang] = map[string]string{}
	}
	for _, f := range files {
		part, lang, _ := strings.Cut(strings.TrimSuffix(f.Name(), path.Ext(f.Name())), ".")
		body, err := embedded.ReadFile("texts/" + f.Name())
		if err != nil {
			panic(err)
		}
		var texts map[string]string
		if err := json.Unmarshal(body, &texts); err != nil {
			panic(fmt.Sprintf("web: texts/%s: %v", f.Name(), err))
		}
		for key, text := range texts {
			all[lang][part+"."+key] = text
		}
	}
	return all
})

// Keys lists the keys of a language's texts in order.
func Keys(lang string) []string { return slices.Sorted(maps.Keys(tables()[lang])) }

// Text is the text of a key, with {0}, {1} ... replaced by the arguments. An
// unknown language is taken as Vietnamese. An unknown key is answered with the
// key itself; templates fail on it instead.
func Text(lang, key string, args ...any) string {
	s, err := text(lang, key, args)
	if err != nil {
		return key
	}
	return s
}

func text(lang, key string, args []any) (string, error) {
	table, ok := tables()[lang]
	if !ok {
		table = tables()[Vietnamese]
	}
	s, ok := table[key]
	if !ok {
		return "", fmt.Errorf("web: no text %q", key)
	}
	if len(args) == 0 {
		return s, nil
	}
	// One pass, so that an argument that looks like a placeholder stays itself.
	var pairs []string
	for i, arg := range args {
		pairs = append(pairs, fmt.Sprintf("{%d}", i), fmt.Sprint(arg))
	}
	return strings.NewReplacer(pairs...).Replace(s), nil
}

// Language is the language that a request asks for: by lang= in its query, else
// by fallback, else by whichever of ours Accept-Language names first.
func Language(r *http.Request, fallback string) string {
	for _, lang := range []string{r.URL.Query().Get("lang"), fallback} {
		if slices.Contains(Languages(), lang) {
			return lang
		}
	}
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(part, ";")
		primary, _, _ := strings.Cut(strings.TrimSpace(tag), "-")
		if lang := strings.ToLower(primary); slices.Contains(Languages(), lang) {
			return lang
		}
	}
	return Vietnamese
}
