package sandbox_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/thungan/thungan/internal/chrome"
	"github.com/thungan/thungan/store/storetest"
)

// visitors take the start page's four steps, each on another engine and with
// another kind of browser.
var visitors = []struct {
	name, engine string
	options      chrome.Options
	paid         string // what the page says at the end
}{
	{"desktop", "sqlite", chrome.Options{}, "Tiền đã về và máy chủ của bạn được báo"},
	{"phone-dark", "postgres", chrome.Options{Phone: true, Dark: true, Language: "en"}, "The money is there and your server has been told"},
	{"phone-no-scripts", "sqlite", chrome.Options{Phone: true, NoScripts: true}, "Tiền đã về và máy chủ của bạn được báo"},
	{"desktop-dark-no-scripts", "postgres", chrome.Options{Dark: true, NoScripts: true, Language: "en"}, "The money is there and your server has been told"},
}

func TestStartPageInABrowser(t *testing.T) {
	for _, v := range visitors {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t, storetest.Open(t, storetest.URL(t, v.engine)))
			ctx := chrome.New(t, v.options)
			do(t, ctx, chromedp.Navigate(w.server.URL+"/"))
			chrome.Screenshot(t, ctx, "sandbox-"+v.name+"-1-start")
			narrow(t, ctx)

			load(t, ctx, "#step-1 button")
			do(t, ctx, chromedp.WaitVisible(chromedp.CSS("#step-2 svg")))
			chrome.Screenshot(t, ctx, "sandbox-"+v.name+"-2-created")
			narrow(t, ctx)

			pay(t, ctx, v.options, "#pay-short", "#step-4 .short")
			chrome.Screenshot(t, ctx, "sandbox-"+v.name+"-3-short")
			pay(t, ctx, v.options, "#pay-exact", "#step-4 .paid")
			chrome.Screenshot(t, ctx, "sandbox-"+v.name+"-4-paid")
			narrow(t, ctx)
			do(t, ctx, chromedp.WaitVisible(chromedp.CSS("#recent .approved")))
			if text := run(t, ctx, chromedp.Text(chromedp.CSS("#step-4"))); !strings.Contains(text, v.paid) || !strings.Contains(text, "/sandbox/ipn/demo") {
				t.Errorf("step 4: %s", text)
			}

			if !v.options.NoScripts {
				keepsWhatWasServed(t, ctx)
			}

			do(t, ctx, chromedp.Navigate(w.server.URL+"/sandbox/return?mid="+w.info.Paykit.MID+"&payment_id=x&result=APPROVED"))
			chrome.Screenshot(t, ctx, "sandbox-"+v.name+"-5-return")
			narrow(t, ctx)
		})
	}
}

// pay presses a button and waits for what comes of it. With scripts the page
// stays; without, the form loads it anew, and it loads itself until all is told.
func pay(t *testing.T, ctx context.Context, o chrome.Options, button, comes string) {
	t.Helper()
	if o.NoScripts {
		load(t, ctx, button)
	} else {
		before := run(t, ctx, chromedp.Evaluate[float64]("performance.timeOrigin"))
		do(t, ctx, chromedp.Click(chromedp.CSS(button)))
		defer func() {
			if after := run(t, ctx, chromedp.Evaluate[float64]("performance.timeOrigin")); after != before {
				t.Error("paying loaded the page anew")
			}
		}()
	}
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(comes)))
}

// keepsWhatWasServed loads the page again and lets it look for news twice: it
// puts nothing in the place of what has not changed.
func keepsWhatWasServed(t *testing.T, ctx context.Context) {
	t.Helper()
	_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `document.addEventListener("DOMContentLoaded", () => document.querySelector("#step-4")?.setAttribute("served", ""))`,
	})
	if err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Reload())
	run(t, ctx, chromedp.Poll[bool](`performance.getEntriesByType("resource").filter((e) => e.name.includes("/sandbox/demo/live?")).length > 1`))
	if !run(t, ctx, chromedp.Evaluate[bool](`document.querySelector("#step-4").hasAttribute("served")`)) {
		t.Error("the first look replaced what the page showed already")
	}
}

func load(t *testing.T, ctx context.Context, button string) {
	t.Helper()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(button))); err != nil {
		t.Fatal(err)
	}
}

// narrow checks that nothing sticks out of the screen.
func narrow(t *testing.T, ctx context.Context) {
	t.Helper()
	if over := run(t, ctx, chromedp.Evaluate[int]("document.documentElement.scrollWidth - document.documentElement.clientWidth")); over > 0 {
		t.Errorf("the page is %d pixels wider than the screen", over)
	}
}

func do(t *testing.T, ctx context.Context, step chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, step); err != nil {
		t.Fatal(err)
	}
}

func run[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return value
}
