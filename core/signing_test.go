package core_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/dialect"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// signing is the test dialect with callers who sign.
type signing struct {
	coretest.Dialect
	notices bool
}

func (signing) Name() string         { return "signing" }
func (s signing) SignsNotices() bool { return s.notices }

// The secret that a key signs with is kept sealed, opened for that very key in
// its dialect, and never comes for an unknown one.
func TestSigningKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		e := coretest.New(t, s, coretest.WithDialect(signing{}))
		good := e.Memo.Credentials
		m, secret, err := e.Core.SigningKey(t.Context(), "signing", good.Key)
		if err != nil || m.ID != e.Memo.Merchant.ID || secret != good.Secret {
			t.Errorf("the good key: %q, %q, %v", m.ID, secret, err)
		}
		for name, c := range map[string][2]string{
			"other dialect": {coretest.Name, good.Key}, "the secret as key": {"signing", good.Secret}, "none": {"signing", ""},
			"no text": {"signing", "\x00\xff"}, "lower case": {"signing", strings.ToLower(good.Key)},
		} {
			m, secret, err := e.Core.SigningKey(t.Context(), c[0], c[1])
			wantCode(t, name, err, payment.CodeUnauthorized)
			if m.ID != "" || len(secret) < 32 || secret == good.Secret {
				t.Errorf("%s: %q, %q", name, m.ID, secret)
			}
		}
		keys := must[[]payment.Key](t)(e.Core.Keys(t.Context(), e.Memo.Merchant.ID))
		if len(keys) != 1 || keys[0].Secret == "" || strings.Contains(keys[0].Secret, good.Secret) {
			t.Errorf("the secret is not sealed: %+v", keys)
		}
	})
}

// Where callers send their secret, only its hash is kept.
func TestNoSigningKey(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		if keys := must[[]payment.Key](t)(e.Core.Keys(t.Context(), e.Memo.Merchant.ID)); keys[0].Secret != "" {
			t.Error("a secret is kept that nobody needs")
		}
		_, _, err := e.Core.SigningKey(t.Context(), coretest.Name, e.Memo.Credentials.Key)
		wantCode(t, "a key that does not sign", err, payment.CodeUnauthorized)
	})
}

// A rotated key signs until its grace ends; notices are signed with the newest
// secret where the dialect says so, else with a secret of their own.
func TestSigningKeyRotates(t *testing.T) {
	for _, notices := range []bool{false, true} {
		storetest.Each(t, func(t *testing.T, s *store.Store) {
			e := coretest.New(t, s, coretest.WithDialect(signing{notices: notices}))
			first, id := e.Memo.Credentials, e.Memo.Merchant.ID
			if (first.NotifySecret == "") != notices {
				t.Errorf("notify secret %q", first.NotifySecret)
			}
			second := must[core.Credentials](t)(e.Core.RotateKeys(t.Context(), coretest.Operator, id, "signing", time.Hour))
			for _, c := range []core.Credentials{first, second} {
				if _, secret, err := e.Core.SigningKey(t.Context(), "signing", c.Key); err != nil || secret != c.Secret {
					t.Errorf("within the grace: %v", err)
				}
			}
			e.Advance(time.Hour)
			_, secret, err := e.Core.SigningKey(t.Context(), "signing", first.Key)
			wantCode(t, "after the grace", err, payment.CodeUnauthorized)
			if secret == first.Secret {
				t.Error("the secret of a revoked key still comes")
			}
			want := first.NotifySecret
			if notices {
				want = second.Secret
			}
			if got := must[string](t)(e.Core.NotifySecret(t.Context(), id, "signing")); got != want {
				t.Errorf("notices are signed with %q, want %q", got, want)
			}
			p := e.Open(e.Memo, 50_000)
			e.Pay(p, 50_000)
			if told := must[core.Told](t)(e.Core.Told(t.Context(), p.ID, 2)); told.Secret != want {
				t.Errorf("the notice has %q, want %q", told.Secret, want)
			}
			_, err = e.Core.RotateNotifySecret(t.Context(), coretest.Operator, id, "signing")
			if notices {
				wantCode(t, "rotate the secret of notices", err, payment.CodeInvalidState)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// A key that is used more often than the limit allows is told to wait; the next
// key is not, and a minute later all is well again.
func TestCallsPerMinute(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		e := coretest.New(t, s, coretest.WithDialect(signing{}))
		limited := core.New(core.Config{Store: s, Clock: e.Clock, IDs: e.IDs, Vault: e.Vault, Dialects: []dialect.Dialect{signing{}}, CallsPerMinute: 3, Log: slog.New(slog.DiscardHandler)})
		call := func(p coretest.Party, sign bool) error {
			if sign {
				_, _, err := limited.SigningKey(t.Context(), "signing", p.Credentials.Key)
				return err
			}
			_, err := limited.Authenticate(t.Context(), "signing", p.Credentials.Key, p.Credentials.Secret)
			return err
		}
		for i := range 3 {
			wantCode(t, "within the limit", call(e.Memo, i%2 == 0), "")
		}
		wantCode(t, "beyond it", call(e.Memo, false), payment.CodeBusy)
		wantCode(t, "beyond it, signed", call(e.Memo, true), payment.CodeBusy)
		wantCode(t, "another's key", call(e.Virtual, false), "")
		_, err := limited.Authenticate(t.Context(), "signing", e.Memo.Credentials.Key, "wrong")
		wantCode(t, "a wrong secret is not told that the key is known", err, payment.CodeUnauthorized)
		e.Advance(time.Minute)
		wantCode(t, "a minute later", call(e.Memo, false), "")
	})
}
