import type { StoredOutput } from "../core/job-state.ts";
import type { ByteRange } from "../core/range.ts";

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

/**
 * Streams a body of known length into the bucket.
 * @param once refuse to replace an object that is already there
 * @returns null when `once` and there is one
 */
export function storeVideo(
  bucket: R2Bucket,
  key: string,
  body: ReadableStream,
  options: { contentType: string; once: boolean },
): Promise<R2Object | null> {
  const httpMetadata = { contentType: options.contentType };
  // R2's If-None-Match: * makes the write conditional on there being no object, in one step.
  return options.once
    ? bucket.put(key, body, { httpMetadata, onlyIf: { etagDoesNotMatch: "*" } })
    : bucket.put(key, body, { httpMetadata });
}

/** Removing what is not there is no error. */
export function deleteVideo(bucket: R2Bucket, key: string): Promise<void> {
  return bucket.delete(key);
}

/** Whether R2 answers. */
export async function pingVideos(bucket: R2Bucket): Promise<void> {
  await bucket.head("readyz");
}
