import { openDatabase } from "../store/database.ts";
import { readTaskCursor, writeTaskCursor } from "../store/task-cursors.ts";
import { findOrphans } from "../store/uploads.ts";
import { deleteVideo, listInputs } from "../store/videos.ts";

/** A run is bounded: three calls a page, beside the other tasks of its cron. */
const usualLimits = { pageSize: 1_000, maxPages: 3 };

/** A file as young as this is let be: a row that is missing may still be brought back. */
const graceMs = 24 * 60 * 60_000;

/**
 * Removes inputs that no upload's row names: what a crash left between the two, and what came by a link to R2's S3 endpoint
 * after its upload was gone. What one run leaves, the next takes up; the cursor goes ahead of what is done.
 * @returns how many were removed
 */
export async function removeOrphans(env: Env, now: number, limits: Partial<typeof usualLimits> = {}): Promise<number> {
  const { pageSize, maxPages } = { ...usualLimits, ...limits };
  const db = openDatabase(env.DB);
  let cursor = await readTaskCursor(db, "orphans");
  let removed = 0;
  for (let page = 0; page < maxPages; page++) {
    const { objects, next } = await listInputs(env.VIDEOS, cursor, pageSize);
    if (next !== cursor) {
      await writeTaskCursor(db, "orphans", next);
    }
    const old = objects.flatMap(({ key, uploaded }) => (uploaded.getTime() < now - graceMs ? key : []));
    const orphans = old.length === 0 ? [] : await findOrphans(db, old);
    if (orphans.length > 0) {
      await deleteVideo(env.VIDEOS, orphans);
      removed += orphans.length;
    }
    if (next === "") {
      break;
    }
    cursor = next;
  }
  return removed;
}
