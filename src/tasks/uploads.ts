import { describeError } from "../core/errors.ts";
import { toTimestamp } from "../core/time.ts";
import { getSettings } from "../env.ts";
import { log } from "../log.ts";
import { openDatabase } from "../store/database.ts";
import type { UploadRow } from "../store/schema.ts";
import { giveUp, openUploads } from "../store/upload-files.ts";
import { listAbandonedUploads, prolongUpload } from "../store/uploads.ts";

/** Each costs four calls at most, of which a Worker may make 1,000; the next run comes soon. */
const usualLimits = { maxUploads: 200 };
/** A PUT that began when its URL was still good may go on for so long. */
const graceMs = 60 * 60_000;
/** So long an upload that could not be ended lets the others come first. */
const postponeMs = 60 * 60_000;

/**
 * Ends uploads that were not ended in time: what R2 has whole is noted, the rest given up and its bytes given back.
 * @returns how many were given up
 */
export async function reapUploads(env: Env, now: number, { maxUploads } = usualLimits): Promise<number> {
  const db = openDatabase(env.DB);
  const abandoned = await listAbandonedUploads(db, toTimestamp(now - graceMs), maxUploads);
  const reaped = await Promise.all(abandoned.map((row) => reap(env, row, now)));
  return reaped.filter((isGivenUp) => isGivenUp).length;
}

/** One that fails must not keep the others, in this run or the next. */
async function reap(env: Env, row: UploadRow, now: number): Promise<boolean> {
  const store = openUploads(env, getSettings(env));
  try {
    return await giveUp(store, row, toTimestamp(now));
  } catch (error) {
    log("warn", "failure", { during: "uploads", tenant_id: row.tenantId, message: describeError(error) });
    await prolongUpload(store.db, row, toTimestamp(now + postponeMs - graceMs)).catch(() => false);
    return false;
  }
}
