import { isSignedBy, type SigningKeys, sign } from "./signing.ts";

/** What a signed URL allows to be done with its object. */
export type FileAct = Readonly<
  /** `filename` is what a browser saves it under; null for a reader that is no browser. */
  | { act: "read"; filename: string | null }
  /** Exactly this content type, at most so many bytes. */
  | { act: "write"; contentType: string; maxBytes: number }
  /** One part of a multipart upload, of exactly so many bytes. */
  | { act: "write_part"; multipartId: string; part: number; bytes: number }
  | { act: "complete" }
  | { act: "abort" }
>;

/** One act on one object until an instant. */
export type FileGrant = Readonly<{ key: string; expiresAt: number }> & FileAct;

/** The path under which signed URLs live. */
export const filesPath = "/files/";

const methods = { read: "GET", write: "PUT", write_part: "PUT", complete: "POST", abort: "DELETE" } as const;

function toQuery(grant: FileGrant): URLSearchParams {
  const query = new URLSearchParams({ expires: String(grant.expiresAt) });
  switch (grant.act) {
    case "read":
      if (grant.filename !== null) {
        query.set("filename", grant.filename);
      }
      break;
    case "write":
      query.set("type", grant.contentType);
      query.set("max", String(grant.maxBytes));
      break;
    case "write_part":
      query.set("multipart", grant.multipartId);
      query.set("part", String(grant.part));
      query.set("bytes", String(grant.bytes));
      break;
  }
  return query;
}

function toSignedText(grant: FileGrant, query: URLSearchParams): string {
  return `${methods[grant.act]}\n${grant.key}\n${query.toString()}`;
}

/** The absolute URL that carries the grant. */
export async function newSignedUrl(keys: SigningKeys, baseUrl: string, grant: FileGrant): Promise<string> {
  const query = toQuery(grant);
  const signature = await sign(keys, "file", toSignedText(grant, query));
  query.set("sig", signature);
  const path = grant.key.split("/").map(encodeURIComponent).join("/");
  return `${baseUrl}${filesPath}${path}?${query.toString()}`;
}

function toAct(method: string, query: URLSearchParams): FileAct | null {
  const multipartId = query.get("multipart");
  switch (method) {
    case "GET":
    case "HEAD":
      return { act: "read", filename: query.get("filename") };
    case "PUT":
      return multipartId === null
        ? { act: "write", contentType: query.get("type") ?? "", maxBytes: Number(query.get("max")) }
        : { act: "write_part", multipartId, part: Number(query.get("part")), bytes: Number(query.get("bytes")) };
    case "POST":
      return { act: "complete" };
    case "DELETE":
      return { act: "abort" };
    default:
      return null;
  }
}

/**
 * Reads the grant back from a request.
 * @param method the request's; HEAD is allowed where GET is
 * @param key the object key, decoded from the path
 * @returns null when it was changed, has expired, or is of another method
 */
export async function readSignedUrl(
  keys: SigningKeys,
  method: string,
  key: string,
  query: URLSearchParams,
  now: number,
): Promise<FileGrant | null> {
  const act = toAct(method, query);
  if (!act) {
    return null;
  }
  const grant: FileGrant = { ...act, key, expiresAt: Number(query.get("expires")) };
  const signed = toQuery(grant);
  const isWhole = query.size === signed.size + 1;
  const genuine = isWhole && (await isSignedBy(keys, "file", toSignedText(grant, signed), query.get("sig") ?? ""));
  return genuine && grant.expiresAt > now ? grant : null;
}
