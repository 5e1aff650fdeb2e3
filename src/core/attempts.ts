import {
  type Attempt,
  type AttemptIn,
  type Failure,
  newRun,
  type Outcome,
  runOf,
  sentAtOf,
  toPhase,
} from "./attempt.ts";
import { currentAttempt, type JobState, type Verdict } from "./job-state.ts";
import { waitDeadline } from "./pace.ts";
import { backoffMs, retryable } from "./retry.ts";
import type { DecisionContext } from "./signals.ts";

/** The job with one attempt as it is now. */
export function putAttempt(job: JobState, attempt: Attempt): JobState {
  return { ...job, attempts: job.attempts.map((other) => (other.number === attempt.number ? attempt : other)) };
}

export function toClosed(attempt: Attempt, outcome: Outcome, now: number): AttemptIn<"closed"> {
  const { hint } = attempt;
  const run = runOf(attempt) ?? (hint === null ? null : newRun(hint, "webhook", now));
  const sentAt = sentAtOf(attempt);
  // What was cancelled once is not cancelled again when its output turns out to be there after all.
  const owed = { cancelsOwed: attempt.phase === "closed" ? attempt.cancelsOwed : [], usageOwed: false };
  return toPhase(attempt, { phase: "closed", sentAt, run, outcome, closedAt: now, ...owed });
}

/**
 * Ends one attempt. If it is the current one, the next is planned, or the job is on its way to `error`: first every
 * attempt's output is looked for once more, because a lost result is still a result.
 */
export function failAttempt(job: JobState, attempt: Attempt, failure: Failure, context: DecisionContext): JobState {
  const { now, timers } = context;
  const closed = putAttempt(job, toClosed(attempt, failure.code, now));
  if (currentAttempt(job)?.number !== attempt.number) {
    return closed;
  }
  const failures = countFailures(closed);
  const mayRetry = retryable[failure.code] && failures <= job.spec.maxRetries;
  const hadBegun = (runOf(attempt)?.startedAt ?? null) !== null;
  const next = { ...closed, waitingSince: hadBegun ? now : job.waitingSince };
  const nextAttemptAt = now + backoffMs(timers.retryBackoffMs, failures, attempt.nonce);
  if (mayRetry && nextAttemptAt < waitDeadline(next, timers)) {
    return { ...next, stage: "queued", message: failure.message, nextAttemptAt };
  }
  return salvage(next, attempt.number, failure, now);
}

/** What failed since the owner last asked; an attempt that was given up for RunPod's trouble is none of it. */
function countFailures({ attempts, attemptsBefore }: JobState): number {
  return attempts.slice(attemptsBefore).filter((a) => a.phase === "closed" && a.outcome !== "superseded").length;
}

/** Nobody knows whether a run was bought, and nobody has heard of one: the next attempt, as long as the job may wait. */
export function giveUpAttempt(job: JobState, attempt: Attempt, context: DecisionContext): JobState {
  const { now, timers } = context;
  const closed = putAttempt(job, toClosed(attempt, "superseded", now));
  if (currentAttempt(job)?.number !== attempt.number) {
    return closed;
  }
  const failure: Failure = { code: "provider_unavailable", message: "RunPod did not confirm the run." };
  const givenUp = job.attempts.length - job.attemptsBefore - countFailures(job);
  const nextAttemptAt = now + backoffMs(timers.retryBackoffMs, givenUp, attempt.nonce);
  return nextAttemptAt < waitDeadline(job, timers)
    ? { ...closed, stage: "waiting_for_provider", message: failure.message, nextAttemptAt }
    : salvage(closed, attempt.number, failure, now);
}

/** Starts the last look at every attempt that may have written an output; without one the job ends at once. */
function salvage(job: JobState, attempt: number, { code, message }: Failure, now: number): JobState {
  const looks = job.attempts.filter((other) => sentAtOf(other) !== null).map(({ number }) => number);
  const error = { code, message, retryable: retryable[code], attempt };
  return awaitLooks(job, { error, looks, lookAt: now }, now);
}

/** The verdict becomes the job's error as soon as no attempt is left to look at. */
export function awaitLooks(job: JobState, verdict: Verdict, now: number): JobState {
  if (verdict.looks.length > 0) {
    return { ...job, verdict, stage: "verifying" };
  }
  const { error } = verdict;
  const end = { status: "error", stage: "done", message: null, error, verdict: null, completedAt: now } as const;
  return endAttempts({ ...job, ...end }, "superseded", now);
}

/** Closes every open attempt. One whose `/run` is under way stays open until that is answered. */
export function endAttempts(job: JobState, outcome: Outcome, now: number): JobState {
  const attempts = job.attempts.map((attempt): Attempt => {
    if (attempt.phase === "closed" || attempt.phase === "abandoned") {
      return attempt;
    }
    return attempt.phase === "submitting"
      ? toPhase(attempt, { phase: "abandoned", sentAt: attempt.sentAt, outcome })
      : toClosed(attempt, outcome, now);
  });
  return { ...job, attempts };
}
