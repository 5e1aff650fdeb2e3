import { and, eq, isNull, lt, type SQL, sql } from "drizzle-orm";
import { type Database, rowAsSelect } from "./database.ts";
import { exportJobs, type NewUploadRow, storedBytes, type UploadRow, uploads } from "./schema.ts";

const isUpload = (tenantId: string, id: string) => and(eq(uploads.tenantId, tenantId), eq(uploads.id, id));

/**
 * Writes a new upload and counts its bytes, both or neither, within the tenant's quota: no race exceeds it.
 * @returns null when its bytes do not fit
 */
export async function insertUpload(db: Database, row: NewUploadRow, quota: number): Promise<UploadRow | null> {
  const { tenantId, id, size } = row;
  const stored = sql`SELECT ${storedBytes.bytes} FROM ${storedBytes} WHERE ${eq(storedBytes.tenantId, tenantId)}`;
  const isWritten = sql`EXISTS (SELECT 1 FROM ${uploads} WHERE ${isUpload(tenantId, id)})`;
  const [[inserted]] = await db.batch([
    db
      .insert(uploads)
      .select(sql`${rowAsSelect(uploads, row)} WHERE coalesce((${stored}), 0) + ${size} <= ${quota}`)
      .returning(),
    db
      .insert(storedBytes)
      .select(sql`SELECT ${tenantId}, ${size} WHERE ${isWritten}`)
      .onConflictDoUpdate({ target: storedBytes.tenantId, set: { bytes: sql`${storedBytes.bytes} + ${size}` } }),
  ]);
  return inserted ?? null;
}

export async function findUpload(db: Database, tenantId: string, id: string): Promise<UploadRow | null> {
  const [row] = await db.select().from(uploads).where(isUpload(tenantId, id));
  return row ?? null;
}

/** Notes a part that R2 has; parts that come at once do not overwrite each other. */
export async function notePart(db: Database, tenantId: string, id: string, part: number, etag: string): Promise<void> {
  const parts = sql`json_set(${uploads.parts}, ${`$."${part}"`}, ${etag})`;
  await db.update(uploads).set({ parts }).where(isUpload(tenantId, id));
}

/**
 * R2 has the whole file; its parts need not be known any more. Again changes nothing.
 * @returns false when the upload is gone: then its object is nobody's
 */
export async function completeUpload(db: Database, tenantId: string, id: string, now: string): Promise<boolean> {
  const [, found] = await db.batch([
    db
      .update(uploads)
      .set({ status: "complete", completedAt: now, parts: {} })
      .where(and(isUpload(tenantId, id), isNull(uploads.completedAt))),
    db.select({ id: uploads.id }).from(uploads).where(isUpload(tenantId, id)),
  ]);
  return found.length > 0;
}

/** Removes an upload and gives its bytes back, both or neither; again changes nothing. */
export function deleteUpload(db: Database, tenantId: string, id: string): Promise<void> {
  return deleteWhere(db, tenantId, isUpload(tenantId, id));
}

/** As {@link deleteUpload}, but only an upload that was not completed meanwhile. */
export function giveUpUpload(db: Database, tenantId: string, id: string): Promise<void> {
  return deleteWhere(db, tenantId, and(isUpload(tenantId, id), isNull(uploads.completedAt)));
}

async function deleteWhere(db: Database, tenantId: string, isThat: SQL | undefined): Promise<void> {
  const size = sql`coalesce((SELECT ${uploads.size} FROM ${uploads} WHERE ${isThat}), 0)`;
  const bytes = sql`max(0, ${storedBytes.bytes} - ${size})`;
  await db.batch([
    db.update(storedBytes).set({ bytes }).where(eq(storedBytes.tenantId, tenantId)),
    db.delete(uploads).where(isThat),
  ]);
}

/** One that could not be ended lets the others come before it until then. */
export async function postponeUpload(db: Database, tenantId: string, id: string, until: string): Promise<void> {
  await db.update(uploads).set({ expiresAt: until }).where(isUpload(tenantId, id));
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

/** Whether a job that is not over still needs the object; reads the tenant's active jobs at most. */
export async function isInputOfActiveJob(db: Database, tenantId: string, key: string): Promise<boolean> {
  const isInput = and(
    eq(exportJobs.tenantId, tenantId),
    isNull(exportJobs.completedAt),
    eq(exportJobs.inputVideoKey, key),
  );
  const query = sql`SELECT 1 FROM ${exportJobs} INDEXED BY export_jobs_active WHERE ${isInput} LIMIT 1`;
  const [job] = await db.all(query);
  return job !== undefined;
}
