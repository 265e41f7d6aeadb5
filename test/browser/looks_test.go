package browser

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/chrome"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/storetest"
)

// look is one page in one state.
type look struct {
	name    string
	address string // without a language
	missing bool   // it is answered with 404
	message bool   // it has no live status
}

// TestLooks looks at every page in both languages, on narrow phones and a desktop, light and dark: nothing is cut off,
// everything has a name and enough contrast, nothing goes wrong behind it. It takes the pictures.
func TestLooks(t *testing.T) {
	t.Parallel()
	t.Run("payment", func(t *testing.T) {
		t.Parallel()
		s := newShop(t, storetest.Open(t, storetest.URL(t, "sqlite")))
		looks := paymentLooks(s)
		v := visit(t, chrome.Options{Phone: true})
		looks = append(looks, cardLooks(s, v)...)
		for _, l := range looks {
			t.Run(l.name, func(t *testing.T) { v.in(t).looksAt(l) })
		}
	})
	t.Run("terminal", func(t *testing.T) {
		t.Parallel()
		s := startSandbox(t)
		v := visit(t, chrome.Options{Phone: true})
		for _, l := range terminalLooks(t, s) {
			t.Run(l.name, func(t *testing.T) { v.in(t).looksAt(l) })
		}
	})
	t.Run("start", func(t *testing.T) {
		t.Parallel()
		s := startSandbox(t)
		v := visit(t, chrome.Options{Phone: true})
		for _, l := range startLooks(s, v) {
			t.Run(l.name, func(t *testing.T) { v.in(t).looksAt(l) })
		}
	})
}

// paymentLooks makes a payment in every state that bank transfers lead to. The closed pages are those that hold still.
func paymentLooks(s *shop) []look {
	const amount = 1_250_000
	var all []look
	show := func(name string, sale *sale, query string) {
		all = append(all, look{name: name, address: sale.page + query})
	}
	expired, expiredPart, expiredLate := s.sell(amount), s.sell(amount), s.sell(amount)
	expiredPart.pays(500_000)
	expired.expires()
	expiredLate.pays(amount)
	show("expired", expired, "&hold=1")
	show("expired-part", expiredPart, "")
	show("expired-late", expiredLate, "")

	open, part := s.sell(amount), s.sell(amount)
	part.pays(500_000)
	show("transfer", open, "")
	show("transfer-held", open, "&hold=1")
	show("transfer-virtual", s.sellBy(s.Virtual, amount, "vi"), "")
	show("transfer-part", part, "")
	show("transfer-long", s.longest(), "")
	show("cancel", open, "&step=cancel")
	show("cancel-part", part, "&step=cancel")

	approved, over, again := s.sell(amount), s.sell(amount), s.sell(amount)
	approved.pays(amount)
	over.pays(1_300_000)
	again.pays(amount)
	again.pays(amount)
	show("approved", approved, "&hold=1")
	show("approved-over", over, "")
	show("approved-again", again, "")

	canceled := s.sell(amount)
	if _, err := s.Core.Cancel(s.T.Context(), canceled.payment.ID, "payer", "canceled on the payment page"); err != nil {
		s.T.Fatal(err)
	}
	show("canceled", canceled, "&hold=1")
	address, _, _ := strings.Cut(canceled.page, "?key=")
	return append(all, look{name: "gone", address: address + "?key=wrong", missing: true, message: true})
}

// longest is an order with the longest of everything.
func (s *shop) longest() *sale {
	s.T.Helper()
	p := s.Enrol("paykit", core.NewMerchant{
		Name: "Công ty Trách nhiệm hữu hạn Một thành viên Thương mại Dịch vụ Xuất nhập khẩu Nghệ thuật Ẩm thực Đường phố Việt Nam",
	}, payment.ReceivingAccount{
		BIN: "970406", Number: "1234567890123456789", Holder: "CONG TY TRACH NHIEM HUU HAN MOT THANH VIEN THUONG MAI DICH VU XUAT NHAP KHAU",
		Recognise: payment.ByMemo, Prefix: "SEVQR", Enabled: true,
	})
	return s.sellBy(p, core.MaxAmount, "vi")
}

// startLooks are the pages of the sandbox.
func startLooks(s *sandbox, v *visitor) []look {
	k := keys{s.Paykit.MID, s.Paykit.APIKey, s.Paykit.SecretKey}
	v.open(s.BaseURL + "/?lang=vi")
	v.click(createButton)
	v.seen(pageLink)
	waiting := v.location().Query().Get("payment")
	v.open(s.BaseURL + "/?lang=vi")
	v.click(createButton)
	v.click(payButton)
	v.seen("#step-4 .paid, #step-4 details")
	paid := v.location().Query().Get("payment")
	reference := ask[string](v, `new URL(document.querySelector("#step-2 a[href*='/merchant/']").href).pathname.split("/").pop()`)
	v.open(s.BaseURL + "/?lang=vi")
	ask[bool](v, `(document.querySelector("#method").value = "card", true)`)
	v.click(createButton)
	v.click("#card-declined")
	v.seen("#step-4 .failed")
	v.click("#card-approved")
	v.seen("#step-4 .paid, #step-4 details")
	byCard := v.location().Query().Get("payment")
	return []look{
		{name: "start", address: s.BaseURL + "/?"},
		{name: "start-waiting", address: s.BaseURL + "/?payment=" + waiting},
		{name: "start-paid", address: s.BaseURL + "/?payment=" + paid},
		{name: "start-card", address: s.BaseURL + "/?payment=" + byCard},
		{name: "cards", address: s.BaseURL + "/sandbox/cards?"},
		{name: "return", address: s.BaseURL + "/sandbox/return?mid=" + k.mid + "&payment_id=" + reference + "&result=APPROVED", message: true},
	}
}

// screen is what a page is looked at with.
type screen struct {
	name        string
	width       int64
	phone, dark bool
}

var screens = []screen{
	{"phone-320", 320, true, false},
	{"phone", 360, true, false},
	{"phone-dark", 360, true, true},
	{"desktop", 1280, false, false},
	{"desktop-dark", 1280, false, true},
}

// looksAt loads a page once in each language, and looks at it on every screen.
func (v *visitor) looksAt(l look) {
	for _, lang := range []string{"vi", "en"} {
		v.wear(screens[0])
		v.open(l.address + "&lang=" + lang)
		v.speaks(lang)
		for _, s := range screens {
			v.wear(s)
			for _, problem := range ask[[]string](v, lookScript) {
				v.Errorf("%s on %s: %s", lang, s.name, problem)
			}
			if s.name != "phone-320" {
				chrome.Screenshot(v.TB, v.ctx, l.name+"-"+lang+"-"+s.name)
			}
		}
		for _, problem := range v.unnamed() {
			v.Errorf("%s: %s", lang, problem)
		}
		if live := ask[int](v, `document.querySelectorAll('[role="status"][aria-live="polite"]').length`); live != 1 && !l.message {
			v.Errorf("%s: %d live statuses", lang, live)
		}
		if l.missing {
			v.expect("404")
		}
	}
}

// wear changes the screen of the tab.
func (v *visitor) wear(s screen) {
	v.Helper()
	viewport := chromedp.EmulateViewport(s.width, 900)
	if s.phone {
		viewport = chromedp.EmulateViewport(s.width, 740, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	v.do(viewport)
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(v.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	})
	if err != nil {
		v.Fatal(err)
	}
}

// unnamed lists what a screen reader would meet without a name.
func (v *visitor) unnamed() []string {
	v.Helper()
	tree, err := chromedp.Call(v.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		v.Fatal(err)
	}
	named := []string{"button", "link", "textbox", "image", "heading", "DisclosureTriangle", "navigation"}
	var all []string
	found := 0
	for _, node := range tree.Nodes {
		if node.Ignored || node.Role == nil || !slices.Contains(named, text(node.Role)) {
			continue
		}
		found++
		if text(node.Name) == "" {
			all = append(all, fmt.Sprintf("a %s without a name", text(node.Role)))
		}
	}
	if found == 0 {
		all = append(all, "a screen reader meets nothing")
	}
	return all
}

func text(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	return strings.Trim(string(v.Value), `" `)
}

// lookScript lists what is wrong with how a page looks: more than one heading of the first order, scrolling to the
// side, ids that are not unique, targets that a finger misses (WCAG 2.2, 2.5.8), and text of too little contrast
// (1.4.3).
const lookScript = `(() => {
	const problems = [];
	const shown = (e) => e.checkVisibility({opacityProperty: true, visibilityProperty: true}) && !e.closest(".unseen");
	const about = (e) => e.outerHTML.replace(/\s+/g, " ").slice(0, 120);
	const h1 = document.querySelectorAll("h1").length;
	if (h1 !== 1) problems.push(h1 + " h1");
	const wide = document.documentElement.scrollWidth;
	if (wide > innerWidth) {
		const guilty = [...document.querySelectorAll("body *")].filter((e) => shown(e) && e.getBoundingClientRect().right > innerWidth + 1);
		problems.push("it is " + wide + " px wide on a screen of " + innerWidth + ": " + (guilty.length ? about(guilty.at(-1)) : ""));
	}
	const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
	ids.filter((id, i) => ids.indexOf(id) !== i).forEach((id) => problems.push("two elements #" + id));
	for (const e of document.querySelectorAll("button, a.button, input:not([type=hidden]), summary")) {
		const {width, height} = e.getBoundingClientRect();
		if (shown(e) && (width < 24 || height < 24)) problems.push("a target of " + width + "x" + height + " px: " + about(e));
	}
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const rgba = (color) => {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = color;
		canvas.fillRect(0, 0, 1, 1);
		const d = canvas.getImageData(0, 0, 1, 1).data;
		return [d[0], d[1], d[2], d[3] / 255];
	};
	const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
	const behind = (e) => {
		const layers = [];
		for (; e; e = e.parentElement) {
			const layer = rgba(getComputedStyle(e).backgroundColor);
			layers.push(layer);
			if (layer[3] === 1) break;
		}
		const canvasColor = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
		return layers.reverse().reduce((below, top) => over(top, below), canvasColor);
	};
	const light = (c) => {
		const [r, g, b] = c.map((n) => (n /= 255) <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	const seen = new Set();
	while (walker.nextNode()) {
		const e = walker.currentNode.parentElement;
		if (!walker.currentNode.data.trim() || seen.has(e) || e.closest("svg, script, style, noscript") || !shown(e)) continue;
		seen.add(e);
		const style = getComputedStyle(e), ground = behind(e), ink = over(rgba(style.color), ground);
		const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05), size = parseFloat(style.fontSize);
		const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
		if (ratio < (large ? 3 : 4.5)) problems.push("contrast " + ratio.toFixed(2) + ": " + about(e));
	}
	return problems;
})()`

// The page that a customer opens weighs less than 50 KB, with everything that the browser loads with it and the first
// message of the live status.
func TestWeight(t *testing.T) {
	t.Parallel()
	const most = 50 << 10
	for name, options := range map[string]chrome.Options{"scripts": {Phone: true}, "no scripts": {Phone: true, NoScripts: true}} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, storetest.Open(t, storetest.URL(t, "sqlite")))
			sale := s.sell(1_250_000)
			v := visit(t, options)
			v.open(sale.page)
			v.seen(qrCode)
			if v.scripts {
				v.wait("live status", func() (bool, error) { return v.streaming(), nil })
			}
			bytes := v.weight()
			t.Logf("%d bytes", bytes)
			if bytes > most || bytes < 5<<10 {
				t.Errorf("the page weighs %d bytes, want some and at most %d", bytes, most)
			}
		})
	}
}

// With the keyboard alone everything is reached, and one always sees where one is.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := newShop(t, storetest.Open(t, storetest.URL(t, "sqlite")))
	box := startSandbox(t)
	open, over := s.sell(1_250_000), s.sell(1_250_000)
	over.pays(1_300_000)
	v := visit(t, chrome.Options{})
	for name, address := range map[string]string{
		"transfer": open.page + "&hold=1", "cancel": open.page + "&step=cancel", "result": over.page, "start": box.BaseURL + "/",
	} {
		t.Run(name, func(t *testing.T) { v.in(t).tabsThrough(address) })
	}
}

// tabsThrough presses the tab key until it has been everywhere.
func (v *visitor) tabsThrough(address string) {
	v.open(address)
	v.front()
	ask[bool](v, `(document.querySelectorAll("details").forEach((d) => d.open = true), true)`)
	want := ask[int](v, focusable+`.length`)
	reached := map[int]bool{}
	for range want + 2 {
		v.do(chromedp.KeyEvent(kb.Tab))
		at := v.focus()
		if at.Index < 0 {
			continue // the end of the page: the browser's own buttons
		}
		reached[at.Index] = true
		if !at.Visible {
			v.Errorf("nobody sees that this has the focus: %s", at.About)
		}
	}
	if want == 0 || len(reached) != want {
		v.Errorf("%d of %d elements are reached", len(reached), want)
	}
}

const focusable = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), summary, pre[tabindex]")].filter((e) => e.checkVisibility())`

// focused is the element that the keyboard is at.
type focused struct {
	Index   int // among the focusable elements
	Visible bool
	About   string
}

func (v *visitor) focus() focused {
	v.Helper()
	return ask[focused](v, `(() => {
		const e = document.activeElement, style = getComputedStyle(e);
		return {
			Index: `+focusable+`.indexOf(e), About: e.outerHTML.slice(0, 120),
			Visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1 || style.boxShadow !== "none",
		};
	})()`)
}
