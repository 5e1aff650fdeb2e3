/** The clocks differ, and D1 hears of an end a little after the job's object: so much earlier a replay begins. */
const replayMarginMs = 120_000;

/** What a watcher of a project saw last: it has all that was told until `ms`. */
export type LastSeen = Readonly<{ ms: number; jobId: string; seq: number }>;

/** The `id:` of an event of a project: all that came before `ms` was told before it. */
export function toEventId(ms: number, { job_id: jobId, seq }: { job_id: string; seq: number }): string {
  return `${ms}.${jobId}.${seq}`;
}

/** @returns null for what is no id of ours: such a watcher begins anew */
export function readEventId(text: string): LastSeen | null {
  const [, ms, jobId = "", seq] = /^(\d{13})\.([\w-]{1,64})\.(\d{1,15})$/.exec(text) ?? [];
  return ms === undefined ? null : { ms: Number(ms), jobId, seq: Number(seq) };
}

/** From when on the ends are told of, to one who knows all until `ms`. */
export function replayFrom(ms: number): number {
  return ms - replayMarginMs;
}
