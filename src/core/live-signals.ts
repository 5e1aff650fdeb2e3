import { closeAttempt, oweDeletion, patchAttempt } from "./attempts.ts";
import { canReopen, currentAttempt, findAttempt, isFinal, type JobState } from "./job-state.ts";
import { beginRendering, learnRun } from "./run-signals.ts";
import type { DecisionContext, SignalOf } from "./signals.ts";

/**
 * RunPod's webhook rang. Its body is no evidence: it only makes us ask, at once. The one thing taken from it is the
 * run's id where the answer to `/run` was lost, and that id again is only used to ask.
 */
export function doorbell(job: JobState, signal: SignalOf<"doorbell">, context: DecisionContext) {
  const attempt = findAttempt(job, signal.attempt);
  if (!attempt || attempt.nonce !== signal.nonce || isFinal(job.status) || job.pendingError || attempt.claim) {
    return null;
  }
  const heardRunPodsWord = attempt.phase === "closed" && attempt.outcome !== "superseded";
  if (heardRunPodsWord || attempt.hinted) {
    return null;
  }
  const hinted = patchAttempt(job, attempt.number, { hinted: true });
  const runId = attempt.runId ?? signal.runId;
  if (runId === null) {
    return hinted;
  }
  if (attempt.runId === null && attempt.phase !== "closed") {
    return learnRun(hinted, { ...attempt, hinted: true }, runId, context);
  }
  return patchAttempt(hinted, attempt.number, { runId, check: { step: "status", at: context.now } });
}

/** The handler's own progress: monotone within the attempt; of an old attempt, or after the end, it is nothing. */
export function progressed(job: JobState, signal: SignalOf<"progress">, { now }: DecisionContext) {
  const attempt = currentAttempt(job);
  if (attempt?.number !== signal.attempt || attempt.nonce !== signal.nonce || isFinal(job.status)) {
    return null;
  }
  if (attempt.phase === "closed" || attempt.claim !== null || Math.round(signal.report.progress) < job.progress) {
    return null;
  }
  return beginRendering(job, attempt, signal.report, now);
}

/** Final for the user at once; whatever runs, or turns out to run, is cancelled behind it. */
export function cancelRequested(job: JobState, _signal: SignalOf<"cancel_requested">, context: DecisionContext) {
  if (isFinal(job.status)) {
    return null;
  }
  const cancelled: JobState = {
    ...job,
    status: "cancelled",
    stage: "done",
    message: null,
    nextAttemptAt: null,
    pendingError: null,
    completedAt: context.now,
  };
  return endOtherAttempts(cancelled, null, "cancelled", context);
}

/** The owner wants another try of a job that failed or was cancelled: it is pending again, its history stays. */
export function retryRequested(job: JobState, _signal: SignalOf<"retry_requested">, { now }: DecisionContext) {
  if (!canReopen(job.status)) {
    return null;
  }
  const reopened: JobState = {
    ...job,
    status: "pending",
    stage: "queued",
    progress: 0,
    message: null,
    error: null,
    nextAttemptAt: now,
    attemptsBefore: job.attempts.length,
    completedAt: null,
    settledAt: null,
    acknowledgedAt: null,
  };
  return reopened;
}

/** The owner changed the labels, or took note of the end: in any state, and without touching it. Null changes nothing. */
export function amended(job: JobState, signal: SignalOf<"amended">, { now }: DecisionContext): JobState {
  const taken = signal.acknowledged ? (job.acknowledgedAt ?? now) : null;
  return {
    ...job,
    metadata: signal.metadata ?? job.metadata,
    acknowledgedAt: signal.acknowledged === null ? job.acknowledgedAt : taken,
  };
}

/** Closes every open attempt but the winner. One whose run id is not known yet stays open until it is, or its ttl ends. */
export function endOtherAttempts(
  job: JobState,
  winner: number | null,
  outcome: "cancelled" | "superseded",
  context: DecisionContext,
): JobState {
  return job.attempts.reduce((ended, attempt) => {
    if (attempt.number === winner || attempt.phase === "closed") {
      return attempt.number === winner ? ended : patchAttempt(ended, attempt.number, { check: null, claim: null });
    }
    if (attempt.phase === "submitting" || attempt.phase === "unconfirmed") {
      return oweDeletion(
        patchAttempt(ended, attempt.number, { check: null, claim: null, outcome }),
        attempt.number,
        context,
      );
    }
    const { now } = context;
    return oweDeletion(closeAttempt(ended, attempt.number, outcome, now), attempt.number, context);
  }, job);
}
