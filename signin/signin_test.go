package signin_test

import (
	"slices"
	"testing"
	"time"

	"github.com/thungan/thungan/signin"
)

func TestGood(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	g := signin.Grant{Kind: signin.Code, App: "a", ExpiresAt: now.Add(time.Minute)}
	if !g.Good(signin.Code, "a", now) {
		t.Error("a good code is not")
	}
	used := g
	used.UsedAt = now
	for name, bad := range map[string]bool{
		"other kind": g.Good(signin.Access, "a", now), "other app": g.Good(signin.Code, "b", now), "no app": g.Good(signin.Code, "", now),
		"expired": g.Good(signin.Code, "a", now.Add(time.Minute)), "used": used.Good(signin.Code, "a", now),
	} {
		if bad {
			t.Errorf("%s is good", name)
		}
	}
	for _, k := range []signin.Kind{signin.Session, signin.Code, signin.Access, signin.Refresh} {
		if k.Life() <= 0 {
			t.Errorf("%s has no life", k)
		}
	}
}

func TestSplit(t *testing.T) {
	known, unknown := signin.Split([]string{"offline", "x", "offline", "user_profile", "x", ""})
	if !slices.Equal(known, []string{"offline", "user_profile"}) || !slices.Equal(unknown, []string{"x", ""}) {
		t.Errorf("%q %q", known, unknown)
	}
	if !(signin.Grant{Scopes: known}).Has(signin.ScopeOffline) || (signin.Grant{}).Has(signin.ScopeOffline) {
		t.Error("scopes")
	}
}
