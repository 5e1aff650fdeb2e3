-- Rollback: the release before knows neither table; leave them. What documents hold stays in the tenant's stored_bytes.
-- One row per version of a document, the newest first: that row is the document as it is. Its body lies in R2.
CREATE TABLE document_versions (
  tenant_id TEXT NOT NULL,
  project_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0),
  object_key TEXT NOT NULL,
  size INTEGER NOT NULL CHECK (size > 0),
  etag TEXT NOT NULL,
  user_id TEXT,
  created_at TEXT NOT NULL,
  PRIMARY KEY (tenant_id, project_id, name, version DESC)
) STRICT, WITHOUT ROWID;

-- What the documents of one name are held to, in all projects of a tenant.
CREATE TABLE document_schemas (
  tenant_id TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  schema TEXT NOT NULL CHECK (json_valid(schema)),
  updated_at TEXT NOT NULL,
  PRIMARY KEY (tenant_id, name)
) STRICT, WITHOUT ROWID;
