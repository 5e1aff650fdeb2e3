import type { Attempt } from "../../src/core/attempt.ts";
import { allowedEdges, isFinal, type JobState } from "../../src/core/job-state.ts";

/** What is wrong with the way from one saved state of a job to the next. */
export function auditChange(before: JobState, after: JobState): string[] {
  const attempts = before.attempts.flatMap((attempt, index) => rulesOfAttempt(attempt, after.attempts[index]));
  return [...rulesOfJob(before, after), ...attempts].filter(([, holds]) => !holds).map(([rule]) => rule);
}

type Rule = readonly [rule: string, holds: boolean];

function rulesOfJob(before: JobState, after: JobState): Rule[] {
  const isSameStatus = before.status === after.status;
  const isReopened = isFinal(before.status) && !isFinal(after.status);
  const isSameAttempt = before.attempts.length === after.attempts.length;
  const stays = isFinal(before.status) && !isReopened;
  return [
    ["a status leads only where it may", isSameStatus || allowedEdges[before.status].includes(after.status)],
    ["a change of status has a version of its own", isSameStatus || after.version > before.version],
    ["versions rise, and events with them", before.version <= after.version && before.lastSeq <= after.lastSeq],
    ["attempts come one by one", [0, 1].includes(after.attempts.length - before.attempts.length)],
    ["progress rises within an attempt", !isSameAttempt || before.progress <= after.progress],
    ["a new attempt begins anew", isSameAttempt || (after.progress === 0 && after.message === null)],
    [
      "an end stays as it is",
      !stays || (before.completedAt === after.completedAt && before.output?.key === after.output?.key),
    ],
    ["a run of a job that is over stays to be seen", !stays || before.runId === after.runId],
    ["a retry begins anew", !isReopened || isAnew(before, after)],
    ["what is created stays so", before.spec.id === after.spec.id && before.spec.createdAt === after.spec.createdAt],
    ["a removal that has got so far goes on", !before.removal?.rowGone || after.removal?.rowGone === true],
  ];
}

function isAnew(before: JobState, { attemptsBefore, waitingSince, nextAttemptAt, row, version }: JobState): boolean {
  const isWaiting = nextAttemptAt !== null && waitingSince === nextAttemptAt;
  return attemptsBefore === before.attempts.length && isWaiting && row.reopenedVersion === version;
}

function rulesOfAttempt(before: Attempt, after: Attempt | undefined): Rule[] {
  if (!after) {
    return [[`attempt ${before.number} is not forgotten`, false]];
  }
  const { number } = before;
  const isKnown = (["nonce", "outputKey", "endpointId", "openedAt"] as const).every((f) => before[f] === after[f]);
  const isSamePolicy = JSON.stringify(before.policy) === JSON.stringify(after.policy);
  return [
    [`attempt ${number} is known by what it was opened with`, isKnown],
    [`attempt ${number} keeps its policy once it is sent`, isSamePolicy || before.phase === "held"],
    [`attempt ${number} ends once`, isSameEnd(before, after)],
    [`attempt ${number} keeps the start of its run`, isSameStart(before, after)],
  ];
}

function isWon(attempt: Attempt): boolean {
  return attempt.phase === "closed" && attempt.outcome === "complete";
}

function isSameEnd(before: Attempt, after: Attempt): boolean {
  const isFoundLate = before.phase === "closed" && before.outcome !== "complete" && isWon(after);
  if (before.phase !== "closed" || after.phase !== "closed" || isFoundLate) {
    return true;
  }
  const owes = before.cancelsOwed.every((id) => after.cancelsOwed.includes(id));
  const isSame = before.outcome === after.outcome && before.closedAt === after.closedAt;
  return isSame && owes && (after.usageOwed || !before.usageOwed);
}

/** A run that has been seen to render does not begin again. */
function isSameStart(before: Attempt, after: Attempt): boolean {
  if (before.phase !== "running" || after.phase !== "running" || before.run.id !== after.run.id) {
    return true;
  }
  return before.run.startedAt === null || before.run.startedAt === after.run.startedAt;
}
