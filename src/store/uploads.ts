import { and, eq, isNull, lt, or, type SQL, sql } from "drizzle-orm";
import { tenantOf, uploadIdOf } from "../core/object-keys.ts";
import { type Database, prepareOnce, rowAsSelect } from "./database.ts";
import { exportJobs, type NewUploadRow, type UploadRow, uploads } from "./schema.ts";
import { addBytes, fitsShares, giveBack, type StorageQuota, type Stored } from "./stored-bytes.ts";

/** Which upload: its tenant stands in every statement (I13). */
export type UploadKey = Readonly<{ tenantId: string; id: string }>;

const isUpload = ({ tenantId, id }: UploadKey) => and(eq(uploads.tenantId, tenantId), eq(uploads.id, id));
const isPending = (upload: UploadKey) => and(isUpload(upload), isNull(uploads.completedAt));

/** What may be stored, and how many uploads of one user may be pending. */
export type UploadQuota = StorageQuota & Readonly<{ maxPendingOfUser: number }>;

const toStored = ({ tenantId, uploadedBy = null, size }: NewUploadRow): Stored => ({
  tenantId,
  userId: uploadedBy,
  size,
});

/** Whether a new upload is within every quota. */
function fits(row: NewUploadRow, quota: UploadQuota): SQL | undefined {
  const { tenantId, uploadedBy } = row;
  const hasRoom = fitsShares(toStored(row), quota);
  if (!uploadedBy) {
    return hasRoom;
  }
  const isOpen = and(eq(uploads.tenantId, tenantId), eq(uploads.uploadedBy, uploadedBy), isNull(uploads.completedAt));
  const open = sql`SELECT 1 FROM ${uploads} INDEXED BY uploads_pending_by_user WHERE ${isOpen} LIMIT ${quota.maxPendingOfUser}`;
  return and(hasRoom, sql`(SELECT count(*) FROM (${open})) < ${quota.maxPendingOfUser}`);
}

/**
 * Writes a new upload and counts its bytes, both or neither, within the tenant's quota and its user's: no race exceeds them.
 * @returns null when it does not fit, or there is another with its key
 */
export async function insertUpload(db: Database, row: NewUploadRow, quota: UploadQuota): Promise<UploadRow | null> {
  const isWritten = sql`EXISTS (SELECT 1 FROM ${uploads} WHERE ${isUpload(row)})`;
  const [[inserted]] = await db.batch([
    db
      .insert(uploads)
      .select(sql`${rowAsSelect(uploads, row)} WHERE ${fits(row, quota)}`)
      .onConflictDoNothing()
      .returning(),
    ...addBytes(db, toStored(row), isWritten),
  ]);
  return inserted ?? null;
}

const selectUpload = prepareOnce((db) => {
  const { tenantId, id } = uploads;
  const isThat = and(eq(tenantId, sql.placeholder("tenantId")), eq(id, sql.placeholder("id")));
  return db.select().from(uploads).where(isThat).prepare();
});

export async function findUpload(db: Database, { tenantId, id }: UploadKey): Promise<UploadRow | null> {
  const [row] = await selectUpload(db).all({ tenantId, id });
  return row ?? null;
}

/** The upload that was begun under an Idempotency-Key. */
export async function findUploadByIdempotencyKey(db: Database, tenantId: string, key: string) {
  const [row] = await db
    .select()
    .from(uploads)
    .where(and(eq(uploads.tenantId, tenantId), eq(uploads.idempotencyKey, key)));
  return row ?? null;
}

const partOf = (part: number) => `$."${part}"`;

/**
 * Before a part is stored again: from here on nobody knows which one R2 has. Of a new part nothing is written.
 * @returns whether the upload still takes parts
 */
export async function forgetPart(db: Database, upload: UploadKey, part: number): Promise<boolean> {
  const parts = sql`json_remove(${uploads.parts}, ${partOf(part)})`;
  const isNoted = sql`json_type(${uploads.parts}, ${partOf(part)}) IS NOT NULL`;
  const [, pending] = await db.batch([
    db
      .update(uploads)
      .set({ parts })
      .where(and(isUpload(upload), isNoted)),
    db.select({ id: uploads.id }).from(uploads).where(isPending(upload)),
  ]);
  return pending.length > 0;
}

/** What stands in place of an ETag when two of the same part were under way at once, and R2 may have either. */
const contested = "";

/**
 * Notes a part that R2 has; parts that come at once do not overwrite each other.
 * @returns what is known of it now: `null` when the upload is gone
 */
export async function notePart(
  db: Database,
  upload: UploadKey,
  part: number,
  etag: string,
): Promise<"noted" | "contested" | null> {
  const path = partOf(part);
  const value = sql`iif(json_type(${uploads.parts}, ${path}) IS NULL, ${etag}, ${contested})`;
  const [noted] = await db
    .update(uploads)
    .set({ parts: sql`json_set(${uploads.parts}, ${path}, ${value})` })
    .where(isUpload(upload))
    .returning({ etag: sql<string>`${uploads.parts} ->> ${path}` });
  return noted ? (noted.etag === contested ? "contested" : "noted") : null;
}

/** The parts that R2 is known to have, ETags by number. */
export function knownParts({ parts }: Pick<UploadRow, "parts">): Record<string, string> {
  return Object.fromEntries(Object.entries(parts).filter(([, etag]) => etag !== contested));
}

/** R2 has other parts than were noted: all have to come again. */
export async function forgetParts(db: Database, upload: UploadKey): Promise<void> {
  await db.update(uploads).set({ parts: {} }).where(isPending(upload));
}

/**
 * R2 has the whole file; its parts need not be known any more. Again changes nothing.
 * @returns false when the upload is gone: then its object is nobody's
 */
export async function completeUpload(db: Database, upload: UploadKey, now: string): Promise<boolean> {
  const [, found] = await db.batch([
    db.update(uploads).set({ status: "complete", completedAt: now, parts: {} }).where(isPending(upload)),
    db.select({ id: uploads.id }).from(uploads).where(isUpload(upload)),
  ]);
  return found.length > 0;
}

/** A job that is not over and is given this file; the tenant's active jobs at most are read. */
function activeJobWith({ tenantId, objectKey }: UploadRow): SQL {
  const isAsset = sql`EXISTS (SELECT 1 FROM json_each(${exportJobs.assets}) WHERE value = ${objectKey})`;
  const isGiven = or(eq(exportJobs.inputVideoKey, objectKey), isAsset);
  const isActive = and(eq(exportJobs.tenantId, tenantId), isNull(exportJobs.completedAt));
  return sql`SELECT 1 FROM ${exportJobs} INDEXED BY export_jobs_active WHERE ${and(isActive, isGiven)}`;
}

/** Removes an upload, unless a job that is not over needs it. @returns whether it is gone; again changes nothing */
export function deleteUpload(db: Database, row: UploadRow): Promise<boolean> {
  return deleteWhere(db, row, and(isUpload(row), sql`NOT EXISTS (${activeJobWith(row)})`));
}

/** Removes an upload, unless it was completed meanwhile. @returns whether it is gone */
export function giveUpUpload(db: Database, row: UploadRow): Promise<boolean> {
  return deleteWhere(db, row, isPending(row));
}

/** Gives the bytes back with the row, both or neither. */
async function deleteWhere(db: Database, row: UploadRow, isThat: SQL | undefined): Promise<boolean> {
  const size = sql`coalesce((SELECT ${uploads.size} FROM ${uploads} WHERE ${isThat}), 0)`;
  const [left] = await db.batch([
    db
      .select({ id: uploads.id })
      .from(uploads)
      .where(and(isUpload(row), sql`NOT (${isThat})`)),
    ...giveBack(db, toStored(row), size),
    db.delete(uploads).where(isThat),
  ]);
  return left.length === 0;
}

/**
 * An upload that goes on has longer to end, and one that could not be given up lets the others come before it.
 * @returns false when it is gone, or complete
 */
export async function prolongUpload(db: Database, upload: UploadKey, expiresAt: string): Promise<boolean> {
  const prolonged = await db.update(uploads).set({ expiresAt }).where(isPending(upload)).returning({ id: uploads.id });
  return prolonged.length > 0;
}

/** Uploads that were begun and not ended in time, oldest first. */
export function listAbandonedUploads(db: Database, expiredBefore: string, limit: number): Promise<UploadRow[]> {
  return db
    .select()
    .from(uploads)
    .where(and(isNull(uploads.completedAt), lt(uploads.expiresAt, expiredBefore)))
    .orderBy(uploads.expiresAt)
    .limit(limit);
}

/**
 * Of some inputs in R2 those that no row names and no job that is not over needs. None as long as there is no row at all:
 * then it is the rows that are missing.
 */
export async function findOrphans(db: Database, keys: readonly string[]): Promise<string[]> {
  const listed = JSON.stringify(keys.map((key) => [key, tenantOf(key), uploadIdOf(key)]));
  const rows = await db.all<{ key: string }>(sql`
    WITH listed (key, tenant, id) AS (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(${listed})),
    orphans AS MATERIALIZED (
      SELECT key, tenant FROM listed WHERE EXISTS (SELECT 1 FROM uploads)
      AND NOT EXISTS (SELECT 1 FROM uploads WHERE tenant_id = tenant AND uploads.id = listed.id AND object_key = key)
    ),
    active AS MATERIALIZED (
      SELECT input_video_key, assets FROM export_jobs INDEXED BY export_jobs_active
      WHERE tenant_id IN (SELECT tenant FROM orphans) AND completed_at IS NULL
    )
    SELECT key FROM orphans
    WHERE key NOT IN (SELECT input_video_key FROM active WHERE input_video_key IS NOT NULL)
    AND key NOT IN (SELECT value FROM active, json_each(assets))`);
  return rows.map(({ key }) => key);
}
