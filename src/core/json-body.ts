import type { FieldError } from "../contract/problem.ts";
import { countAtLeast, findUnfit, maxNodes } from "./json-limits.ts";

/** JSON that was read from bytes, or why it was not. */
export type ParsedJson =
  | Readonly<{ is: "json"; value: unknown }>
  | Readonly<{ is: "malformed"; detail: string }>
  | Readonly<{ is: "unfit"; fault: FieldError }>;

/** Beyond this, bytes are counted before they become values, of which they might make far too many. */
const smallBytes = 1_048_576;

/** Reads JSON within the limits that hold whatever its schema. */
export function parseJson(bytes: Uint8Array, maxValues = maxNodes): ParsedJson {
  if (bytes.byteLength > smallBytes && countAtLeast(bytes) > maxValues) {
    return { is: "unfit", fault: { pointer: "", detail: `more than ${maxValues} values` } };
  }
  const text = decode(bytes);
  if (text === null) {
    return { is: "malformed", detail: "The body is not UTF-8." };
  }
  try {
    const value: unknown = JSON.parse(text);
    const fault = findUnfit(value, maxValues);
    return fault ? { is: "unfit", fault } : { is: "json", value };
  } catch {
    return { is: "malformed", detail: "The body is not valid JSON." };
  }
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return null;
  }
}
