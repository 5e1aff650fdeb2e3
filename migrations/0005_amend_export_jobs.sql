-- Rollback: the release before sets none of the columns and runs beside them; leave them. It would remove the lender of a reused job.
-- The owner has taken note of the job's end.
ALTER TABLE export_jobs ADD COLUMN acknowledged_at TEXT;

-- What makes two requests the same export; only of jobs whose creator allowed their reuse.
ALTER TABLE export_jobs ADD COLUMN fingerprint TEXT;

-- The job whose output this one shows as its own.
ALTER TABLE export_jobs ADD COLUMN reused_from TEXT;

CREATE INDEX export_jobs_by_fingerprint ON export_jobs (tenant_id, fingerprint, id) WHERE fingerprint IS NOT NULL;
CREATE INDEX export_jobs_by_reuse ON export_jobs (tenant_id, reused_from) WHERE reused_from IS NOT NULL;
