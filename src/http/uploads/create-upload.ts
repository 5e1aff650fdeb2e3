import { type CreateUpload, maxSinglePutBytes, maxUploadBytes } from "../../contract/upload.ts";
import { mayUseProject, ownerFor } from "../../core/access.ts";
import { newId } from "../../core/ids.ts";
import { inputKey } from "../../core/object-keys.ts";
import { toTimestamp } from "../../core/time.ts";
import { openDatabase } from "../../store/database.ts";
import { newMultipart } from "../../store/multipart.ts";
import type { NewUploadRow, UploadRow } from "../../store/schema.ts";
import { findUploadByIdempotencyKey, insertUpload } from "../../store/uploads.ts";
import type { Call } from "../edge/call.ts";
import { hashRequest, isSameRequest, requireIdempotencyKey, type Sent } from "../edge/idempotency.ts";
import { AppError } from "../edge/problem.ts";

/** How long an upload may take, in milliseconds: one PUT to begin, many parts with pauses to end. */
const singleTtlMs = 60 * 60_000;
const multipartTtlMs = 24 * 60 * 60_000;

/** R2 gives up what was begun in parts a week ago. */
const longestMs = 6 * 24 * 60 * 60_000;

/** When an upload's links end: where half of their time is over, a whole time from now, as long as R2 keeps it. */
export function linksEnd({ partSize, createdAt, expiresAt }: Links, now: number): string {
  const ttlMs = partSize === null ? singleTtlMs : multipartTtlMs;
  const isLate = Date.parse(expiresAt) < now + ttlMs / 2;
  const end = Math.min(now + ttlMs, Date.parse(createdAt) + longestMs);
  return isLate && end > Date.parse(expiresAt) ? toTimestamp(end) : expiresAt;
}

/** Small enough to lose little when a connection breaks; R2 wants 5 MiB at least. */
const usualPartBytes = 16 * 1024 * 1024;
/** So many parts at most that an answer can name them all. */
const maxParts = 1_000;

type Links = Pick<UploadRow, "partSize" | "createdAt" | "expiresAt">;
type Beginning = Readonly<{ row: UploadRow; replayed: boolean }>;

/** Begins an upload, or finds the one that the same request began before. @throws AppError */
export async function createUpload(call: Call, request: CreateUpload, sent: Sent): Promise<Beginning> {
  const uploadedBy = requireOwner(call, request);
  if (request.size > maxUploadBytes) {
    const errors = [{ pointer: "/size", detail: `must be ${maxUploadBytes} at most` }];
    throw new AppError("payload_too_large", { errors });
  }
  const key = await requireIdempotencyKey(call.caller, sent.idempotencyKey);
  const requestHash = key && (await hashRequest(sent.body, request, uploadedBy));
  const idempotencyKey = key?.kept ?? null;
  const begun =
    (await findEarlier(call, idempotencyKey, requestHash)) ??
    (await begin(call, { ...toRow(call, request), uploadedBy, idempotencyKey, requestHash })) ??
    // Another of the same requests may have come first.
    (await findEarlier(call, idempotencyKey, requestHash));
  if (begun) {
    return begun;
  }
  const { maxBytes, maxBytesOfUser, maxPendingOfUser } = call.settings.uploadQuota;
  const ofUser = `those of a user ${maxBytesOfUser}, ${maxPendingOfUser} of them pending at once`;
  throw new AppError("quota_exceeded", { detail: `Uploads may hold ${maxBytes} bytes in all, ${ofUser}.` });
}

/** Whose the upload will be. @throws AppError `insufficient_scope` */
function requireOwner({ caller }: Call, { user_id, project_id }: CreateUpload): string | null {
  const owner = ownerFor(caller, user_id ?? null);
  if (owner === undefined || !mayUseProject(caller, project_id)) {
    const what = owner === undefined ? "of another user" : "to this project";
    throw new AppError("insufficient_scope", { detail: `The credential uploads nothing ${what}.` });
  }
  return owner;
}

/** @throws AppError `idempotency_key_reused` */
async function findEarlier({ env, caller }: Call, key: string | null, hash: string | null): Promise<Beginning | null> {
  const row = key === null ? null : await findUploadByIdempotencyKey(openDatabase(env.DB), caller.tenantId, key);
  if (row && !isSameRequest(row.requestHash, hash)) {
    throw new AppError("idempotency_key_reused");
  }
  return row && { row, replayed: true };
}

function toRow({ caller }: Call, { size, content_type: contentType, filename, project_id }: CreateUpload) {
  const { tenantId } = caller;
  const id = newId();
  const now = Date.now();
  const isMultipart = size > maxSinglePutBytes;
  return {
    ...{ tenantId, id, filename, contentType, size },
    projectId: project_id,
    objectKey: inputKey(tenantId, id, filename),
    partSize: isMultipart ? partBytesFor(size) : null,
    createdAt: toTimestamp(now),
    expiresAt: toTimestamp(now + (isMultipart ? multipartTtlMs : singleTtlMs)),
  } satisfies NewUploadRow;
}

/** Equal parts, as R2 wants them, in whole MiB. */
function partBytesFor(size: number): number {
  const mebibyte = 1024 * 1024;
  return Math.max(usualPartBytes, Math.ceil(size / maxParts / mebibyte) * mebibyte);
}

/** @returns null when something stands in the way: a quota, or another with its key */
async function begin({ env, settings }: Call, row: NewUploadRow): Promise<Beginning | null> {
  const { objectKey, contentType, partSize } = row;
  const multipart = newMultipart(env.VIDEOS, settings.s3);
  const multipartId = partSize ? await multipart.create(objectKey, contentType) : null;
  const inserted = await insertUpload(openDatabase(env.DB), { ...row, multipartId }, settings.uploadQuota);
  if (!inserted) {
    await (multipartId && multipart.abort(objectKey, multipartId));
  }
  return inserted && { row: inserted, replayed: false };
}
