package core

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/internal/pan"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/vietqr"
	"github.com/thungan/thungan/store"
)

// Limits of what people enter.
const (
	maxName = 255
	maxURL  = 2000
)

// NewMerchant describes a merchant or platform to add.
type NewMerchant struct {
	Kind       payment.MerchantKind // "" is a merchant
	Name       string               // 1 to 255 characters
	MinAmount  money.VND            // of one payment; 0 is no limit
	MaxAmount  money.VND
	DailyLimit money.VND
}

// AddMerchant adds a merchant or a platform.
func (c *Core) AddMerchant(ctx context.Context, by Actor, n NewMerchant) (payment.Merchant, error) {
	now := c.Now()
	m := payment.Merchant{
		ID: c.ids.New(), Kind: n.Kind, Name: strings.TrimSpace(n.Name), State: payment.MerchantActive,
		MinAmount: n.MinAmount, MaxAmount: n.MaxAmount, DailyLimit: n.DailyLimit, CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	if m.Kind == "" {
		m.Kind = payment.KindMerchant
	}
	if err := checkMerchant(m); err != nil {
		return payment.Merchant{}, err
	}
	return m, c.update(ctx, "add_merchant", func(w *work) error {
		if err := w.AddMerchant(ctx, m); err != nil {
			return err
		}
		return w.audit(ctx, by, "merchant.add", m.ID, nil, merchantAudit(m))
	})
}

func checkMerchant(m payment.Merchant) error {
	switch {
	case m.Kind != payment.KindMerchant && m.Kind != payment.KindPlatform:
		return invalid("kind", "is merchant or platform")
	case !slices.Contains([]payment.MerchantState{payment.MerchantActive, payment.MerchantLocked, payment.MerchantClosed}, m.State):
		return invalid("state", "is active, locked or closed")
	case m.MinAmount < 0 || m.MaxAmount < 0 || m.DailyLimit < 0:
		return invalid("limits", "are 0 or more")
	case m.MaxAmount > 0 && m.MinAmount > m.MaxAmount:
		return invalid("min_amount", "is above max_amount")
	}
	return checkText("name", m.Name, 1, maxName)
}

func invalid(field, what string) error {
	return &payment.Error{Code: payment.CodeInvalidRequest, Text: field + " " + what, Field: field}
}

// checkText wants valid UTF-8 without control characters, of a length.
func checkText(field, s string, least, most int) error {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return invalid(field, "has characters that are no text")
	case n < least:
		return invalid(field, "is missing")
	case n > most:
		return invalid(field, fmt.Sprintf("has more than %d characters", most))
	}
	return noCard(field, s)
}

// noCard refuses a text in which a card number stands (PCI DSS 3: what is not
// needed is not kept). What may still be said is at pan.Stands.
func noCard(field, s string) error {
	if pan.Stands(s) {
		return invalid(field, "has a card number in it, or what looks like one; card numbers are not taken here")
	}
	return nil
}

// storable says whether both databases can keep a text.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// checkURL wants an absolute http or https address, or nothing.
func checkURL(field, s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil {
		return invalid(field, "is not an http or https address")
	}
	return checkText(field, s, 1, maxURL)
}

// Merchant returns a merchant, or CodeNotFound.
func (c *Core) Merchant(ctx context.Context, id string) (payment.Merchant, error) {
	return view(ctx, c, "merchant", func(tx *store.Tx) (payment.Merchant, error) { return tx.Merchant(ctx, id) })
}

// Merchants lists merchants by id. After is the last id of the page before.
func (c *Core) Merchants(ctx context.Context, after string, limit int) ([]payment.Merchant, error) {
	return view(ctx, c, "merchants", func(tx *store.Tx) ([]payment.Merchant, error) { return tx.Merchants(ctx, after, page(limit)) })
}

// MerchantChange is what to change of a merchant; nil is left as it is.
type MerchantChange struct {
	Name                             *string
	State                            *payment.MerchantState
	MinAmount, MaxAmount, DailyLimit *money.VND
	Profiles                         map[string]ProfileChange // by dialect
}

// ProfileChange is what to change of a profile; "" clears an address.
type ProfileChange struct {
	NotifyURL, SuccessURL, CancelURL *string
}

// ChangeMerchant changes a merchant and its profiles, all or nothing. A closed
// merchant stays closed.
func (c *Core) ChangeMerchant(ctx context.Context, by Actor, id string, ch MerchantChange) (payment.Merchant, error) {
	var m payment.Merchant
	err := c.update(ctx, "change_merchant", func(w *work) (err error) {
		if m, err = w.LockMerchant(ctx, id); err != nil {
			return err
		}
		before := merchantAudit(m)
		if m.State == payment.MerchantClosed && ch.State != nil && *ch.State != payment.MerchantClosed {
			return payment.Fail(payment.CodeInvalidState, "a closed merchant is not opened again")
		}
		set(&m.Name, ch.Name)
		set(&m.State, ch.State)
		set(&m.MinAmount, ch.MinAmount)
		set(&m.MaxAmount, ch.MaxAmount)
		set(&m.DailyLimit, ch.DailyLimit)
		m.Name = strings.TrimSpace(m.Name)
		if err := checkMerchant(m); err != nil {
			return err
		}
		m.UpdatedAt, m.Version = w.now, m.Version+1
		if err := w.SaveMerchant(ctx, m); err != nil {
			return err
		}
		for name, change := range ch.Profiles {
			if err := w.changeProfile(ctx, by, id, name, change); err != nil {
				return err
			}
		}
		return w.audit(ctx, by, "merchant.change", id, before, merchantAudit(m))
	})
	return m, err
}

func (w *work) changeProfile(ctx context.Context, by Actor, merchantID, dialect string, ch ProfileChange) error {
	f, err := w.Profile(ctx, merchantID, dialect)
	if err != nil {
		return err
	}
	before := profileAudit(f)
	set(&f.NotifyURL, ch.NotifyURL)
	set(&f.SuccessURL, ch.SuccessURL)
	set(&f.CancelURL, ch.CancelURL)
	if err := checkProfile(f); err != nil {
		return err
	}
	if err := w.SaveProfile(ctx, f); err != nil {
		return err
	}
	return w.audit(ctx, by, "profile.change", merchantID+"/"+dialect, before, profileAudit(f))
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func checkProfile(f payment.Profile) error {
	for _, u := range []struct{ field, url string }{{"ipn_url", f.NotifyURL}, {"success_url", f.SuccessURL}, {"cancel_url", f.CancelURL}} {
		if err := checkURL(u.field, u.url); err != nil {
			return err
		}
	}
	return checkText("public_id", f.PublicID, 1, maxName)
}

func merchantAudit(m payment.Merchant) any {
	return map[string]any{"kind": m.Kind, "name": m.Name, "state": m.State, "min_amount": m.MinAmount, "max_amount": m.MaxAmount, "daily_limit": m.DailyLimit}
}

func profileAudit(f payment.Profile) any {
	return map[string]any{"public_id": f.PublicID, "ipn_url": f.NotifyURL, "success_url": f.SuccessURL, "cancel_url": f.CancelURL}
}

// Profile returns how a merchant is known in a dialect, or CodeNotFound.
func (c *Core) Profile(ctx context.Context, merchantID, dialect string) (payment.Profile, error) {
	return c.directory.profiles.get(&c.directory, profileKey{merchantID, dialect}, func() (payment.Profile, error) {
		return view(ctx, c, "profile", func(tx *store.Tx) (payment.Profile, error) { return tx.Profile(ctx, merchantID, dialect) })
	})
}

// ProfileByPublicID finds a profile by the dialect's name for the merchant.
func (c *Core) ProfileByPublicID(ctx context.Context, dialect, publicID string) (payment.Profile, error) {
	return view(ctx, c, "profile", func(tx *store.Tx) (payment.Profile, error) { return tx.ProfileByPublicID(ctx, dialect, publicID) })
}

// Profiles lists a merchant's profiles.
func (c *Core) Profiles(ctx context.Context, merchantID string) ([]payment.Profile, error) {
	return view(ctx, c, "profiles", func(tx *store.Tx) ([]payment.Profile, error) { return tx.Profiles(ctx, merchantID) })
}

// Enrolment makes a merchant known in a dialect.
type Enrolment struct {
	MerchantID string
	Dialect    string
	PublicID   string // "" is made up
	NotifyURL  string
	SuccessURL string
	CancelURL  string
}

// Credentials are shown once, when they are made.
type Credentials struct {
	PublicID     string
	Key          string
	Secret       string
	NotifySecret string // "" in dialects that sign notices with Secret
}

// Enrol makes a merchant known in a dialect, with a first key pair.
func (c *Core) Enrol(ctx context.Context, by Actor, e Enrolment) (payment.Profile, Credentials, error) {
	if _, ok := c.dialects[e.Dialect]; !ok {
		return payment.Profile{}, Credentials{}, invalid("dialect", "is not spoken here: "+e.Dialect)
	}
	f := payment.Profile{
		MerchantID: e.MerchantID, Dialect: e.Dialect, PublicID: e.PublicID, NotifyURL: e.NotifyURL, SuccessURL: e.SuccessURL, CancelURL: e.CancelURL,
	}
	if f.PublicID == "" {
		f.PublicID = "MC_" + c.ids.Key()[:10]
	}
	if err := checkProfile(f); err != nil {
		return payment.Profile{}, Credentials{}, err
	}
	var notify string
	var err error
	if !c.signsNotices(e.Dialect) {
		notify = c.ids.Key()
		if f.NotifySecret, err = c.vault.Seal([]byte(notify), f.SecretContext()); err != nil {
			return payment.Profile{}, Credentials{}, err
		}
	}
	var made Credentials
	err = c.update(ctx, "enrol", func(w *work) error {
		if _, err := w.Merchant(ctx, e.MerchantID); err != nil {
			return err
		}
		if err := w.AddProfile(ctx, f); err != nil {
			return err
		}
		if _, made, err = w.addKey(ctx, e.MerchantID, e.Dialect); err != nil {
			return err
		}
		return w.audit(ctx, by, "merchant.enrol", e.MerchantID+"/"+e.Dialect, nil, profileAudit(f))
	})
	made.PublicID, made.NotifySecret = f.PublicID, notify
	return f, made, err
}

func (w *work) addKey(ctx context.Context, merchantID, dialect string) (payment.Key, Credentials, error) {
	made := Credentials{Key: w.core.ids.Key(), Secret: w.core.ids.Key()}
	k := payment.Key{
		ID: w.core.ids.New(), MerchantID: merchantID, Dialect: dialect, KeyHash: auth.Hash(made.Key), SecretHash: auth.Hash(made.Secret),
		Hint: made.Key[len(made.Key)-4:], CreatedAt: w.now,
	}
	if w.core.signs(dialect) {
		var err error
		if k.Secret, err = w.core.vault.Seal([]byte(made.Secret), k.SecretContext()); err != nil {
			return k, made, err
		}
	}
	if err := w.AddKey(ctx, k); err != nil {
		return k, made, err
	}
	return k, made, w.sealKey(ctx, k, made.Key)
}

// lockProfile loads a profile and keeps others from changing it: whoever
// changes one has its merchant locked.
func (w *work) lockProfile(ctx context.Context, merchantID, dialect string) (payment.Profile, error) {
	if _, err := w.LockMerchant(ctx, merchantID); err != nil {
		return payment.Profile{}, err
	}
	return w.Profile(ctx, merchantID, dialect)
}

// maxGrace bounds how long an old key pair may live on beside the new one.
const maxGrace = 30 * 24 * time.Hour

// RotateKeys makes a new key pair. The old ones stop working after grace, up to
// 30 days; 0 is at once.
func (c *Core) RotateKeys(ctx context.Context, by Actor, merchantID, dialect string, grace time.Duration) (Credentials, error) {
	if grace < 0 || grace > maxGrace {
		return Credentials{}, invalid("grace", "is 0 to 30 days")
	}
	var made Credentials
	err := c.update(ctx, "rotate_keys", func(w *work) error {
		f, err := w.lockProfile(ctx, merchantID, dialect)
		if err != nil {
			return err
		}
		k, m, err := w.addKey(ctx, merchantID, dialect)
		if err != nil {
			return err
		}
		made = m
		made.PublicID = f.PublicID
		if err := w.RevokeKeys(ctx, merchantID, dialect, k.ID, w.now.Add(grace)); err != nil {
			return err
		}
		return w.audit(ctx, by, "keys.rotate", merchantID+"/"+dialect, nil, map[string]any{"hint": k.Hint, "grace_seconds": int64(grace / time.Second)})
	})
	return made, err
}

// RotateNotifySecret makes a new secret for the IPNs to a merchant. It fails
// with CodeInvalidState where they are signed with the key pair's.
func (c *Core) RotateNotifySecret(ctx context.Context, by Actor, merchantID, dialect string) (Credentials, error) {
	if c.signsNotices(dialect) {
		return Credentials{}, payment.Fail(payment.CodeInvalidState, "notifications of this protocol are signed with the secret key: rotate the keys")
	}
	made := Credentials{NotifySecret: c.ids.Key()}
	err := c.update(ctx, "rotate_notify_secret", func(w *work) error {
		f, err := w.lockProfile(ctx, merchantID, dialect)
		if err != nil {
			return err
		}
		if f.NotifySecret, err = c.vault.Seal([]byte(made.NotifySecret), f.SecretContext()); err != nil {
			return err
		}
		made.PublicID = f.PublicID
		if err := w.SaveProfile(ctx, f); err != nil {
			return err
		}
		return w.audit(ctx, by, "ipn_secret.rotate", merchantID+"/"+dialect, nil, nil)
	})
	return made, err
}

// NotifySecret opens the secret of the IPNs to a merchant, "" when none is set.
func (c *Core) NotifySecret(ctx context.Context, merchantID, dialect string) (string, error) {
	f, err := c.Profile(ctx, merchantID, dialect)
	if err != nil {
		return "", err
	}
	return c.openNotifySecret(ctx, f)
}

func (c *Core) openNotifySecret(ctx context.Context, f payment.Profile) (string, error) {
	if c.signsNotices(f.Dialect) {
		return c.newestSecret(ctx, f)
	}
	if f.NotifySecret == "" {
		return "", nil
	}
	return c.openSecret(f.NotifySecret, f.SecretContext())
}

// openSecret opens a sealed secret.
func (c *Core) openSecret(sealed, context string) (string, error) {
	plain, err := c.vault.Open(sealed, context)
	if err != nil {
		return "", c.failed("open_secret", &payment.Error{Code: payment.CodeInternal, Cause: err})
	}
	return string(plain), nil
}

// Keys lists a merchant's key pairs, hashes and hints only.
func (c *Core) Keys(ctx context.Context, merchantID string) ([]payment.Key, error) {
	return view(ctx, c, "keys", func(tx *store.Tx) ([]payment.Key, error) { return tx.Keys(ctx, merchantID) })
}

var (
	binForm    = regexp.MustCompile(`^[0-9]{6}$`)
	numberForm = regexp.MustCompile(`^[A-Z0-9]{1,19}$`)
	prefixForm = regexp.MustCompile(`^[A-Z0-9]*$`)
)

// maxMemoPrefix leaves room for a space and the memo code in VietQR's 25
// characters.
const maxMemoPrefix = 12

// AddReceivingAccount adds a bank account that the merchant is paid into. ID
// and CreatedAt are filled in.
func (c *Core) AddReceivingAccount(ctx context.Context, by Actor, a payment.ReceivingAccount) (payment.ReceivingAccount, error) {
	a.ID, a.CreatedAt = c.ids.New(), c.Now()
	a.Number, a.Prefix = strings.ToUpper(strings.TrimSpace(a.Number)), strings.ToUpper(strings.TrimSpace(a.Prefix))
	a.Holder = strings.TrimSpace(vietqr.Unaccent(a.Holder))
	if a.Recognise == "" {
		a.Recognise = payment.ByMemo
	}
	if err := checkAccount(a); err != nil {
		return payment.ReceivingAccount{}, err
	}
	return a, c.update(ctx, "add_receiving_account", func(w *work) error {
		if _, err := w.Merchant(ctx, a.MerchantID); err != nil {
			return err
		}
		if err := w.prefixIsFree(ctx, a); err != nil {
			return err
		}
		if err := w.AddReceivingAccount(ctx, a); err != nil {
			return err
		}
		return w.audit(ctx, by, "receiving_account.add", a.ID, nil, map[string]any{
			"merchant_id": a.MerchantID, "bin": a.BIN, "number": a.Number, "recognise": a.Recognise, "prefix": a.Prefix,
		})
	})
}

func checkAccount(a payment.ReceivingAccount) error {
	if _, known := vietqr.LookupBIN(a.BIN); !known {
		return invalid("bin", "is not the six digits of a bank in the NAPAS table")
	}
	switch {
	case !binForm.MatchString(a.BIN):
		return invalid("bin", "is six digits")
	case !numberForm.MatchString(a.Number):
		return invalid("number", "is 1 to 19 letters and digits")
	case !prefixForm.MatchString(a.Prefix):
		return invalid("prefix", "is letters and digits")
	case a.Recognise == payment.ByMemo && len(a.Prefix) > maxMemoPrefix:
		return invalid("prefix", fmt.Sprintf("of a memo has at most %d characters", maxMemoPrefix))
	case a.Recognise == payment.ByVirtualAccount && (a.Prefix == "" || len(a.Prefix) > id.MaxAccount-id.VirtualDigits):
		return invalid("prefix", fmt.Sprintf("of virtual accounts has 1 to %d characters", id.MaxAccount-id.VirtualDigits))
	case a.Recognise != payment.ByMemo && a.Recognise != payment.ByVirtualAccount:
		return invalid("recognise", "is memo or virtual_account")
	}
	// A number may have the form of a card's by chance: it is an account all the same.
	return checkText("holder", a.Holder, 1, 100)
}

// prefixIsFree keeps virtual accounts of different bank accounts apart: no
// prefix may be the start of another.
func (w *work) prefixIsFree(ctx context.Context, a payment.ReceivingAccount) error {
	if a.Recognise != payment.ByVirtualAccount {
		return nil
	}
	// Two that are added at once must see each other: the second waits for the
	// first one's row.
	if err := w.Tx.PutSetting(ctx, "lock/virtual_prefixes", a.ID); err != nil {
		return err
	}
	others, err := w.VirtualAccountOwners(ctx)
	if err != nil {
		return err
	}
	for _, o := range others {
		sameAccount := o.BIN == a.BIN && o.Number == a.Number && o.MerchantID == a.MerchantID
		if !sameAccount && (strings.HasPrefix(o.Prefix, a.Prefix) || strings.HasPrefix(a.Prefix, o.Prefix)) {
			return payment.Fail(payment.CodeConflict, "the prefix collides with another account's: "+o.Prefix)
		}
	}
	return nil
}

// ReceivingAccounts lists a merchant's bank accounts, oldest first.
func (c *Core) ReceivingAccounts(ctx context.Context, merchantID string) ([]payment.ReceivingAccount, error) {
	return view(ctx, c, "receiving_accounts", func(tx *store.Tx) ([]payment.ReceivingAccount, error) { return tx.ReceivingAccounts(ctx, merchantID) })
}

// EnableReceivingAccount says whether new payments may use a bank account. Old
// ones are recognised in any case.
func (c *Core) EnableReceivingAccount(ctx context.Context, by Actor, id string, on bool) error {
	return c.update(ctx, "enable_receiving_account", func(w *work) error {
		a, err := w.ReceivingAccount(ctx, id)
		if err != nil {
			return err
		}
		if err := w.EnableReceivingAccount(ctx, id, on); err != nil {
			return err
		}
		return w.audit(ctx, by, "receiving_account.enable", id, map[string]bool{"enabled": a.Enabled}, map[string]bool{"enabled": on})
	})
}
