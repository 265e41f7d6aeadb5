// Package signin holds the customers of a mini app platform and how an app
// learns who they are: a customer's own token, the code that an app asks for
// with it, and the access and refresh tokens that the app's back end gets for
// the code. It is pure.
package signin

import (
	"slices"
	"time"
)

// Customer is somebody who uses mini apps.
type Customer struct {
	ID        int64 // positive; what apps know the customer by
	Name      string
	Phone     string
	Email     string
	AvatarURL string
	CreatedAt time.Time
}

// Kind is what a grant is.
type Kind string

// The kinds.
const (
	Session Kind = "session" // the customer's own, of the app's container
	Code    Kind = "code"    // for an app's back end, to be exchanged once
	Access  Kind = "access"  // for an app's back end
	Refresh Kind = "refresh" // for an app's back end, to be exchanged once
)

// How long grants are good for.
const (
	SessionLife = 30 * 24 * time.Hour
	CodeLife    = 10 * time.Minute
	AccessLife  = time.Hour
	RefreshLife = 30 * 24 * time.Hour
)

// Life is how long a new grant of a kind is good for.
func (k Kind) Life() time.Duration {
	return map[Kind]time.Duration{Session: SessionLife, Code: CodeLife, Access: AccessLife, Refresh: RefreshLife}[k]
}

// Grant is one code or token. Its text is kept as a hash only.
type Grant struct {
	Hash       string
	Kind       Kind
	App        string // the identifier of the app that it is for; "" for a session
	CustomerID int64
	Scopes     []string
	CreatedAt  time.Time
	ExpiresAt  time.Time
	UsedAt     time.Time // of what is good once; zero while it was not used
}

// Good says whether g may be used by an app at a moment.
func (g Grant) Good(kind Kind, app string, now time.Time) bool {
	return g.Kind == kind && g.App == app && g.UsedAt.IsZero() && now.Before(g.ExpiresAt)
}

// The scopes that an app may ask for.
const (
	ScopeOffline = "offline"      // a refresh token
	ScopeProfile = "user_profile" // who the customer is
)

// Split tells the scopes that exist from those that do not, each once, in their
// order.
func Split(asked []string) (known, unknown []string) {
	for _, s := range asked {
		list := &unknown
		if s == ScopeOffline || s == ScopeProfile {
			list = &known
		}
		if !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	return known, unknown
}

// Has says whether a grant carries a scope.
func (g Grant) Has(scope string) bool { return slices.Contains(g.Scopes, scope) }
