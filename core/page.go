package core

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"net/url"
	"sync"
	"time"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// PageURL is the address of a payment's hosted page. Its form is Paykit's
// (seed 003, checkout_url) with a key: references can be counted, the key
// cannot.
func (c *Core) PageURL(publicID string, p payment.Payment) string {
	return c.publicURL + "/merchant/" + url.PathEscape(publicID) + "/payment/" + url.PathEscape(p.Reference) + "?key=" + c.keyOf(p.ID)
}

// keyOf is 128 bits that only this gateway can make from a payment's id.
func (c *Core) keyOf(paymentID string) string {
	mac, _ := c.pageMACs.Get().(hash.Hash)
	if mac == nil {
		mac = hmac.New(sha256.New, c.pageKey)
	}
	defer c.pageMACs.Put(mac)
	mac.Reset()
	mac.Write([]byte(paymentID))
	var sum [sha256.Size]byte
	return base64.RawURLEncoding.EncodeToString(mac.Sum(sum[:0])[:16])
}

// Page is what the hosted page shows.
type Page struct {
	Payment   payment.Payment
	Merchant  payment.Merchant
	PublicID  string
	ReturnURL string // where to send the payer once the payment has closed, "" for nowhere
}

// FindPage finds a payment for its hosted page. A wrong key is answered like a
// payment that does not exist: CodePaymentNotFound.
func (c *Core) FindPage(ctx context.Context, publicID, reference, key string) (Page, error) {
	if !storable(publicID) || !storable(reference) {
		return Page{}, payment.Fail(payment.CodePaymentNotFound, "no such payment")
	}
	return view(ctx, c, "find_page", func(tx *store.Tx) (Page, error) {
		profiles, err := tx.ProfilesByPublicID(ctx, publicID)
		if err != nil {
			return Page{}, err
		}
		for _, f := range profiles {
			p, err := tx.PaymentByReference(ctx, f.MerchantID, f.Dialect, reference)
			if payment.CodeOf(err) == payment.CodePaymentNotFound {
				continue
			}
			if err != nil {
				return Page{}, err
			}
			if !auth.SameString(key, c.keyOf(p.ID)) {
				break
			}
			m, err := tx.Merchant(ctx, p.MerchantID)
			if err != nil {
				return Page{}, err
			}
			found := Page{Payment: p, Merchant: m, PublicID: publicID}
			if d, ok := c.dialects[p.Dialect]; ok {
				found.ReturnURL = d.Return(p, f)
			}
			return found, nil
		}
		return Page{}, payment.Fail(payment.CodePaymentNotFound, "no such payment")
	})
}

// recheck is how often a watched payment is looked at for changes that another
// node made.
const recheck = time.Second

// Watch sends a payment now and whenever it has changed, the newest state only,
// until ctx ends; then it closes the channel.
func (c *Core) Watch(ctx context.Context, paymentID string) <-chan payment.Payment {
	updates := make(chan payment.Payment, 1)
	signal, leave := c.watchers.join(paymentID)
	go func() {
		defer close(updates)
		defer leave()
		for seen := int64(0); ; {
			if p, err := c.Payment(ctx, paymentID); err == nil && p.Version > seen {
				seen = p.Version
				select {
				case <-updates: // an older state that nobody has taken
				default:
				}
				updates <- p
			}
			wait, cancel := context.WithTimeout(ctx, recheck)
			select {
			case <-signal:
			case <-wait.Done():
			}
			cancel()
			if ctx.Err() != nil {
				return
			}
		}
	}()
	return updates
}

// watchers are those who wait for changes of a payment.
type watchers struct {
	mu sync.Mutex
	of map[string]map[chan struct{}]bool
}

func (w *watchers) join(paymentID string) (signal <-chan struct{}, leave func()) {
	ch := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil {
		w.of = map[string]map[chan struct{}]bool{}
	}
	if w.of[paymentID] == nil {
		w.of[paymentID] = map[chan struct{}]bool{}
	}
	w.of[paymentID][ch] = true
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.of[paymentID], ch)
		if len(w.of[paymentID]) == 0 {
			delete(w.of, paymentID)
		}
	}
}

func (w *watchers) signal(paymentID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch := range w.of[paymentID] {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// firstID is the smallest UUIDv7 of a moment.
func firstID(t time.Time) string {
	const digits = "0123456789abcdef"
	ms := uint64(min(max(clock.Millis(t), 0), 1<<48-1)) // 48 bits have room for it
	b := []byte("00000000-0000-7000-8000-000000000000")
	for i, shift := 0, 44; shift >= 0; i, shift = i+1, shift-4 {
		if i == 8 {
			i++ // the hyphen
		}
		b[i] = digits[ms>>shift&15]
	}
	return string(b)
}

// PageOf is PageURL of a payment by our own id.
func (c *Core) PageOf(ctx context.Context, paymentID string) (string, error) {
	p, err := c.Payment(ctx, paymentID)
	if err != nil {
		return "", err
	}
	f, err := c.Profile(ctx, p.MerchantID, p.Dialect)
	if err != nil {
		return "", err
	}
	return c.PageURL(f.PublicID, p), nil
}

// AttemptKey is 128 bits that only this gateway can make from an attempt's id;
// they are in the address that the payer comes back to.
func (c *Core) AttemptKey(attemptID string) string { return c.keyOf("attempt " + attemptID) }

// PageKey is the unguessable part of a payment's addresses.
func (c *Core) PageKey(p payment.Payment) string { return c.keyOf(p.ID) }

// PublicURL is where payers reach the gateway, without a trailing slash.
func (c *Core) PublicURL() string { return c.publicURL }
