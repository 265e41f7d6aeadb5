package storetest

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/thungan/thungan/store"
)

// Texts calls fn with every value of every column of every table, as the
// database's own list of them has it. Numbers are shown as texts.
func Texts(t testing.TB, s *store.Store, fn func(table, column, text string)) {
	t.Helper()
	err := s.Snapshot(t.Context(), func(q store.Query) error {
		statement := `SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.cid`
		if s.Engine() == "postgres" {
			statement = `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position`
		}
		columns := map[string][]string{}
		list, err := q(t.Context(), statement)
		if err != nil {
			return err
		}
		defer list.Close()
		for list.Next() {
			var table, column string
			if err := list.Scan(&table, &column); err != nil {
				return err
			}
			columns[table] = append(columns[table], column)
		}
		if err := list.Err(); err != nil {
			return err
		}
		for table, names := range columns {
			quoted := make([]string, len(names))
			for i, name := range names {
				quoted[i] = fmt.Sprintf(`CAST("%s" AS TEXT)`, name)
			}
			rows, err := q(t.Context(), `SELECT `+strings.Join(quoted, ", ")+` FROM "`+table+`"`)
			if err != nil {
				return err
			}
			values, into := make([]sql.NullString, len(names)), make([]any, len(names))
			for i := range values {
				into[i] = &values[i]
			}
			for rows.Next() {
				if err := rows.Scan(into...); err != nil {
					rows.Close()
					return err
				}
				for i, v := range values {
					if v.Valid {
						fn(table, names[i], v.String)
					}
				}
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
