package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/thungan/thungan/internal/chrome"
)

// badPage has every fault that the visitor looks for.
const badPage = `<!doctype html><html lang="vi"><link rel="icon" href="data:,"><title>x</title>
<h1>Một</h1><h1>Hai</h1>
<p id="twice">a</p><p id="twice">b</p>
<p style="color:#999;background:#fff">nhạt</p>
<p style="width:3000px">rộng</p>
<button style="width:8px;height:8px;padding:0;border:0;outline:0"></button>
<img src="http://203.0.113.1/far.png" alt="far">
<script src="/bad.js"></script>
<script>document.title = "forbidden"</script>
</html>`

// The visitor that judges the pages must see what is wrong with a bad one.
func TestVisitorSeesFaults(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad.js" {
			fmt.Fprint(w, `console.warn("careless"); throw new Error("broken")`)
			return
		}
		w.Header().Set("Content-Security-Policy", "script-src 'self'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, badPage)
	}))
	t.Cleanup(server.Close)
	v := visit(t, chrome.Options{Phone: true})
	v.open(server.URL)
	v.wait("faults behind the page", func() (bool, error) {
		v.mu.Lock()
		defer v.mu.Unlock()
		return len(v.faults) >= 5, nil
	})
	has(t, v.take(), "console.warning: [\"careless\"", "broken", "asks another machine: http://203.0.113.1/far.png", "Content Security Policy", "ERR_NAME_NOT_RESOLVED")
	has(t, ask[[]string](v, lookScript), "2 h1", "two elements #twice", "contrast 2.8", "px wide on a screen of", "a target of 8x8 px")
	has(t, v.unnamed(), "a button without a name")
	if got := v.weight(); got < len(badPage) {
		t.Errorf("the page of %d bytes weighs %d", len(badPage), got)
	}
	v.do(chromedp.KeyEvent(kb.Tab))
	if at := v.focus(); at.Visible || at.Index != 0 {
		t.Errorf("the focus is %+v", at)
	}
}

func has(t *testing.T, found []string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, want) }) {
			t.Errorf("%q is not seen in %q", want, found)
		}
	}
}
