import { isSignedBy, type SigningKeys, sign } from "./signing.ts";

/**
 * What a signed URL allows: one method on one object until an instant. For PUT also the exact content type and the
 * largest size; for GET the file name that a browser saves it under.
 */
export type FileGrant = Readonly<
  { key: string; expiresAt: number } & (
    | { method: "GET"; filename: string | null }
    | { method: "PUT"; contentType: string; maxBytes: number }
  )
>;

/** The path under which signed URLs live. */
export const filesPath = "/files/";

function toQuery(grant: FileGrant): URLSearchParams {
  const query = new URLSearchParams({ expires: String(grant.expiresAt) });
  if (grant.method === "PUT") {
    query.set("type", grant.contentType);
    query.set("max", String(grant.maxBytes));
  } else if (grant.filename !== null) {
    query.set("filename", grant.filename);
  }
  return query;
}

function toSignedText({ method, key }: FileGrant, query: URLSearchParams): string {
  return `${method}\n${key}\n${query.toString()}`;
}

/** The absolute URL that carries the grant. */
export async function newSignedUrl(keys: SigningKeys, baseUrl: string, grant: FileGrant): Promise<string> {
  const query = toQuery(grant);
  const signature = await sign(keys, "file", toSignedText(grant, query));
  query.set("sig", signature);
  const path = grant.key.split("/").map(encodeURIComponent).join("/");
  return `${baseUrl}${filesPath}${path}?${query.toString()}`;
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
  const expiresAt = Number(query.get("expires"));
  const grant: FileGrant =
    method === "PUT"
      ? { method, key, expiresAt, contentType: query.get("type") ?? "", maxBytes: Number(query.get("max")) }
      : { method: "GET", key, expiresAt, filename: query.get("filename") };
  const text = toSignedText(grant, toQuery(grant));
  const genuine = await isSignedBy(keys, "file", text, query.get("sig") ?? "");
  return genuine && expiresAt > now ? grant : null;
}
