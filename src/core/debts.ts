import { type Attempt, type AttemptIn, endOfLife, openRunsOf, sentAtOf } from "./attempt.ts";
import { putAttempt } from "./attempts.ts";
import { type Duty, owe, withoutDuty } from "./duty.ts";
import { findAttempt, isFinal, isSettleable, type JobState } from "./job-state.ts";
import type { DecisionContext } from "./signals.ts";

/** What a change leaves to be done, whatever the change was. */
export function oweDebts(before: JobState, after: JobState, context: DecisionContext): JobState {
  const { now } = context;
  const closed = after.attempts.filter((attempt) => attempt.phase === "closed");
  const owing = closed.reduce((job, attempt) => oweOfClosed(job, attempt, now), withoutOpenUsage(after));
  const deleting = oweDeletions(before, owing, context);
  return isSettleable(deleting) && deleting.settledAt === null ? oweRow(deleting, deleting.version, now) : deleting;
}

/** An attempt that goes on after all has not used all that it will: it is counted when it closes again. */
function withoutOpenUsage(job: JobState): JobState {
  const isOpen = ({ duty, of }: Duty) => duty === "count_usage" && findAttempt(job, Number(of))?.phase !== "closed";
  return job.duties.some(isOpen) ? { ...job, duties: job.duties.filter((owed) => !isOpen(owed)) } : job;
}

/** RunPod a cancel for every run that nobody waits for any more (I8); once the job is over, D1 the usage (I10). */
function oweOfClosed(job: JobState, attempt: AttemptIn<"closed">, now: number): JobState {
  const runs = openRunsOf(attempt).filter((id) => !attempt.cancelsOwed.includes(id));
  const countsUsage = isFinal(job.status) && !attempt.usageOwed;
  if (runs.length === 0 && !countsUsage) {
    return job;
  }
  const cancelsOwed = [...attempt.cancelsOwed, ...runs];
  const noted = putAttempt(job, { ...attempt, cancelsOwed, usageOwed: attempt.usageOwed || countsUsage });
  const until = endOfLife(attempt);
  const cancelling = runs.reduce((state, of) => owe(state, { duty: "cancel", of }, now, until), noted);
  return countsUsage ? owe(cancelling, { duty: "count_usage", of: attempt.number }, now) : cancelling;
}

/**
 * The outputs of all attempts but the winner go when the job is over, after the time in which a late writer may still
 * bring them, and again when nobody can write any more. A job that is reopened may still want them.
 */
function oweDeletions(before: JobState, after: JobState, { now, timers }: DecisionContext): JobState {
  if (isFinal(before.status) === isFinal(after.status)) {
    return after;
  }
  if (!isFinal(after.status)) {
    return withoutDuty(after, "delete_output");
  }
  const losers = after.attempts.filter((attempt) => sentAtOf(attempt) !== null && !isWinner(after, attempt));
  return losers.reduce((job, attempt) => oweDeletion(job, attempt, now + timers.outputWindowMs), after);
}

function isWinner({ output }: JobState, { outputKey }: Attempt): boolean {
  return output?.key === outputKey;
}

/** The removal of an output that nobody will read. */
export function oweDeletion(job: JobState, attempt: Attempt, dueAt: number): JobState {
  return owe(job, { duty: "delete_output", of: attempt.outputKey }, dueAt, endOfLife(attempt));
}

/** D1 must have this version: at once, or after what delays an earlier write. */
export function oweRow(job: JobState, version: number, dueAt: number): JobState {
  const owed = job.duties.find(({ duty }) => duty === "write_row");
  if (!owed) {
    return owe(job, { duty: "write_row", of: version }, dueAt);
  }
  const sooner = owed.tries > 0 ? owed.dueAt : Math.min(owed.dueAt, dueAt);
  const duties = job.duties.map((duty) => (duty === owed ? { ...owed, of: version, dueAt: sooner } : duty));
  return { ...job, duties };
}
