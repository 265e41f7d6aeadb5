package admin

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/thungan/thungan/store"
)

type tokenView struct {
	TokenID   string `json:"token_id"`
	Name      string `json:"name"`
	CreatedAt stamp  `json:"created_at"`
	RevokedAt stamp  `json:"revoked_at"`
}

func showToken(t store.AdminToken) tokenView {
	return tokenView{TokenID: t.ID, Name: t.Name, CreatedAt: stamp(t.CreatedAt), RevokedAt: stamp(t.RevokedAt)}
}

// newTokenView shows a token's text, once.
type newTokenView struct {
	Name  string `json:"name"`
	Token string `json:"token"`
}

func (a *API) addToken(c *call) (any, error) {
	o, err := c.readBody(false)
	if err != nil {
		return nil, err
	}
	o.need("name")
	name := o.words("name", maxTokenName)
	if name != nil && slices.Contains(reservedNames, strings.ToLower(strings.TrimSpace(*name))) {
		o.complain("name", "is taken by the gateway itself")
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	token, err := a.core.AddAdminToken(c.ctx(), c.by, *name)
	if err != nil {
		return nil, err
	}
	return newTokenView{Name: *name, Token: token}, nil
}

// reservedNames are the actors of events who are no operators.
var reservedNames = []string{"bank", "payer", "system", "merchant"}

// maxTokenName bounds the name that stands in events and the audit log.
const maxTokenName = 100

func (a *API) tokens(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page := q.page()
	if err := q.err(); err != nil {
		return nil, err
	}
	found, err := a.core.AdminTokens(c.ctx())
	if err != nil {
		return nil, err
	}
	return cutPage(found, page, func(t store.AdminToken) string { return t.ID }, showToken)
}

func (a *API) revokeToken(c *call) (any, error) {
	id, err := c.pathID("token_id")
	if err != nil {
		return nil, err
	}
	return nil, a.core.RevokeAdminToken(c.ctx(), c.by, id)
}

type auditView struct {
	AuditID string          `json:"audit_id"`
	At      stamp           `json:"at"`
	Actor   string          `json:"actor"`
	Address string          `json:"address"`
	Act     string          `json:"act"`
	Subject string          `json:"subject"`
	Before  json.RawMessage `json:"before"`
	After   json.RawMessage `json:"after"`
}

func showAudit(r store.AuditRecord) auditView {
	return auditView{
		AuditID: r.ID, At: stamp(r.At), Actor: r.Actor, Address: r.Address, Act: r.Act, Subject: r.Subject,
		Before: jsonText(r.Before), After: jsonText(r.After),
	}
}

// jsonText is a JSON text as part of an answer, null for none. A text that is
// no JSON is shown as it is: the audit log has to be readable whatever is in it.
func jsonText(s string) json.RawMessage {
	if s == "" {
		return json.RawMessage("null")
	}
	if json.Valid([]byte(s)) {
		return json.RawMessage(s)
	}
	out, err := json.Marshal(s)
	if err != nil {
		return json.RawMessage("null")
	}
	return out
}

func (a *API) audit(c *call) (any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	page := q.page()
	if err := q.err(); err != nil {
		return nil, err
	}
	read := func(cursor string, limit int) ([]store.AuditRecord, error) {
		return a.core.AuditLog(c.ctx(), cursor, limit)
	}
	return readPage(page, read, func(r store.AuditRecord) string { return r.ID }, showAudit)
}
