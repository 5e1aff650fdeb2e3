import { and, desc, eq, gt, gte, inArray, lte, type SQL, sql, sum } from "drizzle-orm";
import type { JobType } from "../contract/types/index.ts";
import type { UsageGroup } from "../contract/usage.ts";
import type { Sample } from "../core/eta.ts";
import type { Database } from "./database.ts";
import { type UsageRow, usage } from "./schema.ts";

/** Writes an attempt's usage: once (I10), and again if it went on after all, with what it came to then. */
export function countUsage(db: Database, row: UsageRow) {
  const { tenantId, day, projectId, jobId, attempt } = usage;
  return db
    .insert(usage)
    .values(row)
    .onConflictDoUpdate({ target: [tenantId, day, projectId, jobId, attempt], set: row });
}

/** Days are `YYYY-MM-DD` in UTC, both included. */
export type UsageFilter = Readonly<{
  tenantId: string;
  from: string;
  to: string;
  projectId?: number | undefined;
  projectIds?: readonly number[] | undefined;
  groupBy: readonly UsageGroup[];
}>;

const columns = { day: usage.day, user: usage.userId, project: usage.projectId, type: usage.type } as const;
/** Sums are listed in this order, whatever the request's was. */
const order: readonly UsageGroup[] = ["day", "project", "user", "type"];

/** What a sum is of: the columns of its group, the others null. */
export type UsageKey = Readonly<{
  day: string | null;
  projectId: number | null;
  userId: string | null;
  type: JobType | null;
}>;

const jobsEndedIn = (status: "complete" | "error" | "cancelled") =>
  sql<number>`count(CASE WHEN ${usage.jobStatus} = ${status} THEN 1 END)`;

function isWithin({ tenantId, from, to, projectId, projectIds }: UsageFilter): SQL | undefined {
  const known = projectIds === undefined ? undefined : inArray(usage.projectId, [...projectIds]);
  const project = projectId === undefined ? undefined : eq(usage.projectId, projectId);
  return and(eq(usage.tenantId, tenantId), gte(usage.day, from), lte(usage.day, to), project, known);
}

function toGroup({ groupBy }: UsageFilter) {
  const has = (name: UsageGroup) => groupBy.includes(name);
  const key = {
    day: has("day") ? usage.day : sql<null>`NULL`,
    projectId: has("project") ? usage.projectId : sql<null>`NULL`,
    userId: has("user") ? usage.userId : sql<null>`NULL`,
    type: has("type") ? usage.type : sql<null>`NULL`,
  };
  return { key, by: order.filter(has).map((name) => columns[name]) };
}

/** Sums per group, oldest first, read along the primary key. */
export function sumUsage(db: Database, filter: UsageFilter) {
  const { key, by } = toGroup(filter);
  return db
    .select({
      ...key,
      complete: jobsEndedIn("complete"),
      error: jobsEndedIn("error"),
      cancelled: jobsEndedIn("cancelled"),
      attempts: sql<number>`count(*)`,
      gpuMs: sum(usage.gpuMs).mapWith(Number),
      queueMs: sum(usage.queueMs).mapWith(Number),
      bytesIn: sum(usage.bytesIn).mapWith(Number),
      bytesOut: sum(usage.bytesOut).mapWith(Number),
    })
    .from(usage)
    .where(isWithin(filter))
    .groupBy(...by)
    .orderBy(...by);
}

/** What handlers counted, summed per group and counter. */
export function sumCounters(db: Database, filter: UsageFilter) {
  const { key, by } = toGroup(filter);
  const counted = sql`json_each(${usage.counters})`;
  return db
    .select({ ...key, name: sql<string>`json_each.key`, sum: sql<number>`sum(json_each.value)` })
    .from(usage)
    .innerJoin(counted, sql`true`)
    .where(isWithin(filter))
    .groupBy(...by, sql`json_each.key`);
}

/** So much of the history is looked at, for so many samples: what is older says little of tomorrow. */
const maxRowsSeen = 500;
const maxSamples = 50;

/** What a tenant's last successful attempts of a type took, newest first. */
export function listSamples(db: Database, tenantId: string, type: JobType): Promise<Sample[]> {
  const recent = db
    .select()
    .from(usage)
    .where(eq(usage.tenantId, tenantId))
    .orderBy(desc(usage.day), desc(usage.projectId), desc(usage.jobId), desc(usage.attempt))
    .limit(maxRowsSeen)
    .as("usage");
  return db
    .select({ gpuMs: recent.gpuMs, queueMs: recent.queueMs, bytesIn: recent.bytesIn, outputMs: recent.outputMs })
    .from(recent)
    .where(and(eq(recent.type, type), eq(recent.outcome, "complete"), gt(recent.gpuMs, 0)))
    .limit(maxSamples);
}
