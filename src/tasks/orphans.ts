import { openDatabase } from "../store/database.ts";
import { findDocumentOrphans } from "../store/documents.ts";
import { readTaskCursors, writeTaskCursor } from "../store/task-cursors.ts";
import { findOrphans } from "../store/uploads.ts";
import { deleteVideo, listObjects } from "../store/videos.ts";

/** A run is bounded: three calls a page, beside the other tasks of its cron. */
const usualLimits = { pageSize: 1_000, maxPages: 3 };

/** A file as young as this is let be: a row that is missing may still be brought back. */
const graceMs = 24 * 60 * 60_000;

/** What may be left without a row: where it lies, and how those are told that are nobody's. */
const kinds = [
  { task: "orphans", prefix: "input/", find: findOrphans },
  { task: "document_orphans", prefix: "document/", find: findDocumentOrphans },
] as const;

/**
 * Removes inputs that no upload's row names, and bodies that no version of a document does: what a crash left between the
 * two, and what came by a link to R2's S3 endpoint after its upload was gone. What one run leaves, the next takes up; the
 * cursor goes ahead of what is done.
 * @returns how many were removed
 */
export async function removeOrphans(env: Env, now: number, limits: Partial<typeof usualLimits> = {}): Promise<number> {
  const cursors = await readTaskCursors(
    openDatabase(env.DB),
    kinds.map(({ task }) => task),
  );
  let removed = 0;
  for (const kind of kinds) {
    removed += await removeOrphansOf(kind, cursors.get(kind.task) ?? "", env, now, { ...usualLimits, ...limits });
  }
  return removed;
}

async function removeOrphansOf(
  { task, prefix, find }: (typeof kinds)[number],
  begin: string,
  env: Env,
  now: number,
  { pageSize, maxPages }: typeof usualLimits,
): Promise<number> {
  const db = openDatabase(env.DB);
  let cursor = begin;
  let removed = 0;
  for (let page = 0; page < maxPages; page++) {
    const { objects, next } = await listObjects(env.VIDEOS, prefix, cursor, pageSize);
    if (next !== cursor) {
      await writeTaskCursor(db, task, next);
    }
    const old = objects.flatMap(({ key, uploaded }) => (uploaded.getTime() < now - graceMs ? key : []));
    const orphans = old.length === 0 ? [] : await find(db, old);
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
