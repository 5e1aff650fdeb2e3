-- Rollback: the release before knows neither the column nor the table and runs beside both; leave them.

-- Until when a healthy job writes nothing: the sweep lets it be until then. In no index, so that it costs no row.
ALTER TABLE export_jobs ADD COLUMN quiet_until TEXT;

-- The jobs that wait for a GPU, counted now and then: whoever asks for a place in the queue reads this one row.
CREATE TABLE queue_snapshots (
  queue TEXT PRIMARY KEY NOT NULL,
  taken_at TEXT NOT NULL,
  waiting TEXT NOT NULL CHECK (json_valid(waiting))
) STRICT, WITHOUT ROWID;

-- What 0008 could not see: tenants whose jobs and uploads are gone by now, and those that came between it and the release
-- that notes them. Apply this before that release is deployed. A tenant that D1 has no trace of is noted by its own
-- webhook object, the next time that it is used while it has endpoints.
INSERT OR IGNORE INTO webhook_tenants
SELECT tenant_id FROM export_jobs UNION SELECT tenant_id FROM uploads UNION SELECT tenant_id FROM api_keys
UNION SELECT tenant_id FROM usage UNION SELECT tenant_id FROM stored_bytes;
