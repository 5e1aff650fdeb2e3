import * as s3 from "./s3.ts";

export type Part = Readonly<{ partNumber: number; etag: string }>;

/** `stale` when R2 has other parts than these, `gone` when the upload was completed or given up before. */
export type Completion = "complete" | "stale" | "gone";

/** Multipart uploads of the bucket: by its binding, or by R2's S3 endpoint where clients send the parts there. */
export type Multipart = Readonly<{
  create(key: string, contentType: string): Promise<string>;
  /**
   * The parts that are there, ETags by number, null when the upload is gone. There is none where only we know, because
   * they came through us.
   */
  list: ((key: string, id: string) => Promise<Record<string, string> | null>) | null;
  complete(key: string, id: string, parts: readonly Part[]): Promise<Completion>;
  /** Aborting what is gone is no error. */
  abort(key: string, id: string): Promise<void>;
}>;

export function newMultipart(bucket: R2Bucket, access: s3.S3Access | null): Multipart {
  return access ? overS3(access) : overBinding(bucket);
}

function overS3(access: s3.S3Access): Multipart {
  return {
    create: (key, contentType) => s3.createMultipart(access, key, contentType),
    list: (key, id) => s3.listParts(access, key, id),
    complete: (key, id, parts) => toCompletion(s3.completeMultipart(access, key, id, parts)),
    abort: (key, id) => s3.abortMultipart(access, key, id),
  };
}

function overBinding(bucket: R2Bucket): Multipart {
  return {
    create: async (key, contentType) =>
      (await bucket.createMultipartUpload(key, { httpMetadata: { contentType } })).uploadId,
    list: null,
    complete: (key, id, parts) => toCompletion(bucket.resumeMultipartUpload(key, id).complete([...parts])),
    abort: async (key, id) => {
      try {
        await bucket.resumeMultipartUpload(key, id).abort();
      } catch (error) {
        if (!isGone(error)) {
          throw error;
        }
      }
    },
  };
}

/** Streams one part. @returns its ETag; null when the upload was completed or given up meanwhile */
export async function storePart(
  bucket: R2Bucket,
  key: string,
  { multipartId, part }: { multipartId: string; part: number },
  body: ReadableStream,
): Promise<string | null> {
  try {
    return (await bucket.resumeMultipartUpload(key, multipartId).uploadPart(part, body)).etag;
  } catch (error) {
    if (isGone(error)) {
      return null;
    }
    throw error;
  }
}

async function toCompletion(completing: Promise<unknown>): Promise<Completion> {
  try {
    await completing;
    return "complete";
  } catch (error) {
    if (isGone(error)) {
      return "gone";
    }
    if (isStale(error)) {
      return "stale";
    }
    throw error;
  }
}

/** The words of the binding, and of the S3 endpoint: https://developers.cloudflare.com/r2/api/error-codes/ */
const says = (words: RegExp) => (error: unknown) => error instanceof Error && words.test(error.message);
const isGone = says(/10024|does not exist|NoSuchUpload/);
const isStale = says(/10025|InvalidPart/);
