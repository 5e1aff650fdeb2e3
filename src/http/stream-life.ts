import { decodeJwt } from "jose";
import { readWatchTokenEnd } from "../core/tokens.ts";
import type { AppContext } from "./app-env.ts";
import { findCallerAgain, readCredential } from "./auth.ts";

/** No stream outlives this: its watcher comes back, and is let in anew. In milliseconds. */
const longestMs = 15 * 60_000;

/** How long a stream may last: until its credential ends, and as long as the same credential would let it in again. */
export function streamLifeOf(c: AppContext): Readonly<{ until: number; isLet(): Promise<boolean> }> {
  const longest = Date.now() + longestMs;
  const end = endOf(readCredential(c));
  return {
    until: end === null ? longest : Math.min(longest, end),
    isLet: async () => (await findCallerAgain(c)) !== null,
  };
}

/** Of a credential that was let in. @returns null when it does not say so itself */
function endOf(credential: string): number | null {
  if (credential.startsWith("eyJ")) {
    const { exp } = decodeJwt(credential);
    return exp === undefined ? null : exp * 1000;
  }
  return readWatchTokenEnd(credential);
}
