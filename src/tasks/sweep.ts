import { describeError } from "../core/errors.ts";
import { toTimestamp } from "../core/time.ts";
import { getSettings } from "../env.ts";
import { log } from "../log.ts";
import { mayBegin, toJobSpec } from "../object/job-spec.ts";
import { rpcVersion } from "../object/rpc.ts";
import { openDatabase } from "../store/database.ts";
import { findSilentJobs } from "../store/job-walks.ts";
import { findJobs } from "../store/jobs.ts";
import type { ExportJobRow } from "../store/schema.ts";
import { readTaskCursor, writeTaskCursor } from "../store/task-cursors.ts";
import { callObject } from "./patience.ts";

/** A run is bounded: 20,000 rows looked at and 516 calls, of which a Worker may make 1,000; a minute later comes the next. */
const usualLimits = { pageSize: 40, maxPages: 12, maxLooked: 1_600, patienceMs: 10_000 };

/**
 * The second clock beside the objects' alarms (I11): begins jobs whose object never started, and wakes those that have
 * been silent for `SWEEP_AFTER_MS` longer than they said. What one run leaves, the next takes up where it ended; the
 * cursor goes ahead of the wakes, so that a run that breaks off holds up nobody behind it.
 * @returns how many jobs were woken
 */
export async function sweep(env: Env, now: number, limits: Partial<typeof usualLimits> = {}): Promise<number> {
  const { pageSize, maxPages, maxLooked, patienceMs } = { ...usualLimits, ...limits };
  const db = openDatabase(env.DB);
  const silentBefore = toTimestamp(now - getSettings(env).sweepAfterMs);
  const size = { limit: pageSize, maxLooked };
  let cursor = await readTaskCursor(db, "sweep");
  let woken = 0;
  for (let page = 0; page < maxPages; page++) {
    const { keys, lastId } = await findSilentJobs(db, silentBefore, cursor, size);
    if (cursor !== "" || lastId !== null) {
      await writeTaskCursor(db, "sweep", lastId ?? "");
    }
    const rows = await findJobs(db, keys);
    await Promise.all(rows.map((row) => wake(env, row, patienceMs)));
    woken += rows.length;
    if (lastId === null) {
      break;
    }
    cursor = lastId;
  }
  return woken;
}

/** One job that cannot be woken must not keep the others asleep; a later run comes back to it. */
async function wake(env: Env, row: ExportJobRow, patienceMs: number): Promise<void> {
  try {
    const object = env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(row.id));
    const seen = { isNew: mayBegin(row), version: row.version };
    await callObject(object.wake(rpcVersion, toJobSpec(row), seen), patienceMs);
  } catch (error) {
    log("warn", "failure", { during: "sweep", job_id: row.id, message: describeError(error) });
  }
}
