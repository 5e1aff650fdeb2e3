/** What Cloudflare and RunPod would bill or limit, counted in one place for the whole isolate. */
export const meter = {
  d1Queries: 0,
  d1RowsWritten: 0,
  d1RowsRead: 0,
  journalRowsWritten: 0,
  journalRowsRead: 0,
  /** Calls of an object's methods or of its fetch, and its alarms. */
  objectRequests: 0,
  /** What came over handlers' sockets; billed as a twentieth of a request. */
  socketMessages: 0,
  r2ClassA: 0,
  r2ClassB: 0,
  runpodCalls: 0,
  workerRequests: 0,
};
export type Meter = typeof meter;
