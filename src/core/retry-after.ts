const inSeconds = /^\d+(?:\.\d+)?$/;
const asDate = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .*\d:\d\d:\d\d/;
/** No wish is longer: a number that cannot be meant must not become an instant that cannot be written. */
const longestMs = 365 * 86_400_000;

/**
 * Reads a `Retry-After` header: seconds, or an HTTP date in any of its three spellings.
 * @returns milliseconds from now, at least 0; null when there is no wish that can be read
 */
export function readRetryAfter(header: string | null, now: number): number | null {
  const text = header?.trim() ?? "";
  const ms = inSeconds.test(text) ? Number(text) * 1000 : toInstant(text) - now;
  return Number.isNaN(ms) ? null : Math.min(Math.max(Math.round(ms), 0), longestMs);
}

/** @returns NaN for what is no date; without a zone it means GMT */
function toInstant(text: string): number {
  return asDate.test(text) ? Date.parse(/GMT$/.test(text) ? text : `${text} GMT`) : Number.NaN;
}
