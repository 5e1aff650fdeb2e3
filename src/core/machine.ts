import type { JobEvent } from "../contract/event.ts";
import { oweCancels } from "./attempts.ts";
import { oweNotice } from "./audience.ts";
import { eventTypeOf, toEvent } from "./events.ts";
import { type Attempt, allowedEdges, currentAttempt, isFinal, type JobState } from "./job-state.ts";
import { amended, cancelRequested, doorbell, progressed, retryRequested } from "./live-signals.ts";
import { outputAbsent, outputFound, outputUnknown } from "./output-signals.ts";
import {
  attemptOpened,
  runAccepted,
  runRefused,
  runReported,
  runThrottled,
  runUnconfirmed,
  statusUnavailable,
} from "./run-signals.ts";
import type { DecisionContext, Signal, SignalOf } from "./signals.ts";
import { clock, d1Seen, dutyTried, projected } from "./upkeep-signals.ts";

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

const handlers: Handlers = {
  attempt_opened: attemptOpened,
  run_accepted: runAccepted,
  run_refused: runRefused,
  run_throttled: runThrottled,
  run_unconfirmed: runUnconfirmed,
  run_reported: runReported,
  status_unavailable: statusUnavailable,
  doorbell,
  progress: progressed,
  cancel_requested: cancelRequested,
  retry_requested: retryRequested,
  amended,
  output_found: outputFound,
  output_absent: outputAbsent,
  output_unknown: outputUnknown,
  projected,
  d1_seen: d1Seen,
  duty_tried: dutyTried,
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
  const next = oweCancels(handled, context.now);
  if (!isVisible(job, next)) {
    return { job: next, events: [], durable: !isLight(signal, job, next) };
  }
  return publish(job, next, signal, context.now);
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

/** What is learned of a run after its job is over concerns nobody but us: a final state never changes (I3). */
function isVisible(before: JobState, after: JobState): boolean {
  if (isAmended(before, after)) {
    return true;
  }
  if (isFinal(before.status) && before.status === after.status) {
    return false;
  }
  return isStatusVisible(before, after) || before.progress !== after.progress || before.message !== after.message;
}

function isStatusVisible(before: JobState, after: JobState): boolean {
  return (
    before.status !== after.status ||
    before.stage !== after.stage ||
    before.attempts.length !== after.attempts.length ||
    currentAttempt(before)?.runId !== currentAttempt(after)?.runId
  );
}

function isAmended(before: JobState, after: JobState): boolean {
  return before.metadata !== after.metadata || before.acknowledgedAt !== after.acknowledgedAt;
}

/** Gives the change its version and its event. The final event is the last: what is amended after it, readers see. */
function publish(before: JobState, after: JobState, signal: Signal, now: number): Change {
  const version = Math.max(before.version, before.versionFloor) + 1;
  const isOver = isFinal(before.status) && before.status === after.status;
  const urgent = before.status !== after.status || isAmended(before, after);
  const projection = { ...after.projection, urgentVersion: urgent ? version : after.projection.urgentVersion };
  const isReopened = isFinal(before.status) && !isFinal(after.status);
  const reopenedVersion = isReopened ? version : projection.reopenedVersion;
  const lastSeq = isOver ? before.lastSeq : version;
  const told = before.status !== after.status ? oweNotice(after, version, now) : after;
  const job = {
    ...told,
    version,
    lastSeq,
    updatedAt: now,
    projection: { ...projection, reopenedVersion },
  };
  const durable = !isLight(signal, before, after);
  if (isOver) {
    return { job, events: [], durable };
  }
  const event = toEvent(job, eventTypeOf(job, durable ? "status" : "progress"));
  return { job, events: [event], durable };
}

const lightKinds: ReadonlySet<Signal["kind"]> = new Set(["progress", "run_reported", "status_unavailable"]);

/** Progress and polls that move nothing but figures may be lost in a crash: the next one repairs it. */
function isLight(signal: Signal, before: JobState, after: JobState): boolean {
  return lightKinds.has(signal.kind) && before.status === after.status && isSameAnchor(before, after);
}

/** Whether nothing changed that a crash must not take back. */
function isSameAnchor(before: JobState, after: JobState): boolean {
  return (
    before.nextAttemptAt === after.nextAttemptAt &&
    before.pendingError === after.pendingError &&
    (before.attempts === after.attempts || isSameAttempts(before.attempts, after.attempts))
  );
}

function isSameAttempts(before: readonly Attempt[], after: readonly Attempt[]): boolean {
  return before.length === after.length && before.every((attempt, index) => isSameAttempt(attempt, after[index]));
}

function isSameAttempt(before: Attempt, after: Attempt | undefined): boolean {
  return (
    before === after ||
    (before.phase === after?.phase &&
      before.runId === after.runId &&
      before.claim === after.claim &&
      before.hinted === after.hinted &&
      before.runningSince === after.runningSince)
  );
}
