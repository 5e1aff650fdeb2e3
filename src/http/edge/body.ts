import { readBounded } from "../../core/bounded-body.ts";
import { parseJson } from "../../core/json-body.ts";
import { maxNodes } from "../../core/json-limits.ts";
import { isSameMediaType } from "../../core/media-type.ts";
import { AppError } from "./problem.ts";

export function tooLarge(maxBytes: number): AppError {
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

/**
 * A body as text; bytes that are not UTF-8 become U+FFFD: a handler may pass on what some tool printed.
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

const usualLimits = { maxBytes: 1_048_576, maxValues: maxNodes };

/** A JSON body within all limits, with the bytes that it came as. @throws AppError */
export async function readJsonBytes(request: Request, { maxBytes, maxValues } = usualLimits) {
  if (!isSameMediaType(request.headers.get("content-type"), "application/json")) {
    throw new AppError("unsupported_media_type", { detail: "Send the body as application/json." });
  }
  const bytes = await readBytes(request, maxBytes);
  const parsed = parseJson(bytes, maxValues);
  switch (parsed.is) {
    case "json":
      return { value: parsed.value, bytes };
    case "malformed":
      throw new AppError("malformed_request", { detail: parsed.detail });
    case "unfit":
      throw new AppError("validation_failed", { errors: [parsed.fault] });
  }
}

/** A JSON body within the usual limits, for a route's schema to check. @throws AppError */
export async function readJson(request: Request): Promise<unknown> {
  return (await readJsonBytes(request)).value;
}
