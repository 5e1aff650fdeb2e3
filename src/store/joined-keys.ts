import { and, eq, inArray, type SQL, sql } from "drizzle-orm";
import type { Database } from "./database.ts";
import { isActiveTwin, type JobKey } from "./jobs.ts";
import { type ExportJobRow, exportJobs, joinedKeys } from "./schema.ts";

/** The jobs that some forms of an Idempotency-Key made or joined, each with the key and the hash of that request. */
export async function listJobsByIdempotencyKey(
  db: Database,
  tenantId: string,
  keys: string[],
): Promise<ExportJobRow[]> {
  const { idempotencyKey, requestHash } = joinedKeys;
  const isJoined = and(eq(exportJobs.tenantId, joinedKeys.tenantId), eq(exportJobs.id, joinedKeys.jobId));
  const made = db
    .select()
    .from(exportJobs)
    .where(and(eq(exportJobs.tenantId, tenantId), inArray(exportJobs.idempotencyKey, keys)));
  // No batch: D1 gives one column of those that are called the same there.
  const joined = db
    .select({ row: exportJobs, request: { idempotencyKey, requestHash } })
    .from(joinedKeys)
    .innerJoin(exportJobs, isJoined)
    .where(and(eq(joinedKeys.tenantId, tenantId), inArray(idempotencyKey, keys)));
  const [own, others] = await Promise.all([made, joined]);
  return [...own, ...others.map(({ row, request }) => ({ ...row, ...request }))];
}

/** Whether a key stands for a job that it did not make. */
export function hasJoined(tenantId: string, key: string): SQL {
  const isThat = and(eq(joinedKeys.tenantId, tenantId), eq(joinedKeys.idempotencyKey, key));
  return sql`EXISTS (SELECT 1 FROM ${joinedKeys} WHERE ${isThat})`;
}

/** A request that asks for what an active job does already. */
export type Joining = Pick<ExportJobRow, "tenantId"> &
  Readonly<{ fingerprint: string; idempotencyKey: string | null; requestHash: string | null }>;

/**
 * The job that is doing the same work right now; from here on the request's key stands for it (I2).
 * @returns null when there is none
 */
export async function joinTwin(db: Database, request: Joining): Promise<ExportJobRow | null> {
  const { tenantId, fingerprint, idempotencyKey, requestHash } = request;
  const isTwin = isActiveTwin(tenantId, fingerprint);
  const twins = db.select().from(exportJobs).where(isTwin).limit(1);
  if (idempotencyKey === null) {
    return (await twins)[0] ?? null;
  }
  const note = sql`SELECT tenant_id, ${idempotencyKey}, id, ${requestHash} FROM ${exportJobs} WHERE ${isTwin} LIMIT 1`;
  const [[twin]] = await db.batch([twins, db.insert(joinedKeys).select(note).onConflictDoNothing()]);
  return twin ?? null;
}

/** What is known of the requests that joined a job, once its row is gone. */
export function forgetJoined(db: Database, { tenantId, id }: JobKey) {
  const isOfJob = and(eq(joinedKeys.tenantId, tenantId), eq(joinedKeys.jobId, id));
  const isThere = sql`EXISTS (SELECT 1 FROM ${exportJobs} WHERE ${exportJobs.tenantId} = ${tenantId} AND ${exportJobs.id} = ${id})`;
  return db.delete(joinedKeys).where(and(isOfJob, sql`NOT ${isThere}`));
}
