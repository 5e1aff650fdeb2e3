import { ProgressUpdate } from "../contract/handler.ts";
import type { ProblemCode } from "../contract/problem.ts";
import { toFieldErrors } from "./field-errors.ts";
import { findUnfit } from "./json-limits.ts";
import type { ProblemDetails } from "./problem.ts";

/** The longest update that is read: bytes of a POST, characters of a WebSocket's message. */
export const maxUpdateLength = 65_536;

/** Why an update cannot be taken. */
export type UpdateFault = ProblemDetails & Readonly<{ code: ProblemCode }>;

/** A handler's progress as it came, by whichever way. */
export function readProgressUpdate(text: string): ProgressUpdate | UpdateFault {
  const value = parseJson(text);
  if (value === undefined) {
    return { code: "malformed_request", detail: "The update is not valid JSON." };
  }
  const unfit = findUnfit(value);
  if (unfit) {
    return { code: "validation_failed", errors: [unfit] };
  }
  const update = ProgressUpdate.safeParse(value);
  return update.success ? update.data : { code: "validation_failed", errors: toFieldErrors(update.error.issues, "") };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
