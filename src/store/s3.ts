import { describeError } from "../core/errors.ts";
import { presignUrl, type S3Request, signRequest } from "../core/sigv4.ts";

/** Credentials for R2's own S3 endpoint, over which videos need not pass through the Worker. */
export type S3Access = Readonly<{ endpoint: string; bucket: string; accessKeyId: string; secretAccessKey: string }>;

/** SigV4 allows a week. */
const maxExpirySeconds = 604_800;

type Texts = Readonly<Record<string, string>>;

/** A request for an object of the bucket. */
function toRequest({ endpoint, bucket }: S3Access, method: string, key: string, query: Texts, headers: Texts = {}) {
  const { origin, pathname } = new URL(endpoint);
  return { method, origin, path: `${pathname.replace(/\/$/, "")}/${bucket}/${key}`, query, headers };
}

export type Presign = Readonly<{
  method: "GET" | "PUT";
  key: string;
  expiresAt: number;
  query?: Texts;
  /** Signed: the request must carry exactly these. */
  headers?: Texts;
}>;

/** A URL of R2's S3 endpoint that carries its own signature. */
export function presign(access: S3Access, request: Presign, now: number): Promise<string> {
  const { method, key, expiresAt, query = {}, headers = {} } = request;
  const seconds = Math.min(maxExpirySeconds, Math.max(1, Math.ceil((expiresAt - now) / 1000)));
  return presignUrl(access, toRequest(access, method, key, query, headers), seconds, now);
}

async function call(access: S3Access, request: S3Request, body: string | null = null): Promise<string> {
  const signed = await signRequest(access, request, body, Date.now());
  const { response, text } = await read(signed).catch((error) => {
    throw new S3Error(`S3 gave no answer: ${describeError(error)}`, 504);
  });
  // S3 may answer 200 to a completion and still report an error in its body.
  if (!response.ok || text.includes("<Error>")) {
    throw new S3Error(`S3 answered ${response.status} ${readTag(text, "Code") ?? ""}`.trim(), response.status);
  }
  return text;
}

async function read(signed: Request): Promise<{ response: Response; text: string }> {
  const response = await fetch(signed, { redirect: "manual", signal: AbortSignal.timeout(30_000) });
  return { response, text: (await response.text()).slice(0, 1_000_000) };
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
  const request = toRequest(access, "POST", key, { uploads: "" }, { "content-type": contentType });
  const id = readTag(await call(access, request), "UploadId");
  if (id === null) {
    throw new S3Error("S3 gave no UploadId", 502);
  }
  return id;
}

/** The parts that are there: their ETags by number; null when the upload is gone. @throws S3Error */
export async function listParts(access: S3Access, key: string, uploadId: string) {
  const xml = await unlessGone(call(access, toRequest(access, "GET", key, { uploadId, "max-parts": "1000" })));
  if (xml === null) {
    return null;
  }
  const parts = xml.split("<Part>").slice(1);
  return Object.fromEntries<string>(
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
  await call(access, toRequest(access, "POST", key, { uploadId }), body);
}

/** Aborting what is gone is no error. @throws S3Error */
export async function abortMultipart(access: S3Access, key: string, uploadId: string): Promise<void> {
  await unlessGone(call(access, toRequest(access, "DELETE", key, { uploadId })));
}

/** @returns null for what is not there */
async function unlessGone(calling: Promise<string>): Promise<string | null> {
  try {
    return await calling;
  } catch (error) {
    if (error instanceof S3Error && error.status === 404) {
      return null;
    }
    throw error;
  }
}
