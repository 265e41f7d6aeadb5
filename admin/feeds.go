package admin

import (
	"context"
	"regexp"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
)

// feedView shows a feed. Its secrets never leave the gateway.
type feedView struct {
	Name        string `json:"name"`
	Kind        string `json:"kind"`
	MerchantID  string `json:"merchant_id"`
	Enabled     bool   `json:"enabled"`
	HasSecret   bool   `json:"has_secret"`
	HasAPI      bool   `json:"has_api"`
	WebhookPath string `json:"webhook_path"`
	SeenUntil   stamp  `json:"seen_until"`
	PulledAt    stamp  `json:"pulled_at"`
	PullError   string `json:"pull_error"`
	CreatedAt   stamp  `json:"created_at"`
}

func showFeed(f payment.Feed) feedView {
	return feedView{
		Name: f.Name, Kind: f.Kind, MerchantID: f.MerchantID, Enabled: f.Enabled, HasSecret: f.Secret != "", HasAPI: f.API != "",
		WebhookPath: "/bank-feeds/" + f.Name,
		SeenUntil:   stamp(f.SeenUntil), PulledAt: stamp(f.PulledAt), PullError: f.PullError, CreatedAt: stamp(f.CreatedAt),
	}
}

var feedName = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// feedOfPath is the feed's name in the path.
func feedOfPath(c *call) (string, error) {
	name := c.r.PathValue("name")
	if !feedName.MatchString(name) {
		return "", payment.Fail(payment.CodeNotFound, "no such bank feed")
	}
	return name, nil
}

func (a *API) addFeed(c *call) (any, error) {
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("name", "kind", "secret")
	name, kind := o.text("name", maxName), o.filled("kind", maxPublicID)
	merchantID, secret, api := o.uuid("merchant_id"), o.secret("secret"), o.credentials("api")
	if name != nil && !feedName.MatchString(*name) {
		o.complain("name", "has to be 1 to 40 small letters, digits and dashes")
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	if err := a.checkFeed(*kind, *secret, or(api, "")); err != nil {
		return nil, err
	}
	return shown(showFeed)(a.core.AddFeed(c.ctx(), c.by, core.NewFeed{Name: *name, Kind: *kind, MerchantID: or(merchantID, ""), Secret: *secret, API: or(api, "")}))
}

func (a *API) feeds(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page := q.pageByName()
	if err := q.err(); err != nil {
		return nil, err
	}
	found, err := a.core.Feeds(c.ctx())
	if err != nil {
		return nil, err
	}
	return cutPage(found, page, func(f payment.Feed) string { return f.Name }, showFeed)
}

func (a *API) feed(c *call) (any, error) {
	name, err := feedOfPath(c)
	if err != nil {
		return nil, err
	}
	return shown(showFeed)(a.core.Feed(c.ctx(), name))
}

func (a *API) changeFeed(c *call) (any, error) {
	name, err := feedOfPath(c)
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	secret, api, enabled := o.secret("secret"), o.credentials("api"), o.flag("enabled")
	o.needOne("secret", "api", "enabled")
	if err := o.err(); err != nil {
		return nil, err
	}
	if err := a.checkFeedChange(c.ctx(), name, secret, api); err != nil {
		return nil, err
	}
	return shown(showFeed)(a.core.ChangeFeed(c.ctx(), c.by, name, secret, api, enabled))
}

// checkFeedChange checks a feed's settings as they are going to be.
func (a *API) checkFeedChange(ctx context.Context, name string, secret, api *string) error {
	if secret == nil && api == nil {
		return nil
	}
	f, err := a.core.Feed(ctx, name)
	if err != nil {
		return err
	}
	nextSecret, nextAPI, err := a.core.FeedSecretsAfter(f, secret, api)
	if err != nil {
		return err
	}
	return a.checkFeed(f.Kind, nextSecret, nextAPI)
}
