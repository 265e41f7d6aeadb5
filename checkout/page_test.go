package checkout

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/web"
)

// maxPage is the promise: the whole page with its QR code, in bytes.
const maxPage = 50 << 10

// Every face of the page, in both languages, keeps the rules of the page: size,
// policy, no third party, and what a screen reader needs.
func TestEveryFaceKeepsTheRules(t *testing.T) {
	set, err := parse(pages)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faces() {
		for _, lang := range web.Languages() {
			t.Run(f.name+"/"+lang, func(t *testing.T) {
				page := render(t, f, lang)
				if len(page) > maxPage {
					t.Errorf("%d bytes, the limit is %d", len(page), maxPage)
				}
				all := readHTML(t, page)
				checkPolicy(t, all, set.Policy())
				checkOrigins(t, all, f.page.ReturnURL)
				checkAccess(t, all, lang)
				if strings.Contains(page, "checkout.") && regexp.MustCompile(`>[^<]*checkout\.[a-z]+\.[a-z]`).MatchString(page) {
					t.Error("a text's key is shown instead of the text")
				}
			})
		}
	}
}

// Where the faces' acquirers are.
const (
	formOf   = "https://acquirer.example/pay/x?a=1&b=2"
	scriptOf = "https://mpgs.example/static/checkout/checkout.min.js"
)

var acquirers = []string{formOf, scriptOf, "https://wallet.example/pay/x", "momo://pay?x=1&y=2"}

func checkPolicy(t *testing.T, all []*element, policy string) {
	t.Helper()
	for _, e := range all {
		for name, value := range e.attrs {
			if name == "style" || strings.HasPrefix(name, "on") || strings.HasPrefix(strings.ToLower(value), "javascript:") {
				t.Errorf("<%s %s=%q> is forbidden by the policy", e.name, name, value)
			}
		}
	}
	styles := named(all, "style")
	if len(styles) != 1 {
		t.Fatalf("%d style elements", len(styles))
	}
	sum := sha256.Sum256([]byte(styles[0].text))
	if hash := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, "style-src "+hash+";") {
		t.Errorf("the policy %q does not allow the style with the hash %s", policy, hash)
	}
	for _, s := range named(all, "script") {
		if s.attrs["src"] == scriptOf && s.has("defer") {
			continue // the acquirer's, which the page's own policy allows
		}
		if s.text != "" || !strings.HasPrefix(s.attrs["src"], web.AssetPath) || !s.has("defer") {
			t.Errorf("script %v %q", s.attrs, s.text)
		}
	}
	for _, f := range named(all, "form") {
		if f.has("data-go") && f.attrs["action"] == formOf {
			continue // to the acquirer, likewise
		}
		if !strings.HasPrefix(f.attrs["action"], "/merchant/") || f.attrs["method"] != "post" || strings.Contains(f.attrs["action"], "key=") {
			t.Errorf("form %v", f.attrs)
		}
	}
}

// checkOrigins lets the page load from our own origin only, and link only to
// the shop and to the bank apps.
func checkOrigins(t *testing.T, all []*element, shop string) {
	t.Helper()
	for _, e := range all {
		for _, attr := range []string{"src", "href", "action", "data", "poster", "srcset"} {
			value, ok := e.attrs[attr]
			if !ok || (strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "//")) {
				continue
			}
			outside := e.name == "a" && strings.Contains(e.attrs["rel"], "noreferrer")
			if slices.Contains(acquirers, value) && (outside || e.name == "script" || e.name == "form") {
				continue
			}
			if !outside || (value != shop && !strings.HasPrefix(value, "https://dl.vietqr.io/pay?app=")) {
				t.Errorf("<%s %s=%q> leads elsewhere", e.name, attr, value)
			}
		}
	}
}

func checkAccess(t *testing.T, all []*element, lang string) {
	t.Helper()
	count := map[string]int{}
	ids := map[string]bool{}
	for _, e := range all {
		if !slices.Contains(e.in, "svg") { // a drawing has a title of its own
			count[e.name]++
		}
		if id := e.attrs["id"]; id != "" {
			if ids[id] {
				t.Errorf("id %q twice", id)
			}
			ids[id] = true
		}
		switch e.name {
		case "html":
			if e.attrs["lang"] != lang {
				t.Errorf("lang=%q", e.attrs["lang"])
			}
		case "a", "button":
			if strings.TrimSpace(e.text) == "" && e.attrs["aria-label"] == "" {
				t.Errorf("a %s without a name: %v", e.name, e.attrs)
			}
		case "svg":
			if e.attrs["aria-hidden"] != "true" && (e.attrs["role"] != "img" || e.attrs["aria-label"] == "") {
				t.Errorf("a drawing without a name: %v", e.attrs)
			}
		case "input":
			if e.attrs["type"] != "hidden" {
				t.Errorf("an input without a label: %v", e.attrs)
			}
		case "dd", "dt":
			if !slices.Contains(e.in, "dl") {
				t.Errorf("%s outside of dl", e.name)
			}
		}
	}
	for _, name := range []string{"title", "h1", "main", "header", "footer"} {
		if count[name] != 1 {
			t.Errorf("%d <%s>", count[name], name)
		}
	}
	for _, e := range all {
		if e.attrs["id"] == "say" && (e.attrs["role"] != "status" || e.attrs["aria-live"] != "polite") {
			t.Errorf("the announcer is %v", e.attrs)
		}
	}
	if !ids["say"] || !ids["state"] {
		t.Error("the script's places are missing")
	}
}

// What each face says, and where it goes by itself.
func TestFaces(t *testing.T) {
	const shop = "https://shop.example/back?mid=MC_8F3K2Q&amp;payment_id=DH-2026-000123&amp;result=X"
	reload, leave := `<noscript><meta http-equiv="refresh" content="5"></noscript>`, `<meta http-equiv="refresh" content="5;url=`+shop+`">`
	live, back := ` data-events="/merchant/`, `href="`+shop+`"`
	for name, want := range map[string]struct{ has, not []string }{
		"transfer": {
			has: []string{"1.250.000\u00a0₫", "Cà phê Sáng", "0123456789", "CONG TY TNHH CA PHE SANG", "SEVQR TG7K2M9QX4H", "MBBank", "Ngân hàng TMCP Quân đội",
				"Đang chờ ngân hàng báo tiền đến", ">24 phút<", `datetime="2026-11-22T10:30:00&#43;07:00"`, "10:30 22/11/2026", reload, live, `data-copy="1250000"`,
				`data-copy="0123456789"`, `data-copy="SEVQR TG7K2M9QX4H"`, "Nhập đúng nội dung", "step=cancel", "qr.png?key=the-key"},
			not: []string{leave, "Đã nhận", "step=method", back, "Có thể để trống"},
		},
		"transfer-held":    {has: []string{"Đã tạm dừng tự tải lại", live}, not: []string{reload}},
		"transfer-virtual": {has: []string{"chỉ dùng cho riêng lần thanh toán này", "Có thể để trống"}, not: []string{"Nhập đúng nội dung"}},
		"transfer-part":    {has: []string{"Đã nhận 500.000\u00a0₫, còn thiếu 750.000\u00a0₫", "Số tiền còn phải trả", `data-copy="750000"`, "trên tổng số 1.250.000\u00a0₫", live}},
		"choose": {has: []string{`value="bank_transfer"`, `value="domestic_card"`, `value="international_card"`, "/method?lang=vi", live, reload},
			not: []string{"qr.png", "<figure"}},
		"choose-again": {has: []string{"đang chọn"}},
		"unready":      {has: []string{"Phương thức này tạm thời chưa dùng được", `value="bank_transfer"`}, not: []string{"qr.png"}},
		"cancel": {has: []string{"Hủy thanh toán này?", "/cancel?lang=vi", `name="key" value="the-key"`},
			not: []string{reload, live, "Chúng tôi đã nhận"}},
		"cancel-part":     {has: []string{"Chúng tôi đã nhận 500.000\u00a0₫. Nếu bạn hủy"}},
		"processing":      {has: []string{"Đang xử lý thanh toán", reload, live}, not: []string{"step=cancel", "qr.png"}},
		"approved":        {has: []string{"Thanh toán thành công", leave, back, `data-after="5"`, "10:05 22/11/2026", "hold=1"}, not: []string{live, reload, "chuyển thừa"}},
		"approved-held":   {has: []string{back}, not: []string{leave, "data-after"}},
		"approved-over":   {has: []string{"Bạn đã chuyển thừa 50.000\u00a0₫", back}, not: []string{leave, "data-after"}},
		"approved-again":  {has: []string{"Chúng tôi còn nhận thêm 1.250.000\u00a0₫ của bạn", back}, not: []string{leave}},
		"expired":         {has: []string{"Đã hết thời\u00a0gian thanh\u00a0toán", leave, back}, not: []string{live, "qr.png", "0123456789"}},
		"expired-part":    {has: []string{"Chúng tôi đã nhận 500.000\u00a0₫ của bạn", back}, not: []string{leave}},
		"expired-late":    {has: []string{"Khoản chuyển 1.250.000\u00a0₫ của bạn đến sau khi thanh toán đã đóng", back}, not: []string{leave}},
		"canceled":        {has: []string{"Thanh toán đã được hủy", leave, back}, not: []string{live, "qr.png"}},
		"denied":          {has: []string{"Thanh toán bị từ chối", leave, back}},
		"choose-declined": {has: []string{"Ngân hàng của bạn đã từ chối giao dịch.", "Bạn chưa bị trừ tiền.", "Đã thử 1 trên 3 lần", `value="domestic_card"`, live, reload}},
		"choose-funds":    {has: []string{"không đủ số dư", "Đã thử 2 trên 3 lần"}},
		"choose-canceled": {has: []string{"Bạn đã hủy ở trang của ngân hàng.", `class="note"`}, not: []string{"note bad"}},
		"choose-left":     {has: []string{"Bạn đã rời Thẻ ATM nội địa", "đừng trả lần nữa"}, not: []string{"Bạn đã hủy"}},
		"choose-unready":  {has: []string{"Phương thức này tạm thời chưa dùng được", "Bạn chưa bị trừ tiền."}, not: []string{"Đã thử"}},
		"choose-one":      {has: []string{`value="international_card"`}, not: []string{`value="domestic_card"`}},
		"away": {has: []string{`<meta http-equiv="refresh" content="0;url=https://acquirer.example/pay/x?a=1&amp;b=2">`, `href="https://acquirer.example/pay/x?a=1&amp;b=2"`, "handoff."},
			not: []string{live, reload, "data-go"}},
		"away-form":   {has: []string{`data-go`, `name="a" value="1"`, `value="&#34;&lt;2&gt;&#34;"`, `action="https://acquirer.example/pay/x?a=1&amp;b=2"`}, not: []string{"http-equiv", live}},
		"away-script": {has: []string{`<script src="https://mpgs.example/static/checkout/checkout.min.js" defer>`, `data-session="SESSION0001"`, "cần JavaScript"}, not: []string{"http-equiv", live}},
		"wallet": {has: []string{"Thanh toán bằng Ví MoMo", "<figure", `href="momo://pay?x=1&amp;y=2"`, `href="https://wallet.example/pay/x"`, "/leave?lang=vi", live, reload},
			not: []string{"handoff.", "step=cancel"}},
		"wallet-long":     {has: []string{`href="https://wallet.example/pay/x"`}, not: []string{"<figure"}},
		"denied-operator": {has: []string{"Giao dịch không được chấp nhận"}, not: []string{"Bạn đã thử"}},
		"bank":            {has: []string{"Đang chờ ngân hàng của bạn", "step=away", "/leave?lang=vi", live, reload}, not: []string{"step=cancel", "handoff."}},
		"bank-unknown":    {has: []string{"vẫn đang hỏi", "đừng trả lần nữa", live, reload}, not: []string{"/leave", `id="go"`, "http-equiv=\"refresh\" content=\"0"}},
		"denied-tries":    {has: []string{"Thanh toán bị từ chối", "Bạn đã thử 3 lần", "đã từ chối giao dịch", leave, back}},
		"voided":          {has: []string{"Thanh toán đã được hủy và hoàn tiền", back}, not: []string{leave, "Chúng tôi đã nhận"}},
	} {
		i := slices.IndexFunc(faces(), func(f face) bool { return f.name == name })
		if i < 0 {
			t.Fatalf("no face %q", name)
		}
		page := render(t, faces()[i], "vi")
		for _, s := range want.has {
			if !strings.Contains(page, s) {
				t.Errorf("%s lacks %q", name, s)
			}
		}
		for _, s := range want.not {
			if strings.Contains(page, s) {
				t.Errorf("%s has %q", name, s)
			}
		}
	}
}

var allMethods = []payment.Method{
	payment.BankTransfer, payment.DomesticCard, payment.InternationalCard, payment.CardPresent, payment.MoMo, payment.ZaloPay, payment.VNPayQR, payment.COD, payment.AtPartner,
}

// everyReason lists the reasons why an attempt came to nothing.
func everyReason() []string {
	all := []string{"declined", "unready"}
	for _, codes := range reasons {
		for _, reason := range codes {
			if !slices.Contains(all, reason) {
				all = append(all, reason)
			}
		}
	}
	return all
}

func TestEveryReasonHasWords(t *testing.T) {
	for _, reason := range everyReason() {
		for _, lang := range web.Languages() {
			if key := "checkout.try." + reason; web.Text(lang, key) == key {
				t.Errorf("no text %s in %s", key, lang)
			}
		}
	}
	for _, c := range []struct{ kind, code, want string }{
		{"vnpay", "51", "funds"}, {"vnpay", "24/02", "canceled"}, {"zalopay", "2/-63", "funds"}, {"vnpay", "??", "declined"}, {"nobody", "51", "declined"}, {"mpgs", "", "declined"},
	} {
		a := payment.Attempt{Kind: c.kind, Code: c.code, Handoff: payment.Handoff{URL: "https://x.example/"}}
		if got := reasonOf(a); got != c.want {
			t.Errorf("%s %s is %s", c.kind, c.code, got)
		}
	}
}

func TestAppLink(t *testing.T) {
	for address, want := range map[string]bool{
		"momo://pay?a=1": true, "https://zalopay.example/x": true, "zalopay-1://x": true,
		"": false, "javascript:alert(1)": false, "JAVASCRIPT:alert(1)": false, " javascript:alert(1)": false, "data:text/html,x": false, "vbscript:x": false,
		"file:///etc/passwd": false, "//x": false, "/x": false, "http://x.example": false, "\x00://x": false,
	} {
		if got := appLink(address); (got != "") != want {
			t.Errorf("%q: %q", address, got)
		}
	}
}

// The table from states to screens knows every state and every method.
func TestScreenIsTotal(t *testing.T) {
	for _, state := range payment.States {
		p := payment.Payment{State: state, Methods: []payment.Method{payment.BankTransfer}}
		want := Screen(state)
		if state == payment.Open {
			want = Scan
		}
		if got := screen(p, "", "payload", nil); got != want {
			t.Errorf("%s shows %s, want %s", state, got, want)
		}
		for _, lang := range web.Languages() {
			if state != payment.Open && web.Text(lang, "checkout."+string(state)) == "checkout."+string(state) {
				t.Errorf("%s has no text for %s", lang, state)
			}
		}
	}
	for _, m := range allMethods {
		if icons[m] == "" {
			t.Errorf("%s has no icon", m)
		}
		for _, key := range []string{"checkout.method." + string(m), "checkout.method." + string(m) + ".hint"} {
			if web.Text("vi", key) == key {
				t.Errorf("no text %s", key)
			}
		}
	}
	// A step of the open page does nothing to a closed one.
	if got := screen(payment.Payment{State: payment.Expired}, "cancel", "", nil); got != Expired {
		t.Error(got)
	}
	// Nothing to transfer to: no page with half of the data.
	if got := screen(payment.Payment{State: payment.Open, Methods: []payment.Method{payment.BankTransfer}}, "", "", nil); got != Unready {
		t.Error(got)
	}
}

// The QR code, the text below it and the links all ask for what is still due.
func TestTheCodeAsksForTheRest(t *testing.T) {
	page := samplePage(func(p *core.Page) { p.Payment.Received = 500000 })
	v, err := newView(page, Wish{Lang: "vi", Key: "k"}, 0, Tries{}, opened)
	if err != nil {
		t.Fatal(err)
	}
	code, _, err := vietqr.Decode(v.Transfer.Payload)
	if err != nil {
		t.Fatal(err)
	}
	if code.Amount != 750000 || code.Account != "0123456789" || code.BIN != "970422" || code.Memo != "SEVQR TG7K2M9QX4H" || !code.CRCOK {
		t.Errorf("%+v", code)
	}
	if !strings.Contains(string(v.Transfer.QR), "chuyển 750.000\u00a0₫ tới tài khoản 0123456789 tại MBBank") {
		t.Error("the drawing's text does not tell what to pay")
	}
	for _, app := range v.Transfer.Apps {
		u, err := url.Parse(app.Link)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if q.Get("ba") != "0123456789@mb" || q.Get("am") != "750000" || q.Get("tn") != "SEVQR TG7K2M9QX4H" || q.Get("bn") != "CONG TY TNHH CA PHE SANG" ||
			q.Get("url") != "https://shop.example" || strings.Contains(app.Link, "+") || strings.Contains(app.Link, "key") {
			t.Errorf("%s: %s", app.Name, app.Link)
		}
	}
	if len(v.Transfer.Apps) == 0 {
		t.Error("no app links")
	}
}

// Whatever a merchant or a bank writes stays text.
func TestForeignTextsAreEscaped(t *testing.T) {
	attacks := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `</style><script>`, `{{.Key}}`, `javascript:alert(1)`, "\u202egnp.exe", "]]><!--"}
	for _, attack := range attacks {
		for _, f := range faces() {
			f.page.Merchant.Name, f.page.Payment.Description, f.page.Payment.Reference = attack, attack, attack
			f.page.Payment.Transfer.Holder, f.page.PublicID, f.wish.Key = attack, attack, attack
			f.page.ReturnURL, f.page.Payment.SuccessURL = attack, attack
			page := render(t, f, "vi")
			all := readHTML(t, page)
			checkOrigins(t, all, "")
			for _, e := range all {
				for name := range e.attrs {
					if strings.HasPrefix(name, "on") || (e.name == "img") {
						t.Fatalf("%s: %q became markup", f.name, attack)
					}
				}
				if refresh := e.attrs["content"]; e.attrs["http-equiv"] == "refresh" && refresh != "5" && refresh != "0;url="+formOf {
					t.Errorf("%s: %q became a redirect: %q", f.name, attack, refresh)
				}
			}
			scripts := slices.DeleteFunc(named(all, "script"), func(e *element) bool { return f.screen == Away && e.attrs["src"] == scriptOf })
			if n := len(scripts); n != 1 {
				t.Fatalf("%s: %q: %d scripts", f.name, attack, n)
			}
		}
	}
}

func TestLeft(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "hết giờ", 0: "hết giờ", time.Second: "chưa đến 1 phút", time.Minute: "1 phút", 59*time.Minute + 59*time.Second: "59 phút",
		time.Hour: "1 giờ 0 phút", 23*time.Hour + 5*time.Minute: "23 giờ 5 phút", 53 * time.Hour: "2 ngày 5 giờ",
	} {
		if got := left("vi", d); got != want {
			t.Errorf("left(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestMark(t *testing.T) {
	for name, want := range map[string]string{"": "₫", "đồ cũ": "Đ", "  (Ốc)": "Ố", "7-Eleven": "7", "<b>": "B", "***": "₫"} {
		if got := mark(name); got != want {
			t.Errorf("mark(%q) = %q", name, got)
		}
	}
}

// Every text is in the tables: the templates hold no words of their own, and
// the tables hold no text that nobody shows.
func TestTemplatesHoldNoText(t *testing.T) {
	actions, tags := regexp.MustCompile(`(?s)\{\{.*?\}\}`), regexp.MustCompile(`(?s)<[^>]*>`)
	spoken := regexp.MustCompile(`(?:aria-label|title|alt|placeholder|value)="([^"]*)"`)
	letters := regexp.MustCompile(`\pL+`)
	for _, folder := range []fs.FS{pages, os.DirFS(filepath.Join("..", "web", "templates"))} {
		files, err := fs.Glob(folder, "*.html")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, name := range files {
			source, err := fs.ReadFile(folder, name)
			if err != nil {
				t.Fatal(err)
			}
			plain := actions.ReplaceAllString(string(source), "")
			for _, m := range spoken.FindAllStringSubmatch(plain, -1) {
				if word := letters.FindString(m[1]); word != "" {
					t.Errorf("%s: the attribute %s holds a text", name, m[0])
				}
			}
			// VI and EN are the languages' names everywhere.
			words := letters.FindAllString(strings.NewReplacer(">VI<", "><", ">EN<", "><").Replace(tags.ReplaceAllString(plain, ">\n<")), -1)
			if words = slices.DeleteFunc(words, func(w string) bool { return w == "VI" || w == "EN" }); len(words) != 0 {
				t.Errorf("%s: words outside of the tables: %q", name, words)
			}
		}
	}
}

func TestNoTextIsUnused(t *testing.T) {
	var source strings.Builder
	for _, pattern := range []string{"*.html", "view.go", "checkout.go", "tries.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(b)
		}
	}
	made := map[string]bool{} // keys that are put together
	for _, s := range payment.States {
		made["checkout."+string(s)], made["checkout."+string(s)+".text"] = true, true
	}
	for _, reason := range everyReason() {
		made["checkout.try."+reason] = true
	}
	for _, m := range allMethods {
		made["checkout.method."+string(m)], made["checkout.method."+string(m)+".hint"] = true, true
	}
	made["checkout.on_delivery"], made["checkout.on_delivery.text"] = true, true
	made["checkout.method.cod"], made["checkout.method.cod.hint"] = true, true
	for _, m := range []string{"gone", "refused", "fault"} {
		made["checkout."+m+".title"], made["checkout."+m+".text"] = true, true
	}
	for _, key := range web.Keys(web.Vietnamese) {
		if strings.HasPrefix(key, "checkout.") && !made[key] && !strings.Contains(source.String(), fmt.Sprintf("%q", key)) {
			t.Errorf("nobody shows %s", key)
		}
	}
}
