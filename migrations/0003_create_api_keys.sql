-- Rollback: the release before knows only the key of its settings and ignores the table; leave it.
-- Credentials of backends. Of a secret only an HMAC is kept: what it unlocks cannot be read here.
CREATE TABLE api_keys (
  id TEXT PRIMARY KEY NOT NULL,
  tenant_id TEXT NOT NULL,
  name TEXT NOT NULL,
  secret_hmac TEXT NOT NULL,
  scopes TEXT NOT NULL CHECK (json_valid(scopes)),
  project_ids TEXT CHECK (project_ids IS NULL OR json_valid(project_ids)),
  created_at TEXT NOT NULL,
  expires_at TEXT,
  revoked_at TEXT,
  last_used_at TEXT
) STRICT, WITHOUT ROWID;
