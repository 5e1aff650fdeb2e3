import { and, desc, eq, gte, isNull, lt, or, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import type { Metadata } from "../contract/common.ts";
import { type Database, prepareOnce, rowAsSelect } from "./database.ts";
import { forgetJoined, hasJoined } from "./joined-keys.ts";
import { isCommon } from "./likelihood.ts";
import { type ExportJobRow, exportJobs, type NewExportJobRow, type UsageRow } from "./schema.ts";
import { countUsage } from "./usage.ts";
import { isWebhookTenant } from "./webhook-tenants.ts";

/**
 * Writes a new job, once: the unique index on the idempotency key decides a race (I2); the count of active jobs, the
 * look for one with the same fingerprint and for the lender of a reused output stand in the same statement, so that no
 * race gets past them.
 * @param maxActive the tenant's quota of jobs that are not over
 * @param maxOfUser the share of one user
 * @returns null when the caller has used the key before, the tenant or the user has as many active jobs as they may, or
 * the same one is active, and when the lender is gone
 */
export async function insertJob(
  db: Database,
  row: NewExportJobRow,
  maxActive: number,
  maxOfUser = maxActive,
): Promise<ExportJobRow | null> {
  const { tenantId, fingerprint, reusedFrom, idempotencyKey } = row;
  const conditions = [
    hasRoom(row, maxActive, maxOfUser),
    fingerprint && sql`NOT EXISTS (SELECT 1 FROM ${exportJobs} WHERE ${isActiveTwin(tenantId, fingerprint)})`,
    reusedFrom && sql`EXISTS (SELECT 1 FROM ${exportJobs} WHERE ${and(isJob(tenantId, reusedFrom), isComplete)})`,
    fingerprint && idempotencyKey && sql`NOT ${hasJoined(tenantId, idempotencyKey)}`,
  ].flatMap((condition) => condition || []);
  const [inserted] = await db
    .insert(exportJobs)
    .select(sql`${rowAsSelect(exportJobs, row)} WHERE ${and(...conditions)}`)
    .onConflictDoNothing()
    .returning();
  return inserted ?? null;
}

const isComplete = eq(exportJobs.status, "complete");

type Owner = Pick<NewExportJobRow, "tenantId" | "userId">;

/** Whether tenant and user may have one active job more; what is read is bounded by the tenant's quota. */
function hasRoom({ tenantId, userId }: Owner, maxActive: number, maxOfUser: number): SQL | undefined {
  const active = and(eq(exportJobs.tenantId, tenantId), isNull(exportJobs.completedAt));
  const isFewer = (condition: SQL | undefined, max: number) =>
    sql`(SELECT count(*) FROM (SELECT 1 FROM ${exportJobs} INDEXED BY export_jobs_active
      WHERE ${condition} LIMIT ${max})) < ${max}`;
  const isWithin = isFewer(active, maxActive);
  return userId ? and(isWithin, isFewer(and(active, eq(exportJobs.userId, userId)), maxOfUser)) : isWithin;
}

function isTwin(tenantId: string, fingerprint: string): SQL | undefined {
  return and(isCommon(eq(exportJobs.tenantId, tenantId)), eq(exportJobs.fingerprint, fingerprint));
}

/** The job that is doing the same work right now. */
export function isActiveTwin(tenantId: string, fingerprint: string): SQL | undefined {
  return and(isTwin(tenantId, fingerprint), isNull(exportJobs.completedAt));
}

/** The newest job that has done the same work, and not by reuse. @param since an instant before which it may not have ended */
export async function findFinishedTwin(db: Database, tenantId: string, fingerprint: string, since = "") {
  const isDone = and(isComplete, isNull(exportJobs.reusedFrom), gte(exportJobs.completedAt, since));
  const [row] = await db
    .select()
    .from(exportJobs)
    .where(and(isTwin(tenantId, fingerprint), isDone))
    .orderBy(desc(exportJobs.id))
    .limit(1);
  return row ?? null;
}

/** Which job: its tenant stands in every statement (I13). */
export type JobKey = Readonly<{ tenantId: string; id: string }>;

export function isJob(tenantId: string, id: string): SQL | undefined {
  return and(eq(exportJobs.tenantId, tenantId), eq(exportJobs.id, id));
}

const selectJob = prepareOnce((db) => {
  const { tenantId, id } = exportJobs;
  const isThat = and(eq(tenantId, sql.placeholder("tenantId")), eq(id, sql.placeholder("id")));
  return db.select().from(exportJobs).where(isThat).prepare();
});

export async function findJob(db: Database, tenantId: string, id: string): Promise<ExportJobRow | null> {
  const [row] = await selectJob(db).all({ tenantId, id });
  return row ?? null;
}

/** The rows of those keys that are still there, oldest first; 100 values at most can be bound to a statement. */
export async function findJobs(db: Database, keys: readonly JobKey[]): Promise<ExportJobRow[]> {
  if (keys.length === 0) {
    return [];
  }
  const values = keys.map(({ tenantId, id }) => sql`(${tenantId}, ${id})`);
  const isOneOf = sql`(${exportJobs.tenantId}, ${exportJobs.id}) IN (VALUES ${sql.join(values, sql`, `)})`;
  const rows = await db.select().from(exportJobs).where(isOneOf);
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** What the job's object copies to D1. */
export type JobProjection = Readonly<
  {
    id: string;
    tenantId: string;
    version: number;
    reopened: boolean;
    /** Only once the owner has changed it. */
    metadata?: Metadata;
  } & Pick<
    ExportJobRow,
    | "status"
    | "stage"
    | "progress"
    | "message"
    | "outputVideoKey"
    | "outputSize"
    | "outputEtag"
    | "artifacts"
    | "result"
    | "counters"
    | "errorCode"
    | "errorMessage"
    | "attempt"
    | "runpodJobId"
    | "startedAt"
    | "completedAt"
    | "updatedAt"
    | "settledAt"
    | "quietUntil"
    | "acknowledgedAt"
  >
>;

/** What goes to D1 with a projection. */
export type ProjectionExtra = Readonly<{
  /** Of attempts that are not counted yet; counting one again changes nothing (I10). */
  usage: readonly UsageRow[];
  /** The settling counts only if the tenant asked for no webhooks. */
  settlesUnlessHeard: boolean;
}>;

/**
 * Late and doubled projections are harmless: only a newer version is written, or the settling of the same one (I9).
 * Of a job that is not over, the columns of the end are left alone: setting them would touch, and bill, the partial
 * indexes. Only a job that was reopened clears them.
 * @returns whether the tenant had asked for webhooks by then
 */
export async function projectJob(
  db: Database,
  projection: JobProjection,
  { usage, settlesUnlessHeard }: ProjectionExtra,
): Promise<boolean> {
  const { id, tenantId, version, reopened, completedAt, settledAt, ...running } = projection;
  const isHeard = isWebhookTenant(tenantId);
  // What the owner changes later is no new settling: a replay of ends would tell of it as of one.
  const first = sql`coalesce(CASE WHEN ${exportJobs.completedAt} IS ${completedAt} THEN ${exportJobs.settledAt} END, ${settledAt})`;
  const settling = settledAt && settlesUnlessHeard ? sql`CASE WHEN NOT ${isHeard} THEN ${first} END` : first;
  const settled = settledAt && settling;
  const over = completedAt === null && !reopened ? {} : { completedAt, settledAt: settled };
  const newer = lt(exportJobs.version, version);
  const isSettling = and(eq(exportJobs.version, version), isNull(exportJobs.settledAt));
  const update = db
    .update(exportJobs)
    .set({ ...running, ...over, version })
    .where(and(isJob(tenantId, id), or(newer, isSettling)))
    .returning({ isHeard });
  const [written] = await db.batch([update, ...usage.map((row) => countUsage(db, row))]);
  return (written[0]?.isHeard ?? (await wasHeard(db, projection))) === 1;
}

/** The same of a projection that D1 had already: nobody had asked when it took the settling. */
async function wasHeard(db: Database, { tenantId, id }: JobKey): Promise<number> {
  const [row] = await db
    .select({ isHeard: isWebhookTenant(tenantId) })
    .from(exportJobs)
    .where(and(isJob(tenantId, id), isNull(exportJobs.settledAt)));
  return row?.isHeard ?? 0;
}

/**
 * Shows a job to the sweep again, before its object reopens it: should that fail midway, nothing is lost (I11). From here
 * on it counts as active, so that no two get into the last place of the quota.
 * @param lastVersion the object's; the row's becomes higher, so that a settling that D1 takes late hides nothing again
 * @param maxActive the tenant's quota of jobs that are not over, `maxOfUser` a user's; one that is active already is within
 * @returns false when a quota is used up, or the row is gone
 */
export async function reopenJobRow(
  db: Database,
  { tenantId, id, userId }: JobKey & Owner,
  lastVersion: number,
  maxActive: number,
  maxOfUser = maxActive,
) {
  const version = sql`max(${exportJobs.version}, ${lastVersion + 1})`;
  const isWithin = or(isNull(exportJobs.completedAt), hasRoom({ tenantId, userId }, maxActive, maxOfUser));
  const reopened = await db
    .update(exportJobs)
    .set({ completedAt: null, settledAt: null, version })
    .where(and(isJob(tenantId, id), isWithin))
    .returning({ id: exportJobs.id });
  return reopened.length > 0;
}

/**
 * Removes a job's row, unless other jobs show its output: then a later try may. One statement decides, so that no job
 * can borrow the output of one that is going.
 */
export async function deleteJobRow(db: Database, { tenantId, id }: JobKey): Promise<"deleted" | "lent"> {
  const [, , left] = await db.batch([
    db.delete(exportJobs).where(and(isJob(tenantId, id), isNotLent(exportJobs.id, tenantId))),
    forgetJoined(db, { tenantId, id }),
    db.select({ id: exportJobs.id }).from(exportJobs).where(isJob(tenantId, id)),
  ]);
  return left.length === 0 ? "deleted" : "lent";
}

/** Whether no other job shows the output of one. @param id the column that names it */
export function isNotLent(id: SQLWrapper, tenantId: string): SQL {
  const isBorrower = sql`other.tenant_id = ${tenantId} AND other.reused_from = ${id}`;
  return sql`NOT EXISTS (SELECT 1 FROM ${exportJobs} AS other WHERE ${isBorrower})`;
}

/** Whether D1 answers. */
export async function pingDatabase(db: Database): Promise<void> {
  await db.run(sql`SELECT 1`);
}
