-- Rollback: the release before sets neither column and tells nobody; leave them.
-- The job's own address for outgoing webhooks, and what it is told.
ALTER TABLE export_jobs ADD COLUMN webhook_url TEXT;
ALTER TABLE export_jobs ADD COLUMN webhook_events TEXT;
