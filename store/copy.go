package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Copied is how many rows of a table a Copy has moved.
type Copied struct {
	Table string
	Rows  int64
}

// Copy moves everything from one database to another, of whichever engines, in
// one transaction: all or nothing. The source is read at one instant, and what
// is written to it meanwhile is not copied, so nobody should serve it. The
// target has to be migrated and empty. Tells, if there is one, is told of each
// table and of progress in it.
func Copy(ctx context.Context, from, to *Store, tells func(Copied)) error {
	if tells == nil {
		tells = func(Copied) {}
	}
	for _, s := range []*Store{from, to} {
		if ok, err := s.Migrated(ctx); err != nil || !ok {
			return errors.Join(errors.New("store: both databases have to be of this program's version; run 'thungan migrate' on them first"), err)
		}
	}
	target, err := to.write.BeginTx(ctx, nil)
	if err != nil {
		return to.translate(err)
	}
	defer target.Rollback()
	return from.Snapshot(ctx, func(q Query) error {
		tables, err := to.tables(ctx)
		if err != nil {
			return err
		}
		for _, t := range tables {
			if err := t.mustBeEmpty(ctx, target); err != nil {
				return err
			}
		}
		for _, t := range tables {
			n, err := t.copy(ctx, q, target, tells)
			if err != nil {
				return fmt.Errorf("store: copy %s: %w", t.name, err)
			}
			tells(Copied{t.name, n})
		}
		return target.Commit()
	})
}

// table is one table of the schema, with its columns in their order.
type table struct {
	name    string
	columns []string
	boolean []bool
}

// tables lists the tables of a database in an order in which they can be filled:
// what others refer to comes before them.
func (s *Store) tables(ctx context.Context) ([]table, error) {
	statement := `SELECT m.name, c.name, c.type FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid`
	if s.engine.name == postgresEngine.name {
		statement = `SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position`
	}
	rows, err := s.read.QueryContext(ctx, statement)
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	var tables []table
	for rows.Next() {
		var name, column, kind string
		if err := rows.Scan(&name, &column, &kind); err != nil {
			return nil, err
		}
		if name == "schema_migrations" {
			continue
		}
		if len(tables) == 0 || tables[len(tables)-1].name != name {
			tables = append(tables, table{name: name})
		}
		t := &tables[len(tables)-1]
		t.columns, t.boolean = append(t.columns, column), append(t.boolean, strings.EqualFold(kind, "boolean"))
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	owners, err := s.references(ctx)
	return ordered(tables, owners), err
}

// references are the tables that a table's foreign keys refer to.
func (s *Store) references(ctx context.Context) (map[string][]string, error) {
	statement := `SELECT m.name, f."table" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
	if s.engine.name == postgresEngine.name {
		statement = `SELECT child.relname, parent.relname FROM pg_constraint k JOIN pg_class child ON child.oid = k.conrelid JOIN pg_class parent ON parent.oid = k.confrelid
WHERE k.contype = 'f' AND k.connamespace = current_schema()::regnamespace`
	}
	rows, err := s.read.QueryContext(ctx, statement)
	if err != nil {
		return nil, s.translate(err)
	}
	defer rows.Close()
	owners := map[string][]string{}
	for rows.Next() {
		var child, parent string
		if err := rows.Scan(&child, &parent); err != nil {
			return nil, err
		}
		owners[child] = append(owners[child], parent)
	}
	return owners, rows.Err()
}

// ordered puts each table behind those that it refers to, and keeps the order
// otherwise.
func ordered(tables []table, owners map[string][]string) []table {
	byName := map[string]table{}
	for _, t := range tables {
		byName[t.name] = t
	}
	var list []table
	placed := map[string]bool{}
	var place func(name string)
	place = func(name string) {
		t, ok := byName[name]
		if !ok || placed[name] {
			return
		}
		placed[name] = true // before its owners: a circle ends here
		for _, owner := range owners[name] {
			place(owner)
		}
		list = append(list, t)
	}
	for _, t := range tables {
		place(t.name)
	}
	return list
}

func (t table) mustBeEmpty(ctx context.Context, target *sql.Tx) error {
	var n int64
	if err := target.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 AS one FROM `+t.name+` LIMIT 1) AS first`).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("store: the target has rows in %s; copy into a new, empty database", t.name)
	}
	return nil
}

// copyBatch is how many rows one statement inserts at most. SQLite takes 32,766
// values in one, PostgreSQL 65,535.
const copyBatch = 500

func (t table) copy(ctx context.Context, q Query, target *sql.Tx, tells func(Copied)) (int64, error) {
	rows, err := q(ctx, `SELECT `+strings.Join(t.columns, ", ")+` FROM `+t.name)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var batch []any
	var done, waiting int64
	flush := func() error {
		if waiting == 0 {
			return nil
		}
		_, err := target.ExecContext(ctx, t.insert(int(waiting)), batch...)
		done, waiting, batch = done+waiting, 0, batch[:0]
		return err
	}
	values, into := make([]any, len(t.columns)), make([]any, len(t.columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return done, err
		}
		for i, v := range values {
			if n, ok := v.(int64); ok && t.boolean[i] {
				v = n != 0 // as SQLite keeps it
			}
			batch = append(batch, v)
		}
		if waiting++; waiting == copyBatch {
			if err := flush(); err != nil {
				return done, err
			}
			if done%100_000 == 0 {
				tells(Copied{t.name, done})
			}
		}
	}
	if err := rows.Err(); err != nil {
		return done, err
	}
	return done, flush()
}

// insert is the statement for a number of rows.
func (t table) insert(rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + t.name + " (" + strings.Join(t.columns, ", ") + ") VALUES ")
	for r, n := 0, 1; r < rows; r++ {
		if r > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for c := range t.columns {
			if c > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "$%d", n)
			n++
		}
		b.WriteByte(')')
	}
	return b.String()
}
