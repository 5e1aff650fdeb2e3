import type { AppContext } from "./app-env.ts";
import { isStillAdmitted } from "./auth.ts";

/** No stream outlives this: its watcher comes back, and is let in anew. In milliseconds. */
const longestMs = 15 * 60_000;

/** How long a stream may last: until its credential ends, and as long as the same credential would let it in again. */
export type StreamLife = Readonly<{ until: number; isLet(): Promise<boolean> }>;

export function streamLifeOf(c: AppContext): StreamLife {
  const longest = Date.now() + longestMs;
  const until = Math.min(longest, c.get("admittedUntil") ?? longest);
  return { until, isLet: () => isStillAdmitted(c) };
}
