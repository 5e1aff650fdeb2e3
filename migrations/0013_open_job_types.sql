-- Rollback: the release before reads and writes this table as it did the old one, as long as it has jobs of its types only; leave it.
-- Which types a job may have. A new type is a row here, in a migration of its own, and no rebuilt table.
CREATE TABLE job_types (
  type TEXT PRIMARY KEY NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO job_types VALUES ('framing'), ('overlay'), ('annotate'), ('sticker'), ('script'), ('continuation');

-- SQLite can take neither a CHECK nor a NOT NULL from a table that is there: this one rebuild is for both.
CREATE TABLE export_jobs_of_any_type (
  id TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  project_id INTEGER NOT NULL,
  user_id TEXT,
  type TEXT NOT NULL REFERENCES job_types (type),
  status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'complete', 'error', 'cancelled')),
  stage TEXT NOT NULL DEFAULT 'queued',
  progress INTEGER NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
  message TEXT,
  -- Null for a type that works on no video.
  input_video_key TEXT,
  output_video_key TEXT,
  output_size INTEGER,
  output_etag TEXT,
  params TEXT NOT NULL CHECK (json_valid(params)),
  metadata TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
  error_code TEXT,
  error_message TEXT,
  attempt INTEGER NOT NULL DEFAULT 0,
  max_retries INTEGER NOT NULL,
  start_within_seconds INTEGER,
  max_run_seconds INTEGER,
  runpod_job_id TEXT,
  version INTEGER NOT NULL DEFAULT 1,
  idempotency_key TEXT,
  request_hash TEXT,
  created_at TEXT NOT NULL,
  started_at TEXT,
  completed_at TEXT,
  updated_at TEXT NOT NULL,
  settled_at TEXT,
  acknowledged_at TEXT,
  fingerprint TEXT,
  reused_from TEXT,
  webhook_url TEXT,
  webhook_events TEXT,
  input_size INTEGER,
  quiet_until TEXT,
  -- Other files that the handler is given, and those that it wrote besides the output; by name.
  assets TEXT CHECK (json_valid(assets)),
  artifacts TEXT CHECK (json_valid(artifacts)),
  -- What the handler returned, and counted.
  result TEXT CHECK (json_valid(result)),
  counters TEXT CHECK (json_valid(counters)),
  priority INTEGER NOT NULL DEFAULT 0 CHECK (priority BETWEEN -10 AND 10),
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

INSERT INTO export_jobs_of_any_type (
  id, tenant_id, project_id, user_id, type, status, stage, progress, message, input_video_key, output_video_key,
  output_size, output_etag, params, metadata, error_code, error_message, attempt, max_retries, start_within_seconds,
  max_run_seconds, runpod_job_id, version, idempotency_key, request_hash, created_at, started_at, completed_at,
  updated_at, settled_at, acknowledged_at, fingerprint, reused_from, webhook_url, webhook_events, input_size, quiet_until
)
SELECT
  id, tenant_id, project_id, user_id, type, status, stage, progress, message, input_video_key, output_video_key,
  output_size, output_etag, params, metadata, error_code, error_message, attempt, max_retries, start_within_seconds,
  max_run_seconds, runpod_job_id, version, idempotency_key, request_hash, created_at, started_at, completed_at,
  updated_at, settled_at, acknowledged_at, fingerprint, reused_from, webhook_url, webhook_events, input_size, quiet_until
FROM export_jobs;

-- Every row, or nothing of this happens: a count that differs fails here, before the old table goes.
CREATE TABLE counted (is_whole INTEGER NOT NULL CHECK (is_whole = 1)) STRICT;
INSERT INTO counted SELECT (SELECT count(*) FROM export_jobs) = (SELECT count(*) FROM export_jobs_of_any_type);
DROP TABLE counted;

DROP TABLE export_jobs;
ALTER TABLE export_jobs_of_any_type RENAME TO export_jobs;

CREATE INDEX export_jobs_by_project ON export_jobs (tenant_id, project_id, id);
CREATE INDEX export_jobs_by_user ON export_jobs (tenant_id, user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX export_jobs_active ON export_jobs (tenant_id, project_id, id) WHERE completed_at IS NULL;
CREATE INDEX export_jobs_unsettled ON export_jobs (id) WHERE settled_at IS NULL;
CREATE UNIQUE INDEX export_jobs_by_idempotency_key ON export_jobs (tenant_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX export_jobs_by_fingerprint ON export_jobs (tenant_id, fingerprint, id) WHERE fingerprint IS NOT NULL;
CREATE INDEX export_jobs_by_reuse ON export_jobs (tenant_id, reused_from) WHERE reused_from IS NOT NULL;

-- Whose attempt it was, and what its handler counted.
ALTER TABLE usage ADD COLUMN user_id TEXT;
ALTER TABLE usage ADD COLUMN counters TEXT CHECK (json_valid(counters));
