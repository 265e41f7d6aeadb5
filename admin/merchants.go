package admin

import (
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

type merchantView struct {
	MerchantID string        `json:"merchant_id"`
	Kind       string        `json:"kind"`
	Name       string        `json:"name"`
	State      string        `json:"state"`
	MinAmount  money.VND     `json:"min_amount"`
	MaxAmount  money.VND     `json:"max_amount"`
	DailyLimit money.VND     `json:"daily_limit"`
	Profiles   []profileView `json:"profiles"`
	CreatedAt  stamp         `json:"created_at"`
	UpdatedAt  stamp         `json:"updated_at"`
	Version    int64         `json:"version"`
}

type profileView struct {
	Dialect      string `json:"dialect"`
	PublicID     string `json:"public_id"`
	IPNURL       string `json:"ipn_url"`
	SuccessURL   string `json:"success_url"`
	CancelURL    string `json:"cancel_url"`
	HasIPNSecret bool   `json:"has_ipn_secret"`
}

func showProfile(p payment.Profile) profileView {
	return profileView{
		Dialect: p.Dialect, PublicID: p.PublicID, IPNURL: p.NotifyURL, SuccessURL: p.SuccessURL, CancelURL: p.CancelURL,
		HasIPNSecret: p.NotifySecret != "",
	}
}

// showMerchant renders a merchant with how it is known in each dialect.
func (a *API) showMerchant(ctx context.Context, m payment.Merchant) (merchantView, error) {
	profiles, err := a.core.Profiles(ctx, m.ID)
	if err != nil {
		return merchantView{}, err
	}
	v := merchantView{
		MerchantID: m.ID, Kind: string(m.Kind), Name: m.Name, State: string(m.State),
		MinAmount: m.MinAmount, MaxAmount: m.MaxAmount, DailyLimit: m.DailyLimit, Profiles: []profileView{},
		CreatedAt: stamp(m.CreatedAt), UpdatedAt: stamp(m.UpdatedAt), Version: m.Version,
	}
	for _, p := range profiles {
		v.Profiles = append(v.Profiles, showProfile(p))
	}
	return v, nil
}

// or is what p points at, or d when it points nowhere.
func or[T any](p *T, d T) T {
	if p == nil {
		return d
	}
	return *p
}

func (a *API) addMerchant(c *call) (any, error) {
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("name")
	kind := o.choice("kind", string(payment.KindMerchant), string(payment.KindPlatform))
	name := o.words("name", maxName)
	least, most, daily := o.amount("min_amount"), o.amount("max_amount"), o.amount("daily_limit")
	o.checkRange(least, most)
	if err := o.err(); err != nil {
		return nil, err
	}
	m, err := a.core.AddMerchant(c.ctx(), c.by, core.NewMerchant{
		Kind: payment.MerchantKind(or(kind, string(payment.KindMerchant))), Name: *name,
		MinAmount: or(least, 0), MaxAmount: or(most, 0), DailyLimit: or(daily, 0),
	})
	if err != nil {
		return nil, err
	}
	return a.showMerchant(c.ctx(), m)
}

// checkRange complains about limits that no amount can meet. 0 is no limit.
func (o *object) checkRange(least, most *money.VND) {
	if least != nil && most != nil && *most > 0 && *least > *most {
		o.complain("min_amount", "is above max_amount")
	}
}

func (a *API) merchants(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page := q.page()
	dialect, publicID := q.text("dialect"), q.text("public_id")
	if (dialect == "") != (publicID == "") {
		q.faults.add("public_id", "needs dialect, and dialect needs public_id")
	}
	if err := q.err(); err != nil {
		return nil, err
	}
	if publicID != "" {
		return a.merchantsByPublicID(c.ctx(), dialect, publicID)
	}
	read := func(cursor string, limit int) ([]merchantView, error) {
		found, err := a.core.Merchants(c.ctx(), cursor, limit)
		views := make([]merchantView, len(found))
		for i := 0; i < len(found) && err == nil; i++ {
			views[i], err = a.showMerchant(c.ctx(), found[i])
		}
		return views, err
	}
	return readPage(page, read, func(v merchantView) string { return v.MerchantID }, same)
}

// same is for rows that are rendered already.
func same[T any](v T) T { return v }

// merchantsByPublicID is a list of one, or of none.
func (a *API) merchantsByPublicID(ctx context.Context, dialect, publicID string) (any, error) {
	none := list[merchantView]{Items: []merchantView{}}
	p, err := a.core.ProfileByPublicID(ctx, dialect, publicID)
	if missing(err) {
		return none, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := a.core.Merchant(ctx, p.MerchantID)
	if err != nil {
		return nil, err
	}
	v, err := a.showMerchant(ctx, m)
	if err != nil {
		return nil, err
	}
	return list[merchantView]{Items: []merchantView{v}}, nil
}

// missing says whether err means that something is not there.
func missing(err error) bool {
	code := payment.CodeOf(err)
	return code == payment.CodeNotFound || code == payment.CodePaymentNotFound
}

func (a *API) merchant(c *call) (any, error) {
	m, err := a.merchantOfPath(c)
	if err != nil {
		return nil, err
	}
	return a.showMerchant(c.ctx(), m)
}

// merchantOfPath loads the merchant that the path names.
func (a *API) merchantOfPath(c *call) (payment.Merchant, error) {
	id, err := c.pathID("merchant_id")
	if err != nil {
		return payment.Merchant{}, err
	}
	return a.core.Merchant(c.ctx(), id)
}

func (a *API) changeMerchant(c *call) (any, error) {
	id, err := c.pathID("merchant_id")
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	ch := core.MerchantChange{
		Name:      o.words("name", maxName),
		MinAmount: o.amount("min_amount"), MaxAmount: o.amount("max_amount"), DailyLimit: o.amount("daily_limit"),
		Profiles: map[string]core.ProfileChange{},
	}
	if s := o.choice("state", string(payment.MerchantActive), string(payment.MerchantLocked), string(payment.MerchantClosed)); s != nil {
		ch.State = (*payment.MerchantState)(s)
	}
	o.checkRange(ch.MinAmount, ch.MaxAmount)
	o.links("ipn_urls", ch.Profiles, func(p *core.ProfileChange, u *string) { p.NotifyURL = u })
	o.links("success_urls", ch.Profiles, func(p *core.ProfileChange, u *string) { p.SuccessURL = u })
	o.links("cancel_urls", ch.Profiles, func(p *core.ProfileChange, u *string) { p.CancelURL = u })
	o.needOne("name", "state", "min_amount", "max_amount", "daily_limit", "ipn_urls", "success_urls", "cancel_urls")
	if err := o.err(); err != nil {
		return nil, err
	}
	if err := a.checkEnrolled(c.ctx(), o, id); err != nil {
		return nil, err
	}
	m, err := a.core.ChangeMerchant(c.ctx(), c.by, id, ch)
	if err != nil {
		return nil, err
	}
	return a.showMerchant(c.ctx(), m)
}

// checkEnrolled complains about addresses for dialects in which the merchant is
// not known.
func (a *API) checkEnrolled(ctx context.Context, o *object, merchantID string) error {
	if _, err := a.core.Merchant(ctx, merchantID); err != nil {
		return err
	}
	profiles, err := a.core.Profiles(ctx, merchantID)
	if err != nil {
		return err
	}
	for _, name := range []string{"ipn_urls", "success_urls", "cancel_urls"} {
		urls, _ := o.values[name].(map[string]any)
		for dialect := range urls {
			if !slices.ContainsFunc(profiles, func(p payment.Profile) bool { return p.Dialect == dialect }) {
				o.complain(name+"."+dialect, "the merchant is not enrolled in this dialect")
			}
		}
	}
	return o.err()
}

// links reads {"<dialect>": "<url>"} into the changes by dialect.
func (o *object) links(name string, changes map[string]core.ProfileChange, put func(*core.ProfileChange, *string)) {
	in := o.inner(name)
	if in == nil {
		return
	}
	for dialect := range in.values {
		if u := in.link(dialect); u != nil {
			p := changes[dialect]
			put(&p, u)
			changes[dialect] = p
		}
	}
}

// credentialsView shows secrets, once. What was not made is left out.
type credentialsView struct {
	PublicID     string `json:"public_id,omitempty"`
	APIKey       string `json:"api_key,omitempty"`
	SecretKey    string `json:"secret_key,omitempty"`
	IPNSecretKey string `json:"ipn_secret_key,omitempty"`
}

func showCredentials(k core.Credentials) credentialsView {
	return credentialsView{PublicID: k.PublicID, APIKey: k.Key, SecretKey: k.Secret, IPNSecretKey: k.NotifySecret}
}

type enrolmentView struct {
	Profile     profileView     `json:"profile"`
	Credentials credentialsView `json:"credentials"`
}

func (a *API) enrol(c *call) (any, error) {
	id, err := c.pathID("merchant_id")
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("dialect")
	dialect, publicID := o.filled("dialect", maxPublicID), o.text("public_id", maxPublicID)
	o.checkPublicID(publicID)
	ipn, success, cancel := o.link("ipn_url"), o.link("success_url"), o.link("cancel_url")
	if err := o.err(); err != nil {
		return nil, err
	}
	p, k, err := a.core.Enrol(c.ctx(), c.by, core.Enrolment{
		MerchantID: id, Dialect: *dialect, PublicID: or(publicID, ""),
		NotifyURL: or(ipn, ""), SuccessURL: or(success, ""), CancelURL: or(cancel, ""),
	})
	if payment.CodeOf(err) == payment.CodeConflict {
		return nil, payment.Fail(payment.CodeConflict, "the merchant is enrolled in this dialect already, or the public id is taken")
	}
	if err != nil {
		return nil, err
	}
	return enrolmentView{Profile: showProfile(p), Credentials: showCredentials(k)}, nil
}

// maxPublicID bounds a merchant's name in a dialect, and a dialect's own.
const maxPublicID = 64

var publicIDForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]*$`)

// checkPublicID keeps to what fits into a path segment unescaped: payment
// pages have the public id in their URL.
func (o *object) checkPublicID(s *string) {
	if s != nil && *s != "" && !publicIDForm.MatchString(*s) {
		o.complain("public_id", "may have letters, digits and - _ . ~ only, and begins with a letter or digit")
	}
}

func (a *API) profiles(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page := q.pageByName()
	if err := q.err(); err != nil {
		return nil, err
	}
	m, err := a.merchantOfPath(c)
	if err != nil {
		return nil, err
	}
	found, err := a.core.Profiles(c.ctx(), m.ID)
	if err != nil {
		return nil, err
	}
	return cutPage(found, page, func(p payment.Profile) string { return p.Dialect }, showProfile)
}

type keyView struct {
	KeyID     string `json:"key_id"`
	Dialect   string `json:"dialect"`
	Hint      string `json:"hint"`
	Valid     bool   `json:"valid"`
	CreatedAt stamp  `json:"created_at"`
	RevokedAt stamp  `json:"revoked_at"`
}

func (a *API) keys(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page := q.page()
	if err := q.err(); err != nil {
		return nil, err
	}
	m, err := a.merchantOfPath(c)
	if err != nil {
		return nil, err
	}
	found, err := a.core.Keys(c.ctx(), m.ID)
	if err != nil {
		return nil, err
	}
	now := a.clock.Now()
	show := func(k payment.Key) keyView {
		return keyView{
			KeyID: k.ID, Dialect: k.Dialect, Hint: k.Hint, Valid: k.RevokedAt.IsZero() || now.Before(k.RevokedAt),
			CreatedAt: stamp(k.CreatedAt), RevokedAt: stamp(k.RevokedAt),
		}
	}
	return cutPage(found, page, func(k payment.Key) string { return k.ID }, show)
}

// Grace of the old keys after a rotation.
const (
	defaultGrace = 24 * time.Hour
	maxGrace     = 30 * 24 * time.Hour // core's limit too
)

func (a *API) rotateKeys(c *call) (any, error) {
	id, err := c.pathID("merchant_id")
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("dialect")
	dialect, grace := o.filled("dialect", maxPublicID), o.span("grace", maxGrace)
	if err := o.err(); err != nil {
		return nil, err
	}
	return shown(showCredentials)(a.core.RotateKeys(c.ctx(), c.by, id, *dialect, or(grace, defaultGrace)))
}

func (a *API) rotateIPNSecret(c *call) (any, error) {
	id, err := c.pathID("merchant_id")
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("dialect")
	dialect := o.filled("dialect", maxPublicID)
	if err := o.err(); err != nil {
		return nil, err
	}
	return shown(showCredentials)(a.core.RotateNotifySecret(c.ctx(), c.by, id, *dialect))
}
