package core_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// Only the very pair that was handed out, in its dialect, authenticates.
func TestAuthenticate(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		good, other := e.Memo.Credentials, e.Virtual.Credentials
		for name, c := range map[string]struct {
			dialect, key, secret string
			want                 payment.Code
		}{
			"good":             {coretest.Name, good.Key, good.Secret, ""},
			"other dialect":    {"paykit", good.Key, good.Secret, payment.CodeUnauthorized},
			"wrong secret":     {coretest.Name, good.Key, good.Secret + "x", payment.CodeUnauthorized},
			"other's secret":   {coretest.Name, good.Key, other.Secret, payment.CodeUnauthorized},
			"swapped":          {coretest.Name, good.Secret, good.Key, payment.CodeUnauthorized},
			"no secret":        {coretest.Name, good.Key, "", payment.CodeUnauthorized},
			"no key":           {coretest.Name, "", good.Secret, payment.CodeUnauthorized},
			"nothing":          {coretest.Name, "", "", payment.CodeUnauthorized},
			"unknown":          {coretest.Name, "unknown", "unknown", payment.CodeUnauthorized},
			"unknown, nothing": {coretest.Name, "unknown", "", payment.CodeUnauthorized},
			"no text":          {coretest.Name, "\x00\xff", "\x00", payment.CodeUnauthorized},
			"lower case":       {coretest.Name, strings.ToLower(good.Key), good.Secret, payment.CodeUnauthorized},
		} {
			m, err := e.Core.Authenticate(t.Context(), c.dialect, c.key, c.secret)
			wantCode(t, name, err, c.want)
			if (err == nil) != (m.ID == e.Memo.Merchant.ID) {
				t.Errorf("%s: merchant %q", name, m.ID)
			}
			if err != nil && err.Error() != "unauthorized: the credentials are not valid" {
				t.Errorf("%s: the text tells something: %v", name, err)
			}
		}
	})
}

// A rotated pair works on for its grace, never longer for being rotated again.
func TestRotateKeys(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx, id := t.Context(), e.Memo.Merchant.ID
		works := func(c core.Credentials) bool {
			_, err := e.Core.Authenticate(ctx, coretest.Name, c.Key, c.Secret)
			return err == nil
		}
		first := e.Memo.Credentials
		second := must[core.Credentials](t)(e.Core.RotateKeys(ctx, coretest.Operator, id, coretest.Name, time.Hour))
		if !works(first) || !works(second) || second.NotifySecret != "" || second.PublicID != first.PublicID {
			t.Errorf("after the first rotation: %v, %v, %+v", works(first), works(second), second)
		}
		third := must[core.Credentials](t)(e.Core.RotateKeys(ctx, coretest.Operator, id, coretest.Name, 24*time.Hour))
		e.Advance(time.Hour - time.Millisecond)
		if !works(first) || !works(second) || !works(third) {
			t.Error("a pair ended before its grace")
		}
		e.Advance(time.Millisecond)
		if works(first) || !works(second) {
			t.Error("another rotation has changed the first pair's grace")
		}
		fourth := must[core.Credentials](t)(e.Core.RotateKeys(ctx, coretest.Operator, id, coretest.Name, 0))
		if works(second) || works(third) || !works(fourth) {
			t.Error("no grace is not at once")
		}
		if _, err := e.Core.Authenticate(ctx, coretest.Name, e.Virtual.Credentials.Key, e.Virtual.Credentials.Secret); err != nil {
			t.Errorf("another merchant's pair: %v", err)
		}
		keys := must[[]payment.Key](t)(e.Core.Keys(ctx, id))
		if len(keys) != 4 || keys[3].Hint != fourth.Key[len(fourth.Key)-4:] || !keys[3].RevokedAt.IsZero() {
			t.Errorf("keys %+v", keys)
		}
		for _, bad := range []time.Duration{-1, 31 * 24 * time.Hour} {
			_, err := e.Core.RotateKeys(ctx, coretest.Operator, id, coretest.Name, bad)
			wantCode(t, bad.String(), err, payment.CodeInvalidRequest)
		}
		_, err := e.Core.RotateKeys(ctx, coretest.Operator, id, "paykit", 0)
		wantCode(t, "not enrolled", err, payment.CodeNotFound)

		// Of two rotations at once one pair is left.
		pairs := make([]core.Credentials, 4)
		atOnce(len(pairs), func(i int) {
			var err error
			if pairs[i], err = e.Core.RotateKeys(ctx, coretest.Operator, id, coretest.Name, 0); err != nil {
				t.Error(err)
			}
		})
		left := 0
		for _, c := range pairs {
			if works(c) {
				left++
			}
		}
		if left != 1 {
			t.Errorf("%d pairs work after 4 rotations at once", left)
		}
	})
}

// A changed address and a rotated secret, at once, both stay.
func TestProfileChangesAtOnce(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx, id := t.Context(), e.Memo.Merchant.ID
		for round := range 10 {
			url := fmt.Sprintf("https://new-%d.example.test/ipn", round)
			var rotated core.Credentials
			atOnce(2, func(i int) {
				var err error
				if i == 0 {
					rotated, err = e.Core.RotateNotifySecret(ctx, coretest.Operator, id, coretest.Name)
				} else {
					_, err = e.Core.ChangeMerchant(ctx, coretest.Operator, id, core.MerchantChange{Profiles: map[string]core.ProfileChange{coretest.Name: {NotifyURL: &url}}})
				}
				if err != nil {
					t.Error(err)
				}
			})
			secret := must[string](t)(e.Core.NotifySecret(ctx, id, coretest.Name))
			f := must[payment.Profile](t)(e.Core.Profile(ctx, id, coretest.Name))
			if secret != rotated.NotifySecret || f.NotifyURL != url {
				t.Fatalf("round %d: one change was lost", round)
			}
			if f.NotifySecret == secret || strings.Contains(f.NotifySecret, secret) {
				t.Error("the secret lies open in the database")
			}
		}
	})
}

func TestChangeMerchant(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx, id := t.Context(), e.Memo.Merchant.ID
		amount := func(v money.VND) *money.VND { return &v }
		state := func(s payment.MerchantState) *payment.MerchantState { return &s }
		text := func(s string) *string { return &s }
		before := must[payment.Merchant](t)(e.Core.Merchant(ctx, id))
		for name, ch := range map[string]core.MerchantChange{
			"no name":        {Name: text("  ")},
			"long name":      {Name: text(strings.Repeat("a", 256))},
			"control":        {Name: text("a\x07b")},
			"not UTF-8":      {Name: text("\xff")},
			"unknown state":  {State: state("asleep")},
			"negative":       {DailyLimit: amount(-1)},
			"minimum above":  {MinAmount: amount(5), MaxAmount: amount(4)},
			"bad address":    {Name: text("kept out"), Profiles: map[string]core.ProfileChange{coretest.Name: {NotifyURL: text("ftp://x")}}},
			"relative":       {Profiles: map[string]core.ProfileChange{coretest.Name: {SuccessURL: text("/x")}}},
			"with password":  {Profiles: map[string]core.ProfileChange{coretest.Name: {CancelURL: text("https://u:p@x.test/")}}},
			"long address":   {Profiles: map[string]core.ProfileChange{coretest.Name: {NotifyURL: text("https://x.test/" + strings.Repeat("a", 2000))}}},
			"address broken": {Profiles: map[string]core.ProfileChange{coretest.Name: {NotifyURL: text("https://x.test/\n")}}},
		} {
			_, err := e.Core.ChangeMerchant(ctx, coretest.Operator, id, ch)
			wantCode(t, name, err, payment.CodeInvalidRequest)
		}
		_, err := e.Core.ChangeMerchant(ctx, coretest.Operator, id, core.MerchantChange{Name: text("kept out"), Profiles: map[string]core.ProfileChange{"paykit": {}}})
		wantCode(t, "not enrolled", err, payment.CodeNotFound)
		_, err = e.Core.ChangeMerchant(ctx, coretest.Operator, "nobody", core.MerchantChange{})
		wantCode(t, "unknown", err, payment.CodeNotFound)
		if after := must[payment.Merchant](t)(e.Core.Merchant(ctx, id)); after != before {
			t.Errorf("a refused change has left %+v", after)
		}
		changed := must[payment.Merchant](t)(e.Core.ChangeMerchant(ctx, coretest.Operator, id, core.MerchantChange{Name: text(" Mới "), MaxAmount: amount(9), State: state(payment.MerchantLocked)}))
		stored := must[payment.Merchant](t)(e.Core.Merchant(ctx, id))
		if changed != stored || stored.Name != "Mới" || stored.MaxAmount != 9 || stored.Version != 2 {
			t.Errorf("changed to %+v, stored %+v", changed, stored)
		}
		m, err := e.Core.Authenticate(ctx, coretest.Name, e.Memo.Credentials.Key, e.Memo.Credentials.Secret)
		if err != nil || payment.CodeOf(m.Usable()) != payment.CodeMerchantLocked {
			t.Errorf("a locked merchant: %v, %v", err, m.Usable())
		}
		must[payment.Merchant](t)(e.Core.ChangeMerchant(ctx, coretest.Operator, id, core.MerchantChange{State: state(payment.MerchantActive)}))
		must[payment.Merchant](t)(e.Core.ChangeMerchant(ctx, coretest.Operator, id, core.MerchantChange{State: state(payment.MerchantClosed)}))
		_, err = e.Core.ChangeMerchant(ctx, coretest.Operator, id, core.MerchantChange{State: state(payment.MerchantActive)})
		wantCode(t, "open a closed one", err, payment.CodeInvalidState)
		for _, a := range must[[]store.AuditRecord](t)(e.Core.AuditLog(ctx, "", 200)) {
			if strings.Contains(a.After+a.Before, e.Memo.Credentials.Secret) || strings.Contains(a.After, e.Memo.Credentials.NotifySecret) {
				t.Errorf("a secret is in the audit log: %+v", a)
			}
		}
	})
}

func TestEnrol(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		m := must[payment.Merchant](t)(e.Core.AddMerchant(ctx, coretest.Operator, core.NewMerchant{Name: "New"}))
		for name, c := range map[string]struct {
			e    core.Enrolment
			want payment.Code
		}{
			"unknown dialect":  {core.Enrolment{MerchantID: m.ID, Dialect: "klingon"}, payment.CodeInvalidRequest},
			"unknown merchant": {core.Enrolment{MerchantID: "nobody", Dialect: coretest.Name}, payment.CodeNotFound},
			"taken name":       {core.Enrolment{MerchantID: m.ID, Dialect: coretest.Name, PublicID: e.Memo.Profile.PublicID}, payment.CodeConflict},
			"enrolled already": {core.Enrolment{MerchantID: e.Memo.Merchant.ID, Dialect: coretest.Name}, payment.CodeConflict},
			"bad address":      {core.Enrolment{MerchantID: m.ID, Dialect: coretest.Name, NotifyURL: "javascript:1"}, payment.CodeInvalidRequest},
			"control":          {core.Enrolment{MerchantID: m.ID, Dialect: coretest.Name, PublicID: "a\x00"}, payment.CodeInvalidRequest},
			"good":             {core.Enrolment{MerchantID: m.ID, Dialect: coretest.Name, PublicID: "MC_GOOD"}, ""},
		} {
			_, _, err := e.Core.Enrol(ctx, coretest.Operator, c.e)
			wantCode(t, name, err, c.want)
		}
		f := must[payment.Profile](t)(e.Core.ProfileByPublicID(ctx, coretest.Name, "MC_GOOD"))
		if f.MerchantID != m.ID {
			t.Errorf("found %+v", f)
		}
		_, err := e.Core.ProfileByPublicID(ctx, coretest.Name, "\x00")
		wantCode(t, "NUL", err, payment.CodeNotFound)
		if all := must[[]payment.Profile](t)(e.Core.Profiles(ctx, m.ID)); len(all) != 1 {
			t.Errorf("profiles %+v", all)
		}
	})
}

func TestReceivingAccounts(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		good := payment.ReceivingAccount{MerchantID: e.Memo.Merchant.ID, BIN: "970436", Number: "007", Holder: "Nguyễn Văn Ước", Enabled: true}
		for name, c := range map[string]struct {
			change func(a *payment.ReceivingAccount)
			want   payment.Code
		}{
			"unknown merchant": {func(a *payment.ReceivingAccount) { a.MerchantID = "nobody" }, payment.CodeNotFound},
			"no bank":          {func(a *payment.ReceivingAccount) { a.BIN = "" }, payment.CodeInvalidRequest},
			"unknown bank":     {func(a *payment.ReceivingAccount) { a.BIN = "123456" }, payment.CodeInvalidRequest},
			"no number":        {func(a *payment.ReceivingAccount) { a.Number = " " }, payment.CodeInvalidRequest},
			"long number":      {func(a *payment.ReceivingAccount) { a.Number = strings.Repeat("1", 20) }, payment.CodeInvalidRequest},
			"odd number":       {func(a *payment.ReceivingAccount) { a.Number = "12-3" }, payment.CodeInvalidRequest},
			"no holder":        {func(a *payment.ReceivingAccount) { a.Holder = "" }, payment.CodeInvalidRequest},
			"long memo prefix": {func(a *payment.ReceivingAccount) { a.Prefix = "ABCDEFGHIJKLM" }, payment.CodeInvalidRequest},
			"virtual, none":    {func(a *payment.ReceivingAccount) { a.Recognise = payment.ByVirtualAccount }, payment.CodeInvalidRequest},
			"virtual, long":    {func(a *payment.ReceivingAccount) { a.Recognise, a.Prefix = payment.ByVirtualAccount, "ABCDEFGH" }, payment.CodeInvalidRequest},
			"virtual, taken":   {func(a *payment.ReceivingAccount) { a.Recognise, a.Prefix = payment.ByVirtualAccount, "PKVA" }, payment.CodeConflict},
			"virtual, inside":  {func(a *payment.ReceivingAccount) { a.Recognise, a.Prefix = payment.ByVirtualAccount, "PKVA1" }, payment.CodeConflict},
			"virtual, around":  {func(a *payment.ReceivingAccount) { a.Recognise, a.Prefix = payment.ByVirtualAccount, "PK" }, payment.CodeConflict},
			"unknown way":      {func(a *payment.ReceivingAccount) { a.Recognise = "by smell" }, payment.CodeInvalidRequest},
		} {
			a := good
			c.change(&a)
			_, err := e.Core.AddReceivingAccount(ctx, coretest.Operator, a)
			wantCode(t, name, err, c.want)
		}
		added := must[payment.ReceivingAccount](t)(e.Core.AddReceivingAccount(ctx, coretest.Operator, good))
		if added.Holder != "Nguyen Van Uoc" || added.Recognise != payment.ByMemo {
			t.Errorf("added %+v", added)
		}
		if err := e.Core.EnableReceivingAccount(ctx, coretest.Operator, e.Memo.Account.ID, false); err != nil {
			t.Fatal(err)
		}
		old := e.Memo.Account.ID
		if p := e.Open(e.Memo, 5); p.Transfer.AccountID != added.ID {
			t.Errorf("opened on account %s", p.Transfer.AccountID)
		}
		wantCode(t, "unknown account", e.Core.EnableReceivingAccount(ctx, coretest.Operator, "nobody", true), payment.CodeNotFound)
		accounts := must[[]payment.ReceivingAccount](t)(e.Core.ReceivingAccounts(ctx, e.Memo.Merchant.ID))
		if len(accounts) != 2 || accounts[0].ID != old || accounts[0].Enabled || !accounts[1].Enabled {
			t.Errorf("accounts %+v", accounts)
		}
		if diff := cmp.Diff(added, accounts[1]); diff != "" {
			t.Error(diff)
		}

		// Of colliding prefixes that come at once one is taken.
		var mu sync.Mutex
		taken := 0
		atOnce(6, func(i int) {
			a := good
			a.Number, a.Recognise, a.Prefix = fmt.Sprint(100+i), payment.ByVirtualAccount, "QQ"[:1+i%2]
			if _, err := e.Core.AddReceivingAccount(ctx, coretest.Operator, a); err == nil {
				mu.Lock()
				defer mu.Unlock()
				taken++
			} else if payment.CodeOf(err) != payment.CodeConflict {
				t.Error(err)
			}
		})
		if taken != 1 {
			t.Errorf("%d colliding prefixes were taken", taken)
		}
	})
}

func TestAdminTokens(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		token := must[string](t)(e.Core.AddAdminToken(ctx, coretest.Operator, "lan"))
		if name := must[string](t)(e.Core.CheckAdminToken(ctx, token)); name != "lan" {
			t.Errorf("the token is %q's", name)
		}
		for _, bad := range []string{"", token + "x", strings.ToLower(token), "\x00"} {
			_, err := e.Core.CheckAdminToken(ctx, bad)
			wantCode(t, "token "+bad, err, payment.CodeUnauthorized)
		}
		tokens := must[[]store.AdminToken](t)(e.Core.AdminTokens(ctx))
		if len(tokens) != 1 || strings.Contains(tokens[0].Hash, token) {
			t.Fatalf("tokens %+v", tokens)
		}
		if err := e.Core.RevokeAdminToken(ctx, coretest.Operator, tokens[0].ID); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "revoke twice", e.Core.RevokeAdminToken(ctx, coretest.Operator, tokens[0].ID), payment.CodeNotFound)
		_, err := e.Core.CheckAdminToken(ctx, token)
		wantCode(t, "revoked", err, payment.CodeUnauthorized)
		_, err = e.Core.AddAdminToken(ctx, coretest.Operator, "")
		wantCode(t, "no name", err, payment.CodeInvalidRequest)

		if err := e.Core.PutSetting(ctx, "gift", "secret"); err != nil {
			t.Fatal(err)
		}
		if got := must[string](t)(e.Core.Setting(ctx, "gift")); got != "secret" {
			t.Errorf("setting %q", got)
		}
		if got := must[string](t)(e.Core.Setting(ctx, "none")); got != "" {
			t.Errorf("setting %q", got)
		}
	})
}

func TestFeeds(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		for name, c := range map[string]struct {
			feed core.NewFeed
			want payment.Code
		}{
			"bad name":         {core.NewFeed{Name: "A b", Kind: "sepay", Secret: "x"}, payment.CodeInvalidRequest},
			"no name":          {core.NewFeed{Kind: "sepay", Secret: "x"}, payment.CodeInvalidRequest},
			"long name":        {core.NewFeed{Name: strings.Repeat("a", 41), Kind: "sepay", Secret: "x"}, payment.CodeInvalidRequest},
			"no kind":          {core.NewFeed{Name: "a", Secret: "x"}, payment.CodeInvalidRequest},
			"no secret":        {core.NewFeed{Name: "a", Kind: "sepay"}, payment.CodeInvalidRequest},
			"API is no JSON":   {core.NewFeed{Name: "a", Kind: "sepay", Secret: "x", API: "{"}, payment.CodeInvalidRequest},
			"unknown merchant": {core.NewFeed{Name: "a", Kind: "sepay", Secret: "x", MerchantID: "nobody"}, payment.CodeNotFound},
			"taken":            {core.NewFeed{Name: "feed-one", Kind: "sepay", Secret: "x"}, payment.CodeConflict},
			"good":             {core.NewFeed{Name: "good", Kind: "sepay", Secret: "wonder", API: `{"token":"t"}`}, ""},
		} {
			_, err := e.Core.AddFeed(ctx, coretest.Operator, c.feed)
			wantCode(t, name, err, c.want)
		}
		f := must[payment.Feed](t)(e.Core.Feed(ctx, "good"))
		secret, api, err := e.Core.FeedSecrets(f)
		if err != nil || secret != "wonder" || api != `{"token":"t"}` || strings.Contains(f.Secret+f.API, "wonder") {
			t.Errorf("secrets %q, %q, %v", secret, api, err)
		}
		next, none, off := "another", "", false
		must[payment.Feed](t)(e.Core.ChangeFeed(ctx, coretest.Operator, "good", &next, &none, &off))
		f = must[payment.Feed](t)(e.Core.Feed(ctx, "good"))
		if secret, api, err = e.Core.FeedSecrets(f); err != nil || secret != next || api != "" || f.Enabled {
			t.Errorf("changed to %q, %q, %v, %v", secret, api, f.Enabled, err)
		}
		_, err = e.Core.ChangeFeed(ctx, coretest.Operator, "good", &none, nil, nil)
		wantCode(t, "clear the secret", err, payment.CodeInvalidRequest)
		_, err = e.Core.ChangeFeed(ctx, coretest.Operator, "nobody", nil, nil, nil)
		wantCode(t, "unknown", err, payment.CodeNotFound)

		// What has been seen stays seen, however pulls overlap or fail.
		at := coretest.Start
		for _, until := range []time.Time{at, at.Add(-time.Hour)} {
			if err := e.Core.RecordPull(ctx, "good", until, "next page", ""); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Core.RecordPull(ctx, "good", at.Add(time.Hour), "next page", "time-out"); err != nil {
			t.Fatal(err)
		}
		f = must[payment.Feed](t)(e.Core.Feed(ctx, "good"))
		if !f.SeenUntil.Equal(at) || f.PullError != "time-out" || f.Cursor != "next page" {
			t.Errorf("seen %+v", f)
		}
		wantCode(t, "pull of nobody", e.Core.RecordPull(ctx, "nobody", at, "", ""), payment.CodeNotFound)
		if all := must[[]payment.Feed](t)(e.Core.Feeds(ctx)); len(all) != 2 {
			t.Errorf("feeds %+v", all)
		}
	})
}

// A kept message waits until its credits were taken in, or a person is to see it.
func TestMessages(t *testing.T) {
	each(t, func(t *testing.T, e *coretest.Env) {
		ctx := t.Context()
		keep := func(body string) string {
			t.Helper()
			return must[string](t)(e.Core.KeepMessage(ctx, e.Feed.Name, []byte(body)))
		}
		taken, broken, waiting := keep(`{"a":1}`), keep("năm"), keep("")
		p := e.Open(e.Memo, 1000)
		if _, err := e.Core.TakeCredits(ctx, e.Feed, taken, []payment.Credit{e.Credit(p, 1000)}); err != nil {
			t.Fatal(err)
		}
		if err := e.Core.FailMessage(ctx, broken, "no JSON"); err != nil {
			t.Fatal(err)
		}
		if early := must[[]core.Message](t)(e.Core.WaitingMessages(ctx, time.Minute, 10)); len(early) != 0 {
			t.Errorf("waiting for a minute: %v", early)
		}
		e.Advance(time.Minute)
		got := must[[]core.Message](t)(e.Core.WaitingMessages(ctx, time.Minute, 10))
		if len(got) != 1 || got[0].ID != waiting || len(got[0].Body) != 0 || got[0].Feed != e.Feed.Name {
			t.Errorf("waiting: %+v", got)
		}
		// A message without credits is processed too.
		if _, err := e.Core.TakeCredits(ctx, e.Feed, waiting, nil); err != nil {
			t.Fatal(err)
		}
		if got = must[[]core.Message](t)(e.Core.WaitingMessages(ctx, 0, 10)); len(got) != 0 {
			t.Errorf("still waiting: %+v", got)
		}
		for _, bad := range []string{"\x00", "\xff"} {
			_, err := e.Core.KeepMessage(ctx, e.Feed.Name, []byte(bad))
			wantCode(t, "keep", err, payment.CodeInvalidRequest)
		}
	})
}
