-- Each record of the audit log is numbered and carries a hash of itself and of
-- the record before. Those that were there before this step have number 0.
ALTER TABLE audit_log ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audit_log ADD COLUMN hash TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX audit_log_number ON audit_log (number) WHERE number > 0;
