-- Rollback: the release before knows neither table and runs beside both; leave them, they are what was used.
-- One row per attempt, written once when its job is over; the key is the order in which it is read.
CREATE TABLE usage (
  tenant_id TEXT NOT NULL,
  day TEXT NOT NULL,
  project_id INTEGER NOT NULL,
  job_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  type TEXT NOT NULL,
  outcome TEXT NOT NULL,
  job_status TEXT,
  gpu_ms INTEGER NOT NULL,
  queue_ms INTEGER NOT NULL,
  bytes_in INTEGER NOT NULL,
  bytes_out INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, day, project_id, job_id, attempt)
) STRICT, WITHOUT ROWID;

-- Where a task of the cron goes on when one run could not look at everything.
CREATE TABLE task_cursors (
  task TEXT PRIMARY KEY NOT NULL,
  position TEXT NOT NULL
) STRICT, WITHOUT ROWID;
