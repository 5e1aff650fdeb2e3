import type { Timestamp } from "../contract/common.ts";

/** Milliseconds since the epoch → the wire's and D1's ISO 8601 text. */
export function toTimestamp(ms: number): Timestamp {
  return new Date(ms).toISOString();
}

/** As {@link toTimestamp}, for an instant that may not have come yet. */
export function toTimestampOrNull(ms: number | null): Timestamp | null {
  return ms === null ? null : toTimestamp(ms);
}
