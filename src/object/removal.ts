import type { JobState } from "../core/job-state.ts";
import { openDatabase } from "../store/database.ts";
import { deleteJob, isReused } from "../store/jobs.ts";
import { deleteVideo } from "../store/videos.ts";

/**
 * Removes a job's outputs, then its row: an order that can be repeated after a crash.
 * @returns false while the job lends its output to other jobs
 */
export async function removeJob(env: Env, { spec, attempts }: JobState): Promise<boolean> {
  const db = openDatabase(env.DB);
  if (await isReused(db, spec)) {
    return false;
  }
  await Promise.all(attempts.map(({ outputKey }) => deleteVideo(env.VIDEOS, outputKey)));
  await deleteJob(db, spec);
  return true;
}
