import type { StoredObject } from "../../contract/upload.ts";
import { tenantOf, uploadIdOf } from "../../core/object-keys.ts";
import { toTimestamp } from "../../core/time.ts";
import { openDatabase } from "../../store/database.ts";
import { type Multipart, newMultipart, type Part } from "../../store/multipart.ts";
import type { UploadRow } from "../../store/schema.ts";
import { completeUpload, deleteUpload, findUpload } from "../../store/uploads.ts";
import { deleteVideo, findVideo } from "../../store/videos.ts";
import { countParts } from "../../view/upload-view.ts";
import type { Host } from "../edge/call.ts";
import { AppError } from "../edge/problem.ts";

/** How many missing parts an answer names. */
const maxNamedParts = 20;

async function requireUpload(host: Host, key: string): Promise<UploadRow> {
  const row = await findUpload(openDatabase(host.env.DB), tenantOf(key), uploadIdOf(key));
  if (!row) {
    throw new AppError("not_found");
  }
  return row;
}

/** The parts in order. @throws AppError `conflict` naming those that are missing */
async function requireParts(multipart: Multipart, row: UploadRow, multipartId: string): Promise<Part[]> {
  const etags = multipart.list ? await multipart.list(row.objectKey, multipartId) : row.parts;
  const numbers = Array.from({ length: countParts(row) }, (_, index) => index + 1);
  const missing = numbers.filter((number) => etags[number] === undefined);
  if (missing.length > 0) {
    const named = missing.slice(0, maxNamedParts).join(", ");
    throw new AppError("conflict", { detail: `${missing.length} parts are missing: ${named}.` });
  }
  return numbers.flatMap((partNumber) => ({ partNumber, etag: etags[partNumber] ?? "" }));
}

/** Puts the parts of an upload together; again finds it done. @throws AppError `not_found`, `conflict` */
export async function complete(host: Host, key: string): Promise<StoredObject> {
  const row = await requireUpload(host, key);
  const done = await findVideo(host.env.VIDEOS, key);
  if (!done && row.multipartId !== null) {
    const multipart = newMultipart(host.env.VIDEOS, host.settings.s3);
    await multipart.complete(key, row.multipartId, await requireParts(multipart, row, row.multipartId));
  }
  const object = done ?? (await findVideo(host.env.VIDEOS, key));
  if (!object) {
    throw new AppError("conflict", { detail: "The file is not there yet." });
  }
  await noteComplete(host.env, key);
  return { key, size: object.size, etag: object.etag };
}

/** Notes that R2 has the file. @throws AppError `not_found` when the upload is gone: then its file is so too */
export async function noteComplete(env: Env, key: string): Promise<void> {
  const now = toTimestamp(Date.now());
  if (!(await completeUpload(openDatabase(env.DB), tenantOf(key), uploadIdOf(key), now))) {
    await deleteVideo(env.VIDEOS, key);
    throw new AppError("not_found", { detail: "The upload was removed or given up." });
  }
}

/** Gives an upload up; again is no error. @throws AppError `conflict` when it is complete */
export async function abort(host: Host, key: string): Promise<void> {
  const db = openDatabase(host.env.DB);
  const row = await findUpload(db, tenantOf(key), uploadIdOf(key));
  if (!row) {
    return;
  }
  if (row.status === "complete") {
    throw new AppError("conflict", { detail: "The upload is complete. DELETE /api/uploads/:id removes it." });
  }
  if (row.multipartId !== null) {
    await newMultipart(host.env.VIDEOS, host.settings.s3).abort(key, row.multipartId);
  }
  await deleteUpload(db, row.tenantId, row.id);
}
