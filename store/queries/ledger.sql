-- name: InsertEntry :exec
INSERT INTO ledger_entries (id, kind, payment_id, credit_id, actor, reason, at, folded) VALUES ($1, $2, $3, $4, $5, $6, $7, FALSE);

-- name: InsertPostings :exec
-- postings is a JSON object: the two digits of a line and its account, and the
-- amount. See told.sql.
INSERT INTO ledger_postings (entry_id, line, account, amount)
SELECT CAST(sqlc.arg(entry_id) AS TEXT), CAST(SUBSTR(j.key, 1, 2) AS BIGINT), SUBSTR(j.key, 3), CAST(CAST(j.value AS TEXT) AS BIGINT)
FROM json_each(sqlc.arg(postings)) AS j;

-- name: TrialBalance :many
SELECT account, CAST(SUM(debit) AS BIGINT) AS debit, CAST(SUM(credit) AS BIGINT) AS credit
FROM (
    SELECT b.account, b.debit, b.credit FROM ledger_balances b
    UNION ALL
    SELECT p.account, CASE WHEN p.amount > 0 THEN p.amount ELSE 0 END AS debit, CASE WHEN p.amount < 0 THEN -p.amount ELSE 0 END AS credit
    FROM ledger_entries e JOIN ledger_postings p ON p.entry_id = e.id
    WHERE NOT e.folded
) AS lines
GROUP BY account ORDER BY account;

-- name: TakeTail :many
WITH tail AS MATERIALIZED (
    SELECT t.id FROM ledger_entries t WHERE NOT t.folded ORDER BY t.id LIMIT sqlc.arg(page) FOR UPDATE SKIP LOCKED
)
UPDATE ledger_entries SET folded = TRUE WHERE id IN (SELECT tail.id FROM tail)
RETURNING id;

-- name: SumPostings :many
-- ids is a JSON object whose keys are the ids of entries. The order of accounts is
-- the same for all, so that nodes do not lock each other out.
SELECT p.account, CAST(SUM(CASE WHEN p.amount > 0 THEN p.amount ELSE 0 END) AS BIGINT) AS debit,
    CAST(SUM(CASE WHEN p.amount < 0 THEN -p.amount ELSE 0 END) AS BIGINT) AS credit
FROM json_each(sqlc.arg(ids)) AS j JOIN ledger_postings p ON p.entry_id = j.key
GROUP BY p.account ORDER BY p.account;

-- name: AddBalance :exec
INSERT INTO ledger_balances (account, debit, credit) VALUES ($1, $2, $3)
ON CONFLICT (account) DO UPDATE SET debit = ledger_balances.debit + excluded.debit, credit = ledger_balances.credit + excluded.credit;

-- name: Journal :many
SELECT e.id, e.kind, e.payment_id, e.credit_id, e.actor, e.reason, e.at, p.line, p.account, p.amount
FROM ledger_entries e JOIN ledger_postings p ON p.entry_id = e.id
WHERE e.payment_id = $1 ORDER BY e.id, p.line;
