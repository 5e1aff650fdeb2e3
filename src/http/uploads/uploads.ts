import type { Upload } from "../../contract/upload.ts";
import { isUploadOf } from "../../core/access.ts";
import { isId } from "../../core/ids.ts";
import { toTimestamp } from "../../core/time.ts";
import { type Database, openDatabase } from "../../store/database.ts";
import { newMultipart } from "../../store/multipart.ts";
import type { UploadRow } from "../../store/schema.ts";
import { findWhole, listParts, openUploads } from "../../store/upload-files.ts";
import { completeUpload, deleteUpload, findUpload, prolongUpload } from "../../store/uploads.ts";
import { deleteVideo } from "../../store/videos.ts";
import { toUpload } from "../../view/upload-view.ts";
import { callOf } from "../edge/app-env.ts";
import type { Call } from "../edge/call.ts";
import { AppError } from "../edge/problem.ts";
import { routesOf, tenantRoute } from "../edge/route.ts";
import { createUpload, linksEnd } from "./create-upload.ts";

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
  const open = await renewLinks(store.db, row, now);
  return toUpload(open, (await listParts(store, row)) ?? {}, settings, now);
}

/** Whoever goes on with an upload late in its time gets more of it: its links would end before the file is there. */
async function renewLinks(db: Database, row: UploadRow, now: number): Promise<UploadRow> {
  const expiresAt = linksEnd(row, now);
  const isLate = row.status === "pending" && expiresAt !== row.expiresAt;
  return isLate && (await prolongUpload(db, row, expiresAt)) ? { ...row, expiresAt } : row;
}

/** @throws AppError `conflict` */
async function removeUpload(call: Call, row: UploadRow): Promise<void> {
  if (row.status === "pending" && row.multipartId !== null) {
    // Before the row that knows of it: what fails here can be asked for again.
    await newMultipart(call.env.VIDEOS, call.settings.s3).abort(row.objectKey, row.multipartId);
  }
  // Its row before the file: a PUT that is under way finds it gone, and takes its file back.
  if (!(await deleteUpload(openDatabase(call.env.DB), row))) {
    throw new AppError("conflict", { detail: "A job that is not over needs this video." });
  }
  await deleteVideo(call.env.VIDEOS, row.objectKey);
}

const uploadRoute = routesOf("upload", (c, id) => requireUpload(callOf(c), id));

export const uploadRoutes = [
  tenantRoute("POST /api/uploads", async (c, _, request, body) => {
    const call = callOf(c);
    const sent = { body, idempotencyKey: c.req.header("idempotency-key") };
    const { row, replayed } = await createUpload(call, request, sent);
    if (replayed) {
      c.header("Idempotency-Replayed", "true");
      return c.json(await readUpload(call, row), 200);
    }
    return toUpload(row, {}, call.settings, Date.now());
  }),

  uploadRoute("GET /api/uploads/{id}", (c, row) => readUpload(callOf(c), row)),

  uploadRoute("DELETE /api/uploads/{id}", async (c, row) => {
    await removeUpload(callOf(c), row);
    return null;
  }),
];
