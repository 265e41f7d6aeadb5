package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail/acquiring"
)

type connectorCommand struct {
	Add    addConnectorCommand    `cmd:"" help:"Let a merchant be paid by card or wallet through an acquirer."`
	List   listConnectorsCommand  `cmd:"" help:"List connectors in the order in which they are tried."`
	Change changeConnectorCommand `cmd:"" help:"Change a connector, or switch it off and on."`
	Kinds  connectorKindsCommand  `cmd:"" help:"List the acquirers that can be connected to."`
}

// kinds knows the acquirers without talking to any.
func kinds() *acquiring.Service {
	return acquiring.New(acquiring.Config{Connectors: acquirers(), Clock: clock.System()})
}

func methodsOf(names []string) []payment.Method {
	methods := make([]payment.Method, len(names))
	for i, n := range names {
		methods[i] = payment.Method(strings.TrimSpace(n))
	}
	return methods
}

func joined(methods []payment.Method) string {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = string(m)
	}
	return strings.Join(names, ", ")
}

type addConnectorCommand struct {
	operatorFlags
	ID       string   `arg:"" help:"The merchant's id."`
	Kind     string   `help:"Which acquirer; see 'thungan connector kinds' and docs/connectors.md." required:"" env:"-"`
	Methods  []string `help:"What it is used for, such as domestic_card,international_card." required:"" env:"-"`
	Name     string   `help:"For people; the kind when left out." env:"-"`
	Priority int64    `help:"Of a merchant's connectors for a method the lowest is tried first." default:"0" env:"-"`
	Settings string   `help:"Credentials and addresses, JSON. Best given by the environment: other users of this machine can see flags." name:"connector-config" env:"THUNGAN_CONNECTOR_CONFIG" required:"" placeholder:"JSON"`
}

func (addConnectorCommand) Help() string {
	return `The configuration is checked, sealed, and never shown again. Give the acquirer the
address that is printed, behind the gateway's public URL, for its notices.`
}

func (c addConnectorCommand) Run(ctx context.Context) error {
	methods, config := methodsOf(c.Methods), []byte(c.Settings)
	if err := kinds().Check(c.Kind, methods, config); err != nil {
		return readable(err)
	}
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		conn, err := k.AddConnector(ctx, by, core.NewConnector{MerchantID: c.ID, Kind: c.Kind, Name: c.Name, Methods: methods, Config: config, Priority: c.Priority})
		if err != nil {
			return err
		}
		return c.show(connectorLines(conn)...)
	})
}

func connectorLines(conn payment.Connector) [][2]string {
	return [][2]string{
		{"connector id", conn.ID}, {"kind", conn.Kind}, {"name", conn.Name}, {"methods", joined(conn.Methods)}, {"priority", strconv.FormatInt(conn.Priority, 10)},
		{"enabled", fmt.Sprint(conn.Enabled)}, {"notify path", kinds().NotifyURL(conn.ID)},
	}
}

type listConnectorsCommand struct {
	operatorFlags
	Merchant string `help:"Only this merchant's." placeholder:"ID" env:"-"`
}

func (c listConnectorsCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, _ core.Actor) error {
		found, err := k.Connectors(ctx, c.Merchant)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, conn := range found {
			rows = append(rows, []string{conn.ID, conn.MerchantID, conn.Kind, conn.Name, joined(conn.Methods), strconv.FormatInt(conn.Priority, 10), fmt.Sprint(conn.Enabled)})
		}
		return c.table([]string{"id", "merchant", "kind", "name", "methods", "priority", "enabled"}, rows)
	})
}

type changeConnectorCommand struct {
	operatorFlags
	ID        string    `arg:"" help:"The connector's id."`
	Name      *string   `help:"For people." env:"-"`
	Methods   *[]string `help:"What it is used for." env:"-"`
	Priority  *int64    `help:"The lowest is tried first." env:"-"`
	Enable    bool      `help:"Let new payments use it." xor:"enabled" env:"-"`
	Disable   bool      `help:"Let new payments use it no more. Its notices are taken in as before." xor:"enabled" env:"-"`
	NewConfig bool      `help:"Replace the configuration by that of the environment." env:"-"`
	Settings  string    `help:"With --new-config: credentials and addresses, JSON, the whole of it." name:"connector-config" env:"THUNGAN_CONNECTOR_CONFIG" placeholder:"JSON"`
}

func (c changeConnectorCommand) Run(ctx context.Context) error {
	ch := core.ConnectorChange{Name: c.Name, Priority: c.Priority}
	if c.Methods != nil {
		methods := methodsOf(*c.Methods)
		ch.Methods = &methods
	}
	if c.Enable || c.Disable {
		ch.Enabled = &c.Enable
	}
	if c.NewConfig {
		if c.Settings == "" {
			return errors.New("--new-config: THUNGAN_CONNECTOR_CONFIG is empty")
		}
		config := []byte(c.Settings)
		ch.Config = &config
	}
	if ch == (core.ConnectorChange{}) {
		return errors.New("say what to change: --name, --methods, --priority, --enable, --disable or --new-config")
	}
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		conn, err := k.Connector(ctx, c.ID)
		if err != nil {
			return err
		}
		if ch.Methods != nil || ch.Config != nil {
			methods, config := conn.Methods, []byte(nil)
			if ch.Methods != nil {
				methods = *ch.Methods
			}
			if ch.Config != nil {
				config = *ch.Config
			}
			if err := kinds().Check(conn.Kind, methods, config); err != nil {
				return err
			}
		}
		if conn, err = k.ChangeConnector(ctx, by, c.ID, ch); err != nil {
			return err
		}
		return c.show(connectorLines(conn)...)
	})
}

type connectorKindsCommand struct {
	JSON bool `help:"Print JSON." env:"-"`
}

func (c connectorKindsCommand) Run() error {
	known := kinds().Kinds()
	var rows [][]string
	for _, kind := range slices.Sorted(maps.Keys(known)) {
		rows = append(rows, []string{kind, joined(known[kind])})
	}
	return operatorFlags{JSON: c.JSON}.table([]string{"kind", "methods"}, rows)
}
