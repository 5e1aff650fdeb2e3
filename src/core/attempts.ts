import type { JobErrorCode } from "../contract/job.ts";
import { type Attempt, currentAttempt, findAttempt, isFinal, type JobState } from "./job-state.ts";
import { startDeadline } from "./pace.ts";
import { backoffMs, retryable } from "./retry.ts";
import type { DecisionContext } from "./signals.ts";

/** The job with some fields of one attempt changed. */
export function patchAttempt(job: JobState, number: number, patch: Partial<Attempt>): JobState {
  const attempts = job.attempts.map((attempt) => (attempt.number === number ? { ...attempt, ...patch } : attempt));
  return { ...job, attempts };
}

export function closeAttempt(job: JobState, number: number, outcome: Attempt["outcome"]): JobState {
  return patchAttempt(job, number, { phase: "closed", outcome, check: null, claim: null, hinted: false });
}

/** Owes RunPod a cancel for a run that may still hold a GPU (I8). */
export function oweCancel(job: JobState, number: number, now: number): JobState {
  if (!findAttempt(job, number)?.runId || job.cancels.some(({ attempt }) => attempt === number)) {
    return job;
  }
  return { ...job, cancels: [...job.cancels, { attempt: number, tries: 0, dueAt: now }] };
}

type Failure = { code: JobErrorCode; message: string; retry?: boolean };

/**
 * Ends one attempt. If it is the current one, the next is planned, or the job is on its way to `error`: first every
 * attempt's output is looked for once more, because a lost result is still a result.
 */
export function failAttempt(job: JobState, number: number, failure: Failure, context: DecisionContext): JobState {
  const closed = closeAttempt(job, number, failure.code);
  const attempt = currentAttempt(closed);
  if (isFinal(job.status) || attempt?.number !== number || job.pendingError) {
    return closed;
  }
  const nextAttemptAt = context.now + backoffMs(context.timers.retryBackoffMs, number, attempt.nonce);
  const mayRetry = (failure.retry ?? retryable[failure.code]) && number <= job.spec.maxRetries;
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
