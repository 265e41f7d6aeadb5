package browser

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"github.com/thungan/thungan/internal/chrome"
)

const (
	// patience is how long a visitor waits for something to show. It leaves room for a busy machine.
	patience = 20 * time.Second
	// blink is how often the visitor looks.
	blink = 40 * time.Millisecond
)

// visitor is a person at one tab of a browser. Whatever goes wrong behind the page is kept in faults, and fails the
// test at its end: errors on the console, violations of the security policy, requests that leave this machine.
type visitor struct {
	testing.TB
	ctx     context.Context
	scripts bool

	mu       sync.Mutex
	faults   []string
	received map[network.RequestID]float64 // bytes on the wire, headers included
	status   int64                         // of the last document
	asked    []string                      // every address
	messages int                           // of live statuses
}

// visit starts a browser of its own.
func visit(t testing.TB, options chrome.Options) *visitor {
	t.Helper()
	options.Timeout = 5 * time.Minute // one browser is used for many cases
	return newVisitor(t, chrome.New(t, options), !options.NoScripts)
}

func newVisitor(t testing.TB, ctx context.Context, scripts bool) *visitor {
	t.Helper()
	v := &visitor{TB: t, ctx: ctx, scripts: scripts, received: map[network.RequestID]float64{}}
	if err := chromedp.Listen(ctx, v.note); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, fault := range v.take() {
			t.Errorf("behind the page: %s", fault)
		}
	})
	return v
}

// in is the same tab in a part of the test.
func (v *visitor) in(t testing.TB) *visitor {
	t.Helper()
	// Leaving ends the old page's live status, so that it is not told of what the part does.
	v.TB = t
	v.open("about:blank")
	t.Cleanup(func() {
		for _, fault := range v.take() {
			t.Errorf("behind the page: %s", fault)
		}
	})
	return v
}

// tab opens a second tab in the same browser. It has the size and the colours of a desktop.
func (v *visitor) tab(options ...chromedp.ContextOption) *visitor {
	v.Helper()
	ctx, end := chromedp.NewContext(v.ctx, options...)
	v.Cleanup(end)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900)); err != nil {
		v.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: !v.scripts}); err != nil {
		v.Fatal(err)
	}
	return newVisitor(v.TB, ctx, v.scripts)
}

// opened is the tab that a link has opened.
func (v *visitor) opened(address string) *visitor {
	v.Helper()
	var found target.ID
	v.wait("a tab with "+address, func() (bool, error) {
		all, err := chromedp.Targets(v.ctx)
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(all, func(info *target.Info) bool {
			return info.Type == "page" && !info.Attached && strings.Contains(info.URL, address)
		})
		if i >= 0 {
			found = all[i].TargetID
		}
		return i >= 0, nil
	})
	tab := v.tab(chromedp.WithTargetID(found))
	if !v.scripts {
		tab.reload() // its scripts ran before they were turned off
	}
	return tab
}

// note keeps what the browser tells about the page. It must be quick: the tab waits for it.
func (v *visitor) note(event any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch ev := event.(type) {
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.EntryLevelError || ev.Entry.Level == log.EntryLevelWarning {
			v.faults = append(v.faults, fmt.Sprintf("%s: %s %s", ev.Entry.Source, ev.Entry.Text, ev.Entry.URL))
		}
	case *runtime.EventConsoleAPICalled:
		v.faults = append(v.faults, fmt.Sprintf("console.%s: %v", ev.Type, texts(ev.Args)))
	case *runtime.EventExceptionThrown:
		v.faults = append(v.faults, fmt.Sprintf("exception: %s %v", ev.ExceptionDetails.Text, texts([]*runtime.RemoteObject{ev.ExceptionDetails.Exception})))
	case *network.EventRequestWillBeSent:
		v.asked = append(v.asked, ev.Request.URL)
		if !local(ev.Request.URL) {
			v.faults = append(v.faults, "the page asks another machine: "+ev.Request.URL)
		}
	case *network.EventResponseReceived:
		v.received[ev.RequestID] += ev.Response.EncodedDataLength
		if ev.Type == network.ResourceTypeDocument {
			v.status = ev.Response.Status
		}
	case *network.EventDataReceived:
		v.received[ev.RequestID] += float64(max(ev.EncodedDataLength, ev.DataLength))
	case *network.EventEventSourceMessageReceived:
		v.messages++
	case *network.EventLoadingFinished:
		v.received[ev.RequestID] = ev.EncodedDataLength // the exact sum
	}
}

func texts(args []*runtime.RemoteObject) []string {
	var all []string
	for _, arg := range args {
		if arg == nil {
			continue
		}
		all = append(all, string(arg.Value)+arg.Description)
	}
	return all
}

// local says whether a request stays on this machine.
func local(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	if u.Scheme == "data" || u.Scheme == "about" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}

// take returns the faults so far and forgets them.
func (v *visitor) take() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := v.faults
	v.faults = nil
	return all
}

// addresses are all that the tab has asked for.
func (v *visitor) addresses() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.asked)
}

// weight is the bytes received since the last call.
func (v *visitor) weight() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	sum := 0.0
	for _, n := range v.received {
		sum += n
	}
	clear(v.received)
	return int(sum)
}

// streaming says that a live status has sent something.
func (v *visitor) streaming() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.messages > 0
}

func (v *visitor) lastStatus() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.status
}

// open loads an address, as if it had been typed.
func (v *visitor) open(address string) {
	v.Helper()
	v.do(chromedp.Navigate(address))
}

func (v *visitor) reload() {
	v.Helper()
	v.do(chromedp.Reload())
}

// back presses the browser's back button. A page may come from the browser's memory then, which loads nothing; so
// nothing is waited for.
func (v *visitor) back() {
	v.Helper()
	history, err := chromedp.Call(v.ctx, page.GetNavigationHistory, struct{}{})
	if err != nil {
		v.Fatal(err)
	}
	before := history.Entries[history.CurrentIndex-1].ID
	if _, err := chromedp.Call(v.ctx, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: before}); err != nil {
		v.Fatal(err)
	}
}

// click presses the left button of the mouse over the first element of a selector.
func (v *visitor) click(selector string) {
	v.Helper()
	v.seen(selector)
	at := v.box(selector)
	v.do(chromedp.MouseClickXY(at.X+at.Width/2, at.Y+at.Height/2))
}

// box is where an element is on the screen, after it has been scrolled to.
type box struct{ X, Y, Width, Height float64 }

func (v *visitor) box(selector string) box {
	v.Helper()
	return ask[box](v, fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		e.scrollIntoView({block: "center", behavior: "instant"});
		const {x, y, width, height} = e.getBoundingClientRect();
		return {X: x, Y: y, Width: width, Height: height};
	})()`, selector))
}

// front brings the tab to the front, as a click on its title does.
func (v *visitor) front() {
	v.Helper()
	if _, err := chromedp.Call(v.ctx, page.BringToFront, struct{}{}); err != nil {
		v.Fatal(err)
	}
}

// do is bounded: an action on something that never appears would wait for as long as the browser lives.
func (v *visitor) do(steps ...chromedp.Action[chromedp.Void]) {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		v.Fatalf("%v\nthe page: %s", err, v.glance())
	}
}

// ask evaluates an expression in the page. It works without the page's scripts too.
func ask[T any](v *visitor, expression string) T {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		v.Fatalf("%s: %v", expression, err)
	}
	return value
}

// text is what a person reads on the page. No-break spaces are spaces.
func (v *visitor) text() string {
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	all, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return plain(all)
}

// glance is the beginning of the text, for messages.
func (v *visitor) glance() string {
	text := strings.Join(strings.Fields(v.text()), " ")
	const enough = 600
	if len(text) > enough {
		return strings.ToValidUTF8(text[:enough], "") + " ..."
	}
	return text
}

func plain(text string) string { return strings.ReplaceAll(text, "\u00a0", " ") }

// wait looks until a condition holds. A page on its way to another cannot be asked, so errors count as "not yet".
func (v *visitor) wait(what string, holds func() (bool, error)) {
	v.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(blink)
	defer look.Stop()
	for {
		ok, err := holds()
		if ok {
			return
		}
		select {
		case <-look.C:
		case <-deadline.C:
			v.Fatalf("no %s; %v\nthe page: %s", what, err, v.glance())
		}
	}
}

// until waits until an expression is true in the page.
func (v *visitor) until(expression string) {
	v.Helper()
	v.wait(expression, func() (bool, error) {
		ctx, cancel := context.WithTimeout(v.ctx, patience)
		defer cancel()
		return chromedp.Run(ctx, chromedp.Evaluate[bool](`!!(`+expression+`)`))
	})
}

// seen waits until an element is on the page and has a size.
func (v *visitor) seen(selector string) {
	v.Helper()
	v.until(fmt.Sprintf(`document.querySelector(%q)?.getBoundingClientRect().width > 0`, selector))
}

// reads waits until the page shows all the texts.
func (v *visitor) reads(wanted ...string) {
	v.Helper()
	for _, text := range wanted {
		v.wait(fmt.Sprintf("text %q", text), func() (bool, error) { return strings.Contains(v.text(), plain(text)), nil })
	}
}

// lacks fails when the page shows one of the texts.
func (v *visitor) lacks(unwanted ...string) {
	v.Helper()
	text := v.text()
	for _, part := range unwanted {
		if strings.Contains(text, plain(part)) {
			v.Errorf("the page shows %q: %s", part, v.glance())
		}
	}
}

// learns waits for a change: with scripts it comes by itself, without them the visitor presses reload, which is what
// the page does every five seconds.
func (v *visitor) learns(wanted ...string) {
	v.Helper()
	if !v.scripts {
		v.reload()
	}
	v.reads(wanted...)
}

// location is the address in the address bar.
func (v *visitor) location() *url.URL {
	v.Helper()
	u, err := url.Parse(ask[string](v, `location.href`))
	if err != nil {
		v.Fatal(err)
	}
	return u
}

// arrives waits until the tab has loaded an address with a path.
func (v *visitor) arrives(path string) *url.URL {
	v.Helper()
	v.until(fmt.Sprintf(`location.pathname === %q && document.readyState === "complete"`, path))
	return v.location()
}
