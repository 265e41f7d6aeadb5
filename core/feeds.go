package core

import (
	"context"
	"encoding/json"
	"regexp"
	"time"

	"github.com/thungan/thungan/internal/pan"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// Message is a notifier's request, kept as it came.
type Message = store.Message

// NewFeed describes a source of bank credits.
type NewFeed struct {
	Name       string // 1 to 40 of a-z, 0-9 and "-"; the {source} of its address
	Kind       string
	MerchantID string // whose accounts it may speak of; "" for everybody's
	Secret     string // what its webhooks are verified with, plain
	API        string // credentials of its transactions API, JSON, plain; "" for none
}

var feedName = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// AddFeed registers a source of bank credits.
func (c *Core) AddFeed(ctx context.Context, by Actor, n NewFeed) (payment.Feed, error) {
	switch {
	case !feedName.MatchString(n.Name):
		return payment.Feed{}, payment.Fail(payment.CodeInvalidRequest, "a feed's name is 1 to 40 of a-z, 0-9 and -")
	case n.Kind == "":
		return payment.Feed{}, payment.Fail(payment.CodeInvalidRequest, "a feed has a kind")
	case n.Secret == "":
		return payment.Feed{}, payment.Fail(payment.CodeInvalidRequest, "a feed has a secret: unsigned bank notices are never believed")
	}
	if err := noCard("name", n.Name); err != nil {
		return payment.Feed{}, err
	}
	f := payment.Feed{Name: n.Name, Kind: n.Kind, MerchantID: n.MerchantID, Enabled: true, CreatedAt: c.Now()}
	if err := c.sealFeed(&f, &n.Secret, &n.API); err != nil {
		return payment.Feed{}, err
	}
	err := c.update(ctx, "add_feed", func(w *work) error {
		if n.MerchantID != "" {
			if _, err := w.Merchant(ctx, n.MerchantID); err != nil {
				return err
			}
		}
		if err := w.AddFeed(ctx, f); err != nil {
			return err
		}
		return w.audit(ctx, by, "feed.add", f.Name, nil, feedAudit(f))
	})
	return f, err
}

// ChangeFeed changes what is not nil.
func (c *Core) ChangeFeed(ctx context.Context, by Actor, name string, secret, api *string, enabled *bool) (payment.Feed, error) {
	var f payment.Feed
	err := c.update(ctx, "change_feed", func(w *work) (err error) {
		if f, err = w.LockFeed(ctx, name); err != nil {
			return err
		}
		before := f
		if secret != nil && *secret == "" {
			return payment.Fail(payment.CodeInvalidRequest, "a feed has a secret: unsigned bank notices are never believed")
		}
		if err := c.sealFeed(&f, secret, api); err != nil {
			return err
		}
		if enabled != nil {
			f.Enabled = *enabled
		}
		if err := w.SaveFeed(ctx, f); err != nil {
			return err
		}
		return w.audit(ctx, by, "feed.change", name, feedAudit(before), map[string]any{
			"enabled": f.Enabled, "secret_changed": secret != nil, "api_changed": api != nil,
		})
	})
	return f, err
}

func (c *Core) sealFeed(f *payment.Feed, secret, api *string) (err error) {
	if secret != nil {
		if f.Secret, err = c.vault.Seal([]byte(*secret), f.SecretContext()); err != nil {
			return err
		}
	}
	switch {
	case api == nil:
	case *api == "":
		f.API = ""
	case !json.Valid([]byte(*api)):
		return payment.Fail(payment.CodeInvalidRequest, "a feed's API credentials are JSON")
	default:
		f.API, err = c.vault.Seal([]byte(*api), f.APIContext())
	}
	return err
}

func feedAudit(f payment.Feed) any {
	return map[string]any{"kind": f.Kind, "merchant_id": f.MerchantID, "enabled": f.Enabled, "api": f.API != ""}
}

// Feed returns one feed, or CodeNotFound.
func (c *Core) Feed(ctx context.Context, name string) (payment.Feed, error) {
	return view(ctx, c, "feed", func(tx *store.Tx) (payment.Feed, error) { return tx.Feed(ctx, name) })
}

// KnownFeed is Feed as it was at most a second ago, for those who are asked with
// every message. What has been pulled may be older.
func (c *Core) KnownFeed(ctx context.Context, name string) (payment.Feed, error) {
	return c.directory.feeds.get(&c.directory, name, func() (payment.Feed, error) { return c.Feed(ctx, name) })
}

// Feeds lists the feeds by name.
func (c *Core) Feeds(ctx context.Context) ([]payment.Feed, error) {
	return view(ctx, c, "feeds", func(tx *store.Tx) ([]payment.Feed, error) { return tx.Feeds(ctx) })
}

// FeedSecrets opens a feed's sealed values.
func (c *Core) FeedSecrets(f payment.Feed) (secret, api string, err error) {
	plain, err := c.vault.Open(f.Secret, f.SecretContext())
	if err != nil {
		return "", "", &payment.Error{Code: payment.CodeInternal, Cause: err}
	}
	if f.API == "" {
		return string(plain), "", nil
	}
	credentials, err := c.vault.Open(f.API, f.APIContext())
	if err != nil {
		return "", "", &payment.Error{Code: payment.CodeInternal, Cause: err}
	}
	return string(plain), string(credentials), nil
}

// FeedSecretsAfter are a feed's secret and API credentials as they will be after a
// change; what is nil stays. Only what stays is opened, so that a feed whose
// secrets were sealed with a lost key can be given new ones.
func (c *Core) FeedSecretsAfter(f payment.Feed, newSecret, newAPI *string) (secret, api string, err error) {
	if newSecret == nil || newAPI == nil && f.API != "" {
		if secret, api, err = c.FeedSecrets(f); err != nil {
			return "", "", &payment.Error{
				Code: payment.CodeInvalidState, Text: "what is to stay cannot be opened: a key is missing in the key file; give both the secret and the API credentials", Cause: err,
			}
		}
	}
	if newSecret != nil {
		secret = *newSecret
	}
	if newAPI != nil {
		api = *newAPI
	}
	return secret, api, nil
}

// KeepMessage stores a verified message, before anybody reads it. Card numbers
// in it have been hidden by whoever knows its form.
// CodeInvalidRequest unless the body is UTF-8 without NUL.
func (c *Core) KeepMessage(ctx context.Context, feed string, body []byte) (string, error) {
	if !storable(string(body)) {
		return "", invalid("body", "is no UTF-8 text")
	}
	m := Message{ID: c.ids.New(), Feed: feed, Body: body, ReceivedAt: c.Now()}
	stop := c.timed("keep_message")
	shared := context.WithoutCancel(ctx) // the transaction is not ours alone
	err := c.store.Group(ctx, func(tx *store.Tx) error { return tx.AddMessage(shared, m) })
	stop(err)
	if err != nil {
		return "", c.failed("keep_message", err)
	}
	return m.ID, nil
}

// FailMessage marks a message as one that cannot be read; it is kept for people.
func (c *Core) FailMessage(ctx context.Context, id, why string) error {
	return c.update(ctx, "fail_message", func(w *work) error { return w.Tx.FailMessage(ctx, id, pan.Hide(why), w.now) })
}

// WaitingMessages lists messages that were kept but not processed: something
// ended this or another node in between.
func (c *Core) WaitingMessages(ctx context.Context, olderThan time.Duration, limit int) ([]Message, error) {
	return view(ctx, c, "waiting_messages", func(tx *store.Tx) ([]Message, error) {
		return tx.WaitingMessages(ctx, c.Now().Add(-olderThan), page(limit))
	})
}

// RecordPull notes how far a feed's transactions API has been read, or why it
// could not be: then seenUntil stays as it was.
func (c *Core) RecordPull(ctx context.Context, name string, seenUntil time.Time, cursor, failure string) error {
	return c.update(ctx, "record_pull", func(w *work) error {
		f, err := w.LockFeed(ctx, name)
		if err != nil {
			return err
		}
		f.PulledAt, f.PullError, f.Cursor = w.now, pan.Mask(failure), cursor
		if failure == "" && seenUntil.After(f.SeenUntil) {
			f.SeenUntil = seenUntil
		}
		return w.Tx.RecordPull(ctx, f)
	})
}
