/** A file is written once: whoever has it may keep it as long as the link to it is good. */
export function cacheUntil(expiresAt: number, now: number): string {
  return `private, max-age=${Math.max(0, Math.floor((expiresAt - now) / 1000))}, immutable`;
}
