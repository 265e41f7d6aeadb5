package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/internal/db"
)

// AdminToken lets somebody use the admin API. Only its hash is kept.
type AdminToken struct {
	ID        string
	Name      string
	Hash      string
	CreatedAt time.Time
	RevokedAt time.Time // zero while it is good
}

func tokenRow(r db.AdminToken) AdminToken {
	return AdminToken{ID: r.ID, Name: r.Name, Hash: r.Hash, CreatedAt: moment(r.CreatedAt), RevokedAt: moment(r.RevokedAt)}
}

// AddAdminToken inserts a token.
func (tx *Tx) AddAdminToken(ctx context.Context, t AdminToken) error {
	return tx.q.InsertAdminToken(ctx, db.InsertAdminTokenParams{ID: t.ID, Name: t.Name, Hash: t.Hash, CreatedAt: millis(t.CreatedAt)})
}

// AdminTokenByHash finds a token; CodeUnauthorized when there is none.
func (tx *Tx) AdminTokenByHash(ctx context.Context, hash string) (AdminToken, error) {
	row, err := tx.q.AdminTokenByHash(ctx, hash)
	if err != nil {
		return AdminToken{}, missing(err, payment.CodeUnauthorized, "")
	}
	return tokenRow(row), nil
}

// AdminTokens lists all tokens, oldest first.
func (tx *Tx) AdminTokens(ctx context.Context) ([]AdminToken, error) {
	rows, err := tx.q.AdminTokens(ctx)
	if err != nil {
		return nil, err
	}
	tokens := make([]AdminToken, len(rows))
	for i, row := range rows {
		tokens[i] = tokenRow(row)
	}
	return tokens, nil
}

// RevokeAdminToken ends a token; CodeNotFound when it is not there or ended.
func (tx *Tx) RevokeAdminToken(ctx context.Context, id string, now time.Time) error {
	n, err := tx.q.RevokeAdminToken(ctx, db.RevokeAdminTokenParams{ID: id, RevokedAt: millis(now)})
	if err == nil && n == 0 {
		return payment.Fail(payment.CodeNotFound, "no such token")
	}
	return err
}

// AuditRecord is one administrative act. Before and After are JSON texts
// without secrets.
type AuditRecord struct {
	ID      string
	At      time.Time
	Actor   string
	Address string
	Act     string // "merchant.change"
	Subject string // the id of what was acted on
	Before  string
	After   string
}

// The settings by which records of the audit log are chained: a row to wait for
// each other at, and the number and hash of the newest record.
const (
	auditLock = "lock/audit_log"
	auditHead = "audit_log/head"
)

// AddAudit appends to the audit log. Each record carries the hash of itself and
// of the one before, so that none can be changed or taken out unseen; the
// auditor reckons them again.
func (tx *Tx) AddAudit(ctx context.Context, a AuditRecord) error {
	if err := tx.PutSetting(ctx, auditLock, a.ID); err != nil { // who comes second waits here
		return err
	}
	head, err := tx.Setting(ctx, auditHead)
	if err != nil {
		return err
	}
	last, hash, _ := strings.Cut(head, " ")
	number, err := strconv.ParseInt(cmp.Or(last, "0"), 10, 64)
	if err != nil {
		return fmt.Errorf("store: the head of the audit log is broken: %w", err)
	}
	number++
	at := millis(a.At)
	chained, err := json.Marshal([]string{hash, strconv.FormatInt(number, 10), a.ID, strconv.FormatInt(at, 10), a.Actor, a.Address, a.Act, a.Subject, a.Before, a.After})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(chained)
	hash = hex.EncodeToString(sum[:])
	err = tx.q.InsertAudit(ctx, db.InsertAuditParams{
		ID: a.ID, At: at, Actor: a.Actor, Address: a.Address, Act: a.Act, Subject: a.Subject, Before: a.Before, After: a.After, Number: number, Hash: hash,
	})
	if err != nil {
		return err
	}
	return tx.PutSetting(ctx, auditHead, strconv.FormatInt(number, 10)+" "+hash)
}

// AuditLog lists administrative acts, newest first.
func (tx *Tx) AuditLog(ctx context.Context, cursor string, limit int) ([]AuditRecord, error) {
	rows, err := tx.q.AuditLog(ctx, db.AuditLogParams{BeforeID: before(cursor), Page: int32(limit)})
	if err != nil {
		return nil, err
	}
	records := make([]AuditRecord, len(rows))
	for i, r := range rows {
		records[i] = AuditRecord{ID: r.ID, At: moment(r.At), Actor: r.Actor, Address: r.Address, Act: r.Act, Subject: r.Subject, Before: r.Before, After: r.After}
	}
	return records, nil
}

// Setting reads a named value of the gateway itself, "" when it was never put.
func (tx *Tx) Setting(ctx context.Context, name string) (string, error) {
	value, err := tx.q.Setting(ctx, name)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}

// PutSetting writes a named value.
func (tx *Tx) PutSetting(ctx context.Context, name, value string) error {
	return tx.q.PutSetting(ctx, db.PutSettingParams{Name: name, Value: value})
}

// AddSetting writes a named value unless it is there, so that of several nodes
// starting at once one wins.
func (tx *Tx) AddSetting(ctx context.Context, name, value string) error {
	return tx.q.AddSetting(ctx, db.AddSettingParams{Name: name, Value: value})
}
