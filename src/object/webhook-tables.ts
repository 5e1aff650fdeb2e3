import type { Sql } from "./sql.ts";

/**
 * A tenant's webhooks in its object: endpoints and what signs for them; the messages, each once; and for each address its
 * delivery, with every try.
 */
const tables = `
  CREATE TABLE IF NOT EXISTS webhook_endpoints (
    id TEXT PRIMARY KEY, url TEXT NOT NULL, events TEXT NOT NULL, project_ids TEXT, description TEXT NOT NULL,
    status TEXT NOT NULL, disabled_reason TEXT, secret TEXT NOT NULL, failing_since INTEGER, created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS webhook_old_secrets (
    endpoint_id TEXT NOT NULL, secret TEXT NOT NULL, signs_until INTEGER NOT NULL, PRIMARY KEY (endpoint_id, secret)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS webhook_messages (
    id INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, job_id TEXT NOT NULL, version INTEGER NOT NULL, type TEXT NOT NULL,
    body TEXT, created_at INTEGER NOT NULL, UNIQUE (job_id, version, type)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS webhook_deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, message_id INTEGER NOT NULL, endpoint_id TEXT,
    url TEXT, job_id TEXT NOT NULL, project_id INTEGER, type TEXT NOT NULL, status TEXT NOT NULL, rank INTEGER NOT NULL, due_at INTEGER,
    expires_at INTEGER NOT NULL, bytes INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL, claim INTEGER NOT NULL, created_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS webhook_deliveries_waiting ON webhook_deliveries (seq) WHERE due_at IS NOT NULL;
  CREATE INDEX IF NOT EXISTS webhook_deliveries_of_endpoint ON webhook_deliveries (endpoint_id, seq);
  CREATE INDEX IF NOT EXISTS webhook_deliveries_of_job ON webhook_deliveries (job_id, seq);
  CREATE INDEX IF NOT EXISTS webhook_deliveries_of_message ON webhook_deliveries (message_id);
  CREATE TABLE IF NOT EXISTS webhook_tries (
    delivery INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, status INTEGER, ms INTEGER NOT NULL,
    error TEXT, PRIMARY KEY (delivery, number)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS webhook_addresses (
    address TEXT PRIMARY KEY, failures INTEGER NOT NULL, shut_until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

export function createTables(sql: Sql): void {
  sql.exec(tables);
  const old = sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE name = 'endpoints'").toArray();
  if (old.length > 0) {
    upgrade(sql);
  }
}

/**
 * The first release kept JSON. Endpoints stay, and what waits; what was sent or given up is not looked up any more. A
 * body that was not made yet is made from the job's row at the next try.
 */
function upgrade(sql: Sql): void {
  sql.exec(`
    INSERT OR IGNORE INTO webhook_endpoints
      SELECT id, value ->> '$.url', (SELECT group_concat(value, ' ') FROM json_each(endpoints.value, '$.events')), NULL,
        coalesce(value ->> '$.description', ''), value ->> '$.status', value ->> '$.disabledReason', value ->> '$.secret',
        value ->> '$.failingSince', value ->> '$.createdAt'
      FROM endpoints;
    INSERT OR IGNORE INTO webhook_old_secrets
      SELECT id, value ->> '$.oldSecret', value ->> '$.oldSecretUntil' FROM endpoints
      WHERE value ->> '$.oldSecret' IS NOT NULL;
    INSERT OR IGNORE INTO webhook_messages (tenant_id, job_id, version, type, body, created_at)
      SELECT value ->> '$.tenantId', value ->> '$.jobId', value ->> '$.projection.version', value ->> '$.type',
        value ->> '$.body', value ->> '$.createdAt'
      FROM deliveries WHERE next_at IS NOT NULL;
    INSERT OR IGNORE INTO webhook_deliveries
      (id, message_id, endpoint_id, url, job_id, type, status, rank, due_at, expires_at, tries, claim, created_at)
      SELECT d.id, m.id, d.endpoint_id, d.value ->> '$.url', m.job_id, m.type, 'pending',
        CASE m.type WHEN 'job.progress' THEN 2 WHEN 'job.processing' THEN 1 ELSE 0 END, d.next_at,
        m.created_at + 345600000, json_array_length(d.value, '$.tries'), 0, m.created_at
      FROM deliveries d JOIN webhook_messages m
        ON m.job_id = d.value ->> '$.jobId' AND m.version = d.value ->> '$.projection.version'
      WHERE d.next_at IS NOT NULL AND (d.endpoint_id IS NULL OR d.endpoint_id IN (SELECT id FROM endpoints));
    DROP TABLE endpoints;
    DROP TABLE deliveries;
  `);
}
