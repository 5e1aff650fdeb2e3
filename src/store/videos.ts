import type { StoredOutput } from "../core/job-state.ts";
import type { ByteRange } from "../core/range.ts";
import { S3Error } from "./s3.ts";

/** What R2 says of an object. @returns null when there is none */
export function findVideo(bucket: R2Bucket, key: string): Promise<R2Object | null> {
  return bucket.head(key);
}

/** An output as the engine needs to know it: there, and not empty. */
export async function findOutput(bucket: R2Bucket, key: string): Promise<StoredOutput | null> {
  const object = await bucket.head(key);
  return object && object.size > 0 ? { key, size: object.size, etag: object.etag } : null;
}

/** Opens an object, or a range of it, for streaming. */
export function openVideo(bucket: R2Bucket, key: string, range: ByteRange | null): Promise<R2ObjectBody | null> {
  return bucket.get(key, range ? { range } : {});
}

/** Streams a body of known length into the bucket. @returns null when there is an object already: files are written once */
export function storeVideo(
  bucket: R2Bucket,
  key: string,
  body: ReadableStream,
  contentType: string,
): Promise<R2Object | null> {
  // R2's If-None-Match: * makes the write conditional on there being no object, in one step.
  return bucket.put(key, body, { httpMetadata: { contentType }, onlyIf: { etagDoesNotMatch: "*" } });
}

/**
 * A page of the objects of a kind behind a key, in order.
 * @param after empty to begin at the first
 * @returns with the key behind which the next page begins, empty after the last
 */
export async function listObjects(bucket: R2Bucket, prefix: string, after: string, limit: number) {
  const startAfter = after === "" ? {} : { startAfter: after };
  const { objects, truncated } = await bucket.list({ prefix, limit, ...startAfter });
  return { objects, next: truncated ? (objects.at(-1)?.key ?? "") : "" };
}

/** Removing what is not there is no error; R2 takes a thousand keys at once. */
export function deleteVideo(bucket: R2Bucket, keys: string | string[]): Promise<void> {
  return bucket.delete(keys);
}

/** Whether R2 did not do what it was asked for, by its binding or its S3 endpoint: its trouble or ours, which passes. */
export function isStorageError(error: unknown): boolean {
  // By number: https://developers.cloudflare.com/r2/api/error-codes/. The runtime itself has words for a broken line.
  const away = /\((0|10001|10043|10058)\)$|^Network connection lost/;
  return error instanceof S3Error || (error instanceof Error && away.test(error.message));
}

/** Whether R2 answers. */
export async function pingVideos(bucket: R2Bucket): Promise<void> {
  await bucket.head("readyz");
}
