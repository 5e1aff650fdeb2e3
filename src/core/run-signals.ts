import { closeAttempt, failAttempt, patchAttempt } from "./attempts.ts";
import { type Attempt, currentAttempt, findAttempt, isFinal, type JobState } from "./job-state.ts";
import { executionTimeoutMs, pollPauseMs, runTtlMs, startDeadline } from "./pace.ts";
import { backoffMs } from "./retry.ts";
import type { DecisionContext, ProgressReport, RunReport, SignalOf } from "./signals.ts";

/** Opens the next attempt, or the same again after a 429: written before the POST that may buy a GPU. */
export function attemptOpened(job: JobState, signal: SignalOf<"attempt_opened">, { now, timers }: DecisionContext) {
  if (job.nextAttemptAt === null || job.nextAttemptAt > now) {
    return null;
  }
  const opened = { ...job, nextAttemptAt: null, stage: "dispatching", message: null, progress: 0 };
  const throttled = currentAttempt(job);
  if (throttled?.phase === "throttled") {
    return patchAttempt(opened, throttled.number, { phase: "submitting", submittedAt: now });
  }
  const attempt: Attempt = {
    number: job.attempts.length + 1,
    nonce: signal.nonce,
    outputKey: signal.outputKey,
    endpointId: signal.endpointId,
    phase: "submitting",
    openedAt: now,
    submittedAt: now,
    runId: null,
    acceptedAt: null,
    runningSince: null,
    hinted: false,
    claim: null,
    claimedAt: null,
    timesGone: 0,
    check: null,
    polls: 0,
    outcome: null,
    closedAt: null,
    endedAt: null,
    cancelOwed: false,
    usageCounted: false,
    policy: { executionTimeoutMs: executionTimeoutMs(job, timers), ttlMs: runTtlMs(job, timers) },
    delayMs: null,
    executionMs: null,
  };
  return { ...opened, attempts: [...job.attempts, attempt] };
}

export function runAccepted(job: JobState, signal: SignalOf<"run_accepted">, context: DecisionContext) {
  const attempt = findAttempt(job, signal.attempt);
  if (!attempt || attempt.runId !== null) {
    return null;
  }
  return learnRun(job, attempt, signal.runId, context);
}

/** RunPod runs this attempt under that id: the job is under way, or the run comes too late and is cancelled. */
export function learnRun(job: JobState, attempt: Attempt, runId: string, context: DecisionContext): JobState {
  const { now } = context;
  const known = patchAttempt(job, attempt.number, { runId, acceptedAt: now });
  if (isFinal(job.status) || attempt.phase === "closed") {
    return closeAttempt(known, attempt.number, attempt.outcome ?? "cancelled", now);
  }
  const at = attempt.hinted ? now : now + pollPauseMs(job, attempt, context);
  const running = patchAttempt(known, attempt.number, { phase: "running", check: { step: "status", at } });
  return enterProcessing(running, now, job.stage === "dispatching" ? "waiting_for_gpu" : job.stage);
}

function enterProcessing(job: JobState, now: number, stage: string): JobState {
  return job.status === "processing" && job.stage === stage
    ? job
    : { ...job, status: "processing", stage, startedAt: job.startedAt ?? now };
}

export function runRefused(job: JobState, signal: SignalOf<"run_refused">, context: DecisionContext) {
  return findAttempt(job, signal.attempt)?.phase === "submitting"
    ? failAttempt(job, signal.attempt, signal, context)
    : null;
}

/** A 429 bought nothing: the attempt is sent again later, until its job has waited as long as it may for a GPU. */
export function runThrottled(job: JobState, signal: SignalOf<"run_throttled">, context: DecisionContext) {
  const attempt = findAttempt(job, signal.attempt);
  if (attempt?.phase !== "submitting") {
    return null;
  }
  if (isFinal(job.status)) {
    return closeAttempt(job, attempt.number, "cancelled", context.now);
  }
  const { now, timers } = context;
  if (now >= Math.min(attempt.openedAt + timers.queueTimeoutMs, startDeadline(job))) {
    const message = "RunPod kept refusing new runs (429).";
    return failAttempt(job, attempt.number, { code: "queue_timeout", message, retry: false }, context);
  }
  const pauseMs = signal.retryAfterMs ?? backoffMs(timers.retryBackoffMs, attempt.polls + 1, attempt.nonce);
  const throttled = patchAttempt(job, attempt.number, { phase: "throttled", polls: attempt.polls + 1 });
  return { ...throttled, stage: "queued", nextAttemptAt: now + pauseMs };
}

/**
 * Nobody knows whether `/run` bought a GPU. RunPod has no idempotency key, so nothing is sent again before the grace
 * is over: a webhook may name the run, and the output may appear.
 */
export function runUnconfirmed(job: JobState, signal: SignalOf<"run_unconfirmed">, { now, timers }: DecisionContext) {
  const attempt = findAttempt(job, signal.attempt);
  if (attempt?.phase !== "submitting") {
    return null;
  }
  const check = isFinal(job.status) ? null : ({ step: "output", at: now + timers.runGraceMs } as const);
  return patchAttempt(job, attempt.number, { phase: "unconfirmed", check });
}

export function runReported(job: JobState, signal: SignalOf<"run_reported">, context: DecisionContext) {
  const attempt = findAttempt(job, signal.attempt);
  if (!attempt || isFinal(job.status) || attempt.claim !== null || attempt.check?.step !== "status") {
    return null;
  }
  const { report } = signal;
  const figures = {
    delayMs: report.delayMs ?? attempt.delayMs,
    executionMs: report.executionMs ?? attempt.executionMs,
    polls: attempt.polls + 1,
    endedAt: report.word === "completed" || report.word === "failed" ? context.now : attempt.endedAt,
  };
  const noted = patchAttempt(job, attempt.number, figures);
  return applyWord(noted, { ...attempt, ...figures }, report, context);
}

function applyWord(job: JobState, attempt: Attempt, report: RunReport, context: DecisionContext): JobState {
  const { now } = context;
  const { number } = attempt;
  switch (report.word) {
    case "queued":
      return keepAsking(job, attempt, context);
    case "running":
      return keepAsking(beginRendering(job, attempt, report.progress, now), attempt, context);
    case "completed":
      return claimOutput(job, number, "completed", now);
    case "gone":
      return patchAttempt(claimOutput(job, number, "gone", now), number, { timesGone: attempt.timesGone + 1 });
    case "failed":
      return failAttempt(job, number, report, context);
  }
}

/** The run should have ended: its output decides. Only the current attempt moves what a reader sees. */
export function claimOutput(job: JobState, number: number, claim: Attempt["claim"], now: number): JobState {
  const claimed = patchAttempt(job, number, { claim, claimedAt: now, check: { step: "output", at: now } });
  return currentAttempt(job)?.number === number ? { ...claimed, stage: "verifying" } : claimed;
}

/** RunPod works on it: notes since when, and its progress, which never falls within an attempt. */
export function beginRendering(
  job: JobState,
  attempt: Attempt,
  progress: ProgressReport | null,
  now: number,
): JobState {
  const begun = attempt.runningSince === null ? patchAttempt(job, attempt.number, { runningSince: now }) : job;
  if (currentAttempt(job)?.number !== attempt.number) {
    return begun;
  }
  const waiting = job.stage === "waiting_for_gpu" || job.stage === "dispatching";
  const processing = enterProcessing(begun, now, waiting ? "rendering" : job.stage);
  if (!progress || Math.round(progress.progress) < job.progress) {
    return processing;
  }
  return {
    ...processing,
    progress: Math.round(progress.progress),
    stage: progress.stage ?? processing.stage,
    message: progress.message ?? job.message,
  };
}

export function statusUnavailable(job: JobState, signal: SignalOf<"status_unavailable">, context: DecisionContext) {
  const attempt = findAttempt(job, signal.attempt);
  if (!attempt || isFinal(job.status) || attempt.claim !== null || attempt.check?.step !== "status") {
    return null;
  }
  const polled = { ...attempt, polls: attempt.polls + 1 };
  return keepAsking(patchAttempt(job, attempt.number, { polls: polled.polls }), polled, context);
}

/** No final word yet. After a webhook the output is looked for at once: `/status` can lag behind it for ever. */
function keepAsking(job: JobState, attempt: Attempt, context: DecisionContext): JobState {
  const check = attempt.hinted
    ? ({ step: "output", at: context.now } as const)
    : ({ step: "status", at: context.now + pollPauseMs(job, attempt, context) } as const);
  return patchAttempt(job, attempt.number, { check });
}
