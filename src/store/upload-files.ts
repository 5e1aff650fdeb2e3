import { type Database, openDatabase } from "./database.ts";
import { newMultipart } from "./multipart.ts";
import type { S3Access } from "./s3.ts";
import type { UploadRow } from "./schema.ts";
import { completeUpload, forgetParts, giveUpUpload, knownParts } from "./uploads.ts";
import { deleteVideo, findVideo } from "./videos.ts";

/** Where uploads are: their rows in D1, their files in R2. */
export type UploadStore = Readonly<{ db: Database; bucket: R2Bucket; s3: S3Access | null }>;

export function openUploads(env: Pick<Env, "DB" | "VIDEOS">, { s3 }: { s3: S3Access | null }): UploadStore {
  return { db: openDatabase(env.DB), bucket: env.VIDEOS, s3 };
}

/** The file of an upload, if R2 has exactly the bytes that were declared. */
export async function findWhole(bucket: R2Bucket, { objectKey, size }: UploadRow): Promise<R2Object | null> {
  const object = await findVideo(bucket, objectKey);
  return object?.size === size ? object : null;
}

/** How many parts a file has. */
export function countParts({ size, partSize }: Pick<UploadRow, "size" | "partSize">): number {
  return partSize === null ? 1 : Math.ceil(size / partSize);
}

/** The parts that are there, ETags by number; null when R2 knows the upload no more. */
export async function listParts({ bucket, s3 }: UploadStore, row: UploadRow): Promise<Record<string, string> | null> {
  const { list } = newMultipart(bucket, s3);
  return list && row.multipartId !== null ? list(row.objectKey, row.multipartId) : knownParts(row);
}

/**
 * What became of an upload that was to be put together: its file, or the numbers of the parts that have to come (again;
 * none when nobody knows better than to ask once more), or null when it is gone.
 */
export type Assembly = R2Object | number[] | null;

/** Puts the parts of an upload together; again finds it done. */
export async function assemble(store: UploadStore, row: UploadRow): Promise<Assembly> {
  const { bucket, s3, db } = store;
  const { objectKey, multipartId } = row;
  const done = await findWhole(bucket, row);
  if (done || multipartId === null) {
    return done ?? [1];
  }
  const etags = await listParts(store, row);
  if (!etags) {
    return findWhole(bucket, row);
  }
  const numbers = Array.from({ length: countParts(row) }, (_, index) => index + 1);
  const missing = numbers.filter((number) => etags[number] === undefined);
  if (missing.length > 0) {
    return missing;
  }
  const parts = numbers.map((partNumber) => ({ partNumber, etag: etags[partNumber] ?? "" }));
  const multipart = newMultipart(bucket, s3);
  switch (await multipart.complete(objectKey, multipartId, parts)) {
    case "complete":
      return (await findWhole(bucket, row)) ?? [];
    case "gone":
      return findWhole(bucket, row);
    case "stale":
      // R2 lists what it has; of what came through us nobody knows which part is another one than was noted.
      await forgetParts(db, row);
      return multipart.list ? [] : numbers;
  }
}

/**
 * Ends an upload that nobody goes on with: what R2 has whole is noted, the rest given up and its bytes given back.
 * @returns whether it was given up
 */
export async function giveUp({ db, bucket, s3 }: UploadStore, row: UploadRow, now: string): Promise<boolean> {
  if (row.multipartId !== null) {
    // From here on its parts are put together no more: what is not there now will never be.
    await newMultipart(bucket, s3).abort(row.objectKey, row.multipartId);
  }
  if (await findWhole(bucket, row)) {
    await completeUpload(db, row, now);
    return false;
  }
  const isGone = await giveUpUpload(db, row);
  if (isGone) {
    await deleteVideo(bucket, row.objectKey);
  }
  return isGone;
}
