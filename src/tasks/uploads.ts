import { describeError } from "../core/errors.ts";
import { toTimestamp } from "../core/time.ts";
import { getSettings } from "../env.ts";
import { log } from "../log.ts";
import { openDatabase } from "../store/database.ts";
import { newMultipart } from "../store/multipart.ts";
import type { UploadRow } from "../store/schema.ts";
import { completeUpload, deleteUpload, listAbandonedUploads } from "../store/uploads.ts";
import { findVideo } from "../store/videos.ts";

/** Each costs a few calls, of which a Worker may make 1,000; a minute later comes the next run. */
const maxUploadsPerRun = 50;

/**
 * Ends uploads that were not ended in time: what R2 has whole is noted, the rest given up and its bytes given back.
 * @returns how many were given up
 */
export async function reapUploads(env: Env, now: number): Promise<number> {
  const db = openDatabase(env.DB);
  const abandoned = await listAbandonedUploads(db, toTimestamp(now), maxUploadsPerRun);
  const reaped = await Promise.all(abandoned.map((row) => reap(env, row, now)));
  return reaped.filter((isGivenUp) => isGivenUp).length;
}

/** One that fails must not keep the others: the next run comes back to it. */
async function reap(env: Env, row: UploadRow, now: number): Promise<boolean> {
  const { tenantId, id, objectKey, multipartId } = row;
  const db = openDatabase(env.DB);
  try {
    if (await findVideo(env.VIDEOS, objectKey)) {
      await completeUpload(db, tenantId, id, toTimestamp(now));
      return false;
    }
    if (multipartId !== null) {
      await newMultipart(env.VIDEOS, getSettings(env).s3).abort(objectKey, multipartId);
    }
    await deleteUpload(db, tenantId, id);
    return true;
  } catch (error) {
    log("warn", "failure", { during: "uploads", tenant_id: tenantId, message: describeError(error) });
    return false;
  }
}
