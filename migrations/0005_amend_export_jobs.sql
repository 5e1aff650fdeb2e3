-- The owner has taken note of the job's end.
ALTER TABLE export_jobs ADD COLUMN acknowledged_at TEXT;
