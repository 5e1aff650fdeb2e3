import { type AttemptIn, newRun, openRunsOf, toPhase } from "./attempt.ts";
import { endAttempts, putAttempt } from "./attempts.ts";
import { toCanonicalJson } from "./canonical-json.ts";
import { owe } from "./duty.ts";
import { canReopen, currentAttempt, findAttempt, isFinal, type JobState } from "./job-state.ts";
import { nextAskAt } from "./pace.ts";
import { straysBeside, toHinted } from "./run-signals.ts";
import type { DecisionContext, SignalOf } from "./signals.ts";

/** More runs than one attempt can have by mistake. */
const maxStrays = 8;

/**
 * RunPod's webhook rang. Its body is no evidence: it only makes us ask, at once. The one thing taken from it is the
 * run's id where the answer to `/run` was lost, and that id is a hint: it gives way to RunPod's own word and to a later one.
 */
export function doorbell(job: JobState, signal: SignalOf<"doorbell">, context: DecisionContext): JobState | null {
  const attempt = findAttempt(job, signal.attempt);
  if (attempt?.nonce !== signal.nonce || job.verdict) {
    return null;
  }
  const { now } = context;
  // Whoever names one run after the other has made them up.
  const runId = attempt.strays.length < maxStrays ? signal.runId : null;
  switch (attempt.phase) {
    case "submitting":
    case "abandoned":
      return remember(job, attempt, runId, now);
    case "unconfirmed":
      return runId === null ? lookNow(job, attempt, now) : toHinted(job, attempt, runId, context);
    case "running":
      return isOtherHint(attempt, runId) ? toHinted(job, attempt, runId, context) : rung(job, attempt, now);
    case "verifying":
      return isOtherHint(attempt, runId) ? toHinted(job, attempt, runId, context) : null;
    case "held":
      // Somebody speaks for a run that RunPod had refused: perhaps it had not.
      return runId === null ? null : toHinted(job, attempt, runId, context);
    case "closed":
      return isFinal(job.status) ? rungAfterEnd(job, attempt, runId, now) : rungLate(job, attempt, runId, context);
  }
}

/** While `/run` is under way its answer decides; without one the hint is all there is. */
function remember(job: JobState, attempt: AttemptIn<"submitting" | "abandoned">, runId: string | null, now: number) {
  const hint = runId ?? attempt.hint;
  const isNews = attempt.rungAt === null || hint !== attempt.hint;
  return isNews ? putAttempt(job, { ...attempt, rungAt: now, hint }) : null;
}

function isOtherHint({ run }: AttemptIn<"running" | "verifying">, runId: string | null): runId is string {
  return run?.toldBy === "webhook" && runId !== null && runId !== run.id;
}

function lookNow(job: JobState, attempt: AttemptIn<"unconfirmed">, now: number): JobState | null {
  return nextAskAt(attempt, now) > now || attempt.lookAt <= now
    ? null
    : putAttempt(job, { ...attempt, rungAt: now, lookAt: now });
}

function rung(job: JobState, attempt: AttemptIn<"running">, now: number): JobState | null {
  if (attempt.rung) {
    return null;
  }
  const pollAt = nextAskAt(attempt, now);
  return putAttempt(job, { ...attempt, rung: true, rungAt: pollAt, pollAt });
}

/** The job is over: a run of it that nobody knew is one to be cancelled. */
function rungAfterEnd(job: JobState, attempt: AttemptIn<"closed">, runId: string | null, now: number) {
  const { run, strays } = attempt;
  if (runId === null || attempt.sentAt === null || run?.toldBy === "answer" || openRunsOf(attempt).includes(runId)) {
    return null;
  }
  const learned = run ? { strays: [...strays, runId] } : { run: newRun(runId, "webhook", now) };
  return putAttempt(job, { ...attempt, ...learned });
}

/**
 * An attempt that was given up is heard of after all. As long as no other has begun, the job goes on with it; later its
 * output counts, if it is there by now.
 */
function rungLate(job: JobState, attempt: AttemptIn<"closed">, runId: string | null, context: DecisionContext) {
  const { now } = context;
  if (attempt.outcome !== "superseded" || attempt.sentAt === null || nextAskAt(attempt, now) > now) {
    return null;
  }
  // A run that was cancelled does not come back: only what it may have left is looked for.
  const isOpen = runId !== null && !attempt.cancelsOwed.includes(runId);
  if (isOpen && currentAttempt(job)?.number === attempt.number) {
    return toHinted(job, attempt, runId, context);
  }
  const run = runId === null ? attempt.run : newRun(runId, "webhook", now);
  const strays = runId === null ? attempt.strays : straysBeside(attempt, runId);
  const { sentAt } = attempt;
  const looking = { phase: "verifying", sentAt, run, claim: "late_word", since: now, lookAt: now } as const;
  return putAttempt(job, toPhase({ ...attempt, rungAt: now, strays }, { ...looking, silences: 0 }));
}

/** Final for the user at once; whatever runs, or turns out to run, is cancelled behind it. */
export function cancelRequested(job: JobState, _signal: SignalOf<"cancel_requested">, { now }: DecisionContext) {
  if (isFinal(job.status)) {
    return null;
  }
  const end = { status: "cancelled", stage: "done", message: null, nextAttemptAt: null, verdict: null } as const;
  return endAttempts({ ...job, ...end, completedAt: now }, "cancelled", now);
}

/**
 * The owner wants another try of a job that failed or was cancelled: it is pending again, its history stays, and its
 * progress too until the next attempt opens, because within an attempt it never falls.
 */
export function retryRequested(job: JobState, _signal: SignalOf<"retry_requested">, { now }: DecisionContext) {
  if (!canReopen(job)) {
    return null;
  }
  const { startWithinMs } = job.spec;
  const reopened: JobState = {
    ...job,
    status: "pending",
    stage: "queued",
    error: null,
    nextAttemptAt: now,
    waitingSince: now,
    startBy: startWithinMs === null ? null : now + startWithinMs,
    attemptsBefore: job.attempts.length,
    completedAt: null,
    settledAt: null,
    acknowledgedAt: null,
  };
  return reopened;
}

/** The owner wants a job that is over to be gone. From here on nothing of it begins; first its row goes. */
export function removeRequested(job: JobState, _signal: SignalOf<"remove_requested">, { now }: DecisionContext) {
  if (!isFinal(job.status) || job.removal) {
    return null;
  }
  const removal = { requestedAt: now, rowGone: false };
  return owe({ ...job, removal, settledAt: null }, { duty: "delete_row", of: job.spec.id }, now);
}

/** The owner changed the labels, or took note of the end: in any state, and without touching it. Null changes nothing. */
export function amended(job: JobState, signal: SignalOf<"amended">, { now }: DecisionContext): JobState | null {
  if (job.removal) {
    return null;
  }
  const taken = signal.acknowledged ? (job.acknowledgedAt ?? now) : null;
  const acknowledgedAt = signal.acknowledged === null ? job.acknowledgedAt : taken;
  const metadata = signal.metadata ?? job.metadata;
  const isSame = toCanonicalJson(metadata) === toCanonicalJson(job.metadata) && acknowledgedAt === job.acknowledgedAt;
  return isSame ? null : { ...job, metadata, acknowledgedAt };
}
