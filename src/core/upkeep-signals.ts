import { closeAttempt } from "./attempts.ts";
import { learnAudience } from "./audience.ts";
import { type Attempt, isSettleable, type JobState, uncountedAttempts } from "./job-state.ts";
import { type Deadline, deadlineOf } from "./pace.ts";
import { backoffMs } from "./retry.ts";
import { claimOutput, runUnconfirmed } from "./run-signals.ts";
import type { DecisionContext, SignalOf } from "./signals.ts";

/** D1 has this version now, or could not be written. */
export function projected(job: JobState, signal: SignalOf<"projected">, { now, timers }: DecisionContext): JobState {
  const { projection } = job;
  const { answer } = signal;
  if (answer === "failed") {
    const tries = projection.tries + 1;
    const notBefore = now + backoffMs(timers.retryBackoffMs, tries, job.spec.id);
    return { ...job, projection: { ...projection, tries, notBefore } };
  }
  const { version, progress, settled, counted } = signal.projected;
  const attempts = counted.length === 0 ? job.attempts : markCounted(job, counted);
  const written = { version: Math.max(projection.version, version), progress, at: now, tries: 0, notBefore: 0 };
  const known = { ...job, attempts, projection: { ...projection, ...written } };
  const next = learnAudience(known, version, answer.isHeard, now);
  const mayRest = settled && job.settledAt === null && isSettleable(next) && uncountedAttempts(next).length === 0;
  return mayRest ? { ...next, settledAt: now } : next;
}

function markCounted({ attempts }: JobState, counted: readonly number[]): Attempt[] {
  return attempts.map((attempt) => (counted.includes(attempt.number) ? { ...attempt, usageCounted: true } : attempt));
}

/** D1 was seen with an older version than it had told us that it took, or unsettled though settled: it lost a write. */
export function d1Seen(job: JobState, { version }: SignalOf<"d1_seen">): JobState | null {
  const { projection } = job;
  const isBehind = version < projection.version;
  if (!isBehind && job.settledAt === null) {
    return null;
  }
  const urgentVersion = isBehind ? job.version : projection.urgentVersion;
  return {
    ...job,
    // D1 is ahead of us only when a reopening was shown to it and then did not come about.
    version: Math.max(job.version, version),
    settledAt: null,
    projection: { ...projection, version: Math.min(version, projection.version), urgentVersion },
  };
}

/** A duty was done, or is tried again later. */
export function dutyTried(job: JobState, signal: SignalOf<"duty_tried">, { now, timers }: DecisionContext) {
  const owed = job.obligations.find(({ duty, attempt }) => duty === signal.duty && attempt === signal.attempt);
  if (!owed) {
    return null;
  }
  const others = job.obligations.filter((obligation) => obligation !== owed);
  if (signal.done) {
    return { ...job, obligations: others };
  }
  const tries = owed.tries + 1;
  const dueAt = now + backoffMs(timers.retryBackoffMs, tries, job.spec.id);
  return { ...job, obligations: [...others, { ...owed, tries, dueAt }] };
}

/** Time has passed: every attempt whose deadline is over moves on. */
export function clock(job: JobState, _signal: SignalOf<"clock">, context: DecisionContext): JobState | null {
  const { now, timers } = context;
  const moved = job.attempts.reduce((state, attempt) => {
    const { at, passed } = deadlineOf(job, attempt, timers);
    return at > now ? state : passDeadline(state, attempt, passed, context);
  }, job);
  return moved === job ? null : moved;
}

function passDeadline(job: JobState, attempt: Attempt, passed: Deadline["passed"], context: DecisionContext): JobState {
  switch (passed) {
    case "unanswered":
      return runUnconfirmed(job, { kind: "run_unconfirmed", attempt: attempt.number }, context) ?? job;
    case "forgotten":
      return closeAttempt(job, attempt.number, attempt.outcome, context.now);
    case "late_start":
    case "late_end":
      return claimOutput(job, attempt.number, passed, context.now);
  }
}
