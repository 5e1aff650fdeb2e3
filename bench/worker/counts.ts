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

let second = 0;
const inSecond = new Map<string, number>();
let peak = 0;

/** Notes a request to an object, to find out how much the busiest one takes. */
export function noteRequest(object: string): void {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    inSecond.clear();
  }
  const count = (inSecond.get(object) ?? 0) + 1;
  inSecond.set(object, count);
  peak = Math.max(peak, count);
}

/** The most requests that one object took within one second, since this was asked last. */
export function takePeak(): number {
  const last = peak;
  peak = 0;
  return last;
}
