import { UploadContentType } from "../../contract/upload.ts";
import { cacheUntil } from "../../core/cache-until.ts";
import { type ByteRange, parseRange } from "../../core/range.ts";
import { findVideo, openVideo } from "../../store/videos.ts";
import { AppError } from "../edge/problem.ts";
import { matchesEtag } from "../jobs/preconditions.ts";

const servedTypes: ReadonlySet<string> = new Set(UploadContentType.options);

/** What a signed URL shows: `filename` is what a browser saves it as; null for a reader that is no browser. */
type Shown = Readonly<{ key: string; filename: string | null; expiresAt: number }>;

/**
 * Serves an object of the bucket: whole, a range of it (206), nothing new (304), or only its headers for HEAD.
 * @throws AppError `not_found`, `range_not_satisfiable`
 */
export async function serveVideo(bucket: R2Bucket, shown: Shown, request: Request): Promise<Response> {
  const { key } = shown;
  const object = await findVideo(bucket, key);
  if (!object) {
    throw new AppError("not_found");
  }
  const headers = toHeaders(object, shown);
  if (matchesEtag(request.headers.get("if-none-match") ?? undefined, object.httpEtag)) {
    return new Response(null, { status: 304, headers });
  }
  const range = readRange(request, object);
  const { length } = range ?? { length: object.size };
  headers.set("content-length", String(length));
  if (range) {
    headers.set("content-range", `bytes ${range.offset}-${range.offset + length - 1}/${object.size}`);
  }
  const status = range ? 206 : 200;
  if (request.method === "HEAD") {
    return new Response(null, { status, headers });
  }
  const opened = await openVideo(bucket, key, range);
  if (!opened) {
    throw new AppError("not_found");
  }
  return new Response(opened.body, { status, headers });
}

/** `If-Range` makes a range conditional on the object being the one that the client knows. */
function readRange(request: Request, object: R2Object): ByteRange | null {
  const condition = request.headers.get("if-range");
  if (condition !== null && condition !== object.httpEtag) {
    return null;
  }
  const range = parseRange(request.headers.get("range"), object.size);
  if (range === "unsatisfiable") {
    throw new AppError("range_not_satisfiable", { headers: { "content-range": `bytes */${object.size}` } });
  }
  return range;
}

function toHeaders(object: R2Object, { filename, expiresAt }: Shown): Headers {
  const type = object.httpMetadata?.contentType ?? "";
  return new Headers({
    "accept-ranges": "bytes",
    "cache-control": cacheUntil(expiresAt, Date.now()),
    "content-type": servedTypes.has(type) ? type : "application/octet-stream",
    "content-disposition": filename === null ? "attachment" : `attachment; filename="${filename}"`,
    "content-security-policy": "sandbox; default-src 'none'",
    // A player on the app's own page shows it.
    "cross-origin-resource-policy": "cross-origin",
    etag: object.httpEtag,
    "last-modified": object.uploaded.toUTCString(),
  });
}
