import { and, desc, eq, gt, inArray, isNotNull, isNull, lt, or, type SQL } from "drizzle-orm";
import type { Database } from "./database.ts";
import { isCommon, isRare } from "./likelihood.ts";
import { exportJobs } from "./schema.ts";

/** The columns that an event tells of; a job's params may be large, and are none of them. */
const columns = {
  id: exportJobs.id,
  version: exportJobs.version,
  status: exportJobs.status,
  stage: exportJobs.stage,
  progress: exportJobs.progress,
  message: exportJobs.message,
  attempt: exportJobs.attempt,
  outputVideoKey: exportJobs.outputVideoKey,
  errorCode: exportJobs.errorCode,
  errorMessage: exportJobs.errorMessage,
  updatedAt: exportJobs.updatedAt,
  completedAt: exportJobs.completedAt,
  settledAt: exportJobs.settledAt,
};

export type StreamRow = Awaited<ReturnType<typeof listActivePage>>[number];

/** The jobs that a watcher of a project sees: all, or one user's. */
export type Watched = Readonly<{ tenantId: string; projectId: number; userId: string | null }>;

const retryPauseMs = 300;

/** So many rows are taken, or looked at, in one read. */
export const streamPageSize = 500;

function isWatched({ tenantId, projectId, userId }: Watched): SQL[] {
  const inProject = [isCommon(eq(exportJobs.tenantId, tenantId)), isRare(eq(exportJobs.projectId, projectId))];
  return userId === null ? inProject : [...inProject, isCommon(eq(exportJobs.userId, userId))];
}

function isBefore(id: string | null): SQL[] {
  return id === null ? [] : [isCommon(lt(exportJobs.id, id))];
}

function listActivePage(db: Database, watched: Watched, before: string | null, pageSize: number) {
  return db
    .select(columns)
    .from(exportJobs)
    .where(and(...isWatched(watched), isNull(exportJobs.completedAt), ...isBefore(before)))
    .orderBy(desc(exportJobs.id))
    .limit(pageSize);
}

/** A read may fail now and then, and the next one mostly does not. */
async function onceMore<Rows>(read: () => Promise<Rows>): Promise<Rows> {
  try {
    return await read();
  } catch {
    await scheduler.wait(retryPauseMs);
    return read();
  }
}

/** All active jobs, newest first, page by page as they are asked for. */
export async function* walkActive(db: Database, watched: Watched, pageSize = streamPageSize) {
  let before: string | null = null;
  for (;;) {
    const rows: StreamRow[] = await onceMore(async () => listActivePage(db, watched, before, pageSize));
    yield rows;
    before = rows.length < pageSize ? null : (rows.at(-1)?.id ?? null);
    if (before === null) {
      return;
    }
  }
}

/**
 * The jobs whose end D1 was told of after a timestamp, of those made after an id, newest first. D1 may hear of an end
 * long after it: then, or later, the job is settled. A page is what was found among the
 * next rows that were looked at, so that no read is a long one.
 */
export async function* walkEnded(
  db: Database,
  watched: Watched,
  { toldAfter, afterId }: Readonly<{ toldAfter: string; afterId: string }>,
  pageSize = 4 * streamPageSize,
): AsyncGenerator<StreamRow[]> {
  let before: string | null = null;
  for (;;) {
    const made = and(...isWatched(watched), isCommon(gt(exportJobs.id, afterId)), ...isBefore(before));
    const inOrder = db.select(columns).from(exportJobs).where(made).orderBy(desc(exportJobs.id));
    // SQLite runs a subquery with a LIMIT as it stands, in its own order.
    const looked = inOrder.limit(pageSize).as("export_jobs");
    const { completedAt, settledAt } = looked;
    const isLate = or(gt(completedAt, toldAfter), isNull(settledAt), gt(settledAt, toldAfter));
    const find = db
      .select()
      .from(looked)
      .where(and(isNotNull(completedAt), isLate));
    const last = db.select({ id: exportJobs.id }).from(exportJobs).where(made).orderBy(desc(exportJobs.id)).limit(1);
    const [rows, [end]] = await onceMore(() => db.batch([find, last.offset(pageSize - 1)]));
    yield rows;
    if (!end) {
      return;
    }
    before = end.id;
  }
}

/** Those of at most 90 jobs that are still there. */
export function findStreamRows(db: Database, { tenantId }: Watched, ids: readonly string[]): Promise<StreamRow[]> {
  return db
    .select(columns)
    .from(exportJobs)
    .where(and(eq(exportJobs.tenantId, tenantId), inArray(exportJobs.id, [...ids])));
}
