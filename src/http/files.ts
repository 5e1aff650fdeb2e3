import { Hono } from "hono";
import type { StoredObject } from "../contract/upload.ts";
import { type FileGrant, filesPath, readSignedUrl } from "../core/signed-url.ts";
import { storeVideo } from "../store/videos.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { serveVideo } from "./media.ts";
import { AppError } from "./problem.ts";

/** The grant that the request's URL carries. @throws AppError `invalid_signature` */
async function requireGrant(c: AppContext): Promise<FileGrant> {
  const url = new URL(c.req.url);
  const key = decodeKey(url.pathname.slice(filesPath.length));
  const { signingKeys } = c.get("settings");
  const grant = key === null ? null : await readSignedUrl(signingKeys, c.req.method, key, url.searchParams, Date.now());
  if (!grant) {
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

type PutGrant = Extract<FileGrant, { method: "PUT" }>;

/** The body of an upload, with its length known: R2 streams only such. @throws AppError */
function requireBody(c: AppContext, grant: PutGrant): ReadableStream {
  if (c.req.header("content-type") !== grant.contentType) {
    throw new AppError("unsupported_media_type", { detail: `This URL takes ${grant.contentType}.` });
  }
  const length = Number(c.req.header("content-length") ?? Number.NaN);
  if (!(length > 0) || !c.req.raw.body) {
    throw new AppError("malformed_request", { detail: "Send the file as the body, with its Content-Length." });
  }
  if (length > grant.maxBytes) {
    throw new AppError("payload_too_large", { detail: `This URL takes ${grant.maxBytes} bytes at most.` });
  }
  return c.req.raw.body;
}

async function store(c: AppContext, grant: PutGrant): Promise<StoredObject> {
  const body = requireBody(c, grant);
  const isOutput = grant.key.startsWith("output/");
  const options = { contentType: grant.contentType, once: isOutput };
  const object = await storeVideo(c.env.VIDEOS, grant.key, body, options);
  if (!object) {
    throw new AppError("precondition_failed", { detail: "This output was already written." });
  }
  c.header("ETag", object.httpEtag);
  return { key: object.key, size: object.size, etag: object.etag };
}

/** The signed URLs. Their signature is their only credential. */
export const fileRoutes = new Hono<AppEnv>();

fileRoutes.get(`${filesPath}*`, async (c) => {
  const grant = await requireGrant(c);
  const filename = grant.method === "GET" ? grant.filename : null;
  return serveVideo(c.env.VIDEOS, grant.key, filename, c.req.raw);
});

fileRoutes.put(`${filesPath}*`, async (c) => {
  const grant = await requireGrant(c);
  if (grant.method !== "PUT") {
    throw new AppError("invalid_signature");
  }
  return c.json(await store(c, grant), 200);
});
