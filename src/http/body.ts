import { createMiddleware } from "hono/factory";
import { readBounded } from "../core/bounded-body.ts";
import { findUnfit } from "../core/json-limits.ts";
import type { AppEnv } from "./app-env.ts";
import { AppError } from "./problem.ts";

function tooLarge(maxBytes: number): AppError {
  return new AppError("payload_too_large", { detail: `The body may have ${maxBytes} bytes at most.` });
}

/** Whether a body tells its length, and that it is not too long: HTTP holds it to that. */
export function isShort({ headers }: Request, maxBytes: number): boolean {
  return Number(headers.get("content-length") ?? Number.NaN) <= maxBytes;
}

/** One that tells its length is read in one piece, which costs a fraction. @throws AppError `payload_too_large` */
async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const bytes = isShort(request, maxBytes)
    ? new Uint8Array(await request.arrayBuffer())
    : await readBounded(request.body, maxBytes);
  if (!bytes || bytes.byteLength > maxBytes) {
    throw tooLarge(maxBytes);
  }
  return bytes;
}

/** A body as text. @throws AppError `payload_too_large`, `malformed_request` */
async function readText(request: Request, maxBytes: number): Promise<string> {
  return decode(await readBytes(request, maxBytes));
}

/**
 * As {@link readText}, but bytes that are not UTF-8 become U+FFFD: a handler may pass on what some tool printed.
 * @throws AppError `payload_too_large`
 */
export async function readLenientText(request: Request, maxBytes: number): Promise<string> {
  if (!isShort(request, maxBytes)) {
    return new TextDecoder().decode(await readBytes(request, maxBytes));
  }
  const text = await request.text();
  if (text.length > maxBytes) {
    throw tooLarge(maxBytes);
  }
  return text;
}

/** Reads a JSON body within all limits, before any schema sees it. @throws AppError */
async function readJsonText(request: Request, maxBytes: number): Promise<string> {
  const text = await readText(request, maxBytes);
  const unfit = findUnfit(parseJson(text));
  if (unfit) {
    throw new AppError("validation_failed", { errors: [unfit] });
  }
  return text;
}

const maxBodyBytes = 1_048_576;

/** Lets only a JSON body within all limits through to the route's schema. */
export const boundedJson = createMiddleware<AppEnv>(async (c, next) => {
  const mediaType = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (mediaType !== "application/json") {
    throw new AppError("unsupported_media_type", { detail: "Send the body as application/json." });
  }
  const body = await readJsonText(c.req.raw, maxBodyBytes);
  // The stream is spent; the schema's validator reads from a request of its own.
  c.req.raw = new Request(c.req.url, { method: c.req.method, headers: c.req.raw.headers, body });
  await next();
});

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw new AppError("malformed_request", { detail: "The body is not UTF-8." });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError("malformed_request", { detail: "The body is not valid JSON." });
  }
}
