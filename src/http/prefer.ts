import type { AppContext } from "./app-env.ts";

const longestWaitSeconds = 60;

/**
 * How many seconds the caller would wait, by `Prefer: wait=N` (RFC 7240): a preference, so that a longer one is cut and
 * one that cannot be read is passed over.
 */
export function readWait(c: AppContext): number | null {
  const [, digits] = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})\b/i.exec(c.req.header("prefer") ?? "") ?? [];
  const seconds = Math.min(Number(digits ?? 0), longestWaitSeconds);
  if (seconds < 1) {
    return null;
  }
  c.header("Preference-Applied", `wait=${seconds}`);
  return seconds;
}
