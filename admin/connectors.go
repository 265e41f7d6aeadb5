package admin

import (
	"maps"
	"slices"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/payment"
)

// maxMethods bounds a list of methods; there are fewer.
const maxMethods = 20

// connectorView shows a connector. Its configuration never leaves the gateway.
type connectorView struct {
	ConnectorID string   `json:"connector_id"`
	MerchantID  string   `json:"merchant_id"`
	Kind        string   `json:"kind"`
	Name        string   `json:"name"`
	Methods     []string `json:"methods"`
	Priority    int64    `json:"priority"`
	Enabled     bool     `json:"enabled"`
	NotifyURL   string   `json:"notify_url"`
	CreatedAt   stamp    `json:"created_at"`
	UpdatedAt   stamp    `json:"updated_at"`
}

func (a *API) showConnector(c payment.Connector) connectorView {
	return connectorView{
		ConnectorID: c.ID, MerchantID: c.MerchantID, Kind: c.Kind, Name: c.Name, Methods: methodNames(c.Methods), Priority: c.Priority, Enabled: c.Enabled,
		NotifyURL: a.acquirers.NotifyURL(c.ID), CreatedAt: stamp(c.CreatedAt), UpdatedAt: stamp(c.UpdatedAt),
	}
}

func methodNames(methods []payment.Method) []string {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = string(m)
	}
	return names
}

// methods reads a list of methods, nil when it is not there or is wrong.
// Whether the acquirer takes them is for others to say.
func (o *object) methods(name string) *[]payment.Method {
	texts := o.texts(name, maxMethods, maxPublicID)
	if texts == nil {
		return nil
	}
	methods := make([]payment.Method, len(*texts))
	for i, t := range *texts {
		methods[i] = payment.Method(t)
	}
	return &methods
}

func (a *API) addConnector(c *call) (any, error) {
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("merchant_id", "kind", "methods", "config")
	merchantID, kind, methods, config := o.uuid("merchant_id"), o.filled("kind", maxPublicID), o.methods("methods"), o.config("config")
	name, priority := o.words("name", maxName), o.whole("priority", -core.MaxPriority, core.MaxPriority)
	if err := o.err(); err != nil {
		return nil, err
	}
	if err := a.acquirers.Check(*kind, *methods, *config); err != nil {
		return nil, err
	}
	conn, err := a.core.AddConnector(c.ctx(), c.by, core.NewConnector{
		MerchantID: *merchantID, Kind: *kind, Name: or(name, ""), Methods: *methods, Config: *config, Priority: or(priority, 0),
	})
	if err != nil {
		return nil, err
	}
	return a.showConnector(conn), nil
}

func (a *API) connectors(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page, merchantID := q.page(), q.uuid("merchant_id")
	if err := q.err(); err != nil {
		return nil, err
	}
	found, err := a.core.Connectors(c.ctx(), merchantID)
	if err != nil {
		return nil, err
	}
	return cutPage(found, page, func(conn payment.Connector) string { return conn.ID }, a.showConnector)
}

func (a *API) connector(c *call) (any, error) {
	id, err := c.pathID("connector_id")
	if err != nil {
		return nil, err
	}
	conn, err := a.core.Connector(c.ctx(), id)
	if err != nil {
		return nil, err
	}
	return a.showConnector(conn), nil
}

func (a *API) changeConnector(c *call) (any, error) {
	id, err := c.pathID("connector_id")
	if err != nil {
		return nil, err
	}
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	ch := core.ConnectorChange{
		Name: o.words("name", maxName), Methods: o.methods("methods"), Config: o.config("config"),
		Priority: o.whole("priority", -core.MaxPriority, core.MaxPriority), Enabled: o.flag("enabled"),
	}
	o.needOne("name", "methods", "config", "priority", "enabled")
	if err := o.err(); err != nil {
		return nil, err
	}
	conn, err := a.core.Connector(c.ctx(), id)
	if err != nil {
		return nil, err
	}
	if ch.Methods != nil || ch.Config != nil {
		if err := a.acquirers.Check(conn.Kind, or(ch.Methods, conn.Methods), or(ch.Config, nil)); err != nil {
			return nil, err
		}
	}
	if conn, err = a.core.ChangeConnector(c.ctx(), c.by, id, ch); err != nil {
		return nil, err
	}
	return a.showConnector(conn), nil
}

// kindView is an acquirer that can be connected to.
type kindView struct {
	Kind    string   `json:"kind"`
	Methods []string `json:"methods"`
}

func (a *API) connectorKinds(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page := q.pageByName()
	if err := q.err(); err != nil {
		return nil, err
	}
	kinds := a.acquirers.Kinds()
	show := func(kind string) kindView { return kindView{Kind: kind, Methods: methodNames(kinds[kind])} }
	return cutPage(slices.Sorted(maps.Keys(kinds)), page, func(kind string) string { return kind }, show)
}
