/** The clocks differ: so much earlier a replay begins. */
const replayMarginMs = 120_000;
/** So far back a replay goes; who was away for longer reads the list again. */
const longestReplayMs = 24 * 60 * 60_000;

/** What a watcher of a project saw last: it has all that was told until `ms`. */
export type LastSeen = Readonly<{ ms: number; jobId: string; seq: number }>;

/**
 * The `id:` of an event of a project: all that came before `ms` was told before it. What a stream begins with has its
 * time besides, so that no two streams use the same id.
 */
export function toEventId(ms: number, event: { job_id: string; seq: number }, greetedAt: number | null): string {
  const id = `${ms}.${event.job_id}.${event.seq}`;
  return greetedAt === null ? id : `${id}.${greetedAt}`;
}

/** @returns null for what is no id of ours: such a watcher begins anew */
export function readEventId(text: string): LastSeen | null {
  const [, ms, jobId = "", seq] = /^(\d{13})\.([\w-]{1,64})\.(\d{1,15})(?:\.\d{13})?$/.exec(text) ?? [];
  return ms === undefined ? null : { ms: Number(ms), jobId, seq: Number(seq) };
}

/** From when on the ends are told of, to one who knows all until `ms`. */
export function replayFrom(ms: number, now: number): number {
  return Math.max(ms, now - longestReplayMs) - replayMarginMs;
}
