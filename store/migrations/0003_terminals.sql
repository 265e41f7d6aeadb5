-- The secret of a key pair that its owner signs with, sealed; '' where the
-- owner sends it and its hash is enough.
ALTER TABLE api_keys ADD COLUMN secret TEXT NOT NULL DEFAULT '';
