package auditor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"github.com/thungan/thungan/store"
)

const (
	chainBroken     = "audit_log_broken"
	chainVietnamese = "Nhật ký quản trị không liền mạch từ bản ghi số %s: có bản ghi bị sửa, bị xóa hoặc bị chèn."
	chainEnglish    = "The audit log is broken from record %s on: one was changed, taken out or put in."
)

// Chain is where the audit log ends.
type Chain struct {
	Number int64  `json:"number"`
	Hash   string `json:"hash"`
	broken string // the first number that is not as it was written
}

// readChain reckons the hashes of the audit log again, from its first numbered
// record to the head that the settings have.
func readChain(ctx context.Context, q store.Query) (Chain, error) {
	rows, err := q(ctx, `SELECT number, hash, id, at, actor, address, act, subject, before, after FROM audit_log WHERE number > 0 ORDER BY number`)
	if err != nil {
		return Chain{}, err
	}
	defer rows.Close()
	var c Chain
	for rows.Next() {
		var number, at int64
		var hash, id, actor, address, act, subject, before, after string
		if err := rows.Scan(&number, &hash, &id, &at, &actor, &address, &act, &subject, &before, &after); err != nil {
			return c, err
		}
		if c.broken != "" {
			continue
		}
		text, err := json.Marshal([]string{c.Hash, strconv.FormatInt(c.Number+1, 10), id, strconv.FormatInt(at, 10), actor, address, act, subject, before, after})
		if err != nil {
			return c, err
		}
		sum := sha256.Sum256(text)
		if number != c.Number+1 || hash != hex.EncodeToString(sum[:]) {
			c.broken = strconv.FormatInt(c.Number+1, 10)
			continue
		}
		c.Number, c.Hash = number, hash
	}
	if err := rows.Err(); err != nil || c.broken != "" {
		return c, err
	}
	head, err := headOf(ctx, q)
	if want := strconv.FormatInt(c.Number, 10) + " " + c.Hash; err == nil && head != want && (head != "" || c.Number > 0) {
		c.broken = strconv.FormatInt(c.Number+1, 10)
	}
	return c, err
}

func headOf(ctx context.Context, q store.Query) (head string, err error) {
	rows, err := q(ctx, `SELECT value FROM settings WHERE name = 'audit_log/head'`)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&head); err != nil {
			return "", err
		}
	}
	return head, rows.Err()
}
