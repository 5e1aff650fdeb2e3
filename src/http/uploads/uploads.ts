import { CreateUpload, maxSinglePutBytes, maxUploadBytes, Upload } from "../../contract/upload.ts";
import { isUploadOf, mayUseProject, ownerFor } from "../../core/access.ts";
import { isId, newId } from "../../core/ids.ts";
import { inputKey } from "../../core/object-keys.ts";
import { toTimestamp } from "../../core/time.ts";
import { openDatabase } from "../../store/database.ts";
import { newMultipart } from "../../store/multipart.ts";
import type { UploadRow } from "../../store/schema.ts";
import { findWhole, listParts, openUploads } from "../../store/upload-files.ts";
import { completeUpload, deleteUpload, findUpload, insertUpload } from "../../store/uploads.ts";
import { deleteVideo } from "../../store/videos.ts";
import { toUpload } from "../../view/upload-view.ts";
import { callOf } from "../edge/app-env.ts";
import type { Call } from "../edge/call.ts";
import { AppError } from "../edge/problem.ts";
import { routesOf, tenantRoute } from "../edge/route.ts";

/** How long an upload may take, in milliseconds: one PUT to begin, many parts with pauses to end. */
const singleTtlMs = 60 * 60_000;
const multipartTtlMs = 24 * 60 * 60_000;

/** Small enough to lose little when a connection breaks; R2 wants 5 MiB at least. */
const usualPartBytes = 16 * 1024 * 1024;
/** So many parts at most that an answer can name them all. */
const maxParts = 1_000;

/** @throws AppError `insufficient_scope`, `payload_too_large`, `quota_exceeded` */
async function createUpload(call: Call, request: CreateUpload): Promise<UploadRow> {
  const caller = call.caller;
  const { size, content_type: contentType, filename, project_id: projectId } = request;
  const uploadedBy = ownerFor(caller, request.user_id ?? null);
  if (uploadedBy === undefined || !mayUseProject(caller, projectId)) {
    const what = uploadedBy === undefined ? "of another user" : "to this project";
    throw new AppError("insufficient_scope", { detail: `The credential uploads nothing ${what}.` });
  }
  if (size > maxUploadBytes) {
    const errors = [{ pointer: "/size", detail: `must be ${maxUploadBytes} at most` }];
    throw new AppError("payload_too_large", { errors });
  }
  const { tenantId } = caller;
  const { s3, uploadQuota } = call.settings;
  const id = newId();
  const objectKey = inputKey(tenantId, id, filename);
  const now = Date.now();
  const isMultipart = size > maxSinglePutBytes;
  const multipart = newMultipart(call.env.VIDEOS, s3);
  const multipartId = isMultipart ? await multipart.create(objectKey, contentType) : null;
  const partSize = isMultipart ? partBytesFor(size) : null;
  const expiresAt = toTimestamp(now + (isMultipart ? multipartTtlMs : singleTtlMs));
  const place = { tenantId, id, projectId, uploadedBy, filename, contentType, size, objectKey };
  const row = { ...place, multipartId, partSize, createdAt: toTimestamp(now), expiresAt };
  const inserted = await insertUpload(openDatabase(call.env.DB), row, uploadQuota);
  if (!inserted) {
    await (multipartId && multipart.abort(objectKey, multipartId));
    const { maxBytes, maxBytesOfUser, maxPendingOfUser } = uploadQuota;
    const ofUser = `those of a user ${maxBytesOfUser}, ${maxPendingOfUser} of them pending at once`;
    throw new AppError("quota_exceeded", { detail: `Uploads may hold ${maxBytes} bytes in all, ${ofUser}.` });
  }
  return inserted;
}

/** Equal parts, as R2 wants them, in whole MiB. */
function partBytesFor(size: number): number {
  const mebibyte = 1024 * 1024;
  return Math.max(usualPartBytes, Math.ceil(size / maxParts / mebibyte) * mebibyte);
}

/** An upload of the caller. @throws AppError `not_found` */
async function requireUpload(call: Call, id: string): Promise<UploadRow> {
  const caller = call.caller;
  const row = isId(id) ? await findUpload(openDatabase(call.env.DB), { tenantId: caller.tenantId, id }) : null;
  if (!row || !isUploadOf(caller, row)) {
    throw new AppError("not_found");
  }
  return row;
}

/** Of a file that went straight to R2, or whose note in D1 was lost, only R2 knows. */
async function readUpload(call: Call, row: UploadRow): Promise<Upload> {
  const settings = call.settings;
  const now = Date.now();
  const store = openUploads(call.env, settings);
  if (row.status === "pending" && (await findWhole(store.bucket, row))) {
    await completeUpload(store.db, row, toTimestamp(now));
    return toUpload({ ...row, status: "complete" }, {}, settings, now);
  }
  return toUpload(row, (await listParts(store, row)) ?? {}, settings, now);
}

/** @throws AppError `conflict` */
async function removeUpload(call: Call, row: UploadRow): Promise<void> {
  // Its row first: a PUT that is under way finds it gone, and takes its file back.
  if (!(await deleteUpload(openDatabase(call.env.DB), row))) {
    throw new AppError("conflict", { detail: "A job that is not over needs this video." });
  }
  if (row.status === "pending" && row.multipartId !== null) {
    await newMultipart(call.env.VIDEOS, call.settings.s3).abort(row.objectKey, row.multipartId);
  }
  await deleteVideo(call.env.VIDEOS, row.objectKey);
}

const uploadRoute = routesOf("upload", (c, id) => requireUpload(callOf(c), id));

export const uploadRoutes = [
  tenantRoute(
    "POST /api/uploads",
    {
      id: "createUpload",
      tag: "uploads",
      summary: "Get signed URLs to upload a video",
      description:
        `Up to ${maxSinglePutBytes} bytes: PUT the file to \`url\` with \`headers\`. Beyond: PUT each of \`parts\` (\`part_size\` ` +
        "bytes each, the last one the rest), in any order, then POST to `complete_url`.",
      body: CreateUpload,
      answer: [201, "Where to PUT the file.", Upload],
      problems: ["quota_exceeded"],
    },
    async (c, _, request) => {
      const row = await createUpload(callOf(c), request);
      return toUpload(row, {}, c.get("settings"), Date.now());
    },
  ),

  uploadRoute(
    "GET /api/uploads/{id}",
    {
      id: "getUpload",
      tag: "uploads",
      summary: "Read an upload: what is there of it, and where the rest goes",
      answer: [200, "The upload.", Upload],
    },
    (c, row) => readUpload(callOf(c), row),
  ),

  uploadRoute(
    "DELETE /api/uploads/{id}",
    {
      id: "deleteUpload",
      tag: "uploads",
      summary: "Remove an uploaded video, or give an upload up",
      answer: [204, "Gone."],
      problems: ["conflict"],
    },
    async (c, row) => {
      await removeUpload(callOf(c), row);
      return null;
    },
  ),
];
