package core

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// Limits of what people enter of a terminal.
const (
	maxTerminalName = 100
	maxCity         = 15 // a VietQR payload has no room for more (object 60)
	defaultCity     = "HO CHI MINH"
	terminalPrefix  = "TID-"
)

var (
	terminalForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,20}$`)
	cityForm     = regexp.MustCompile(`^[ -~]{1,15}$`)
)

// NewTerminal describes a terminal to add.
type NewTerminal struct {
	MerchantID   string
	PublicID     string           // 1 to 20 letters, digits, "-" and "_"; "" is made up
	Name         string           // 1 to 100 characters: where it stands
	City         string           // up to 15 characters of ASCII; "" is HO CHI MINH
	Methods      []payment.Method // empty is both
	MaxAmount    money.VND        // 0 is no limit, as for the others
	DailyLimit   money.VND
	MonthlyLimit money.VND
	BatchLimit   money.VND
}

// terminalMethods are what a terminal can take.
var terminalMethods = []payment.Method{payment.CardPresent, payment.BankTransfer}

// AddTerminal registers a terminal of a merchant, with a first key for its
// device. The key is shown once. CodeConflict when the public id is taken.
func (c *Core) AddTerminal(ctx context.Context, by Actor, n NewTerminal) (payment.Terminal, string, error) {
	now := c.Now()
	t := payment.Terminal{
		MerchantID: n.MerchantID, PublicID: n.PublicID, Name: strings.TrimSpace(n.Name), City: n.City, State: payment.TerminalActive, Methods: n.Methods,
		MaxAmount: n.MaxAmount, DailyLimit: n.DailyLimit, MonthlyLimit: n.MonthlyLimit, BatchLimit: n.BatchLimit,
		Batch: 1, CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	if t.City == "" {
		t.City = defaultCity
	}
	if len(t.Methods) == 0 {
		t.Methods = terminalMethods
	}
	for try := 1; ; try++ {
		t.ID = c.ids.New()
		t.Label = terminalLabel(t.ID)
		if n.PublicID == "" {
			t.PublicID = madeUpTerminalID(t.ID)
		}
		key, err := c.addTerminal(ctx, by, t)
		taken := payment.CodeOf(err) == payment.CodeConflict
		if taken && n.PublicID == "" && try < codeTries {
			continue
		}
		if taken {
			err = payment.Fail(payment.CodeConflict, "the terminal id is taken: "+t.PublicID)
		}
		return t, key, err
	}
}

func (c *Core) addTerminal(ctx context.Context, by Actor, t payment.Terminal) (key string, err error) {
	if err := checkTerminal(t); err != nil {
		return "", err
	}
	err = c.update(ctx, "add_terminal", func(w *work) error {
		if _, err := w.Merchant(ctx, t.MerchantID); err != nil {
			return err
		}
		if err := w.AddTerminal(ctx, t); err != nil {
			return err
		}
		k, made := w.newTerminalKey(t.ID)
		key = made
		if err := w.Tx.AddTerminalKey(ctx, k); err != nil {
			return err
		}
		return w.audit(ctx, by, "terminal.add", t.ID, nil, terminalAudit(t))
	})
	return key, err
}

// madeUpTerminalID is the time and 20 random bits of our own id, as AppotaPay's
// look.
func madeUpTerminalID(terminalID string) string {
	text, err := id.ULID(terminalID)
	if err != nil {
		return "" // our own ids are ids; the check refuses an empty one
	}
	return terminalPrefix + text[:10] + text[id.ULIDLen-4:]
}

// terminalLabel is what QR codes call a terminal. It tells people, not
// programs, so two may be alike.
func terminalLabel(terminalID string) string {
	n, _ := strconv.ParseUint(auth.Hash(terminalID)[:12], 16, 64) // hexadecimal digits
	return fmt.Sprintf("Q%07d", n%10_000_000)
}

func checkTerminal(t payment.Terminal) error {
	switch {
	case !terminalForm.MatchString(t.PublicID):
		return invalid("terminal_id", "is 1 to 20 letters, digits, - and _")
	case !cityForm.MatchString(t.City):
		return invalid("city", "is 1 to 15 letters without Vietnamese marks")
	case t.State != payment.TerminalActive && t.State != payment.TerminalLocked:
		return invalid("state", "is active or locked")
	case t.MaxAmount < 0 || t.DailyLimit < 0 || t.MonthlyLimit < 0 || t.BatchLimit < 0:
		return invalid("limits", "are 0 or more")
	case len(t.Methods) == 0:
		return invalid("methods", "has at least one of card_present and bank_transfer")
	}
	for i, m := range t.Methods {
		if !slices.Contains(terminalMethods, m) || slices.Contains(t.Methods[:i], m) {
			return invalid("methods", "has card_present and bank_transfer, each at most once")
		}
	}
	for _, text := range []struct{ field, text string }{{"terminal_id", t.PublicID}, {"city", t.City}} {
		if err := noCard(text.field, text.text); err != nil {
			return err
		}
	}
	return checkText("name", t.Name, 1, maxTerminalName)
}

func terminalAudit(t payment.Terminal) any {
	return map[string]any{
		"merchant_id": t.MerchantID, "terminal_id": t.PublicID, "name": t.Name, "city": t.City, "state": t.State, "methods": t.Methods,
		"max_amount": t.MaxAmount, "daily_limit": t.DailyLimit, "monthly_limit": t.MonthlyLimit, "batch_limit": t.BatchLimit,
	}
}

// TerminalChange is what to change of a terminal; nil is left as it is.
type TerminalChange struct {
	Name, City                                      *string
	State                                           *payment.TerminalState
	Methods                                         []payment.Method
	MaxAmount, DailyLimit, MonthlyLimit, BatchLimit *money.VND
}

// ChangeTerminal changes a terminal. Locking one ends no sale that its device
// has fetched: what comes of it is still taken in.
func (c *Core) ChangeTerminal(ctx context.Context, by Actor, terminalID string, ch TerminalChange) (payment.Terminal, error) {
	var t payment.Terminal
	err := c.update(ctx, "change_terminal", func(w *work) (err error) {
		if t, err = w.LockTerminal(ctx, terminalID); err != nil {
			return err
		}
		before := terminalAudit(t)
		set(&t.Name, ch.Name)
		set(&t.City, ch.City)
		set(&t.State, ch.State)
		set(&t.MaxAmount, ch.MaxAmount)
		set(&t.DailyLimit, ch.DailyLimit)
		set(&t.MonthlyLimit, ch.MonthlyLimit)
		set(&t.BatchLimit, ch.BatchLimit)
		if ch.Methods != nil {
			t.Methods = ch.Methods
		}
		t.Name = strings.TrimSpace(t.Name)
		if err := checkTerminal(t); err != nil {
			return err
		}
		if err := w.saveTerminal(ctx, &t); err != nil {
			return err
		}
		return w.audit(ctx, by, "terminal.change", t.ID, before, terminalAudit(t))
	})
	return t, err
}

// saveTerminal writes a terminal that is locked.
func (w *work) saveTerminal(ctx context.Context, t *payment.Terminal) error {
	t.UpdatedAt, t.Version = w.now, t.Version+1
	w.touched = append(w.touched, terminalSignal(t.ID))
	return w.SaveTerminal(ctx, *t)
}

// Terminal returns a terminal by our own id, or CodeNotFound.
func (c *Core) Terminal(ctx context.Context, terminalID string) (payment.Terminal, error) {
	return view(ctx, c, "terminal", func(tx *store.Tx) (payment.Terminal, error) { return tx.Terminal(ctx, terminalID) })
}

// TerminalByPublicID returns a terminal by what wires call it, or CodeNotFound.
func (c *Core) TerminalByPublicID(ctx context.Context, publicID string) (payment.Terminal, error) {
	return view(ctx, c, "terminal", func(tx *store.Tx) (payment.Terminal, error) { return tx.TerminalByPublicID(ctx, publicID) })
}

// Terminals lists terminals by id, of one merchant or of all. After is the last
// id of the page before.
func (c *Core) Terminals(ctx context.Context, merchantID, after string, limit int) ([]payment.Terminal, error) {
	return view(ctx, c, "terminals", func(tx *store.Tx) ([]payment.Terminal, error) {
		return tx.Terminals(ctx, merchantID, after, page(limit))
	})
}

// newTerminalKey makes a device's key, 256 random bits.
func (w *work) newTerminalKey(terminalID string) (payment.TerminalKey, string) {
	key := w.core.ids.Token(32)
	return payment.TerminalKey{ID: w.core.ids.New(), TerminalID: terminalID, Hash: auth.Hash(key), Hint: key[len(key)-4:], CreatedAt: w.now}, key
}

// RotateTerminalKey makes a new key for a terminal's device. The old ones stop
// working after grace, up to 30 days; 0 is at once.
func (c *Core) RotateTerminalKey(ctx context.Context, by Actor, terminalID string, grace time.Duration) (string, error) {
	if grace < 0 || grace > maxGrace {
		return "", invalid("grace", "is 0 to 30 days")
	}
	return c.terminalKey(ctx, by, "terminal.rotate_key", terminalID, &grace)
}

// AddTerminalKey makes one more key for a terminal; the old ones go on.
func (c *Core) AddTerminalKey(ctx context.Context, by Actor, terminalID string) (string, error) {
	return c.terminalKey(ctx, by, "terminal.add_key", terminalID, nil)
}

func (c *Core) terminalKey(ctx context.Context, by Actor, act, terminalID string, grace *time.Duration) (key string, err error) {
	err = c.update(ctx, "terminal_key", func(w *work) error {
		t, err := w.LockTerminal(ctx, terminalID)
		if err != nil {
			return err
		}
		k, made := w.newTerminalKey(t.ID)
		key = made
		if err := w.Tx.AddTerminalKey(ctx, k); err != nil {
			return err
		}
		if grace != nil {
			if err := w.RevokeTerminalKeys(ctx, t.ID, k.ID, w.now.Add(*grace)); err != nil {
				return err
			}
		}
		return w.audit(ctx, by, act, t.ID, nil, map[string]any{"hint": k.Hint})
	})
	return key, err
}

// AuthenticateTerminal finds the terminal of a device's key, or fails with
// CodeUnauthorized. A locked terminal is returned; ask Usable.
func (c *Core) AuthenticateTerminal(ctx context.Context, key string) (payment.Terminal, error) {
	return view(ctx, c, "authenticate_terminal", func(tx *store.Tx) (payment.Terminal, error) {
		k, err := tx.TerminalKeyByHash(ctx, auth.Hash(key))
		if payment.CodeOf(err) == payment.CodeUnauthorized {
			k = payment.TerminalKey{Hash: noSecret}
		} else if err != nil {
			return payment.Terminal{}, err
		}
		ended := !k.RevokedAt.IsZero() && !c.Now().Before(k.RevokedAt)
		if same := auth.Equal(key, k.Hash); !same || ended || k.ID == "" || key == "" {
			return payment.Terminal{}, errUnauthorized
		}
		return tx.Terminal(ctx, k.TerminalID)
	})
}
