import { AwsClient } from "aws4fetch";

/** Credentials for R2's own S3 endpoint, over which videos need not pass through the Worker. */
export type S3Access = Readonly<{ endpoint: string; bucket: string; accessKeyId: string; secretAccessKey: string }>;

/** SigV4 allows a week. */
const maxExpirySeconds = 604_800;

function newClient({ accessKeyId, secretAccessKey }: S3Access): AwsClient {
  // R2's region is always `auto`. Retries are the caller's to decide.
  return new AwsClient({ accessKeyId, secretAccessKey, service: "s3", region: "auto", retries: 0 });
}

function urlOf({ endpoint, bucket }: S3Access, key: string, query: Readonly<Record<string, string>>): string {
  const path = key.split("/").map(encodeURIComponent).join("/");
  return `${endpoint}/${bucket}/${path}?${new URLSearchParams(query).toString()}`;
}

export type Presign = Readonly<{
  method: "GET" | "PUT";
  key: string;
  expiresAt: number;
  query?: Readonly<Record<string, string>>;
  /** Signed: the request must carry exactly these. */
  headers?: Readonly<Record<string, string>>;
}>;

/** A URL of R2's S3 endpoint that carries its own signature (AWS Signature Version 4, query parameters). */
export async function presign(access: S3Access, request: Presign, now: number): Promise<string> {
  const { method, key, expiresAt, query = {}, headers = {} } = request;
  const seconds = Math.min(maxExpirySeconds, Math.max(1, Math.ceil((expiresAt - now) / 1000)));
  const url = urlOf(access, key, { ...query, "X-Amz-Expires": String(seconds) });
  const datetime = new Date(now).toISOString().replace(/[:-]|\.\d{3}/g, "");
  // Without `allHeaders` content-type would be left out of the signature.
  const signed = await newClient(access).sign(url, {
    method,
    headers: { ...headers },
    aws: { signQuery: true, allHeaders: true, datetime },
  });
  return signed.url;
}

async function call(access: S3Access, method: string, url: string, body?: string): Promise<string> {
  const init = { method, ...(body === undefined ? {} : { body }) };
  const signed = await newClient(access).sign(url, init);
  const response = await fetch(signed, { redirect: "manual", signal: AbortSignal.timeout(30_000) });
  const text = (await response.text()).slice(0, 1_000_000);
  // S3 may answer 200 to a completion and still report an error in its body.
  if (!response.ok || text.includes("<Error>")) {
    throw new S3Error(`S3 answered ${response.status} ${readTag(text, "Code") ?? ""}`.trim(), response.status);
  }
  return text;
}

export class S3Error extends Error {
  override readonly name = "S3Error";
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

function readTag(xml: string, tag: string): string | null {
  const [, text] = new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml) ?? [];
  return text?.replaceAll("&quot;", '"').replaceAll("&amp;", "&") ?? null;
}

/** @throws S3Error */
export async function createMultipart(access: S3Access, key: string, contentType: string): Promise<string> {
  const url = urlOf(access, key, { uploads: "" });
  const signed = await newClient(access).sign(url, { method: "POST", headers: { "content-type": contentType } });
  const response = await fetch(signed, { redirect: "manual", signal: AbortSignal.timeout(30_000) });
  const id = readTag(await response.text(), "UploadId");
  if (!response.ok || id === null) {
    throw new S3Error(`S3 answered ${response.status}`, response.status);
  }
  return id;
}

/** The parts that are there: their ETags by number. @throws S3Error */
export async function listParts(access: S3Access, key: string, uploadId: string): Promise<Record<string, string>> {
  const xml = await call(access, "GET", urlOf(access, key, { uploadId, "max-parts": "1000" }));
  const parts = xml.split("<Part>").slice(1);
  return Object.fromEntries(
    parts.flatMap((part) => {
      const [number, etag] = [readTag(part, "PartNumber"), readTag(part, "ETag")];
      return number === null || etag === null ? [] : [[number, etag.replaceAll('"', "")]];
    }),
  );
}

/** @throws S3Error */
export async function completeMultipart(
  access: S3Access,
  key: string,
  uploadId: string,
  parts: readonly { partNumber: number; etag: string }[],
): Promise<void> {
  const entries = parts.map(
    ({ partNumber, etag }) => `<Part><PartNumber>${partNumber}</PartNumber><ETag>"${etag}"</ETag></Part>`,
  );
  const body = `<CompleteMultipartUpload>${entries.join("")}</CompleteMultipartUpload>`;
  await call(access, "POST", urlOf(access, key, { uploadId }), body);
}

/** Aborting what is gone is no error. @throws S3Error */
export async function abortMultipart(access: S3Access, key: string, uploadId: string): Promise<void> {
  try {
    await call(access, "DELETE", urlOf(access, key, { uploadId }));
  } catch (error) {
    if (!(error instanceof S3Error && error.status === 404)) {
      throw error;
    }
  }
}
