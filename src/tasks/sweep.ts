import { describeError } from "../core/errors.ts";
import { toTimestamp } from "../core/time.ts";
import { getSettings } from "../env.ts";
import { log } from "../log.ts";
import { mayBegin, toJobSpec } from "../object/job-spec.ts";
import { openDatabase } from "../store/database.ts";
import { listSilentJobs } from "../store/jobs.ts";
import type { ExportJobRow } from "../store/schema.ts";
import { readTaskCursor, writeTaskCursor } from "../store/task-cursors.ts";

/** A run of the sweep is bounded: a Worker may make 1,000 calls, and a minute later comes the next. */
const usualLimits = { pageSize: 100, maxPages: 5 };

/**
 * The second clock beside the objects' alarms (I11): begins jobs whose object never started, and wakes those that have
 * been silent for `SWEEP_AFTER_MS`. What one run leaves, the next takes up where it ended.
 * @returns how many jobs were woken
 */
export async function sweep(env: Env, now: number, { pageSize, maxPages } = usualLimits): Promise<number> {
  const db = openDatabase(env.DB);
  const updatedBefore = toTimestamp(now - getSettings(env).sweepAfterMs);
  const start = await readTaskCursor(db, "sweep");
  let [cursor, woken] = [start, 0];
  for (let page = 0; page < maxPages; page++) {
    const rows = await listSilentJobs(db, updatedBefore, cursor, pageSize);
    await Promise.all(rows.map((row) => wake(env, row)));
    woken += rows.length;
    cursor = rows.length < pageSize ? "" : (rows.at(-1)?.id ?? "");
    if (cursor === "") {
      break;
    }
  }
  if (cursor !== start) {
    await writeTaskCursor(db, "sweep", cursor);
  }
  return woken;
}

/** One job that cannot be woken must not keep the others asleep; the next sweep comes back to it. */
async function wake(env: Env, row: ExportJobRow): Promise<void> {
  try {
    const isNew = mayBegin(row);
    await env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(row.id)).wake(toJobSpec(row), { isNew, version: row.version });
  } catch (error) {
    log("warn", "failure", { during: "sweep", job_id: row.id, message: describeError(error) });
  }
}
