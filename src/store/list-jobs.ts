import { and, desc, eq, gt, inArray, isNull, lt, type Placeholder, type SQL, sql } from "drizzle-orm";
import type { JobStatus } from "../contract/job.ts";
import type { JobType } from "../contract/types/index.ts";
import { isFinal } from "../core/job-state.ts";
import { type Database, prepareOnce } from "./database.ts";
import { isCommon, isRare } from "./likelihood.ts";
import { type ExportJobRow, exportJobs } from "./schema.ts";

/** Which jobs a list holds. Bounds on the id are bounds on the time of creation. */
export type JobFilter = Readonly<{
  tenantId: string;
  projectId?: number | undefined;
  /** Any of these projects. */
  projectIds?: readonly number[] | undefined;
  userId?: string | undefined;
  type?: JobType | undefined;
  statuses?: readonly JobStatus[] | undefined;
  /** Only jobs that ended after this timestamp. */
  completedAfter?: string | undefined;
  metadata?: Readonly<Record<string, string>> | undefined;
  afterId?: string | undefined;
  beforeIds?: readonly string[];
  limit: number;
}>;

/** @param lastSeenId where the search stopped before it had all: the next page begins behind it */
export type FoundJobs = Readonly<{ rows: ExportJobRow[]; lastSeenId: string | null }>;

/** How many jobs a page looks at before it ends, whatever it has found: no filter may read a whole table. */
export const scanBudget = 2_000;

/**
 * Newest first. An index in this order serves tenant, project, user and time, so a page costs its own rows; the other
 * filters are tried on at most {@link scanBudget} of those.
 */
export async function listJobs(db: Database, filter: JobFilter, budget = scanBudget): Promise<FoundJobs> {
  const search = toSearch(filter);
  const tried = triedConditions(filter);
  if (tried.length === 0) {
    const page = await preparedPage(db, search).all({ ...valuesOf(search), limit: filter.limit });
    return { rows: page, lastSeenId: null };
  }
  const searched = searchConditions(search);
  const inOrder = db
    .select()
    .from(exportJobs)
    .where(and(...searched))
    .orderBy(desc(exportJobs.id));
  // SQLite runs a subquery with a LIMIT as it stands, row by row in its own order, and stops when the outer LIMIT is
  // reached: an ORDER BY of the outer query would sort all candidates again.
  const candidates = inOrder.limit(budget).as("export_jobs");
  const rows = await db
    .select()
    .from(candidates)
    .where(and(...tried))
    .limit(filter.limit);
  if (rows.length === filter.limit) {
    return { rows, lastSeenId: null };
  }
  const last = db.select({ id: exportJobs.id }).from(exportJobs);
  const [end] = await last
    .where(and(...searched))
    .orderBy(desc(exportJobs.id))
    .limit(1)
    .offset(budget - 1);
  return { rows, lastSeenId: end?.id ?? null };
}

type Index = "export_jobs_active" | "export_jobs_by_project" | "export_jobs_by_user" | null;

/** Null is the table's own key: tenant and id. */
function indexFor(filter: JobFilter): Index {
  if (filter.projectId !== undefined && isOnlyActive(filter)) {
    return "export_jobs_active";
  }
  if (filter.userId !== undefined) {
    return "export_jobs_by_user";
  }
  return filter.projectId === undefined ? null : "export_jobs_by_project";
}

type Given<Value> = Value | Placeholder;

/** What an index answers in reading order: with its values, or with a placeholder for each. */
type Search = Readonly<{
  index: Index;
  tenantId: Given<string>;
  projectId: Given<number> | null;
  userId: Given<string> | null;
  afterId: Given<string> | null;
  beforeIds: readonly Given<string>[];
}>;

function toSearch(filter: JobFilter) {
  const { tenantId, projectId = null, userId = null, afterId = null, beforeIds = [] } = filter;
  const index = indexFor(filter);
  const byProject = index === "export_jobs_active" || index === "export_jobs_by_project";
  const byUser = index === "export_jobs_by_user";
  const served = { projectId: byProject ? projectId : null, userId: byUser ? userId : null };
  return { index, tenantId, ...served, afterId, beforeIds } satisfies Search;
}

function valuesOf({ index: _, beforeIds, ...values }: Search): Record<string, unknown> {
  return { ...values, ...Object.fromEntries(beforeIds.map((id, position) => [`before${position}`, id])) };
}

function withPlaceholders({ index, projectId, userId, afterId, beforeIds }: Search): Search {
  const named = <Value>(value: Value | null, name: string) => (value === null ? null : sql.placeholder(name));
  return {
    index,
    tenantId: sql.placeholder("tenantId"),
    projectId: named(projectId, "projectId"),
    userId: named(userId, "userId"),
    afterId: named(afterId, "afterId"),
    beforeIds: beforeIds.map((_, position) => sql.placeholder(`before${position}`)),
  };
}

function preparePage(db: Database, search: Search) {
  const conditions = searchConditions(withPlaceholders(search));
  return db
    .select()
    .from(exportJobs)
    .where(and(...conditions))
    .orderBy(desc(exportJobs.id))
    .limit(sql.placeholder("limit"))
    .prepare();
}

/** There are few shapes of a page, and many pages of each. */
const pagesByShape = prepareOnce(() => new Map<string, ReturnType<typeof preparePage>>());

function preparedPage(db: Database, search: Search): ReturnType<typeof preparePage> {
  const shape = `${search.index} ${search.afterId !== null} ${search.beforeIds.length}`;
  const pages = pagesByShape(db);
  const page = pages.get(shape) ?? preparePage(db, search);
  pages.set(shape, page);
  return page;
}

function searchConditions({ index, tenantId, projectId, userId, afterId, beforeIds }: Search): (SQL | undefined)[] {
  return [
    isCommon(eq(exportJobs.tenantId, tenantId)),
    projectId === null ? undefined : isRare(eq(exportJobs.projectId, projectId)),
    userId === null ? undefined : isRare(eq(exportJobs.userId, userId)),
    // The partial index's own condition.
    index === "export_jobs_active" ? isNull(exportJobs.completedAt) : undefined,
    afterId === null ? undefined : isCommon(gt(exportJobs.id, afterId)),
    ...beforeIds.map((id) => isCommon(lt(exportJobs.id, id))),
  ];
}

/** What is tried on each row that the index leads to. */
function triedConditions(filter: JobFilter): SQL[] {
  const { projectId, projectIds, userId, type, statuses, completedAfter, metadata = {} } = filter;
  const both = projectId !== undefined && userId !== undefined;
  const conditions = [
    both && !isOnlyActive(filter) ? eq(exportJobs.projectId, projectId) : undefined,
    both && isOnlyActive(filter) ? eq(exportJobs.userId, userId) : undefined,
    projectIds === undefined ? undefined : inArray(exportJobs.projectId, [...projectIds]),
    type === undefined ? undefined : eq(exportJobs.type, type),
    statuses === undefined ? undefined : inArray(exportJobs.status, [...statuses]),
    completedAfter === undefined ? undefined : gt(exportJobs.completedAt, completedAfter),
    ...Object.entries(metadata).map(([key, value]) => hasLabel(key, value)),
  ];
  return conditions.flatMap((condition) => condition ?? []);
}

function isOnlyActive({ statuses }: JobFilter): boolean {
  return statuses?.every((status) => !isFinal(status)) ?? false;
}

/** A label is compared by the text that it has in JSON; SQLite shows `true` and `false` as 1 and 0. */
function hasLabel(key: string, value: string): SQL {
  return sql`EXISTS (SELECT 1 FROM json_each(${exportJobs.metadata}) AS label WHERE label.key = ${key}
    AND CASE label.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(label.value AS TEXT) END = ${value})`;
}
