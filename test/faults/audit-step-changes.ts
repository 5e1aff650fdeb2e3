import { type Attempt, runOf } from "../../src/core/attempt.ts";
import { isFinal, type JobState } from "../../src/core/job-state.ts";
import { isEqual, type Rule, type Step } from "./audit-step.ts";

const mayWait = ["progress", "status_answered", "turn_delayed"];

/** What readers see of a change: its version, its event, and what of it a crash may take back. */
export function rulesOfChanges(step: Step): Rule[] {
  return step.change ? [...rulesOfVersion(step), ...rulesOfEvent(step), ...rulesOfSaving(step)] : [];
}

function toShown(job: JobState): unknown {
  const { status, stage, progress, message, runId, metadata, acknowledgedAt, error, output, attempts } = job;
  return { status, stage, progress, message, runId, metadata, acknowledgedAt, error, output, count: attempts.length };
}

function rulesOfVersion({ before, after, signal, context }: Step): Rule[] {
  const steps = after.version - before.version;
  const isGone = after.removal?.rowGone ?? false;
  if (signal.kind === "d1_seen" || isGone) {
    return [["a job whose row is gone shows nothing new", !isGone || steps === 0]];
  }
  const isReopened = isFinal(before.status) && !isFinal(after.status);
  const isNew = !isEqual(toShown(before), toShown(after));
  return [
    ["what readers see has a version of its own, and no version is wasted", steps === (isReopened ? 2 : isNew ? 1 : 0)],
    ["a new version has its instant", after.updatedAt === (isNew ? context.now : before.updatedAt)],
    ["what was shown of the row stays", isReopened || after.row.reopenedVersion === before.row.reopenedVersion],
  ];
}

function rulesOfEvent({ before, after, change, signal }: Step): Rule[] {
  const events = change?.events ?? [];
  const [event] = events;
  const isOver = isFinal(before.status) && isFinal(after.status);
  const isTold = after.version > before.version && !isOver && signal.kind !== "d1_seen";
  const isDecided = !isEqual(toAnchor(before), toAnchor(after));
  const isQuiet = !isFinal(after.status) && !isDecided && mayWait.includes(signal.kind);
  const type = isFinal(after.status) ? after.status : isQuiet ? "progress" : "status";
  const { progress, message, stage, status } = after;
  const said = { seq: event?.seq, type: event?.type, status: event?.status, progress: event?.progress };
  return [
    ["watchers are told of each change once, and of none after the last", events.length === (isTold ? 1 : 0)],
    ["watchers are told what is so", !event || isEqual(said, { seq: after.version, type, status, progress })],
    ["watchers are told how it stands", !event || (event.message === message && event.stage === stage)],
    ["the last event is that of the newest version told", isTold || after.lastSeq === before.lastSeq],
  ];
}

/** A crash must not take back what was decided; and what decides nothing must not cost a write each time. */
function rulesOfSaving({ before, after, change, signal }: Step): Rule[] {
  const isCounted = !isEqual(toTrouble(before), toTrouble(after));
  const isDecided = isCounted || !isEqual(toAnchor(before), toAnchor(after));
  return [
    ["what was decided is durable", change?.durable === true || !isDecided],
    ["figures alone wait for the next save", isDecided || !mayWait.includes(signal.kind) || change?.durable === false],
    ["only figures wait", change?.durable === true || mayWait.includes(signal.kind)],
  ];
}

function toAnchor({ status, nextAttemptAt, verdict, attempts }: JobState): unknown {
  return { status, nextAttemptAt, verdict, attempts: attempts.map(toAnchorOf) };
}

/** What an object that sleeps between its polls must know again. */
function toTrouble({ attempts }: JobState): unknown {
  return attempts.map((attempt) => attempt.phase === "running" && [attempt.silences, attempt.gone?.times ?? 0]);
}

function toAnchorOf(attempt: Attempt): unknown {
  const run = runOf(attempt);
  return [attempt.phase, run?.id ?? null, run?.startedAt ?? null, attempt.phase === "running" && attempt.rung];
}
