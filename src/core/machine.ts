import type { JobEvent } from "../contract/event.ts";
import { type Attempt, runOf } from "./attempt.ts";
import { oweNotice } from "./audience.ts";
import { oweDebts, oweRow } from "./debts.ts";
import { eventTypeOf, toEvent } from "./events.ts";
import { allowedEdges, isFinal, type JobState } from "./job-state.ts";
import { amended, cancelRequested, doorbell, removeRequested, retryRequested } from "./live-signals.ts";
import { outputAbsent, outputFound, outputUnknown } from "./output-signals.ts";
import { attemptOpened, inputMissing, runAnswered, turnDelayed } from "./run-signals.ts";
import type { DecisionContext, Signal, SignalOf } from "./signals.ts";
import { progressed, statusAnswered } from "./status-signals.ts";
import { clock, d1Seen, dutyTried, rowWritten } from "./upkeep-signals.ts";

export type Change = Readonly<{
  job: JobState;
  /** What a watcher is told, at most one event. */
  events: readonly JobEvent[];
  /** Must be written before anything is acknowledged; false for progress, which may wait for its checkpoint. */
  durable: boolean;
}>;

type Handlers = {
  readonly [Kind in Signal["kind"]]: (
    job: JobState,
    signal: SignalOf<Kind>,
    context: DecisionContext,
  ) => JobState | null;
};

export const handlers: Handlers = {
  attempt_opened: attemptOpened,
  input_missing: inputMissing,
  run_answered: runAnswered,
  status_answered: statusAnswered,
  turn_delayed: turnDelayed,
  doorbell,
  progress: progressed,
  output_found: outputFound,
  output_absent: outputAbsent,
  output_unknown: outputUnknown,
  cancel_requested: cancelRequested,
  retry_requested: retryRequested,
  remove_requested: removeRequested,
  amended,
  duty_tried: dutyTried,
  row_written: rowWritten,
  d1_seen: d1Seen,
  clock,
};

/**
 * What a reported fact does to a job. Pure: no I/O, clock or randomness.
 * @returns null when the fact is stale, a duplicate, or of a superseded attempt: at-least-once delivery is safe
 */
export function transition(job: JobState, signal: Signal, context: DecisionContext): Change | null {
  const handled = handle(signal.kind, job, signal, context);
  if (handled === null || !isAllowed(job, handled)) {
    return null;
  }
  const isFigure = lightKinds.has(signal.kind) && isSameAnchor(job, handled);
  const next = isVisible(job, handled) ? toNextVersion(job, handled, context) : handled;
  const owing = oweDebts(job, next, context);
  const isTold = owing.lastSeq > job.lastSeq;
  const events = isTold ? [toEvent(owing, eventTypeOf(owing, isFigure ? "progress" : "status"))] : [];
  return { job: owing, events, durable: !isFigure || !isSameTrouble(job, handled) };
}

function handle<Kind extends Signal["kind"]>(kind: Kind, job: JobState, signal: Signal, context: DecisionContext) {
  const handler: Handlers[Kind] = handlers[kind];
  return isKind(signal, kind) ? handler(job, signal, context) : null;
}

function isKind<Kind extends Signal["kind"]>(signal: Signal, kind: Kind): signal is SignalOf<Kind> {
  return signal.kind === kind;
}

function isAllowed(before: JobState, after: JobState): boolean {
  return before.status === after.status || allowedEdges[before.status].includes(after.status);
}

const shown = ["status", "stage", "progress", "message", "runId", "metadata", "acknowledgedAt"] as const;

/** Whether a reader sees the change. What is learned of a run after its job is over concerns nobody but us (I3). */
function isVisible(before: JobState, after: JobState): boolean {
  const isGone = after.removal?.rowGone ?? false;
  return !isGone && shown.some((field) => before[field] !== after[field]);
}

/** In percent: lists are read from D1 and need no more than a rough figure; who watches one job asks its object. */
const progressStep = 33;

/**
 * Gives the change its version, and owes it to D1: a change of status at once, progress in few steps, so that however
 * many updates a run sends, and however long it takes, they cost three rows. The final event is the last: what is amended
 * after it, readers see.
 */
function toNextVersion(before: JobState, after: JobState, { now, timers }: DecisionContext): JobState {
  const isOver = isFinal(before.status) && before.status === after.status;
  const isReopened = isFinal(before.status) && !isFinal(after.status);
  // The row was shown to the sweep with the version between: what that shows must not change under it.
  const version = before.version + (isReopened ? 2 : 1);
  const row = isReopened ? { ...after.row, reopenedVersion: version } : after.row;
  const next = { ...after, version, row, updatedAt: now, lastSeq: isOver ? before.lastSeq : version };
  const told = before.status === after.status ? next : oweNotice(next, version, now);
  if (before.status !== after.status || isOver || before.metadata !== after.metadata) {
    return oweRow(told, version, now);
  }
  const hasBegun = before.stage === "waiting_for_gpu" && after.stage !== before.stage;
  const isStep = hasBegun || Math.abs(next.progress - row.progress) > progressStep;
  return isStep ? oweRow(told, version, Math.max(now, row.at + timers.progressFlushMs)) : told;
}

const lightKinds: ReadonlySet<Signal["kind"]> = new Set(["progress", "status_answered", "turn_delayed"]);

/** Whether nothing changed that a crash must not take back: progress and polls that move nothing but figures. */
function isSameAnchor(before: JobState, after: JobState): boolean {
  const isSame = before.attempts.every((attempt, index) => isSameAttempt(attempt, after.attempts[index]));
  return isSame && before.status === after.status;
}

function isSameAttempt(before: Attempt, after: Attempt | undefined): boolean {
  return before.phase === after?.phase && runOf(before)?.startedAt === runOf(after)?.startedAt;
}

/** An object sleeps between its polls: what they count up must not be forgotten. On a good day they count nothing. */
function isSameTrouble(before: JobState, after: JobState): boolean {
  return before.attempts.every((attempt, index) => troubleOf(attempt) === troubleOf(after.attempts[index]));
}

function troubleOf(attempt: Attempt | undefined): string | null {
  return attempt?.phase === "running" ? `${attempt.silences}/${attempt.gone?.times ?? 0}` : null;
}
