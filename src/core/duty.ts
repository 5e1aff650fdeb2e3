import type { JobState } from "./job-state.ts";
import { backoffMs } from "./retry.ts";
import type { DecisionContext } from "./signals.ts";

/**
 * What a job owes the world and tries until it is done; `of` says of what.
 * - `write_row`: D1's copy of the job, of a version
 * - `count_usage`: what an attempt, by number, used
 * - `notify`: those who asked for webhooks, of a version
 * - `cancel`: a run, by RunPod's id (I8)
 * - `delete_output`: an object in R2, by key
 * - `drop_messages`: what those who asked for webhooks were told, of a job that is removed
 * - `tell_deleted`: those who watch the project, that the job is removed; of its user, `""` where it had none
 * - `delete_row`, `forget`: the row, and in the end the object's own state, of a job that is removed
 */
export type DutyName =
  | "write_row"
  | "count_usage"
  | "notify"
  | "cancel"
  | "delete_output"
  | "drop_messages"
  | "tell_deleted"
  | "delete_row"
  | "forget";

export type Duty = Readonly<{
  duty: DutyName;
  of: string | number;
  tries: number;
  dueAt: number;
  /** When it ends: a cancel and news are given up then, an output is deleted once more. Null: it goes on until it is done. */
  until: number | null;
}>;

export type DutyKey = Pick<Duty, "duty" | "of">;
/** What is carried out by itself; the rest goes with the row, or with the object's own state. */
export type Errand = DutyKey &
  Readonly<{ duty: "notify" | "cancel" | "delete_output" | "drop_messages" | "tell_deleted" | "delete_row" }>;

function isSame(one: DutyKey, other: DutyKey): boolean {
  return one.duty === other.duty && one.of === other.of;
}

/** The job with one more duty; one that is owed already stays as it is. */
export function owe(job: JobState, key: DutyKey, dueAt: number, until: number | null = null): JobState {
  return job.duties.some((owed) => isSame(owed, key))
    ? job
    : { ...job, duties: [...job.duties, { ...key, tries: 0, dueAt, until }] };
}

export function withoutDuty(job: JobState, ...names: DutyName[]): JobState {
  const duties = job.duties.filter(({ duty }) => !names.includes(duty));
  return duties.length === job.duties.length ? job : { ...job, duties };
}

export function findDuty(job: JobState, key: DutyKey): Duty | undefined {
  return job.duties.find((owed) => isSame(owed, key));
}

/** The job without one duty. */
export function settleDuty(job: JobState, key: DutyKey): JobState {
  return { ...job, duties: job.duties.filter((owed) => !isSame(owed, key)) };
}

/** A duty that failed is tried again later, unless its time is over. */
export function postponeDuty(job: JobState, owed: Duty, { now, timers }: DecisionContext): JobState {
  const tries = owed.tries + 1;
  const dueAt = now + backoffMs(timers.retryBackoffMs, tries, `${job.spec.id}/${owed.of}`);
  if (owed.duty !== "delete_output" && dueAt >= (owed.until ?? Infinity)) {
    return settleDuty(job, owed);
  }
  return { ...job, duties: job.duties.map((duty) => (duty === owed ? { ...owed, tries, dueAt } : duty)) };
}
