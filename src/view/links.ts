import type { OutputLink } from "../contract/upload.ts";
import { cacheUntil } from "../core/cache-until.ts";
import { newSignedUrl } from "../core/signed-url.ts";
import { toTimestamp } from "../core/time.ts";
import type { Settings } from "../env.ts";
import { presign } from "../store/s3.ts";

/** How long a link to an output is good for at least, in milliseconds. */
export const outputLinkTtlMs = 60 * 60_000;

export type Signer = Pick<Settings, "signingKeys" | "publicBaseUrl" | "s3">;
export type Until = Readonly<{ now: number; expiresAt: number }>;

/**
 * A signed URL to read an object: the Worker's own, or R2's where there are credentials for its S3 endpoint.
 * @param filename what a browser saves it under; null for a reader that is no browser
 */
export function newReadUrl(signer: Signer, key: string, filename: string | null, { now, expiresAt }: Until) {
  const { s3, signingKeys, publicBaseUrl } = signer;
  if (!s3) {
    return newSignedUrl(signingKeys, publicBaseUrl, { act: "read", key, expiresAt, filename });
  }
  const disposition = filename === null ? "attachment" : `attachment; filename="${filename}"`;
  const query = {
    "response-cache-control": cacheUntil(expiresAt, now),
    "response-content-disposition": disposition,
  };
  return presign(s3, { method: "GET", key, expiresAt, query }, now);
}

/** What a PUT must carry besides its URL. */
export type WriteLink = Readonly<{ url: string; headers: Record<string, string> }>;

/** A signed URL to write an object once (I6), with the headers that belong to it. @param isExact of exactly `maxBytes` */
export async function newWriteLink(
  { s3, signingKeys, publicBaseUrl }: Signer,
  { key, contentType, maxBytes, isExact }: { key: string; contentType: string; maxBytes: number; isExact: boolean },
  { now, expiresAt }: Until,
): Promise<WriteLink> {
  const headers = { "content-type": contentType };
  if (!s3) {
    const url = await newSignedUrl(signingKeys, publicBaseUrl, { act: "write", key, expiresAt, contentType, maxBytes });
    return { url, headers };
  }
  const told = { ...headers, "if-none-match": "*" };
  // Every client sends its length by itself.
  const signed = isExact ? { ...told, "content-length": String(maxBytes) } : told;
  return { url: await presign(s3, { method: "PUT", key, expiresAt, headers: signed }, now), headers: told };
}

/** A signed URL for one part of a multipart upload. */
export function newPartUrl(
  { s3, signingKeys, publicBaseUrl }: Signer,
  { key, multipartId, part, bytes }: { key: string; multipartId: string; part: number; bytes: number },
  { now, expiresAt }: Until,
): Promise<string> {
  if (!s3) {
    return newSignedUrl(signingKeys, publicBaseUrl, { act: "write_part", key, expiresAt, multipartId, part, bytes });
  }
  const query = { partNumber: String(part), uploadId: multipartId };
  const headers = { "content-length": String(bytes) };
  return presign(s3, { method: "PUT", key, expiresAt, query, headers }, now);
}

/** Links that end at the same time are the same: a job that is read often, or listed, is signed for once a minute. */
const linkStepMs = 60_000;
const recentLinks = new WeakMap<Signer, Map<string, string>>();
const maxRecentLinks = 1_000;

/** A signed download link, good for `ttlMs` at least, an hour if nothing is said; the browser saves it as `<job>-<attempt>.<ext>`. */
export async function newOutputLink(
  settings: Signer,
  key: string,
  now: number,
  ttlMs = outputLinkTtlMs,
): Promise<OutputLink> {
  const expiresAt = Math.ceil((now + ttlMs) / linkStepMs) * linkStepMs;
  const links = recentLinks.get(settings) ?? new Map<string, string>();
  recentLinks.set(settings, links);
  const name = `${expiresAt} ${key}`;
  const filename = key.split("/").slice(-2).join("-");
  const url = links.get(name) ?? (await newReadUrl(settings, key, filename, { now, expiresAt }));
  if (links.size >= maxRecentLinks) {
    links.clear();
  }
  links.set(name, url);
  return { url, expires_at: toTimestamp(expiresAt) };
}
