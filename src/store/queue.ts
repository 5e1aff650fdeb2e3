import { and, eq, isNull, sql } from "drizzle-orm";
import type { Waiting } from "../core/queue.ts";
import { toTimestamp } from "../core/time.ts";
import type { Database } from "./database.ts";
import { exportJobs, queueSnapshots } from "./schema.ts";

/** One queue for all: every job waits for the same endpoint. */
const queue = "all";
/** Up to so many waiting jobs a place is exact; the row stays small however many there are. */
const maxIds = 500;

export const waitingStages = ["queued", "dispatching", "waiting_for_gpu", "waiting_for_provider"] as const;

/** The last count of those who wait, and when it was made; costs one row. */
export async function readQueue(db: Database): Promise<{ waiting: Waiting; takenAt: number } | null> {
  const [row] = await db.select().from(queueSnapshots).where(eq(queueSnapshots.queue, queue));
  return row ? { waiting: row.waiting, takenAt: Date.parse(row.takenAt) } : null;
}

/**
 * Counts the jobs that have shown no progress yet, unless somebody has since `olderThan`: then nothing is looked at. One
 * statement, so that of many who find the count too old one makes the next.
 * @param maxLooked so many jobs that are not settled are looked at, oldest first; whoever is behind them waits long enough
 */
export async function countQueue(
  db: Database,
  now: number,
  { olderThan, maxLooked }: { olderThan: number; maxLooked: number },
): Promise<void> {
  const isFresh = and(eq(queueSnapshots.queue, queue), sql`${queueSnapshots.takenAt} >= ${toTimestamp(olderThan)}`);
  const unsettled = sql`SELECT id, stage, progress FROM ${exportJobs} INDEXED BY export_jobs_unsettled
    WHERE ${isNull(exportJobs.settledAt)} ORDER BY id LIMIT ${maxLooked}`;
  const waits = sql`progress = 0 AND stage IN ${[...waitingStages]}`;
  const ranked = sql`SELECT id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS total
    FROM (${unsettled}) WHERE ${waits}`;
  // Written out: what is bound is REAL, and this is to be whole.
  const step = sql.raw(`max(1, (total + ${maxIds - 1}) / ${maxIds})`);
  const waiting = sql`SELECT json_object('total', coalesce(max(total), 0), 'step', coalesce(max(${step}), 1),
    'ids', json_group_array(id)) FROM (SELECT id, total, place FROM (${ranked}) WHERE place % ${step} = 0 ORDER BY id)`;
  await db
    .insert(queueSnapshots)
    .select(
      sql`SELECT ${queue}, ${toTimestamp(now)}, (${waiting})
        WHERE NOT EXISTS (SELECT 1 FROM ${queueSnapshots} WHERE ${isFresh})`,
    )
    .onConflictDoUpdate({
      target: queueSnapshots.queue,
      set: { takenAt: sql`excluded.taken_at`, waiting: sql`excluded.waiting` },
    });
}
