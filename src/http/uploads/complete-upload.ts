import type { StoredObject } from "../../contract/upload.ts";
import { uploadOf } from "../../core/object-keys.ts";
import { toTimestamp } from "../../core/time.ts";
import { openDatabase } from "../../store/database.ts";
import type { UploadRow } from "../../store/schema.ts";
import { assemble, giveUp, openUploads } from "../../store/upload-files.ts";
import { completeUpload, findUpload, giveUpUpload } from "../../store/uploads.ts";
import { deleteVideo } from "../../store/videos.ts";
import type { Host } from "../edge/call.ts";
import { AppError } from "../edge/problem.ts";

/** How many missing parts an answer names. */
const maxNamedParts = 20;

const isGone = () => new AppError("not_found", { detail: "The upload was removed or given up." });

export const writtenBefore = () => new AppError("precondition_failed", { detail: "This file was already written." });

/** The upload of an input's key. @throws AppError `not_found` */
async function requireUploadOf(env: Env, key: string): Promise<UploadRow> {
  const row = await findUpload(openDatabase(env.DB), uploadOf(key));
  if (!row) {
    throw isGone();
  }
  return row;
}

/** Before its file is stored. @throws AppError `not_found` when it is gone, `precondition_failed` when it is complete */
export async function requireOpenUpload(env: Env, key: string): Promise<void> {
  if ((await requireUploadOf(env, key)).completedAt !== null) {
    throw writtenBefore();
  }
}

/** Puts the parts of an upload together; again finds it done. @throws AppError `not_found`, `conflict` */
export async function complete(host: Host, key: string): Promise<StoredObject> {
  const row = await requireUploadOf(host.env, key);
  const store = openUploads(host.env, host.settings);
  const assembly = await assemble(store, row);
  if (!assembly) {
    await giveUpUpload(store.db, row);
    throw isGone();
  }
  if (Array.isArray(assembly)) {
    const named = assembly.slice(0, maxNamedParts).join(", ");
    const detail = `${assembly.length} parts are missing: ${named}.`;
    throw new AppError("conflict", { detail: named ? detail : "A part came meanwhile. Ask again." });
  }
  await noteComplete(host.env, key);
  return { key, size: assembly.size, etag: assembly.etag };
}

/** Notes that R2 has the file. @throws AppError `not_found` when the upload is gone: then its file is so too */
export async function noteComplete(env: Env, key: string): Promise<void> {
  if (!(await completeUpload(openDatabase(env.DB), uploadOf(key), toTimestamp(Date.now())))) {
    await deleteVideo(env.VIDEOS, key);
    throw isGone();
  }
}

/** Gives an upload up; again is no error. @throws AppError `conflict` when it is complete */
export async function abort(host: Host, key: string): Promise<void> {
  const store = openUploads(host.env, host.settings);
  const row = await findUpload(store.db, uploadOf(key));
  if (row && (row.completedAt !== null || !(await giveUp(store, row, toTimestamp(Date.now()))))) {
    throw new AppError("conflict", { detail: "The upload is complete. DELETE /api/uploads/:id removes it." });
  }
}
