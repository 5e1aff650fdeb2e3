import type { JobErrorCode } from "../contract/job.ts";

/** Whether another attempt may succeed where one failed so. */
export const retryable: Readonly<Record<JobErrorCode, boolean>> = {
  input_not_found: false,
  invalid_params: false,
  provider_rejected: false,
  handler_failed: true,
  handler_timeout: true,
  queue_timeout: true,
  provider_unavailable: true,
  output_missing: true,
  deadline_exceeded: true,
  cancelled_by_provider: true,
};

const maxBackoffMs = 300_000;

/**
 * Exponential backoff with jitter: `baseMs` doubled per try, ±25 %, five minutes at most.
 * @param tries how often it has failed, from 1
 * @param salt decides the jitter, so that the function stays pure: a random nonce or an id
 */
export function backoffMs(baseMs: number, tries: number, salt: string): number {
  const full = Math.min(maxBackoffMs, baseMs * 2 ** Math.min(20, tries - 1));
  return Math.round(full * (0.75 + 0.5 * fraction(`${salt}/${tries}`)));
}

/** Text → a number in [0, 1), evenly spread (FNV-1a with a final mix). */
export function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return (Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0) / 2 ** 32;
}
