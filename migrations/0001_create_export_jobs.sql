-- Rollback: the first of all: there is nothing before it to go back to.
-- One row per export job. The job's Durable Object is the single writer of what changes; this is its copy for lists.
CREATE TABLE export_jobs (
  id TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  project_id INTEGER NOT NULL,
  user_id TEXT,
  type TEXT NOT NULL CHECK (type IN ('framing', 'overlay', 'annotate')),
  status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'complete', 'error', 'cancelled')),
  stage TEXT NOT NULL DEFAULT 'queued',
  progress INTEGER NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
  message TEXT,
  input_video_key TEXT NOT NULL,
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
  -- The order of a tenant's list: with the tenant in front, the table is its own index.
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

-- Lists read newest first: the id is a UUIDv7 and sorts by time.
CREATE INDEX export_jobs_by_project ON export_jobs (tenant_id, project_id, id);
CREATE INDEX export_jobs_by_user ON export_jobs (tenant_id, user_id, id) WHERE user_id IS NOT NULL;

-- Partial, so that a row leaves them when it is over or settled. Their conditions name columns that change only then:
-- SQLite rewrites, and D1 bills, an index entry whenever a column of the index or of its condition is set.
CREATE INDEX export_jobs_active ON export_jobs (tenant_id, project_id, id) WHERE completed_at IS NULL;
CREATE INDEX export_jobs_unsettled ON export_jobs (id) WHERE settled_at IS NULL;

CREATE UNIQUE INDEX export_jobs_by_idempotency_key ON export_jobs (tenant_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
