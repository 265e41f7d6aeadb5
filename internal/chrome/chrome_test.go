package chrome

import (
	"context"
	"fmt"
	"image"
	_ "image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// page shows what kind of visitor it has: the script and the style sheet change it, the server writes the language.
const page = `<!doctype html>
<html lang="vi"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Thu ngân</title>
<style>
body, p { margin: 0 }
main { height: 2000px }
#light, #dark { display: none }
@media (prefers-color-scheme: light) { #light { display: block } }
@media (prefers-color-scheme: dark) { #dark { display: block } }
</style>
<main>
<p id="script">off</p>
<p id="light">light</p><p id="dark">dark</p>
<p id="language">%s</p>
<form action="/paid"><button>Trả tiền</button></form>
</main>
<script>document.getElementById("script").textContent = "on"</script>
</html>`

func serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/paid" {
			fmt.Fprint(w, `<!doctype html><title>Đã trả</title>`)
			return
		}
		first, _, _ := strings.Cut(r.Header.Get("Accept-Language"), ",")
		fmt.Fprintf(w, page, first)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// run runs one action that must succeed, and returns its value.
func run[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestNew(t *testing.T) {
	url := serve(t)
	tests := []struct {
		name                     string
		options                  Options
		script, scheme, language string
		width, height            int64
	}{
		{"desktop", Options{}, "on", "light", "vi", 1280, 900},
		{"phone in the dark", Options{Phone: true, Dark: true}, "on", "dark", "vi", 360, 740},
		{"English without scripts", Options{NoScripts: true, Language: "en"}, "off", "light", "en", 1280, 900},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx := New(t, test.options)
			run(t, ctx, chromedp.Navigate(url))
			if got := run(t, ctx, chromedp.Title()); got != "Thu ngân" {
				t.Errorf("title %q", got)
			}
			if got := run(t, ctx, chromedp.Text(chromedp.CSS("#script"))); got != test.script {
				t.Errorf("scripts are %s", got)
			}
			if got := run(t, ctx, chromedp.Text(chromedp.CSS("#"+test.scheme))); got != test.scheme {
				t.Errorf("colours %q", got)
			}
			if got := run(t, ctx, chromedp.Text(chromedp.CSS("#language"))); got != test.language {
				t.Errorf("language %q", got)
			}
			width := run(t, ctx, chromedp.Evaluate[int64]("innerWidth"))
			height := run(t, ctx, chromedp.Evaluate[int64]("innerHeight"))
			if width != test.width || height != test.height {
				t.Errorf("viewport %dx%d", width, height)
			}
			if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS("button"))); err != nil {
				t.Fatal(err)
			}
			if got := run(t, ctx, chromedp.Title()); got != "Đã trả" {
				t.Errorf("after the click the title is %q", got)
			}
		})
	}
}

func TestNewReachesLoopbackOnly(t *testing.T) {
	ctx := New(t, Options{})
	// 203.0.113.1 is an address for documents (RFC 5737); nobody answers there.
	for _, url := range []string{"http://example.test/", "http://203.0.113.1/"} {
		if err := chromedp.Do(ctx, chromedp.Navigate(url)); err == nil || !strings.Contains(err.Error(), "ERR_NAME_NOT_RESOLVED") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestNewSharesNothing(t *testing.T) {
	url := serve(t)
	first, second := New(t, Options{}), New(t, Options{})
	for _, ctx := range []context.Context{first, second} {
		run(t, ctx, chromedp.Navigate(url))
	}
	run(t, first, chromedp.Evaluate[string](`document.cookie = "seen=1"`))
	cookies, err := chromedp.Call(second, network.GetCookies, network.GetCookiesParams{})
	if err != nil {
		t.Fatal(err)
	}
	if len(cookies.Cookies) != 0 {
		t.Errorf("the second browser has the first one's cookies: %v", cookies.Cookies)
	}
}

func TestScreenshot(t *testing.T) {
	ctx := New(t, Options{Phone: true})
	run(t, ctx, chromedp.Navigate(serve(t)))
	folder := filepath.Join(t.TempDir(), "made", "here")

	t.Setenv(EnvScreenshots, "")
	Screenshot(t, ctx, "checkout-phone")
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Fatalf("without the variable: %v", err)
	}

	t.Setenv(EnvScreenshots, folder)
	Screenshot(t, ctx, "checkout-phone")
	file, err := os.Open(filepath.Join(folder, "checkout-phone.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	picture, format, err := image.DecodeConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	// The page is 2000 px high, more than the screen, and the phone shows two dots a pixel.
	if format != "png" || picture.Width != 720 || picture.Height != 4000 {
		t.Errorf("the screenshot is a %s of %dx%d", format, picture.Width, picture.Height)
	}
}

func TestScreenshotName(t *testing.T) {
	tests := map[string]bool{
		"checkout-360_dark.1":    true,
		"":                       false,
		"../outside":             false,
		".hidden":                false,
		"a/b":                    false,
		"Trả tiền":               false,
		strings.Repeat("a", 100): true,
		strings.Repeat("a", 101): false,
	}
	for name, want := range tests {
		if got := screenshotName.MatchString(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestFind(t *testing.T) {
	program := filepath.Join(t.TempDir(), "chromium")
	if err := os.WriteFile(program, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := find("/no/such/chromium", program); got != program {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := find("/no/such/chromium"); err == nil {
		t.Errorf("found %q", got)
	}
}
