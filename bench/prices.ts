/**
 * Cloudflare's public prices of the paid plan in US dollars, without what it includes for nothing, as of `at`:
 * developers.cloudflare.com, pages "Pricing" of Workers, Durable Objects, D1 and R2.
 */
export const prices = {
  at: "2026-11-21",
  /** Per million. */
  workerRequests: 0.3,
  /** Per million; twenty messages of a WebSocket are one. */
  objectRequests: 0.15,
  /** Per million, of D1 and of an object's SQLite alike. */
  rowsWritten: 1,
  rowsRead: 0.001,
  r2ClassA: 4.5,
  r2ClassB: 0.36,
  socketMessagesPerRequest: 20,
} as const;
