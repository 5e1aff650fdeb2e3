import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { CreateUpload, maxSinglePutBytes, maxUploadBytes, Upload } from "../contract/upload.ts";
import { callerUser, isUploadOf, mayUseProject } from "../core/access.ts";
import { isId, newId } from "../core/ids.ts";
import { inputKey } from "../core/object-keys.ts";
import { toTimestamp } from "../core/time.ts";
import { openDatabase } from "../store/database.ts";
import { newMultipart } from "../store/multipart.ts";
import type { UploadRow } from "../store/schema.ts";
import { completeUpload, deleteUpload, findUpload, insertUpload, isInputOfActiveJob } from "../store/uploads.ts";
import { deleteVideo, findVideo } from "../store/videos.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { boundedJson } from "./body.ts";
import { guard, guardedAnswers, jsonAnswer, jsonBody } from "./openapi.ts";
import { AppError } from "./problem.ts";
import { toUpload } from "./upload-view.ts";
import { validationHook } from "./validation.ts";

/** How long an upload may take, in milliseconds: one PUT to begin, many parts with pauses to end. */
const singleTtlMs = 60 * 60_000;
const multipartTtlMs = 24 * 60 * 60_000;

/** Small enough to lose little when a connection breaks; R2 wants 5 MiB at least. */
const usualPartBytes = 16 * 1024 * 1024;
/** So many parts at most that an answer can name them all. */
const maxParts = 1_000;

const UploadPath = z.object({
  id: z.string().meta({ description: "The upload's id.", param: { name: "id", in: "path" } }),
});

const createUploadRoute = createRoute({
  method: "post",
  path: "/api/uploads",
  operationId: "createUpload",
  tags: ["uploads"],
  summary: "Get signed URLs to upload a video",
  description:
    `Up to ${maxSinglePutBytes} bytes: PUT the file to \`url\` with \`headers\`. Beyond: PUT each of \`parts\` (\`part_size\` ` +
    "bytes each, the last one the rest), in any order, then POST to `complete_url`.",
  ...guard({ scope: "uploads:write" }, boundedJson),
  request: { body: jsonBody(CreateUpload) },
  responses: {
    201: jsonAnswer("Where to PUT the file.", Upload),
    ...guardedAnswers(
      "malformed_request",
      "payload_too_large",
      "unsupported_media_type",
      "validation_failed",
      "quota_exceeded",
    ),
  },
});

const getUploadRoute = createRoute({
  method: "get",
  path: "/api/uploads/{id}",
  operationId: "getUpload",
  tags: ["uploads"],
  summary: "Read an upload: what is there of it, and where the rest goes",
  ...guard({ scope: "uploads:write" }),
  request: { params: UploadPath },
  responses: { 200: jsonAnswer("The upload.", Upload), ...guardedAnswers("not_found") },
});

const deleteUploadRoute = createRoute({
  method: "delete",
  path: "/api/uploads/{id}",
  operationId: "deleteUpload",
  tags: ["uploads"],
  summary: "Remove an uploaded video, or give an upload up",
  ...guard({ scope: "uploads:write" }),
  request: { params: UploadPath },
  responses: { 204: { description: "Gone." }, ...guardedAnswers("not_found", "conflict") },
});

/** @throws AppError `insufficient_scope`, `payload_too_large`, `quota_exceeded` */
async function createUpload(c: AppContext, request: CreateUpload): Promise<UploadRow> {
  const caller = c.get("caller");
  const { size, content_type: contentType, filename, project_id: projectId } = request;
  if (!mayUseProject(caller, projectId)) {
    throw new AppError("insufficient_scope", { detail: "The credential uploads nothing to this project." });
  }
  if (size > maxUploadBytes) {
    const errors = [{ pointer: "/size", detail: `must be ${maxUploadBytes} at most` }];
    throw new AppError("payload_too_large", { errors });
  }
  const { tenantId } = caller;
  const { s3, maxStoredBytes } = c.get("settings");
  const id = newId();
  const objectKey = inputKey(tenantId, id, filename);
  const now = Date.now();
  const isMultipart = size > maxSinglePutBytes;
  const multipart = newMultipart(c.env.VIDEOS, s3);
  const multipartId = isMultipart ? await multipart.create(objectKey, contentType) : null;
  const partSize = isMultipart ? partBytesFor(size) : null;
  const expiresAt = toTimestamp(now + (isMultipart ? multipartTtlMs : singleTtlMs));
  const place = { tenantId, id, projectId, uploadedBy: callerUser(caller), filename, contentType, size, objectKey };
  const row = { ...place, multipartId, partSize, createdAt: toTimestamp(now), expiresAt };
  const inserted = await insertUpload(openDatabase(c.env.DB), row, maxStoredBytes);
  if (!inserted) {
    await (multipartId && multipart.abort(objectKey, multipartId));
    throw new AppError("quota_exceeded", { detail: `The tenant's uploads may hold ${maxStoredBytes} bytes in all.` });
  }
  return inserted;
}

/** Equal parts, as R2 wants them, in whole MiB. */
function partBytesFor(size: number): number {
  const mebibyte = 1024 * 1024;
  return Math.max(usualPartBytes, Math.ceil(size / maxParts / mebibyte) * mebibyte);
}

/** An upload of the caller. @throws AppError `not_found` */
async function requireUpload(c: AppContext, id: string): Promise<UploadRow> {
  const caller = c.get("caller");
  const row = isId(id) ? await findUpload(openDatabase(c.env.DB), caller.tenantId, id) : null;
  if (!row || !isUploadOf(caller, row)) {
    throw new AppError("not_found");
  }
  return row;
}

/** Of a file that went straight to R2, or whose note in D1 was lost, only R2 knows. */
async function readUpload(c: AppContext, row: UploadRow): Promise<Upload> {
  const settings = c.get("settings");
  const now = Date.now();
  if (row.status === "pending" && (await findVideo(c.env.VIDEOS, row.objectKey))) {
    await completeUpload(openDatabase(c.env.DB), row.tenantId, row.id, toTimestamp(now));
    return toUpload({ ...row, status: "complete" }, {}, settings, now);
  }
  const { list } = newMultipart(c.env.VIDEOS, settings.s3);
  const parts = list && row.multipartId !== null ? await list(row.objectKey, row.multipartId) : row.parts;
  return toUpload(row, parts, settings, now);
}

/** @throws AppError `conflict` */
async function removeUpload(c: AppContext, row: UploadRow): Promise<void> {
  const db = openDatabase(c.env.DB);
  if (await isInputOfActiveJob(db, row.tenantId, row.objectKey)) {
    throw new AppError("conflict", { detail: "A job that is not over needs this video." });
  }
  if (row.status === "pending" && row.multipartId !== null) {
    await newMultipart(c.env.VIDEOS, c.get("settings").s3).abort(row.objectKey, row.multipartId);
  }
  await deleteVideo(c.env.VIDEOS, row.objectKey);
  await deleteUpload(db, row.tenantId, row.id);
}

export const uploadRoutes = new OpenAPIHono<AppEnv>({ defaultHook: validationHook })
  .openapi(createUploadRoute, async (c) => {
    const row = await createUpload(c, c.req.valid("json"));
    return c.json(await toUpload(row, {}, c.get("settings"), Date.now()), 201);
  })
  .openapi(getUploadRoute, async (c) => {
    return c.json(await readUpload(c, await requireUpload(c, c.req.valid("param").id)), 200);
  })
  .openapi(deleteUploadRoute, async (c) => {
    await removeUpload(c, await requireUpload(c, c.req.valid("param").id));
    return c.body(null, 204);
  });
