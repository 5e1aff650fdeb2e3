const longestWaitSeconds = 60;

/**
 * How many seconds the caller would wait, by `Prefer: wait=N` (RFC 7240): a preference, so that a longer one is cut and
 * one that cannot be read is passed over.
 */
export function readWait(prefer: string | undefined): number | null {
  const [, digits] = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})\b/i.exec(prefer ?? "") ?? [];
  const seconds = Math.min(Number(digits ?? 0), longestWaitSeconds);
  return seconds < 1 ? null : seconds;
}
