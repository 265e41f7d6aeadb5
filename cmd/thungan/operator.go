package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/dialect/appotapay"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/bankfeed"
)

// operatorFlags are of the commands by which an operator acts on the database
// itself, as the admin API would.
type operatorFlags struct {
	databaseFlags
	JSON bool `help:"Print JSON." env:"-"`
}

// do runs an act on core as whoever runs the program.
func (f operatorFlags) do(ctx context.Context, act func(c *core.Core, by core.Actor) error) error {
	flags, err := f.resolve()
	if err != nil {
		return err
	}
	keys, err := flags.keyring()
	if err != nil {
		return err
	}
	s, err := flags.open(ctx)
	if err != nil {
		return err
	}
	c := core.New(core.Config{
		Store: s, Clock: clock.System(), IDs: id.NewSource(rand.Reader, clock.System()), Vault: keys,
		Dialects: dialects(), Log: logFlags{LogFormat: "text"}.logger(),
	})
	return errors.Join(readable(act(c, operator())), s.Close())
}

// readable shows a person the text of a coded error.
func readable(err error) error {
	var coded *payment.Error
	if errors.As(err, &coded) && coded.Text != "" {
		return errors.New(coded.Text)
	}
	return err
}

func operator() core.Actor {
	name := "command line"
	if u, err := user.Current(); err == nil {
		name = u.Username + " (command line)"
	}
	return core.Actor{Name: name, Address: "local"}
}

// show prints a value: as JSON, or as lines of name and text.
func (f operatorFlags) show(lines ...[2]string) error {
	if f.JSON {
		object := map[string]string{}
		for _, l := range lines {
			object[strings.ReplaceAll(l[0], " ", "_")] = l[1]
		}
		return printJSON(os.Stdout, object)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%s\n", l[0], l[1])
	}
	return w.Flush()
}

// table prints rows under a head, or as a JSON list of objects.
func (f operatorFlags) table(head []string, rows [][]string) error {
	if f.JSON {
		objects := make([]map[string]string, len(rows))
		for i, row := range rows {
			objects[i] = map[string]string{}
			for n, name := range head {
				objects[i][strings.ReplaceAll(name, " ", "_")] = row[n]
			}
		}
		return printJSON(os.Stdout, objects)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(head, "\t")))
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func shown(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(clock.Vietnam).Format("2006-01-02 15:04:05")
}

type merchantCommand struct {
	Add     addMerchantCommand   `cmd:"" help:"Add a merchant or platform and make it known in a protocol."`
	Enrol   enrolCommand         `cmd:"" help:"Make a merchant known in one more protocol."`
	List    listMerchantsCommand `cmd:"" help:"List merchants."`
	Set     setMerchantCommand   `cmd:"" help:"Change a merchant's name, state or limits."`
	URLs    urlsCommand          `cmd:"" name:"urls" help:"Set where notifications go, and where a platform's payers are sent back to."`
	Keys    keysCommand          `cmd:"" help:"Keys by which a merchant calls the gateway."`
	Account accountCommand       `cmd:"" help:"Bank accounts that a merchant is paid into."`
}

// enrolFlags make a merchant known in a protocol.
type enrolFlags struct {
	Dialect    string `help:"The protocol that it speaks." default:"paykit" env:"-"`
	PublicID   string `help:"Its id in that protocol (Paykit: mid, AppotaPay: partner code); made up when left out." name:"public-id" placeholder:"ID" env:"-"`
	IPNURL     string `help:"Where notifications go when a payment names no address." name:"ipn-url" placeholder:"URL" env:"-"`
	SuccessURL string `help:"Platforms: where payers come back to after paying." placeholder:"URL" env:"-"`
	CancelURL  string `help:"Platforms: where they come back to otherwise." placeholder:"URL" env:"-"`
}

func (f enrolFlags) enrol(ctx context.Context, k *core.Core, by core.Actor, id string) ([][2]string, error) {
	_, made, err := k.Enrol(ctx, by, core.Enrolment{
		MerchantID: id, Dialect: f.Dialect, PublicID: f.PublicID, NotifyURL: f.IPNURL, SuccessURL: f.SuccessURL, CancelURL: f.CancelURL,
	})
	lines := [][2]string{{"merchant id", id}, {publicIDName(f.Dialect), made.PublicID}, {"api key", made.Key}, {"secret key", made.Secret}}
	if made.NotifySecret != "" {
		lines = append(lines, [2]string{"ipn secret key", made.NotifySecret})
	}
	return lines, err
}

// publicIDName is what a protocol calls a merchant's id in it.
func publicIDName(dialect string) string {
	if dialect == appotapay.Name {
		return "partner code"
	}
	return "mid"
}

type addMerchantCommand struct {
	operatorFlags
	enrolFlags
	Name       string    `help:"What payers see." required:"" env:"-"`
	Platform   bool      `help:"Add a platform, which acts for merchants." env:"-"`
	MinAmount  money.VND `help:"Smallest payment, đồng; 0 is no limit." default:"0" env:"-"`
	MaxAmount  money.VND `help:"Largest payment, đồng; 0 is no limit." default:"0" env:"-"`
	DailyLimit money.VND `help:"Most that may be opened in a day, đồng; 0 is no limit." default:"0" env:"-"`
}

func (addMerchantCommand) Help() string {
	return `Prints the keys by which the merchant calls the gateway. They are shown only now: the
database keeps their hashes, and sealed what is signed with. Next: thungan merchant account add.`
}

func (c addMerchantCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		kind := payment.KindMerchant
		if c.Platform {
			kind = payment.KindPlatform
		}
		m, err := k.AddMerchant(ctx, by, core.NewMerchant{Kind: kind, Name: c.Name, MinAmount: c.MinAmount, MaxAmount: c.MaxAmount, DailyLimit: c.DailyLimit})
		if err != nil {
			return err
		}
		lines, err := c.enrol(ctx, k, by, m.ID)
		if err != nil {
			return fmt.Errorf("merchant %s was added but speaks no protocol yet: %w; go on with: thungan merchant enrol %s", m.ID, readable(err), m.ID)
		}
		return c.show(lines...)
	})
}

type enrolCommand struct {
	operatorFlags
	enrolFlags
	ID string `arg:"" help:"The merchant's id."`
}

func (c enrolCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		lines, err := c.enrol(ctx, k, by, c.ID)
		if err != nil {
			return err
		}
		return c.show(lines...)
	})
}

type listMerchantsCommand struct{ operatorFlags }

func (c listMerchantsCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		var rows [][]string
		for after := ""; ; {
			merchants, err := k.Merchants(ctx, after, core.MaxPage)
			if err != nil {
				return err
			}
			for _, m := range merchants {
				profiles, err := k.Profiles(ctx, m.ID)
				if err != nil {
					return err
				}
				var known []string
				for _, f := range profiles {
					known = append(known, f.Dialect+" "+f.PublicID)
				}
				rows = append(rows, []string{m.ID, string(m.Kind), string(m.State), m.Name, strings.Join(known, ", "), shown(m.CreatedAt)})
				after = m.ID
			}
			if len(merchants) < core.MaxPage {
				return c.table([]string{"id", "kind", "state", "name", "known as", "created"}, rows)
			}
		}
	})
}

type setMerchantCommand struct {
	operatorFlags
	ID         string     `arg:"" help:"The merchant's id."`
	Name       *string    `help:"What payers see." env:"-"`
	State      *string    `help:"active, locked or closed." env:"-"`
	MinAmount  *money.VND `help:"Smallest payment, đồng; 0 is no limit." env:"-"`
	MaxAmount  *money.VND `help:"Largest payment, đồng; 0 is no limit." env:"-"`
	DailyLimit *money.VND `help:"Most that may be opened in a day, đồng; 0 is no limit." env:"-"`
}

func (c setMerchantCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		m, err := k.ChangeMerchant(ctx, by, c.ID, core.MerchantChange{
			Name: c.Name, State: (*payment.MerchantState)(c.State), MinAmount: c.MinAmount, MaxAmount: c.MaxAmount, DailyLimit: c.DailyLimit,
		})
		if err != nil {
			return err
		}
		return c.show([2]string{"merchant id", m.ID}, [2]string{"name", m.Name}, [2]string{"state", string(m.State)}, [2]string{"min amount", m.MinAmount.String()},
			[2]string{"max amount", m.MaxAmount.String()}, [2]string{"daily limit", m.DailyLimit.String()})
	})
}

type urlsCommand struct {
	operatorFlags
	ID         string  `arg:"" help:"The merchant's id."`
	Dialect    string  `help:"The protocol." default:"paykit" env:"-"`
	IPNURL     *string `help:"Where notifications go; empty for nowhere." name:"ipn-url" placeholder:"URL" env:"-"`
	SuccessURL *string `help:"Platforms: where payers come back to after paying." placeholder:"URL" env:"-"`
	CancelURL  *string `help:"Platforms: where they come back to otherwise." placeholder:"URL" env:"-"`
}

func (c urlsCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		_, err := k.ChangeMerchant(ctx, by, c.ID, core.MerchantChange{Profiles: map[string]core.ProfileChange{
			c.Dialect: {NotifyURL: c.IPNURL, SuccessURL: c.SuccessURL, CancelURL: c.CancelURL},
		}})
		if err != nil {
			return err
		}
		f, err := k.Profile(ctx, c.ID, c.Dialect)
		if err != nil {
			return err
		}
		return c.show([2]string{"ipn url", f.NotifyURL}, [2]string{"success url", f.SuccessURL}, [2]string{"cancel url", f.CancelURL})
	})
}

type keysCommand struct {
	Rotate rotateCommand    `cmd:"" help:"Make a new key pair and end the old ones."`
	IPN    rotateIPNCommand `cmd:"" name:"rotate-ipn" help:"Make a new secret for notifications."`
	List   listKeysCommand  `cmd:"" help:"List key pairs; the keys themselves are shown only when they are made."`
}

type rotateCommand struct {
	operatorFlags
	ID      string        `arg:"" help:"The merchant's id."`
	Dialect string        `help:"The protocol." default:"paykit" env:"-"`
	Grace   time.Duration `help:"How long the old keys go on working." default:"0s" env:"-"`
}

func (c rotateCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		made, err := k.RotateKeys(ctx, by, c.ID, c.Dialect, c.Grace)
		if err != nil {
			return err
		}
		return c.show([2]string{"api key", made.Key}, [2]string{"secret key", made.Secret})
	})
}

type rotateIPNCommand struct {
	operatorFlags
	ID      string `arg:"" help:"The merchant's id."`
	Dialect string `help:"The protocol." default:"paykit" env:"-"`
}

func (c rotateIPNCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		made, err := k.RotateNotifySecret(ctx, by, c.ID, c.Dialect)
		if err != nil {
			return err
		}
		return c.show([2]string{"ipn secret key", made.NotifySecret})
	})
}

type listKeysCommand struct {
	operatorFlags
	ID string `arg:"" help:"The merchant's id."`
}

func (c listKeysCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		keys, err := k.Keys(ctx, c.ID)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, key := range keys {
			rows = append(rows, []string{key.ID, key.Dialect, "…" + key.Hint, shown(key.CreatedAt), shown(key.RevokedAt)})
		}
		return c.table([]string{"id", "dialect", "key", "made", "ends"}, rows)
	})
}

type accountCommand struct {
	Add     addAccountCommand     `cmd:"" help:"Add a bank account. New payments use the merchant's first enabled one."`
	List    listAccountsCommand   `cmd:"" help:"List a merchant's bank accounts."`
	Enable  enableAccountCommand  `cmd:"" help:"Let new payments use an account."`
	Disable disableAccountCommand `cmd:"" help:"Let new payments use it no more. Old ones are recognised as before."`
}

type addAccountCommand struct {
	operatorFlags
	ID        string `arg:"" help:"The merchant's id."`
	BIN       string `help:"The bank's six digits, such as 970436." required:"" env:"-"`
	Number    string `help:"The account number." required:"" env:"-"`
	Holder    string `help:"Its holder, as the bank writes it." required:"" env:"-"`
	Recognise string `help:"How a transfer is known to be for a payment: memo (a code in its text) or virtual_account." enum:"memo,virtual_account" default:"memo" env:"-"`
	Prefix    string `help:"Of virtual accounts: what the bank assigned. Of memos: what your notifier wants before the code." env:"-"`
}

func (c addAccountCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		a, err := k.AddReceivingAccount(ctx, by, payment.ReceivingAccount{
			MerchantID: c.ID, BIN: c.BIN, Number: c.Number, Holder: c.Holder, Recognise: payment.Recognition(c.Recognise), Prefix: c.Prefix, Enabled: true,
		})
		if err != nil {
			return err
		}
		return c.show([2]string{"account id", a.ID}, [2]string{"bin", a.BIN}, [2]string{"number", a.Number}, [2]string{"holder", a.Holder})
	})
}

type listAccountsCommand struct {
	operatorFlags
	ID string `arg:"" help:"The merchant's id."`
}

func (c listAccountsCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		accounts, err := k.ReceivingAccounts(ctx, c.ID)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, a := range accounts {
			rows = append(rows, []string{a.ID, a.BIN, a.Number, a.Holder, string(a.Recognise), a.Prefix, fmt.Sprint(a.Enabled)})
		}
		return c.table([]string{"id", "bin", "number", "holder", "recognise", "prefix", "enabled"}, rows)
	})
}

type enableAccountCommand struct {
	operatorFlags
	Account string `arg:"" help:"The account's id."`
}

func (c enableAccountCommand) enable(ctx context.Context, on bool) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error { return k.EnableReceivingAccount(ctx, by, c.Account, on) })
}

func (c enableAccountCommand) Run(ctx context.Context) error { return c.enable(ctx, true) }

type disableAccountCommand struct{ enableAccountCommand }

func (c disableAccountCommand) Run(ctx context.Context) error { return c.enable(ctx, false) }

type feedCommand struct {
	Add     addFeedCommand     `cmd:"" help:"Add a source of bank credits, reached at /bank-feeds/NAME."`
	List    listFeedsCommand   `cmd:"" help:"List sources and until when each has been seen."`
	Change  changeFeedCommand  `cmd:"" help:"Give a source another secret or other API credentials."`
	Enable  enableFeedCommand  `cmd:"" help:"Believe a source."`
	Disable disableFeedCommand `cmd:"" help:"Believe it no more."`
}

type addFeedCommand struct {
	operatorFlags
	Name     string `arg:"" help:"1 to 40 of a-z, 0-9 and -."`
	Kind     string `help:"sepay, casso, payos or generic; see docs/bank-feeds.md." required:"" env:"-"`
	Merchant string `help:"The id of the merchant whose accounts it may speak of; everybody's when left out." placeholder:"ID" env:"-"`
	Secret   string `help:"What its webhooks are verified with. Best given by the environment: other users of this machine can see flags." env:"THUNGAN_FEED_SECRET" required:"" placeholder:"TEXT"`
	API      string `help:"Credentials of its transactions API, JSON; then what was missed is fetched." name:"api" env:"THUNGAN_FEED_API" placeholder:"JSON"`
}

func (c addFeedCommand) Run(ctx context.Context) error {
	if err := bankfeed.CheckFeed(c.Kind, c.Secret, c.API); err != nil {
		return readable(err)
	}
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		f, err := k.AddFeed(ctx, by, core.NewFeed{Name: c.Name, Kind: c.Kind, MerchantID: c.Merchant, Secret: c.Secret, API: c.API})
		if err != nil {
			return err
		}
		return c.show([2]string{"feed", f.Name}, [2]string{"kind", f.Kind}, [2]string{"address", bankfeed.Prefix + f.Name})
	})
}

type listFeedsCommand struct{ operatorFlags }

func (c listFeedsCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		feeds, err := k.Feeds(ctx)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, f := range feeds {
			rows = append(rows, []string{f.Name, f.Kind, f.MerchantID, fmt.Sprint(f.Enabled), shown(f.SeenUntil), f.PullError})
		}
		return c.table([]string{"name", "kind", "merchant", "enabled", "seen until", "last fault"}, rows)
	})
}

type changeFeedCommand struct {
	operatorFlags
	Name      string `arg:"" help:"The source's name."`
	NewSecret bool   `help:"Replace the secret by that of the environment." env:"-"`
	NewAPI    bool   `help:"Replace the credentials of its transactions API by those of the environment; empty ones take them away." name:"new-api" env:"-"`
	Secret    string `help:"With --new-secret: what its webhooks are verified with." env:"THUNGAN_FEED_SECRET" placeholder:"TEXT"`
	API       string `help:"With --new-api: the credentials, JSON." name:"api" env:"THUNGAN_FEED_API" placeholder:"JSON"`
}

func (c changeFeedCommand) Help() string {
	return `A serving gateway knows the new secret within a second. For a change without a gap give
both secrets for a while, where the kind of source has a form for it: docs/bank-feeds.md.`
}

func (c changeFeedCommand) Run(ctx context.Context) error {
	switch {
	case !c.NewSecret && !c.NewAPI:
		return errors.New("say what to change: --new-secret, --new-api or both")
	case c.NewSecret && c.Secret == "":
		return errors.New("--new-secret: THUNGAN_FEED_SECRET is empty")
	}
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		f, err := k.Feed(ctx, c.Name)
		if err != nil {
			return err
		}
		var secret, api *string
		if c.NewSecret {
			secret = &c.Secret
		}
		if c.NewAPI {
			api = &c.API
		}
		nextSecret, nextAPI, err := k.FeedSecretsAfter(f, secret, api)
		if err != nil {
			return err
		}
		if err := bankfeed.CheckFeed(f.Kind, nextSecret, nextAPI); err != nil {
			return err
		}
		_, err = k.ChangeFeed(ctx, by, c.Name, secret, api, nil)
		return err
	})
}

type enableFeedCommand struct {
	operatorFlags
	Name string `arg:"" help:"The source's name."`
}

func (c enableFeedCommand) enable(ctx context.Context, on bool) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		_, err := k.ChangeFeed(ctx, by, c.Name, nil, nil, &on)
		return err
	})
}

func (c enableFeedCommand) Run(ctx context.Context) error { return c.enable(ctx, true) }

type disableFeedCommand struct{ enableFeedCommand }

func (c disableFeedCommand) Run(ctx context.Context) error { return c.enable(ctx, false) }

type tokenCommand struct {
	Add    addTokenCommand    `cmd:"" help:"Make a token; it is shown once."`
	List   listTokensCommand  `cmd:"" help:"List tokens."`
	Revoke revokeTokenCommand `cmd:"" help:"End a token."`
}

type addTokenCommand struct {
	operatorFlags
	Name string `arg:"" help:"Whose it is, as the audit log will say."`
}

func (c addTokenCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		token, err := k.AddAdminToken(ctx, by, c.Name)
		if err != nil {
			return err
		}
		return c.show([2]string{"token", token})
	})
}

type listTokensCommand struct{ operatorFlags }

func (c listTokensCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		tokens, err := k.AdminTokens(ctx)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, t := range tokens {
			rows = append(rows, []string{t.ID, t.Name, shown(t.CreatedAt), shown(t.RevokedAt)})
		}
		return c.table([]string{"id", "name", "made", "ended"}, rows)
	})
}

type revokeTokenCommand struct {
	operatorFlags
	ID string `arg:"" help:"The token's id."`
}

func (c revokeTokenCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error { return k.RevokeAdminToken(ctx, by, c.ID) })
}
