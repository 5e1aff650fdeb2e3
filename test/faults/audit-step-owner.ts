import type { Attempt } from "../../src/core/attempt.ts";
import { isFinal } from "../../src/core/job-state.ts";
import { attemptIn, dutyIn, has, isEqual, type Rule, type StepOf } from "./audit-step.ts";

type Asked = StepOf<"cancel_requested" | "retry_requested" | "remove_requested" | "amended">;

/** What the owner asked for. */
export function rulesOfOwner(step: Asked): Rule[] {
  const { signal } = step;
  switch (signal.kind) {
    case "cancel_requested":
      return rulesOfCancel({ ...step, signal });
    case "retry_requested":
      return rulesOfRetry({ ...step, signal });
    case "remove_requested":
      return rulesOfRemoval({ ...step, signal });
    case "amended":
      return rulesOfAmendment({ ...step, signal });
  }
}

function rulesOfCancel({ before, after, change, context }: StepOf<"cancel_requested">): Rule[] {
  if (isFinal(before.status)) {
    return [["what is over is not cancelled", change === null]];
  }
  const end = { status: "cancelled", stage: "done", message: null, completedAt: context.now };
  return [
    ["a cancel is final at once", has(after, { ...end, nextAttemptAt: null, verdict: null, output: null })],
    ["nothing of it goes on", after.attempts.every((is) => isEnded(attemptIn(before, is.number), is, context.now))],
    ["when it began stays known", after.startedAt === before.startedAt],
  ];
}

/** One whose `/run` is under way waits for its answer. */
function isEnded(was: Attempt | undefined, is: Attempt, now: number): boolean {
  switch (was?.phase) {
    case "closed":
    case "abandoned":
      return is.phase === was.phase && has(is, { outcome: was.outcome });
    case "submitting":
      return has(is, { phase: "abandoned", sentAt: was.sentAt, outcome: "cancelled" });
    default:
      return has(is, { phase: "closed", outcome: "cancelled", closedAt: now });
  }
}

function rulesOfRetry({ before, after, change, context }: StepOf<"retry_requested">): Rule[] {
  const isOver = before.status === "error" || before.status === "cancelled";
  if (!isOver || before.removal || before.attempts.length >= 500) {
    return [["what cannot be tried again stays", change === null]];
  }
  const { now } = context;
  const { startWithinMs } = before.spec;
  const clean = { status: "pending", stage: "queued", message: null, error: null, output: null };
  const open = { completedAt: null, settledAt: null, acknowledgedAt: null, verdict: null };
  const startBy = startWithinMs === null ? null : now + startWithinMs;
  const patience = { nextAttemptAt: now, waitingSince: now, startBy, attemptsBefore: before.attempts.length };
  return [
    ["a job that is tried again is as good as new", has(after, { ...clean, ...open })],
    ["it starts at once, with all its patience", has(after, patience)],
    ["its history stays", after.attempts.length === before.attempts.length && after.startedAt === before.startedAt],
    ["its progress stays until it is tried", after.progress === before.progress],
  ];
}

function rulesOfRemoval({ before, after, change, context }: StepOf<"remove_requested">): Rule[] {
  if (!isFinal(before.status) || before.removal) {
    return [["only what is over is removed, and once", change === null]];
  }
  const { now } = context;
  const row = dutyIn(after, "delete_row", before.spec.id);
  return [
    ["a removal is noted", isEqual(after.removal, { requestedAt: now, rowGone: false }) && after.settledAt === null],
    ["its row goes at once", row !== undefined && row.dueAt <= now && row.until === null],
    ["nobody sees anything else of it yet", after.version === before.version && after.status === before.status],
  ];
}

function rulesOfAmendment({ before, after, change, signal, context }: StepOf<"amended">): Rule[] {
  if (before.removal) {
    return [["what is removed is not amended", change === null]];
  }
  const seenAt = before.acknowledgedAt ?? context.now;
  const acknowledgedAt = signal.acknowledged === null ? before.acknowledgedAt : signal.acknowledged ? seenAt : null;
  return [
    ["what the owner says stands", has(after, { metadata: signal.metadata ?? before.metadata, acknowledgedAt })],
    ["nothing else changes", after.status === before.status && isEqual(after.attempts, before.attempts)],
  ];
}
