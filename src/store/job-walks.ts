import { and, eq, gt, isNull, lt, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import type { Database } from "./database.ts";
import { isNotLent, type JobKey } from "./jobs.ts";
import { exportJobs } from "./schema.ts";

/** A stretch of the table that was looked at, and what was found in it, in order of the id. */
export type Stretch = Readonly<{
  keys: readonly JobKey[];
  /** Behind which job the next one begins; null when this was the last. */
  lastId: string | null;
}>;

/** How many rows a call looks at, and how many jobs it may find. */
export type StretchSize = Readonly<{ maxLooked: number; limit: number }>;

/** Jobs that are not settled and whose silence began before `silentBefore`, though it was to end by then. */
export async function findSilentJobs(
  db: Database,
  silentBefore: string,
  afterId: string,
  size: StretchSize,
): Promise<Stretch> {
  const { tenantId, id, updatedAt, quietUntil } = exportJobs;
  const expectedAt = sql<string>`max(${updatedAt}, coalesce(${quietUntil}, ${updatedAt}))`.as("expected_at");
  const looked = db
    .select({ tenantId, id, expectedAt })
    .from(exportJobs)
    .where(and(isNull(exportJobs.settledAt), gt(id, afterId)))
    .orderBy(id)
    .limit(size.maxLooked)
    .as("looked");
  const isSilent = lt(looked.expectedAt, silentBefore);
  return toStretch(await db.select(toFound(looked, isSilent)).from(looked), size);
}

/** A tenant's jobs with ids between two that are settled, and whose output no other job shows. */
export async function findRemovableJobs(
  db: Database,
  tenantId: string,
  range: { afterId: string; beforeId: string },
  size: StretchSize,
): Promise<Stretch> {
  const { id, settledAt } = exportJobs;
  const looked = db
    .select({ tenantId: exportJobs.tenantId, id, settledAt })
    .from(exportJobs)
    .where(and(eq(exportJobs.tenantId, tenantId), gt(id, range.afterId), lt(id, range.beforeId)))
    .orderBy(id)
    .limit(size.maxLooked)
    .as("looked");
  const isRemovable = sql`${looked.settledAt} IS NOT NULL AND ${isNotLent(looked.id, tenantId)}`;
  return toStretch(await db.select(toFound(looked, isRemovable)).from(looked), size);
}

type Looked = { tenantId: SQLWrapper; id: SQLWrapper };

/** All in one row: what was found, and how far was looked. */
function toFound({ tenantId, id }: Looked, condition: SQL) {
  return {
    looked: sql<number>`count(*)`,
    lastId: sql<string | null>`max(${id})`,
    found: sql<string>`json_group_array(json_array(${tenantId}, ${id})) FILTER (WHERE ${condition})`,
  };
}

type Found = { looked: number; lastId: string | null; found: string };

function toStretch([row]: readonly Found[], { maxLooked, limit }: StretchSize): Stretch {
  const found: [tenantId: string, id: string][] = JSON.parse(row?.found ?? "[]");
  const keys = found.map(([tenantId, id]) => ({ tenantId, id })).sort((a, b) => (a.id < b.id ? -1 : 1));
  if (keys.length > limit) {
    return { keys: keys.slice(0, limit), lastId: keys[limit - 1]?.id ?? null };
  }
  return { keys, lastId: row && row.looked >= maxLooked ? row.lastId : null };
}

/** A tenant, and the id of its oldest job. */
export type TenantStart = Readonly<{ tenantId: string; oldestId: string }>;

/** The tenants after one, in order, by a seek each along the table's key. */
export function listTenantsAfter(db: Database, tenantId: string, limit: number): Promise<TenantStart[]> {
  const next = (after: SQL) => sql`SELECT min(tenant_id) FROM ${exportJobs} WHERE tenant_id > ${after}`;
  const oldest = sql`SELECT min(id) FROM ${exportJobs} WHERE tenant_id = known.tenant`;
  return db.all<TenantStart>(sql`
    WITH RECURSIVE known (tenant) AS (
      ${next(sql`${tenantId}`)}
      UNION ALL SELECT (${next(sql`known.tenant`)}) FROM known WHERE known.tenant IS NOT NULL LIMIT ${limit}
    )
    SELECT tenant AS tenantId, (${oldest}) AS oldestId FROM known WHERE tenant IS NOT NULL`);
}
