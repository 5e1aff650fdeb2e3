-- Rollback: the release before neither reads nor writes it: a request that joined a job can make one of its own then. Leave it.
-- The Idempotency-Keys of requests that joined a job which another had made. Whoever joins none costs no row.
CREATE TABLE joined_keys (
  tenant_id TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  job_id TEXT NOT NULL,
  request_hash TEXT,
  PRIMARY KEY (tenant_id, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX joined_keys_by_job ON joined_keys (tenant_id, job_id);
