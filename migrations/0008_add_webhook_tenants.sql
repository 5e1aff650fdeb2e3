-- Rollback: the release before tells every tenant's object and ignores the table; leave it. Apply it before the release that reads it.
-- Who ever asked for webhooks. The jobs of all others call nobody.
CREATE TABLE webhook_tenants (
  tenant_id TEXT PRIMARY KEY NOT NULL
) STRICT, WITHOUT ROWID;

-- Endpoints lie with the tenants' objects, where no migration looks: whoever may have one already counts as one who has.
INSERT INTO webhook_tenants
SELECT tenant_id FROM export_jobs UNION SELECT tenant_id FROM uploads UNION SELECT tenant_id FROM api_keys;
