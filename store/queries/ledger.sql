-- name: InsertEntry :exec
INSERT INTO ledger_entries (id, kind, payment_id, credit_id, actor, reason, at) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: InsertPosting :exec
INSERT INTO ledger_postings (entry_id, line, account, amount) VALUES ($1, $2, $3, $4);

-- name: TrialBalance :many
SELECT account, CAST(COALESCE(SUM(CASE WHEN amount > 0 THEN amount ELSE 0 END), 0) AS BIGINT) AS debit,
    CAST(COALESCE(SUM(CASE WHEN amount < 0 THEN -amount ELSE 0 END), 0) AS BIGINT) AS credit
FROM ledger_postings GROUP BY account ORDER BY account;

-- name: Journal :many
SELECT e.id, e.kind, e.payment_id, e.credit_id, e.actor, e.reason, e.at, p.line, p.account, p.amount
FROM ledger_entries e JOIN ledger_postings p ON p.entry_id = e.id
WHERE e.payment_id = $1 ORDER BY e.id, p.line;
