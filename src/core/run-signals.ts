import { type Attempt, type AttemptIn, type Failure, newRun, openRunsOf, runOf, sentAtOf, toPhase } from "./attempt.ts";
import { failAttempt, giveUpAttempt, putAttempt, toClosed } from "./attempts.ts";
import { currentAttempt, findAttempt, isWaiting, type JobState } from "./job-state.ts";
import { executionTimeoutMs, nextAskAt, pollPauseMs, runTtlMs, troublePauseMs } from "./pace.ts";
import type { DecisionContext, SignalOf } from "./signals.ts";

/** Opens the next attempt, or sends the one again that was held back: written before the POST that may buy a GPU. */
export function attemptOpened(job: JobState, signal: SignalOf<"attempt_opened">, { now, timers }: DecisionContext) {
  const policy = { executionTimeoutMs: executionTimeoutMs(job, timers), ttlMs: runTtlMs(job, timers, now) };
  const held = currentAttempt(job);
  if (held?.phase === "held") {
    const again = { phase: "submitting", sentAt: now, tries: held.tries, heardAt: null } as const;
    return held.resendAt > now ? null : putAttempt(job, toPhase({ ...held, policy }, again));
  }
  if (job.nextAttemptAt === null) {
    return null;
  }
  const attempt: Attempt = {
    number: job.attempts.length + 1,
    nonce: signal.nonce,
    outputKey: signal.outputKey,
    endpointId: signal.endpointId,
    openedAt: now,
    policy,
    rungAt: null,
    hint: null,
    strays: [],
    ...{ phase: "submitting", sentAt: now, tries: 0, heardAt: null },
  };
  const fresh = { nextAttemptAt: null, stage: "dispatching", message: null, progress: 0, runId: null };
  return { ...job, ...fresh, attempts: [...job.attempts, attempt] };
}

export function turnDelayed(job: JobState, { attempt: number, at }: SignalOf<"turn_delayed">): JobState | null {
  const attempt = findAttempt(job, number);
  switch (attempt?.phase) {
    case "held":
      return putAttempt(job, { ...attempt, resendAt: Math.max(at, attempt.resendAt) });
    case "running":
      return putAttempt(job, { ...attempt, pollAt: Math.max(at, attempt.pollAt) });
    default:
      return null;
  }
}

/** The input is gone: nothing need be bought to know how that ends. */
export function inputMissing(job: JobState, signal: SignalOf<"input_missing">, context: DecisionContext) {
  const attempt = findAttempt(job, signal.attempt);
  switch (attempt?.phase) {
    case "submitting":
      return failUnsent(
        job,
        attempt,
        { code: "input_not_found", message: "The input is not there any more." },
        context,
      );
    case "abandoned":
      return putAttempt(job, { ...toClosed(attempt, attempt.outcome, context.now), sentAt: null });
    default:
      return null;
  }
}

/** Nothing was bought, so there is nothing to look for, to cancel or to delete. */
function failUnsent(
  job: JobState,
  attempt: AttemptIn<"submitting">,
  failure: Failure,
  context: DecisionContext,
): JobState {
  return failAttempt(job, { ...toClosed(attempt, failure.code, context.now), sentAt: null }, failure, context);
}

export function runAnswered(job: JobState, signal: SignalOf<"run_answered">, context: DecisionContext) {
  const attempt = findAttempt(job, signal.attempt);
  const { answer } = signal;
  // While the answer is waited for no time passes for the attempt: it is in one of two phases.
  if (attempt?.phase !== "submitting" && attempt?.phase !== "abandoned") {
    return null;
  }
  if (answer.kind === "ok") {
    return learnRun(job, attempt, answer.value.runId, context);
  }
  if (attempt.phase === "abandoned") {
    const closed = toClosed(attempt, attempt.outcome, context.now);
    return putAttempt(job, answer.kind === "maybe_bought" ? closed : { ...closed, sentAt: null });
  }
  switch (answer.kind) {
    case "maybe_bought":
      return toUnconfirmed(job, attempt, context);
    case "job_fault":
      return failUnsent(job, attempt, { code: "provider_rejected", message: answer.message }, context);
    case "not_bought":
    case "misconfigured":
      return hold(job, attempt, answer, null, context);
    case "busy":
      return hold(job, attempt, answer, answer.afterMs, context);
  }
}

/** Nothing was bought: the same attempt is sent again later, until its job has waited as long as it may. */
function hold(
  job: JobState,
  attempt: AttemptIn<"submitting">,
  { kind: why, message }: { kind: AttemptIn<"held">["why"]; message: string },
  afterMs: number | null,
  { now, timers }: DecisionContext,
): JobState {
  const tries = attempt.tries + 1;
  const resendAt = now + troublePauseMs(timers.retryBackoffMs, tries, attempt.nonce, afterMs);
  const held = putAttempt(job, toPhase(attempt, { phase: "held", why, tries, resendAt }));
  return { ...held, stage: "waiting_for_provider", message };
}

/**
 * Nobody knows whether `/run` bought a GPU. RunPod has no idempotency key, so nothing is sent again before the grace
 * is over: a webhook may name the run, and the output may appear.
 */
export function toUnconfirmed(job: JobState, attempt: AttemptIn<"submitting">, context: DecisionContext): JobState {
  const { now, timers } = context;
  const { sentAt, hint, heardAt } = attempt;
  const waiting = { phase: "unconfirmed", sentAt, lookAt: now + timers.runGraceMs } as const;
  const unconfirmed = toPhase(attempt, { ...waiting, looks: 0, heardAt, verdict: null });
  return hint === null ? putAttempt(job, unconfirmed) : toHinted(job, unconfirmed, hint, context);
}

/** RunPod says so itself: this attempt runs under that id. One that comes too late is cancelled. */
function learnRun(
  job: JobState,
  attempt: AttemptIn<"submitting" | "abandoned">,
  runId: string,
  context: DecisionContext,
): JobState {
  const run = newRun(runId, "answer", context.now);
  return attempt.phase === "abandoned"
    ? putAttempt(job, { ...toClosed(attempt, attempt.outcome, context.now), run })
    : enterRunning(job, attempt, { ...run, startedAt: attempt.heardAt }, context);
}

/** The runs that were named for an attempt before this one: they are cancelled in the end, where they were bought. */
export function straysBeside(attempt: Attempt, runId: string): string[] {
  const before = runOf(attempt);
  return [...attempt.strays, ...(before ? [before.id] : [])].filter((id) => id !== runId);
}

/** A webhook named the run of an attempt whose answer was lost: RunPod is asked about it at once. */
export function toHinted(
  job: JobState,
  attempt: AttemptIn<"held" | "unconfirmed" | "running" | "verifying" | "closed">,
  runId: string,
  context: DecisionContext,
): JobState {
  const run = newRun(runId, "webhook", context.now);
  const heardAt = attempt.phase === "unconfirmed" ? attempt.heardAt : null;
  const rungAt = nextAskAt(attempt, context.now);
  const rung = { ...attempt, hint: null, rungAt, strays: straysBeside(attempt, runId) };
  return enterRunning(job, rung, { ...run, startedAt: heardAt }, context);
}

type Starting = AttemptIn<"submitting" | "held" | "unconfirmed" | "running" | "verifying" | "closed">;

function enterRunning(job: JobState, attempt: Starting, run: AttemptIn<"running">["run"], context: DecisionContext) {
  const { now } = context;
  const rung = attempt.rungAt !== null;
  const sentAt = sentAtOf(attempt) ?? attempt.openedAt;
  const fresh = { phase: "running", sentAt, run, silences: 0, gone: null, rung } as const;
  const pollAt = rung
    ? Math.max(now, attempt.rungAt ?? now)
    : now + pollPauseMs(job, { nonce: attempt.nonce, run, rung }, context);
  const running = putAttempt(job, toPhase(attempt, { ...fresh, pollAt }));
  if (currentAttempt(job)?.number !== attempt.number) {
    return running;
  }
  return enterProcessing(
    { ...running, nextAttemptAt: null, runId: run.id },
    now,
    isWaiting(job) ? "waiting_for_gpu" : job.stage,
  );
}

/** RunPod has taken the job: it is under way. */
export function enterProcessing(job: JobState, now: number, stage: string): JobState {
  return { ...job, status: "processing", stage, startedAt: job.startedAt ?? now };
}

/** What is left when a run that only a webhook named turns out to be none, or to have failed before the grace is over. */
export function backToUnconfirmed(
  job: JobState,
  attempt: AttemptIn<"running" | "verifying">,
  verdict: AttemptIn<"unconfirmed">["verdict"],
  { now, timers }: DecisionContext,
): JobState {
  const { sentAt } = attempt;
  const lookAt = Math.max(now, sentAt + timers.runGraceMs);
  const heardAt = runOf(attempt)?.startedAt ?? null;
  // A 404 may have been wrong, so that the run is cancelled in the end all the same.
  const left = { ...attempt, strays: openRunsOf(attempt) };
  return putAttempt(job, toPhase(left, { phase: "unconfirmed", sentAt, lookAt, looks: 0, heardAt, verdict }));
}

/** The grace is over without an output. What RunPod said of a named run counts now; else nobody heard of one. */
export function decideUnconfirmed(
  job: JobState,
  attempt: AttemptIn<"unconfirmed">,
  context: DecisionContext,
): JobState {
  const { now, timers } = context;
  const { sentAt, heardAt, verdict, policy } = attempt;
  if (now < sentAt + timers.runGraceMs) {
    return putAttempt(job, { ...attempt, lookAt: sentAt + timers.runGraceMs });
  }
  const speaksUntil = (heardAt ?? Number.NEGATIVE_INFINITY) + policy.executionTimeoutMs + timers.pollMaxMs;
  if (verdict === null && now < speaksUntil) {
    // Its handler reports progress, so there is a run, though nobody knows its id: a second one would be a waste.
    return putAttempt(job, { ...attempt, lookAt: now + timers.pollMaxMs });
  }
  return verdict ? failAttempt(job, attempt, verdict, context) : giveUpAttempt(job, attempt, context);
}
