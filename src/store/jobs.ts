import { and, desc, eq, gt, inArray, isNull, lt, or, type SQL, sql } from "drizzle-orm";
import type { JobStatus } from "../contract/job.ts";
import type { JobType } from "../contract/types/index.ts";
import { isFinal } from "../core/job-state.ts";
import type { Database } from "./database.ts";
import { type ExportJobRow, exportJobs, type NewExportJobRow } from "./schema.ts";

/**
 * Writes a new job, once: the unique index on the idempotency key decides a race (I2).
 * @returns null when the tenant has used the key before
 */
export async function insertJob(db: Database, row: NewExportJobRow): Promise<ExportJobRow | null> {
  const [inserted] = await db.insert(exportJobs).values(row).onConflictDoNothing().returning();
  return inserted ?? null;
}

export async function findJob(db: Database, tenantId: string, id: string): Promise<ExportJobRow | null> {
  const [row] = await db
    .select()
    .from(exportJobs)
    .where(and(eq(exportJobs.id, id), eq(exportJobs.tenantId, tenantId)));
  return row ?? null;
}

export async function findJobByIdempotencyKey(db: Database, tenantId: string, key: string) {
  const [row] = await db
    .select()
    .from(exportJobs)
    .where(and(eq(exportJobs.tenantId, tenantId), eq(exportJobs.idempotencyKey, key)));
  return row ?? null;
}

/** Which jobs a list holds. Bounds on the id are bounds on the time of creation. */
export type JobFilter = Readonly<{
  tenantId: string;
  projectId?: number | undefined;
  userId?: string | undefined;
  type?: JobType | undefined;
  statuses?: readonly JobStatus[] | undefined;
  afterId?: string | undefined;
  beforeIds?: readonly string[];
  limit: number;
}>;

/** Newest first. Every filter is served by an index in this order, so a page costs its own rows. */
export function listJobs(db: Database, filter: JobFilter): Promise<ExportJobRow[]> {
  const { statuses } = filter;
  const conditions: (SQL | undefined)[] = [
    eq(exportJobs.tenantId, filter.tenantId),
    filter.projectId === undefined ? undefined : eq(exportJobs.projectId, filter.projectId),
    filter.userId === undefined ? undefined : eq(exportJobs.userId, filter.userId),
    filter.type === undefined ? undefined : eq(exportJobs.type, filter.type),
    statuses === undefined ? undefined : statusCondition(statuses),
    filter.afterId === undefined ? undefined : gt(exportJobs.id, filter.afterId),
    ...(filter.beforeIds ?? []).map((id) => lt(exportJobs.id, id)),
  ];
  return db
    .select()
    .from(exportJobs)
    .where(and(...conditions))
    .orderBy(desc(exportJobs.id))
    .limit(filter.limit);
}

/** With the partial index's own condition where only active jobs are asked for, or SQLite would not use it. */
function statusCondition(statuses: readonly JobStatus[]): SQL | undefined {
  const onlyActive = statuses.every((status) => !isFinal(status));
  return and(inArray(exportJobs.status, [...statuses]), onlyActive ? isNull(exportJobs.completedAt) : undefined);
}

/** What the job's object copies to D1. */
export type JobProjection = Readonly<
  { id: string; version: number; reopened: boolean } & Pick<
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
  >
>;

/**
 * Late and doubled projections are harmless: only a newer version is written, or the settling of the same one (I9).
 * Of a job that is not over, the columns of the end are left alone: setting them would touch, and bill, the partial
 * indexes. Only a job that was reopened clears them.
 */
export async function projectJob(db: Database, projection: JobProjection): Promise<void> {
  const { id, version, reopened, completedAt, settledAt, ...running } = projection;
  const over = completedAt === null && !reopened ? {} : { completedAt, settledAt };
  const newer = lt(exportJobs.version, version);
  const settling = and(eq(exportJobs.version, version), isNull(exportJobs.settledAt));
  await db
    .update(exportJobs)
    .set({ ...running, ...over, version })
    .where(and(eq(exportJobs.id, id), or(newer, settling)));
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

/**
 * Shows a job to the sweep again, before its object reopens it: should that fail midway, nothing is lost (I11).
 * @param lastVersion the object's; the row's becomes higher, so that a settling that D1 takes late hides nothing again
 */
export async function unsettleJob(db: Database, id: string, lastVersion: number): Promise<void> {
  const version = sql`max(${exportJobs.version}, ${lastVersion + 1})`;
  await db.update(exportJobs).set({ settledAt: null, version }).where(eq(exportJobs.id, id));
}

export async function deleteJob(db: Database, id: string): Promise<void> {
  await db.delete(exportJobs).where(eq(exportJobs.id, id));
}

/** Whether D1 answers. */
export async function pingDatabase(db: Database): Promise<void> {
  await db.run(sql`SELECT 1`);
}
