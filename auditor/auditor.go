// Package auditor judges a gateway's database: whether the ledger balances,
// whether every đồng that came in is where it belongs, whether payments moved
// only as they may, and whether merchants were told of it.
//
// It knows the tables and the rules, in words of its own; it shares no code
// with the verbs that write the tables, so that it can catch their mistakes.
// Every check is one statement that finds nothing in a sound database, so a
// gateway may serve while it is judged: all of them see one instant.
package auditor

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/thungan/thungan/store"
)

// Finding is one thing that is wrong.
type Finding struct {
	Check   string `json:"check"`   // which rule is broken, such as "entry_unbalanced"
	Subject string `json:"subject"` // the row that breaks it
	Text    string `json:"text"`    // what is wrong, in the language that was asked for
}

// Report is what an audit found.
type Report struct {
	Checks   int       `json:"checks"` // how many rules were looked at
	Findings []Finding `json:"findings"`
	// More has, by check, how many findings there are beyond those listed.
	More map[string]int `json:"more,omitempty"`
	// AuditLog is the newest record of the audit log. Who notes it down
	// elsewhere can tell later whether the whole log was written anew.
	AuditLog Chain `json:"audit_log"`
}

// Sound says whether nothing is wrong.
func (r Report) Sound() bool { return len(r.Findings) == 0 }

// Options say how to audit.
type Options struct {
	Lang  string    // "vi" or "en"; "" is "en"
	Now   time.Time // for what is overdue; zero calls nothing so
	Most  int       // findings to list of one check; 0 is 20
	Tells func(check string, done, all int)
}

// check is one rule. Its statement selects, for each place where it is broken,
// the subject and up to three details, all as text. The texts have %[1]s for
// the subject and %[2]s to %[4]s for the details.
type check struct {
	name      string
	statement string
	// find stands in the place of statement where a rule has to look into JSON,
	// which the engines read each in a way of its own. It tells of each place by
	// the same columns, and reads one result to its end before the next.
	find   func(ctx context.Context, q store.Query, tell func(columns ...string)) error
	vi, en string
	now    bool // the statement has one argument: now less overdue, in milliseconds
}

// overdue is how long work may be due before it counts as left lying.
const overdue = time.Hour

// Audit judges a database.
func Audit(ctx context.Context, s *store.Store, o Options) (Report, error) {
	most := o.Most
	if most <= 0 {
		most = 20
	}
	report := Report{Findings: []Finding{}}
	err := s.Snapshot(ctx, func(q store.Query) (err error) {
		if report.AuditLog, err = readChain(ctx, q); err != nil {
			return fmt.Errorf("auditor: %s: %w", chainBroken, err)
		}
		report.Checks++
		if broken := report.AuditLog.broken; broken != "" {
			text := chainEnglish
			if o.Lang == "vi" {
				text = chainVietnamese
			}
			report.Findings = append(report.Findings, Finding{Check: chainBroken, Subject: broken, Text: fmt.Sprintf(text, broken)})
		}
		for i, c := range checks {
			if o.Tells != nil {
				o.Tells(c.name, i, len(checks))
			}
			found, more, err := c.run(ctx, q, o, most)
			if err != nil {
				return fmt.Errorf("auditor: %s: %w", c.name, err)
			}
			report.Checks++
			report.Findings = append(report.Findings, found...)
			if more > 0 {
				if report.More == nil {
					report.More = map[string]int{}
				}
				report.More[c.name] = more
			}
		}
		return nil
	})
	return report, err
}

func (c check) run(ctx context.Context, q store.Query, o Options, most int) (found []Finding, more int, err error) {
	text := c.en
	if o.Lang == "vi" {
		text = c.vi
	}
	tell := func(columns ...string) {
		if len(found) == most {
			more++
			return
		}
		shown := make([]any, len(columns))
		for i, v := range columns {
			shown[i] = v
		}
		found = append(found, Finding{Check: c.name, Subject: columns[0], Text: strings.TrimSpace(fmt.Sprintf(text, shown...))})
	}
	if c.find != nil {
		err = c.find(ctx, q, tell)
		return found, more, err
	}
	var args []any
	if c.now {
		args = append(args, o.Now.Add(-overdue).UnixMilli())
	}
	err = each(ctx, q, c.statement, tell, args...)
	return found, more, err
}

// each hands over every row that a statement selects, as texts.
func each(ctx context.Context, q store.Query, statement string, row func(columns ...string), args ...any) error {
	rows, err := q(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]sql.NullString, len(names))
	into := make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		columns := make([]string, len(values))
		for i, v := range values {
			columns[i] = v.String
		}
		row(columns...)
	}
	return rows.Err()
}

// Names lists the rules.
func Names() []string {
	names := []string{chainBroken}
	for _, c := range checks {
		names = append(names, c.name)
	}
	return names
}
