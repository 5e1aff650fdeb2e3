import { and, desc, eq, gt, gte, inArray, lte, sql, sum } from "drizzle-orm";
import type { JobType } from "../contract/types/index.ts";
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
}>;

const jobsEndedIn = (status: "complete" | "error" | "cancelled") =>
  sql<number>`count(CASE WHEN ${usage.jobStatus} = ${status} THEN 1 END)`;

/** Sums per day and project, oldest first, read along the primary key. */
export function sumUsage(db: Database, { tenantId, from, to, projectId, projectIds }: UsageFilter) {
  const known = projectIds === undefined ? undefined : inArray(usage.projectId, [...projectIds]);
  const project = projectId === undefined ? undefined : eq(usage.projectId, projectId);
  return db
    .select({
      day: usage.day,
      projectId: usage.projectId,
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
    .where(and(eq(usage.tenantId, tenantId), gte(usage.day, from), lte(usage.day, to), project, known))
    .groupBy(usage.day, usage.projectId)
    .orderBy(usage.day, usage.projectId);
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
