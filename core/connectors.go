package core

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
)

// maxConfig bounds a connector's configuration, in bytes.
const maxConfig = 8 << 10

// MaxPriority bounds a connector's priority on both sides of zero.
const MaxPriority = 1000

// NewConnector describes a contract with an acquirer. Its configuration has
// been checked by whoever knows the kind (rail/card).
type NewConnector struct {
	MerchantID string
	Kind       string
	Name       string // for people; "" is the kind
	Methods    []payment.Method
	Config     []byte // JSON
	Priority   int64  // the lowest is tried first
}

// AddConnector lets a merchant be paid through an acquirer.
func (c *Core) AddConnector(ctx context.Context, by Actor, n NewConnector) (payment.Connector, error) {
	now := c.Now()
	conn := payment.Connector{
		ID: c.ids.New(), MerchantID: n.MerchantID, Kind: n.Kind, Name: strings.TrimSpace(n.Name), Methods: n.Methods, Priority: n.Priority,
		Enabled: true, CreatedAt: now, UpdatedAt: now,
	}
	if conn.Name == "" {
		conn.Name = conn.Kind
	}
	if err := checkConnector(conn); err != nil {
		return payment.Connector{}, err
	}
	var err error
	if conn.Config, err = c.sealConfig(conn, n.Config); err != nil {
		return payment.Connector{}, err
	}
	return conn, c.update(ctx, "add_connector", func(w *work) error {
		if _, err := w.Merchant(ctx, conn.MerchantID); err != nil {
			return err
		}
		if err := w.AddConnector(ctx, conn); err != nil {
			return err
		}
		return w.audit(ctx, by, "connector.add", conn.ID, nil, connectorAudit(conn))
	})
}

func (c *Core) sealConfig(conn payment.Connector, config []byte) (string, error) {
	if len(config) == 0 || len(config) > maxConfig || !storable(string(config)) {
		return "", invalid("config", fmt.Sprintf("is a JSON object of at most %d bytes", maxConfig))
	}
	sealed, err := c.vault.Seal(config, conn.ConfigContext())
	if err != nil {
		return "", &payment.Error{Code: payment.CodeInternal, Cause: err}
	}
	return sealed, nil
}

func checkConnector(conn payment.Connector) error {
	if len(conn.Methods) == 0 {
		return invalid("methods", "are missing: say what the connector is used for")
	}
	for i, m := range conn.Methods {
		if byHand(m) || slices.Contains(conn.Methods[:i], m) {
			return invalid("methods", "has one that no acquirer takes, or one twice: "+string(m))
		}
	}
	if conn.Priority < -MaxPriority || conn.Priority > MaxPriority {
		return invalid("priority", fmt.Sprintf("is a number from -%d to %d", MaxPriority, MaxPriority))
	}
	if err := checkText("kind", conn.Kind, 1, 50); err != nil {
		return err
	}
	return checkText("name", conn.Name, 1, maxName)
}

// ConnectorChange is what to change of a connector; nil is left as it is.
type ConnectorChange struct {
	Name     *string
	Methods  *[]payment.Method
	Config   *[]byte
	Priority *int64
	Enabled  *bool
}

// ChangeConnector changes a connector. Attempts that were begun go on with the
// new configuration.
func (c *Core) ChangeConnector(ctx context.Context, by Actor, id string, ch ConnectorChange) (payment.Connector, error) {
	var conn payment.Connector
	err := c.update(ctx, "change_connector", func(w *work) (err error) {
		if conn, err = w.LockConnector(ctx, id); err != nil {
			return err
		}
		before := connectorAudit(conn)
		set(&conn.Name, ch.Name)
		set(&conn.Methods, ch.Methods)
		set(&conn.Priority, ch.Priority)
		set(&conn.Enabled, ch.Enabled)
		if ch.Config != nil {
			if conn.Config, err = c.sealConfig(conn, *ch.Config); err != nil {
				return err
			}
		}
		if err := checkConnector(conn); err != nil {
			return err
		}
		conn.UpdatedAt = w.now
		if err := w.SaveConnector(ctx, conn); err != nil {
			return err
		}
		after := connectorAudit(conn)
		after["new_config"] = ch.Config != nil
		return w.audit(ctx, by, "connector.change", id, before, after)
	})
	return conn, err
}

func connectorAudit(conn payment.Connector) map[string]any {
	return map[string]any{
		"merchant_id": conn.MerchantID, "kind": conn.Kind, "name": conn.Name, "methods": conn.Methods, "priority": conn.Priority, "enabled": conn.Enabled,
	}
}

// Connector returns a connector, or CodeNotFound.
func (c *Core) Connector(ctx context.Context, id string) (payment.Connector, error) {
	return view(ctx, c, "connector", func(tx *store.Tx) (payment.Connector, error) { return tx.Connector(ctx, id) })
}

// Connectors lists a merchant's connectors, or everybody's for "", in the order
// in which they are tried.
func (c *Core) Connectors(ctx context.Context, merchantID string) ([]payment.Connector, error) {
	return view(ctx, c, "connectors", func(tx *store.Tx) ([]payment.Connector, error) { return tx.Connectors(ctx, merchantID) })
}

// ConnectorsFor lists the connectors that a merchant uses for a method now, the
// first to try first.
func (c *Core) ConnectorsFor(ctx context.Context, merchantID string, m payment.Method) ([]payment.Connector, error) {
	all, err := c.directory.connectors.get(&c.directory, merchantID, func() ([]payment.Connector, error) { return c.Connectors(ctx, merchantID) })
	var found []payment.Connector
	for _, conn := range all {
		if conn.Enabled && slices.Contains(conn.Methods, m) {
			found = append(found, conn)
		}
	}
	return found, err
}

// ConnectorConfig opens a connector's configuration, for the calls that need
// its secrets.
func (c *Core) ConnectorConfig(conn payment.Connector) ([]byte, error) {
	config, err := c.vault.Open(conn.Config, conn.ConfigContext())
	if err != nil {
		return nil, &payment.Error{Code: payment.CodeInternal, Cause: err}
	}
	return config, nil
}
