package browser

import (
	"bytes"
	"fmt"
	"image"
	_ "image/png"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"rsc.io/qr"

	"github.com/thungan/thungan/checkout"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/dialect/paykit"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/acquiring"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/web"
)

// shop is a gateway in this process, on either database, and a merchant's web shop that uses it by Paykit's API.
type shop struct {
	*coretest.Env
	url   string
	sold  int
	cards *acquiring.Service
}

// in makes a part of the test the one that fails. Parts of one shop run one after another.
func (s *shop) in(t testing.TB) *shop {
	s.T = t
	return s
}

// backPath is the shop's page for payers who come back.
const backPath = "/shop/back"

func newShop(t *testing.T, db *store.Store) *shop {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections() // live statuses last as long as their readers
		server.Close()
	})
	env := coretest.New(t, db, coretest.WithDialect(paykit.Dialect{}), coretest.WithPublicURL(server.URL))
	s := &shop{Env: env, url: server.URL}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	s.takeCards(t, mux, quiet)
	pages, err := checkout.New(checkout.Config{Core: env.Core, Clock: env.Clock, Log: quiet, Cards: s.cards})
	if err != nil {
		t.Fatal(err)
	}
	pages.Register(mux)
	mux.Handle("/assets/", web.Assets())
	mux.Handle("/v2/", paykit.New(paykit.Config{Core: env.Core, Clock: env.Clock, Log: quiet}))
	mux.HandleFunc("GET "+backPath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><html lang="vi"><link rel="icon" href="data:,"><title>Quán</title><p>Về tới quán</p>`)
	})
	return s
}

// sale is one order in the shop with its payment.
type sale struct {
	*shop
	offer
	payment payment.Payment
	page    string
}

// sell asks for a payment by Paykit's API, of the merchant whose transfers are told apart by memo.
func (s *shop) sell(amount money.VND) *sale {
	s.T.Helper()
	return s.sellBy(s.Memo, amount, "vi")
}

func (s *shop) sellBy(p coretest.Party, amount money.VND, language string) *sale {
	s.T.Helper()
	s.sold++
	id := fmt.Sprintf("DH-2026-%06d", s.sold)
	k := keys{p.Profile.PublicID, p.Credentials.Key, p.Credentials.Secret}
	o := order(s.T, s.url+"/v2", k, id, amount, language, s.url+backPath)
	found, err := s.Core.Find(s.T.Context(), p.Merchant.ID, paykit.Dialect{}.Name(), id)
	if err != nil {
		s.T.Fatal(err)
	}
	return &sale{shop: s, offer: o, payment: found, page: o.CheckoutURL}
}

// pays transfers money as the payer of a sale.
func (s *sale) pays(amount money.VND) {
	s.T.Helper()
	s.Pay(s.payment, amount)
}

// expires lets the time of the offer run out.
func (s *sale) expires() {
	s.T.Helper()
	s.Advance(31 * time.Minute)
	s.ExpireDue()
}

// code is the QR text of what is due now.
func (s *sale) code() string {
	s.T.Helper()
	return core.VietQR(s.Reload(s.payment))
}

// showsCode fails unless the picture on the screen is the QR code of a text, dark on light with its quiet zone, and
// the text itself stands on the page.
func (v *visitor) showsCode(text string) {
	v.Helper()
	v.seen(qrCode)
	at := v.box(qrCode)
	if at.Width != at.Height || at.Width < 200 {
		v.Errorf("the QR code is %v x %v px", at.Width, at.Height)
	}
	if !ask[bool](v, fmt.Sprintf(`[...document.querySelectorAll("main code")].some((c) => c.textContent === %q)`, text)) {
		v.Errorf("the page lacks the text %s", text)
	}
	scroll := ask[box](v, `({X: scrollX, Y: scrollY})`)
	shot, err := chromedp.Call(v.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Clip: &page.Viewport{X: at.X + scroll.X, Y: at.Y + scroll.Y, Width: at.Width, Height: at.Height, Scale: 2},
	})
	if err != nil {
		v.Fatal(err)
	}
	picture, _, err := image.Decode(bytes.NewReader(shot.Data))
	if err != nil {
		v.Fatal(err)
	}
	want, err := qr.Encode(text, qr.M)
	if err != nil {
		v.Fatal(err)
	}
	if wrong := differences(picture, want); wrong > 0 {
		v.Errorf("%d modules on the screen are not those of %s", wrong, text)
	}
}

// differences counts the modules of a picture, quiet zone included, that are not the code's.
func differences(picture image.Image, code *qr.Code) int {
	const quiet = 4
	side := float64(code.Size + 2*quiet)
	b := picture.Bounds()
	wrong := 0
	for y := range code.Size + 2*quiet {
		for x := range code.Size + 2*quiet {
			at := func(i, length int) int { return int((float64(i) + 0.5) * float64(length) / side) }
			r, g, b, _ := picture.At(b.Min.X+at(x, b.Dx()), b.Min.Y+at(y, b.Dy())).RGBA()
			if dark := r+g+b < 3*0x8000; dark != code.Black(x-quiet, y-quiet) {
				wrong++
			}
		}
	}
	return wrong
}

// The judge of codes must see a code of another text, and a missing quiet zone.
func TestDifferences(t *testing.T) {
	draw := func(text string) image.Image {
		file, err := vietqr.PNG(text, 4)
		if err != nil {
			t.Fatal(err)
		}
		picture, _, err := image.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		return picture
	}
	code, err := qr.Encode("https://example.test/1", qr.M)
	if err != nil {
		t.Fatal(err)
	}
	if n := differences(draw("https://example.test/1"), code); n != 0 {
		t.Errorf("%d modules of the same text differ", n)
	}
	if differences(draw("https://example.test/2"), code) == 0 {
		t.Error("another text looks the same")
	}
	whole := draw("https://example.test/1").(*image.Paletted)
	if differences(whole.SubImage(whole.Bounds().Inset(16)), code) == 0 {
		t.Error("a missing quiet zone is not seen")
	}
}

// expect takes the faults behind the page and wants each of them to have the text, and at least one.
func (v *visitor) expect(text string) {
	v.Helper()
	faults := v.take()
	if len(faults) == 0 || slices.ContainsFunc(faults, func(f string) bool { return !strings.Contains(f, text) }) {
		v.Errorf("behind the page: %q, want only %q", faults, text)
	}
}
