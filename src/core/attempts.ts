import type { JobErrorCode } from "../contract/job.ts";
import { type Attempt, currentAttempt, type Duty, findAttempt, isFinal, type JobState } from "./job-state.ts";
import { startDeadline } from "./pace.ts";
import { backoffMs, retryable } from "./retry.ts";
import type { DecisionContext } from "./signals.ts";

/** The job with some fields of one attempt changed. */
export function patchAttempt(job: JobState, number: number, patch: Partial<Attempt>): JobState {
  const attempts = job.attempts.map((attempt) => (attempt.number === number ? { ...attempt, ...patch } : attempt));
  return { ...job, attempts };
}

export function closeAttempt(job: JobState, number: number, outcome: Attempt["outcome"], now: number): JobState {
  const closedAt = findAttempt(job, number)?.closedAt ?? now;
  return patchAttempt(job, number, { phase: "closed", outcome, closedAt, check: null, claim: null, hinted: false });
}

function owe(job: JobState, duty: Duty, attempt: number, dueAt: number): JobState {
  const isOwed = job.obligations.some((owed) => owed.duty === duty && owed.attempt === attempt);
  return isOwed ? job : { ...job, obligations: [...job.obligations, { duty, attempt, tries: 0, dueAt }] };
}

/** Owes RunPod a cancel for every run that nobody waits for any more, and that it never said is over (I8). */
export function oweCancels(job: JobState, now: number): JobState {
  const left = job.attempts.filter(
    ({ phase, runId, endedAt, check, cancelOwed }) =>
      phase === "closed" && runId !== null && endedAt === null && check === null && !cancelOwed,
  );
  return left.reduce(
    (state, { number }) => owe(patchAttempt(state, number, { cancelOwed: true }), "cancel", number, now),
    job,
  );
}

/** Owes the removal of an output that nobody will read, after the time in which a late writer may still bring it. */
export function oweDeletion(job: JobState, number: number, { now, timers }: DecisionContext): JobState {
  return owe(job, "delete_output", number, now + timers.outputWindowMs);
}

type Failure = { code: JobErrorCode; message: string; retry?: boolean };

/**
 * Ends one attempt. If it is the current one, the next is planned, or the job is on its way to `error`: first every
 * attempt's output is looked for once more, because a lost result is still a result.
 */
export function failAttempt(job: JobState, number: number, failure: Failure, context: DecisionContext): JobState {
  const closed = closeAttempt(job, number, failure.code, context.now);
  const attempt = currentAttempt(closed);
  if (isFinal(job.status) || attempt?.number !== number || job.pendingError) {
    return closed;
  }
  const nextAttemptAt = context.now + backoffMs(context.timers.retryBackoffMs, number, attempt.nonce);
  const mayRetry = (failure.retry ?? retryable[failure.code]) && number - job.attemptsBefore <= job.spec.maxRetries;
  if (mayRetry && nextAttemptAt < startDeadline(job)) {
    return { ...closed, stage: "queued", message: failure.message, nextAttemptAt };
  }
  const { code, message } = failure;
  return salvage({ ...closed, pendingError: { code, message, retryable: retryable[code], attempt: number } }, context);
}

/** Starts the last look at every attempt that may have written an output; without one the job ends at once. */
function salvage(job: JobState, { now }: DecisionContext): JobState {
  const attempts = job.attempts.map((attempt): Attempt => {
    const mayHaveRun = attempt.outcome !== "provider_rejected";
    return mayHaveRun ? { ...attempt, claim: "salvage", check: { step: "output", at: now } } : attempt;
  });
  return endIfNothingToSalvage({ ...job, attempts, nextAttemptAt: null, stage: "verifying" }, now);
}

/** The pending error becomes the job's error as soon as no attempt is left to look at. */
export function endIfNothingToSalvage(job: JobState, now: number): JobState {
  if (!job.pendingError || job.attempts.some(({ claim }) => claim === "salvage")) {
    return job;
  }
  return {
    ...job,
    status: "error",
    stage: "done",
    message: null,
    error: job.pendingError,
    pendingError: null,
    nextAttemptAt: null,
    completedAt: now,
  };
}
