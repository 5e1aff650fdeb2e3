import { and, desc, eq, gt, inArray, isNotNull, isNull, lt, or, type SQL, sql } from "drizzle-orm";
import type { Metadata } from "../contract/common.ts";
import { type Database, prepareOnce, rowAsSelect } from "./database.ts";
import { isCommon } from "./likelihood.ts";
import { type ExportJobRow, exportJobs, type NewExportJobRow, type UsageRow } from "./schema.ts";
import { countUsage } from "./usage.ts";
import { isWebhookTenant } from "./webhook-tenants.ts";

/**
 * Writes a new job, once: the unique index on the idempotency key decides a race (I2); the count of active jobs, and
 * the look for one with the same fingerprint, stand in the same statement, so that no race gets past them.
 * @param maxActive the tenant's quota of jobs that are not over
 * @returns null when the tenant has used the key before, has as many active jobs as it may, or has the same one active
 */
export async function insertJob(db: Database, row: NewExportJobRow, maxActive: number): Promise<ExportJobRow | null> {
  // The inner LIMIT bounds what a count reads, however large the quota's excess.
  const active = sql`SELECT count(*) FROM (SELECT 1 FROM ${exportJobs} INDEXED BY export_jobs_active
    WHERE ${and(eq(exportJobs.tenantId, row.tenantId), isNull(exportJobs.completedAt))} LIMIT ${maxActive})`;
  const { tenantId, fingerprint } = row;
  const twin = fingerprint && sql`SELECT 1 FROM ${exportJobs} WHERE ${isActiveTwin(tenantId, fingerprint)}`;
  const [inserted] = await db
    .insert(exportJobs)
    .select(
      sql`${rowAsSelect(exportJobs, row)} WHERE (${active}) < ${maxActive} ${twin ? sql`AND NOT EXISTS (${twin})` : sql``}`,
    )
    .onConflictDoNothing()
    .returning();
  return inserted ?? null;
}

function isTwin(tenantId: string, fingerprint: string): SQL | undefined {
  return and(isCommon(eq(exportJobs.tenantId, tenantId)), eq(exportJobs.fingerprint, fingerprint));
}

function isActiveTwin(tenantId: string, fingerprint: string): SQL | undefined {
  return and(isTwin(tenantId, fingerprint), isNull(exportJobs.completedAt));
}

/** The job that is doing the same work right now. */
export async function findActiveTwin(db: Database, tenantId: string, fingerprint: string) {
  const [row] = await db.select().from(exportJobs).where(isActiveTwin(tenantId, fingerprint)).limit(1);
  return row ?? null;
}

/** The newest job that has done the same work, and not by reuse. */
export async function findFinishedTwin(db: Database, tenantId: string, fingerprint: string) {
  const isDone = and(eq(exportJobs.status, "complete"), isNull(exportJobs.reusedFrom));
  const [row] = await db
    .select()
    .from(exportJobs)
    .where(and(isTwin(tenantId, fingerprint), isDone))
    .orderBy(desc(exportJobs.id))
    .limit(1);
  return row ?? null;
}

/** Whether other jobs show the output of this one. */
export async function isReused(db: Database, { tenantId, id }: JobKey): Promise<boolean> {
  const [other] = await db
    .select({ id: exportJobs.id })
    .from(exportJobs)
    .where(and(eq(exportJobs.tenantId, tenantId), eq(exportJobs.reusedFrom, id)))
    .limit(1);
  return other !== undefined;
}

/** Which job: its tenant stands in every statement (I13). */
export type JobKey = Readonly<{ tenantId: string; id: string }>;

function isJob(tenantId: string, id: string): SQL | undefined {
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

export async function findJobByIdempotencyKey(db: Database, tenantId: string, key: string) {
  const [row] = await db
    .select()
    .from(exportJobs)
    .where(and(eq(exportJobs.tenantId, tenantId), eq(exportJobs.idempotencyKey, key)));
  return row ?? null;
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
    | "errorCode"
    | "errorMessage"
    | "attempt"
    | "runpodJobId"
    | "startedAt"
    | "completedAt"
    | "updatedAt"
    | "settledAt"
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
  const settled = settledAt && settlesUnlessHeard ? sql`CASE WHEN NOT ${isHeard} THEN ${settledAt} END` : settledAt;
  const over = completedAt === null && !reopened ? {} : { completedAt, settledAt: settled };
  const newer = lt(exportJobs.version, version);
  const settling = and(eq(exportJobs.version, version), isNull(exportJobs.settledAt));
  const update = db
    .update(exportJobs)
    .set({ ...running, ...over, version })
    .where(and(isJob(tenantId, id), or(newer, settling)))
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
 * The next jobs, by id, that are not settled and have been silent since `updatedBefore`.
 * @param afterId where the page before ended; empty for the first
 */
export function listSilentJobs(db: Database, updatedBefore: string, afterId: string, limit: number) {
  return db
    .select()
    .from(exportJobs)
    .where(and(isNull(exportJobs.settledAt), gt(exportJobs.id, afterId), lt(exportJobs.updatedAt, updatedBefore)))
    .orderBy(exportJobs.id)
    .limit(limit);
}

/** So many waiting jobs are counted; whoever is behind them waits long enough. */
const maxCounted = 1_000;

/** The ids of jobs that have shown no progress yet, oldest first: those that wait for a GPU of the endpoint. */
export async function listWaitingIds(db: Database): Promise<string[]> {
  const waits = inArray(exportJobs.stage, ["queued", "dispatching", "waiting_for_gpu"]);
  const rows = await db
    .select({ id: exportJobs.id })
    .from(exportJobs)
    .where(and(isNull(exportJobs.settledAt), waits, eq(exportJobs.progress, 0)))
    .orderBy(exportJobs.id)
    .limit(maxCounted);
  return rows.map(({ id }) => id);
}

/** The tenant after `tenantId` in order, by one seek along the table's key; empty after the last. */
export async function findNextTenant(db: Database, tenantId: string): Promise<string> {
  const [next] = await db
    .select({ tenantId: exportJobs.tenantId })
    .from(exportJobs)
    .where(gt(exportJobs.tenantId, tenantId))
    .orderBy(exportJobs.tenantId)
    .limit(1);
  return next?.tenantId ?? "";
}

/** A tenant's oldest jobs that are settled, made before the id `beforeId`. */
export function listSettledJobs(db: Database, tenantId: string, beforeId: string, limit: number) {
  return db
    .select({ id: exportJobs.id, tenantId: exportJobs.tenantId })
    .from(exportJobs)
    .where(and(eq(exportJobs.tenantId, tenantId), lt(exportJobs.id, beforeId), isNotNull(exportJobs.settledAt)))
    .orderBy(exportJobs.id)
    .limit(limit);
}

/**
 * Shows a job to the sweep again, before its object reopens it: should that fail midway, nothing is lost (I11).
 * @param lastVersion the object's; the row's becomes higher, so that a settling that D1 takes late hides nothing again
 */
export async function unsettleJob(db: Database, { tenantId, id }: JobKey, lastVersion: number): Promise<void> {
  const version = sql`max(${exportJobs.version}, ${lastVersion + 1})`;
  await db.update(exportJobs).set({ settledAt: null, version }).where(isJob(tenantId, id));
}

export async function deleteJob(db: Database, { tenantId, id }: JobKey): Promise<void> {
  await db.delete(exportJobs).where(isJob(tenantId, id));
}

/** Whether D1 answers. */
export async function pingDatabase(db: Database): Promise<void> {
  await db.run(sql`SELECT 1`);
}
