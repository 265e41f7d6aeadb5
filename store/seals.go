package store

import (
	"context"
	"fmt"
	"strings"
)

// SealedColumn is a column that keeps texts sealed by internal/vault. Its names
// go into statements as they are: they are the program's own, never a caller's.
type SealedColumn struct {
	Table  string
	Column string
	Key    []string // the columns that tell its rows apart
}

// Sealed is one sealed text.
type Sealed struct {
	Key  []string // the values of the column's Key
	Text string
}

// SealedTexts lists the sealed texts of a column.
func (tx *Tx) SealedTexts(ctx context.Context, c SealedColumn) ([]Sealed, error) {
	keys := strings.Join(c.Key, ", ")
	rows, err := tx.conn.QueryContext(ctx, `SELECT `+c.Column+`, `+keys+` FROM `+c.Table+` WHERE `+c.Column+` LIKE 'v1:%' ORDER BY `+keys)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Sealed
	for rows.Next() {
		s := Sealed{Key: make([]string, len(c.Key))}
		into := []any{&s.Text}
		for i := range s.Key {
			into = append(into, &s.Key[i])
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

// CountSealed says how many sealed texts a column has, and how many of them begin
// with none of the prefixes.
func (tx *Tx) CountSealed(ctx context.Context, c SealedColumn, prefixes []string) (all, others int, err error) {
	known, args := "", []any{}
	for i, p := range prefixes {
		args = append(args, p)
		known += fmt.Sprintf(` AND SUBSTR(%s, 1, %d) <> $%d`, c.Column, len(p), i+1)
	}
	count := `SELECT COUNT(*) FROM ` + c.Table + ` WHERE ` + c.Column + ` LIKE 'v1:%'`
	if err = tx.conn.QueryRowContext(ctx, count).Scan(&all); err != nil {
		return 0, 0, err
	}
	return all, others, tx.conn.QueryRowContext(ctx, count+known, args...).Scan(&others)
}

// SwapSealed puts a text in the place of another, and says whether the other
// was still there.
func (tx *Tx) SwapSealed(ctx context.Context, c SealedColumn, old Sealed, text string) (bool, error) {
	args := []any{text, old.Text}
	where := c.Column + ` = $2`
	for i, column := range c.Key {
		args = append(args, old.Key[i])
		where += fmt.Sprintf(` AND %s = $%d`, column, i+3)
	}
	result, err := tx.conn.ExecContext(ctx, `UPDATE `+c.Table+` SET `+c.Column+` = $1 WHERE `+where, args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}
