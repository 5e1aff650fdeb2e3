import { asc, gt, type SQL, sql } from "drizzle-orm";
import type { Database } from "./database.ts";
import { webhookTenants } from "./schema.ts";

/** Notes that a tenant asked for webhooks; before its first endpoint is there, so that no job's end escapes it. */
export async function addWebhookTenant(db: Database, tenantId: string): Promise<void> {
  await db.insert(webhookTenants).values({ tenantId }).onConflictDoNothing();
}

/** Tenants that asked for webhooks, by name, behind one of them. */
export async function listWebhookTenants(db: Database, after: string, limit: number): Promise<string[]> {
  const { tenantId } = webhookTenants;
  const rows = await db
    .select({ tenantId })
    .from(webhookTenants)
    .where(gt(tenantId, after))
    .orderBy(asc(tenantId))
    .limit(limit);
  return rows.map((row) => row.tenantId);
}

/** Part of a statement: 1 for a tenant that asked for webhooks, 0 for any other. */
export function isWebhookTenant(tenantId: string): SQL<number> {
  return sql<number>`EXISTS (SELECT 1 FROM ${webhookTenants} WHERE ${webhookTenants.tenantId} = ${tenantId})`;
}
