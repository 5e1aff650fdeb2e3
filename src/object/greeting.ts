import type { JobEvent } from "../contract/event.ts";
import { creationOf, eventTypeOf, toEvent } from "../core/events.ts";
import { isFinal, type JobState } from "../core/job-state.ts";
import type { JobStorage } from "./ports.ts";

/** Where a watcher goes on: after the event that it saw last, and with `moreOnly` not at all when that was the last of all. */
export type Resume = Readonly<{ after: number | null; moreOnly: boolean }>;

/** What becomes of a watcher: frames to begin with, or no job here, or nothing more to come. */
export type Greeting = Readonly<{ frames: JobEvent[]; isOver: boolean }> | "unknown" | "nothing_more";

/** What was told after the event numbered `seq`. The creation's needs no row: the spec says it all. */
export function listEvents(job: JobState, storage: JobStorage, seq: number): JobEvent[] {
  const created = creationOf(job);
  const [{ seq: first } = { seq: 0 }] = created;
  return [...created.filter((event) => event.seq > seq), ...storage.listEvents(Math.max(seq, first))];
}

/** The answer to someone who wants to watch the job. */
export function greet(job: JobState | null, storage: JobStorage, { after, moreOnly }: Resume): Greeting {
  if (!job) {
    return "unknown";
  }
  const isOver = isFinal(job.status);
  if (moreOnly && isOver && after !== null && after >= job.lastSeq) {
    return "nothing_more";
  }
  return { frames: after === null ? toFirstFrames(job) : toMissed(job, storage, after), isOver };
}

/** One that comes back is told what it missed, and nothing twice (I16). */
function toMissed(job: JobState, storage: JobStorage, after: number): JobEvent[] {
  const now = toEvent(job, eventTypeOf(job, "progress"));
  const missed = listEvents(job, storage, after);
  const last = missed.at(-1)?.seq ?? after;
  return last >= now.seq ? missed : [...missed, now];
}

/** A new watcher is told the state, and of a job that is over its final event too. */
function toFirstFrames(job: JobState): JobEvent[] {
  const now = toEvent(job, eventTypeOf(job, "progress"));
  const isOver = isFinal(job.status);
  // One below the final event's, so that a watcher cut off between the two asks for the final one again.
  const status: JobEvent = { ...now, type: "status", seq: isOver ? now.seq - 1 : now.seq };
  return isOver ? [status, now] : [status];
}
