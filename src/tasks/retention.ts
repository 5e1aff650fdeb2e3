import { describeError } from "../core/errors.ts";
import { firstIdAt } from "../core/ids.ts";
import { getSettings } from "../env.ts";
import { log } from "../log.ts";
import { openDatabase } from "../store/database.ts";
import { findNextTenant, listSettledJobs } from "../store/jobs.ts";
import { readTaskCursor, writeTaskCursor } from "../store/task-cursors.ts";

const dayMs = 24 * 60 * 60_000;
const maxTenantsPerRun = 20;
const maxJobsPerTenant = 20;

/**
 * Removes jobs, with their outputs, that were created more than `RETENTION_DAYS` ago and are settled. Goes from tenant
 * to tenant along the table's own key, so that a run reads what it removes and little more.
 * @returns how many were removed
 */
export async function removeOldJobs(env: Env, now: number): Promise<number> {
  const { retentionDays } = getSettings(env);
  if (retentionDays === null) {
    return 0;
  }
  const db = openDatabase(env.DB);
  const before = firstIdAt(now - retentionDays * dayMs);
  const start = await readTaskCursor(db, "retention");
  let [tenantId, removed] = [start, 0];
  for (let count = 0; count < maxTenantsPerRun; count++) {
    tenantId = await findNextTenant(db, tenantId);
    if (tenantId === "") {
      break;
    }
    const jobs = await listSettledJobs(db, tenantId, before, maxJobsPerTenant);
    const done = await Promise.all(jobs.map((job) => remove(env, job)));
    removed += done.filter((isRemoved) => isRemoved).length;
  }
  if (tenantId !== start) {
    await writeTaskCursor(db, "retention", tenantId);
  }
  return removed;
}

async function remove(env: Env, { id, tenantId }: { id: string; tenantId: string }): Promise<boolean> {
  try {
    return await env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(id)).destroy(tenantId);
  } catch (error) {
    log("warn", "failure", { during: "retention", job_id: id, message: describeError(error) });
    return false;
  }
}
