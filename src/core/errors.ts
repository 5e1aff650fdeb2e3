import { toCleanText } from "./text.ts";

/**
 * What went wrong, for the log: of a wrapped error its cause's words, because a query's own message repeats the values
 * that it was given (I14).
 */
export function describeError(error: unknown): string {
  const innermost = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return toCleanText(innermost instanceof Error ? innermost.message : String(innermost));
}
