import type { StoredObject, StoredPart } from "../../contract/upload.ts";
import { isSameMediaType } from "../../core/media-type.ts";
import { uploadOf } from "../../core/object-keys.ts";
import { type FileGrant, filesPath, readSignedUrl } from "../../core/signed-url.ts";
import { openDatabase } from "../../store/database.ts";
import { storePart } from "../../store/multipart.ts";
import { forgetPart, notePart } from "../../store/uploads.ts";
import { storeVideo } from "../../store/videos.ts";
import { type AppContext, callOf } from "../edge/app-env.ts";
import { AppError } from "../edge/problem.ts";
import { limitStranger } from "../edge/rate-limit.ts";
import { routesOf } from "../edge/route.ts";
import { abort, complete, noteComplete, requireOpenUpload, writtenBefore } from "./complete-upload.ts";
import { serveVideo } from "./media.ts";
import { keepTakenOutput, requireTakenOutput } from "./output-writer.ts";

type GrantTo<Act extends FileGrant["act"]> = Extract<FileGrant, { act: Act }>;

/** The grant that the request's URL carries. @throws AppError `invalid_signature`, `rate_limited` */
async function requireGrant(c: AppContext): Promise<FileGrant> {
  const url = new URL(c.req.url);
  const key = decodeKey(url.pathname.slice(filesPath.length));
  const { signingKeys } = c.get("settings");
  const grant = key === null ? null : await readSignedUrl(signingKeys, c.req.method, key, url.searchParams, Date.now());
  if (!grant) {
    await limitStranger(c);
    throw new AppError("invalid_signature");
  }
  return grant;
}

function decodeKey(path: string): string | null {
  try {
    return path.split("/").map(decodeURIComponent).join("/");
  } catch {
    return null;
  }
}

/**
 * The body of an upload, with its length known: R2 streams only such. A body of another length breaks off on the way.
 * @throws AppError
 */
function requireBody(c: AppContext, minBytes: number, maxBytes: number): ReadableStream {
  const length = Number(c.req.header("content-length") ?? Number.NaN);
  if (!(Number.isSafeInteger(length) && length > 0) || !c.req.raw.body) {
    throw new AppError("malformed_request", { detail: "Send the file as the body, with its Content-Length." });
  }
  if (length > maxBytes || length < minBytes) {
    const limit = minBytes === maxBytes ? "exactly" : "at most";
    const detail = `This URL takes ${limit} ${maxBytes} bytes.`;
    throw new AppError(length > maxBytes ? "payload_too_large" : "malformed_request", { detail });
  }
  return c.req.raw.body.pipeThrough(new FixedLengthStream(length));
}

/** Stores a body. @throws AppError `malformed_request` when it was shorter or longer than it claimed */
async function inFull<Stored>(storing: Promise<Stored>): Promise<Stored> {
  try {
    return await storing;
  } catch (error) {
    // The words of the runtime's own FixedLengthStream; it has no other mark.
    if (error instanceof Error && /FixedLengthStream|fixed-length/i.test(error.message)) {
      throw new AppError("malformed_request", { detail: "The body is not as long as its Content-Length says." });
    }
    throw error;
  }
}

async function write(c: AppContext, grant: GrantTo<"write">): Promise<StoredObject> {
  const { key, contentType, maxBytes } = grant;
  if (!isSameMediaType(c.req.raw.headers.get("content-type"), contentType)) {
    throw new AppError("unsupported_media_type", { detail: `This URL takes ${contentType}.` });
  }
  const isOutput = key.startsWith("output/");
  const body = requireBody(c, isOutput ? 1 : maxBytes, maxBytes);
  await (isOutput ? requireTakenOutput(c.env, key) : requireOpenUpload(c.env, key));
  const object = await inFull(storeVideo(c.env.VIDEOS, key, body, contentType));
  if (!object) {
    throw writtenBefore();
  }
  await (isOutput ? keepTakenOutput(c.env, key) : noteComplete(c.env, key));
  c.header("ETag", object.httpEtag);
  return { key: object.key, size: object.size, etag: object.etag };
}

async function writePart(c: AppContext, grant: GrantTo<"write_part">): Promise<StoredPart> {
  const { key, part, bytes } = grant;
  const body = requireBody(c, bytes, bytes);
  const db = openDatabase(c.env.DB);
  const isOpen = await forgetPart(db, uploadOf(key), part);
  const etag = isOpen ? await inFull(storePart(c.env.VIDEOS, key, grant, body)) : null;
  const note = etag === null ? null : await notePart(db, uploadOf(key), part, etag);
  if (etag === null || note === null) {
    throw new AppError("not_found", { detail: "The upload is complete or was given up." });
  }
  if (note === "contested") {
    throw new AppError("conflict", { detail: `Part ${part} was sent twice at once. Send it again.` });
  }
  c.header("ETag", `"${etag}"`);
  return { number: part, etag };
}

async function serve(c: AppContext, grant: FileGrant): Promise<Response> {
  switch (grant.act) {
    case "read":
      return serveVideo(c.env.VIDEOS, grant, c.req.raw);
    case "write":
      return c.json(await write(c, grant), 200);
    case "write_part":
      return c.json(await writePart(c, grant), 200);
    case "complete":
      return c.json(await complete(callOf(c), grant.key), 200);
    case "abort":
      await abort(callOf(c), grant.key);
      return c.body(null, 204);
  }
}

/** The signed URLs. Their signature is their only credential. */
const fileRoute = routesOf("file", requireGrant);

export const fileRoutes = [
  fileRoute("GET /files/{key}", serve),

  fileRoute("PUT /files/{key}", serve),

  fileRoute("POST /files/{key}", serve),

  fileRoute("DELETE /files/{key}", serve),
];
