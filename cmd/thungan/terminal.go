package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/id"
	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
)

type terminalCommand struct {
	Add     addTerminalCommand     `cmd:"" help:"Register a terminal of a merchant; prints the key of its device."`
	List    listTerminalsCommand   `cmd:"" help:"List terminals."`
	Set     setTerminalCommand     `cmd:"" help:"Change a terminal, lock it, limit it."`
	Key     terminalKeyCommand     `cmd:"" help:"Make a new key for a terminal's device."`
	Release releaseTerminalCommand `cmd:"" help:"End the card sale that a silent device has fetched."`
	Sales   terminalSalesCommand   `cmd:"" help:"List a terminal's newest sales."`
}

// terminalLimits are in đồng; 0 is no limit.
type terminalLimits struct {
	MaxAmount    *money.VND `help:"Largest sale, đồng; 0 is no limit." env:"-"`
	DailyLimit   *money.VND `help:"Most of a calendar day, đồng; 0 is no limit." env:"-"`
	MonthlyLimit *money.VND `help:"Most of a calendar month, đồng; 0 is no limit." env:"-"`
	BatchLimit   *money.VND `help:"Most of card sales that are not settled, đồng; 0 is no limit." env:"-"`
}

// terminalMethods reads --methods.
func terminalMethods(names []string) []payment.Method {
	var methods []payment.Method
	for _, name := range names {
		methods = append(methods, payment.Method(name))
	}
	return methods
}

func terminalLines(t payment.Terminal) [][2]string {
	var methods []string
	for _, m := range t.Methods {
		methods = append(methods, string(m))
	}
	return [][2]string{
		{"terminal id", t.PublicID}, {"name", t.Name}, {"merchant id", t.MerchantID}, {"state", string(t.State)}, {"methods", strings.Join(methods, ",")}, {"city", t.City},
		{"max amount", t.MaxAmount.String()}, {"daily limit", t.DailyLimit.String()}, {"monthly limit", t.MonthlyLimit.String()}, {"batch limit", t.BatchLimit.String()},
	}
}

type addTerminalCommand struct {
	operatorFlags
	terminalLimits
	Merchant   string   `arg:"" help:"The merchant's id."`
	Name       string   `help:"Where it stands." required:"" env:"-"`
	TerminalID string   `help:"What wires call it, such as TID-01JQ3Q9PCK0AB8; made up when left out." name:"terminal-id" placeholder:"ID" env:"-"`
	City       string   `help:"The merchant's city, as QR codes have it; HO CHI MINH when left out." env:"-"`
	Methods    []string `help:"What it takes: card_present, bank_transfer (a QR code); both when left out." env:"-"`
}

func (addTerminalCommand) Help() string {
	return `The device key is what the program on the terminal authenticates with at /pos/v1. It is
shown only now: the database keeps its hash. See docs/terminals.md.`
}

func (c addTerminalCommand) Run(ctx context.Context) error {
	value := func(v *money.VND) money.VND {
		if v == nil {
			return 0
		}
		return *v
	}
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		t, key, err := k.AddTerminal(ctx, by, core.NewTerminal{
			MerchantID: c.Merchant, PublicID: c.TerminalID, Name: c.Name, City: strings.ToUpper(c.City), Methods: terminalMethods(c.Methods),
			MaxAmount: value(c.MaxAmount), DailyLimit: value(c.DailyLimit), MonthlyLimit: value(c.MonthlyLimit), BatchLimit: value(c.BatchLimit),
		})
		if err != nil {
			return err
		}
		return c.show([2]string{"terminal id", t.PublicID}, [2]string{"name", t.Name}, [2]string{"device key", key})
	})
}

type listTerminalsCommand struct {
	operatorFlags
	Merchant string `help:"Only those of one merchant." placeholder:"ID" env:"-"`
}

func (c listTerminalsCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		var rows [][]string
		for after := ""; ; {
			terminals, err := k.Terminals(ctx, c.Merchant, after, core.MaxPage)
			if err != nil {
				return err
			}
			for _, t := range terminals {
				rows = append(rows, []string{t.PublicID, t.Name, string(t.State), t.MerchantID, fmt.Sprint(t.Batch), shown(t.SeenAt), shown(t.CreatedAt)})
				after = t.ID
			}
			if len(terminals) < core.MaxPage {
				return c.table([]string{"terminal id", "name", "state", "merchant id", "batch", "seen", "added"}, rows)
			}
		}
	})
}

// terminalArg names a terminal.
type terminalArg struct {
	operatorFlags
	Terminal string `arg:"" help:"The terminal's id, such as TID-01JQ3Q9PCK0AB8."`
}

// with runs an act on the terminal.
func (c terminalArg) with(ctx context.Context, act func(k *core.Core, by core.Actor, t payment.Terminal) error) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		find := k.TerminalByPublicID
		if _, err := id.Parse(c.Terminal); err == nil {
			find = k.Terminal
		}
		t, err := find(ctx, c.Terminal)
		if err != nil {
			return err
		}
		return act(k, by, t)
	})
}

type setTerminalCommand struct {
	terminalArg
	terminalLimits
	Name    *string  `help:"Where it stands." env:"-"`
	City    *string  `help:"The merchant's city, as QR codes have it." env:"-"`
	State   *string  `help:"active or locked." env:"-"`
	Methods []string `help:"What it takes: card_present, bank_transfer." env:"-"`
}

func (c setTerminalCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(k *core.Core, by core.Actor, t payment.Terminal) error {
		t, err := k.ChangeTerminal(ctx, by, t.ID, core.TerminalChange{
			Name: c.Name, City: c.City, State: (*payment.TerminalState)(c.State), Methods: terminalMethods(c.Methods),
			MaxAmount: c.MaxAmount, DailyLimit: c.DailyLimit, MonthlyLimit: c.MonthlyLimit, BatchLimit: c.BatchLimit,
		})
		if err != nil {
			return err
		}
		return c.show(terminalLines(t)...)
	})
}

type terminalKeyCommand struct {
	terminalArg
	Grace time.Duration `help:"How long the old keys go on working." default:"0s" env:"-"`
}

func (c terminalKeyCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(k *core.Core, by core.Actor, t payment.Terminal) error {
		key, err := k.RotateTerminalKey(ctx, by, t.ID, c.Grace)
		if err != nil {
			return err
		}
		return c.show([2]string{"terminal id", t.PublicID}, [2]string{"device key", key})
	})
}

type releaseTerminalCommand struct {
	terminalArg
	Reason string `help:"Why; it stands in the audit log." required:"" env:"-"`
}

func (releaseTerminalCommand) Help() string {
	return `For a device that has taken a sale and will never tell of it. Should its approval come
after all, it is recorded as late money and waits for a person.`
}

func (c releaseTerminalCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(k *core.Core, by core.Actor, t payment.Terminal) error {
		sold, err := k.ReleaseTerminal(ctx, by, t.ID, c.Reason)
		if err != nil {
			return err
		}
		return c.show([2]string{"terminal id", t.PublicID}, [2]string{"reference", sold.Payment.Reference}, [2]string{"state", string(sold.Payment.State)})
	})
}

type terminalSalesCommand struct {
	terminalArg
	Limit int `help:"How many at most, 1 to 200." default:"20" env:"-"`
}

func (c terminalSalesCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(k *core.Core, _ core.Actor, t payment.Terminal) error {
		sold, err := k.TerminalSales(ctx, t.ID, "", c.Limit)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, s := range sold {
			rows = append(rows, []string{
				s.Payment.Reference, string(s.Sale.Method), s.Payment.Amount.Grouped(), string(s.Payment.State), string(s.Sale.Reason), fmt.Sprint(s.Sale.Batch),
				shown(s.Payment.CreatedAt), shown(s.Payment.CompletedAt), shown(s.Sale.Settled(s.Payment)),
			})
		}
		return c.table([]string{"reference", "method", "amount", "state", "reason", "batch", "opened", "paid", "settled"}, rows)
	})
}
