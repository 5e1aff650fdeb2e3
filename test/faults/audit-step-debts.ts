import { endOfLife, openRunsOf, sentAtOf } from "../../src/core/attempt.ts";
import type { Duty } from "../../src/core/duty.ts";
import { isFinal, isSettleable, type JobState } from "../../src/core/job-state.ts";
import { attemptIn, dutyIn, isEqual, type Rule, type Step } from "./audit-step.ts";

const progressStep = 33;

/** What a change leaves to be done: D1's row, those who listen, runs to cancel, usage to count, outputs to delete. */
export function rulesOfDebts(step: Step): Rule[] {
  return step.change
    ? [...rulesOfRow(step), ...rulesOfNotice(step), ...rulesOfClosed(step), ...rulesOfLosers(step)]
    : [];
}

function isNew({ before }: Step, { duty, of }: Duty): boolean {
  return dutyIn(before, duty, of) === undefined;
}

/** D1 hears of each change of status, and of what owners change, at once; of progress in few steps (I9). */
function rulesOfRow(step: Step): Rule[] {
  const { before, after, context, signal } = step;
  const row = dutyIn(after, "write_row");
  const isOver = isFinal(before.status) && isFinal(after.status);
  const isNews = before.status !== after.status || before.metadata !== after.metadata || isOver;
  const isUrgent = isNews && after.version > before.version && signal.kind !== "d1_seen";
  const isPrompt = row !== undefined && (row.dueAt <= context.now || row.tries > 0) && row.of === after.version;
  return [
    ["D1 is told at once", !isUrgent || isPrompt],
    ["a job that could settle owes D1 that", !isSettleable(after) || after.settledAt !== null || row !== undefined],
    ...(isUrgent ? [] : rulesOfProgressRow(step)),
  ];
}

/** However many updates a run sends, they cost few rows. */
function rulesOfProgressRow({ before, after, context, signal }: Step): Rule[] {
  const row = dutyIn(after, "write_row");
  const wasOwed = dutyIn(before, "write_row") !== undefined;
  const hasBegun = before.stage === "waiting_for_gpu" && after.stage !== before.stage;
  const lies = (hasBegun || Math.abs(after.progress - after.row.progress) > progressStep) && !isFinal(after.status);
  const isStep = lies && after.version > before.version;
  const soonest = after.row.at + context.timers.progressFlushMs;
  const isInTime = row !== undefined && (row.tries > 0 || row.dueAt <= Math.max(context.now, soonest));
  const isUnasked = !isSettleable(after) && !["d1_seen", "row_written"].includes(signal.kind);
  const isNew = isUnasked && !wasOwed && row !== undefined;
  return [
    ["D1 is told of progress in steps", !isStep || (isInTime && row?.of === after.version)],
    ["progress is written no sooner than it may be", !isNew || row.dueAt >= soonest],
    ["small steps cost no row", !isNew || lies],
  ];
}

/** Those who listen are told of each change of status; nobody is called who never asked (I16). */
function rulesOfNotice({ before, after, context }: Step): Rule[] {
  if (before.status === after.status) {
    return [];
  }
  const notices = after.duties.filter(({ duty }) => duty === "notify");
  const [notice] = notices;
  const isHeard = after.spec.webhook !== null || before.audience.isThere;
  const isOwed = isHeard && after.status !== "pending";
  const untold = isHeard || after.status === "pending" ? null : after.version;
  return [
    ["the newest notice alone waits", notices.length === (isOwed ? 1 : 0)],
    ["a notice is of its version, and due", !notice || (notice.of === after.version && notice.dueAt <= context.now)],
    ["what nobody was told of is remembered", after.audience.untold === untold],
    ["who listens stays known", after.audience.isThere === before.audience.isThere],
  ];
}

/** What an attempt that is over leaves: its runs cancelled at once (I8), as long as they may live, and its usage (I10). */
function rulesOfClosed(step: Step): Rule[] {
  const { after, context } = step;
  const { now } = context;
  const fresh = after.duties.filter((duty) => isNew(step, duty));
  const cancels = fresh.filter(({ duty }) => duty === "cancel");
  const isAlive = ({ of, until }: Duty) =>
    after.attempts.some((attempt) => openRunsOf(attempt).includes(String(of)) && endOfLife(attempt) === until);
  const counted = fresh.filter(({ duty }) => duty === "count_usage");
  return [
    [
      "a run is cancelled at once, and until its life ends",
      cancels.every((duty) => duty.dueAt === now && isAlive(duty)),
    ],
    ["usage is counted once the job is over", counted.length === 0 || isFinal(after.status)],
    ["what goes on is not counted yet", after.duties.every((duty) => isOfClosed(after, duty))],
    ["usage is counted at once", counted.every(({ dueAt, until }) => dueAt === now && until === null)],
    ["each attempt of a job that just ended is counted", after.attempts.every(({ number }) => isCounted(step, number))],
    ["each run that was given up is owed a cancel", after.attempts.every(({ number }) => isCancelling(step, number))],
  ];
}

function isOfClosed(job: JobState, { duty, of }: Duty): boolean {
  return duty !== "count_usage" || attemptIn(job, Number(of))?.phase === "closed";
}

function isCounted(step: Step, number: number): boolean {
  const [was, is] = [attemptIn(step.before, number), attemptIn(step.after, number)];
  const isFresh = is?.phase === "closed" && is.usageOwed && !(was?.phase === "closed" && was.usageOwed);
  return !isFresh || dutyIn(step.after, "count_usage", number) !== undefined;
}

function isCancelling(step: Step, number: number): boolean {
  const [was, is] = [attemptIn(step.before, number), attemptIn(step.after, number)];
  const owedBefore = was?.phase === "closed" ? was.cancelsOwed : [];
  const fresh = is?.phase === "closed" ? is.cancelsOwed.filter((id) => !owedBefore.includes(id)) : [];
  return fresh.every((id) => dutyIn(step.after, "cancel", id) !== undefined);
}

/** What losers left is deleted, what won never is, and a job that is reopened may still want all of it. */
function rulesOfLosers({ before, after, context }: Step): Rule[] {
  const [wasOver, isOver] = [isFinal(before.status), isFinal(after.status)];
  const deletions = after.duties.filter(({ duty }) => duty === "delete_output");
  const isKept = deletions.every(({ of }) => after.removal !== null || of !== after.output?.key);
  const safe: Rule = ["what won is not deleted", isKept];
  if (wasOver && !isOver) {
    return [safe, ["a job that is reopened deletes nothing", deletions.length === 0]];
  }
  if (wasOver || !isOver) {
    return [safe, ["only a job that is over deletes outputs", isOver || deletions.length === 0]];
  }
  const expected = losersOf(after).map((attempt) => ({
    duty: "delete_output",
    of: attempt.outputKey,
    tries: 0,
    dueAt: context.now + context.timers.outputWindowMs,
    until: endOfLife(attempt),
  }));
  const isSame = (owed: Duty, index: number) => {
    const { duty, of, tries, dueAt, until } = owed;
    return isEqual({ duty, of, tries, dueAt, until }, expected[index]);
  };
  const isAll = deletions.length === expected.length && deletions.every(isSame);
  return [safe, ["what losers may have left is deleted, after a while and at the end of their links", isAll]];
}

function losersOf({ attempts, output }: JobState): JobState["attempts"] {
  return attempts.filter((attempt) => sentAtOf(attempt) !== null && attempt.outputKey !== output?.key);
}
