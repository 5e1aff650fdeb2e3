-- Rollback: the release before ignores both tables; leave them. Its own uploads are then in no quota.
-- One row per upload: what was promised, and of a multipart upload the parts that R2 has.
CREATE TABLE uploads (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  project_id INTEGER NOT NULL,
  uploaded_by TEXT,
  filename TEXT NOT NULL,
  content_type TEXT NOT NULL,
  size INTEGER NOT NULL CHECK (size > 0),
  object_key TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'complete')),
  multipart_id TEXT,
  part_size INTEGER,
  parts TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(parts)),
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  completed_at TEXT,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

-- What the cron reaps: uploads that were begun and never ended.
CREATE INDEX uploads_pending ON uploads (expires_at) WHERE completed_at IS NULL;

-- What a tenant's uploads hold, promised bytes included: one row to ask for a quota, however many uploads there are.
CREATE TABLE stored_bytes (
  tenant_id TEXT PRIMARY KEY NOT NULL,
  bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
