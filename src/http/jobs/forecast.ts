import type { Job } from "../../contract/job.ts";
import type { JobType } from "../../contract/types/index.ts";
import { BoundedMap } from "../../core/bounded-map.ts";
import { type Ahead, estimateEnd, outputMsOf, type Sample } from "../../core/eta.ts";
import { isFinal } from "../../core/job-state.ts";
import { placeOf, type Waiting } from "../../core/queue.ts";
import { toTimestamp } from "../../core/time.ts";
import { openDatabase } from "../../store/database.ts";
import { countQueue, readQueue, waitingStages } from "../../store/queue.ts";
import type { ExportJobRow } from "../../store/schema.ts";
import { listSamples } from "../../store/usage.ts";

/** What is remembered of D1's answers, in milliseconds: a forecast need not be newer, and many ask at once. */
const historyMs = 60_000;
const queueMs = 2_000;
/** The cron counts the queue each minute; a count that is older than so is made anew by whoever needs it first. */
const staleMs = 150_000;
/** That costs no request more than so many rows. */
const maxLooked = 2_000;

type Kept<Value> = { value: Value; until: number };
const histories = new BoundedMap<Kept<readonly Sample[]>>(1_000);
let queue: Kept<Waiting | null> | null = null;

async function readHistory(env: Env, tenantId: string, type: JobType, now: number): Promise<readonly Sample[]> {
  const key = `${tenantId}/${type}`;
  const known = histories.get(key);
  if (known && known.until > now) {
    return known.value;
  }
  const value = await listSamples(openDatabase(env.DB), tenantId, type);
  histories.set(key, { value, until: now + historyMs });
  return value;
}

async function readWaiting(env: Env, now: number): Promise<Waiting | null> {
  if (!queue || queue.until <= now) {
    queue = { value: await readCount(env, now), until: now + queueMs };
  }
  return queue.value;
}

async function readCount(env: Env, now: number): Promise<Waiting | null> {
  const db = openDatabase(env.DB);
  const count = await readQueue(db);
  if (count && count.takenAt >= now - staleMs) {
    return count.waiting;
  }
  await countQueue(db, now, { olderThan: now - staleMs, maxLooked });
  return (await readQueue(db))?.waiting ?? null;
}

const waiting: ReadonlySet<string> = new Set(waitingStages);

function toAhead(row: ExportJobRow): Ahead {
  const isWaiting = waiting.has(row.stage) || row.startedAt === null;
  const running = isWaiting ? null : { since: Date.parse(row.startedAt ?? row.updatedAt), progress: row.progress };
  const waitingSince = Date.parse(row.createdAt);
  return { bytesIn: row.inputSize, outputMs: outputMsOf(row.params), running, waitingSince };
}

type Forecast = Pick<Job, "eta" | "eta_range" | "queue_position">;
const none: Forecast = { eta: null, eta_range: null, queue_position: null };

/** When a job will be over and how many are before it; nulls where there is no ground, or D1 is away. */
export async function forecast(env: Env, row: ExportJobRow, now: number): Promise<Forecast> {
  if (isFinal(row.status)) {
    return none;
  }
  try {
    const ahead = toAhead(row);
    const samples = await readHistory(env, row.tenantId, row.type, now);
    const estimate = estimateEnd(samples, ahead, now);
    const others = ahead.running ? null : await readWaiting(env, now);
    return {
      eta: estimate && toTimestamp(estimate.at),
      eta_range: estimate && [toTimestamp(estimate.earliest), toTimestamp(estimate.latest)],
      queue_position: others && placeOf(row.id, others),
    };
  } catch {
    return none;
  }
}
