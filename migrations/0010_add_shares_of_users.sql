-- Rollback: the release before knows nothing of this and runs beside it; leave it. What it stores is in no user's share.
-- What the uploads of one user hold, promised bytes included, beside what their tenant's hold in all.
CREATE TABLE user_stored_bytes (
  tenant_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, user_id)
) STRICT, WITHOUT ROWID;

INSERT INTO user_stored_bytes
SELECT tenant_id, uploaded_by, sum(size) FROM uploads WHERE uploaded_by IS NOT NULL GROUP BY tenant_id, uploaded_by;

-- How many uploads a user has begun and not ended. Those of backends are not in it, and cost no row.
CREATE INDEX uploads_pending_by_user ON uploads (tenant_id, uploaded_by) WHERE completed_at IS NULL AND uploaded_by IS NOT NULL;

-- A request to begin an upload that is sent again finds what it made. One without a key costs no row.
ALTER TABLE uploads ADD COLUMN idempotency_key TEXT;
ALTER TABLE uploads ADD COLUMN request_hash TEXT;
CREATE UNIQUE INDEX uploads_by_idempotency_key ON uploads (tenant_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
