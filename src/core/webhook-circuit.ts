/** How an address has answered lately. */
export type Address = Readonly<{
  /** Failures in a row. */
  failures: number;
  /** It gets nothing before; then one message, to see whether it answers again. */
  shutUntil: number;
  /** Its last answer was a good one. */
  isProven: boolean;
}>;

export const newAddress: Address = { failures: 0, shutUntil: 0, isProven: false };

/** So many answers in a row that say no shut an address; silence does at once, because each costs a time-out. */
const failuresBeforeShut = 3;
const firstShutMs = 5_000;
const maxShutMs = 5 * 60_000;
/** So long a receiver may ask to be left alone; its message waits as long as it says. */
const maxWishMs = 60 * 60_000;

/**
 * What a try has shown of its address.
 * @param outcome `silent`: no answer at all; `refused`: an answer that is no success, perhaps with a wish to be left alone
 * @param chance between 0 and 1, so that addresses do not open all at once
 */
export function afterTry(
  address: Address,
  { outcome, retryAfterMs }: { outcome: "delivered" | "refused" | "silent"; retryAfterMs: number | null },
  now: number,
  chance: number,
): Address {
  if (outcome === "delivered") {
    return { failures: 0, shutUntil: 0, isProven: true };
  }
  const failures = address.failures + 1;
  const over = outcome === "silent" ? failures - 1 : failures - failuresBeforeShut;
  const pauseMs = Math.min(maxShutMs, firstShutMs * 2 ** Math.max(0, over)) * (0.8 + chance * 0.4);
  const wishMs = Math.min(retryAfterMs ?? 0, maxWishMs);
  const shutMs = Math.max(over < 0 ? 0 : Math.round(pauseMs), wishMs);
  return { failures, shutUntil: shutMs === 0 ? 0 : now + shutMs, isProven: false };
}

export function isShut({ shutUntil }: Address, now: number): boolean {
  return now < shutUntil;
}

/** What an endpoint's messages go to. Several endpoints may lead there. */
export function toAddress(url: string): string {
  const parsed = URL.parse(url);
  return parsed ? parsed.origin + parsed.pathname + parsed.search : url;
}

/** The same of a job's own: its path may be the job's alone, so that all of a host are one address. */
export function toOwnAddress(url: string): string {
  return URL.parse(url)?.origin ?? url;
}
