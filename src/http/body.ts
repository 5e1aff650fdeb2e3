import { createMiddleware } from "hono/factory";
import { readBounded } from "../core/bounded-body.ts";
import { findUnfit } from "../core/json-limits.ts";
import type { AppEnv } from "./app-env.ts";
import { AppError } from "./problem.ts";

/** Reads a JSON body within all limits, before any schema sees it. @throws AppError */
async function readJsonText(request: Request, maxBytes: number): Promise<string> {
  const bytes = await readBounded(request.body, maxBytes);
  if (!bytes) {
    throw new AppError("payload_too_large", { detail: `The body may have ${maxBytes} bytes at most.` });
  }
  const text = decode(bytes);
  const unfit = findUnfit(parseJson(text));
  if (unfit) {
    throw new AppError("validation_failed", { errors: [unfit] });
  }
  return text;
}

/** Lets only a JSON body within all limits through to the route's schema. */
function jsonWithin(maxBytes: number, { anyMediaType }: { anyMediaType: boolean }) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const mediaType = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
    if (!anyMediaType && mediaType !== "application/json") {
      throw new AppError("unsupported_media_type", { detail: "Send the body as application/json." });
    }
    const body = await readJsonText(c.req.raw, maxBytes);
    const headers = new Headers(c.req.raw.headers);
    headers.set("content-type", "application/json");
    // The stream is spent; the schema's validator reads from a request of its own.
    c.req.raw = new Request(c.req.url, { method: c.req.method, headers, body });
    await next();
  });
}

/** The body of an API request. */
export const boundedJson = jsonWithin(1_048_576, { anyMediaType: false });

/** The body of a handler's report: handlers in the field label it as they like. */
export const handlerJson = jsonWithin(65_536, { anyMediaType: true });

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
