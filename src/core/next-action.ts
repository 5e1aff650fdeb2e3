import { type Duty, isFinal, isSettleable, type JobState, uncountedAttempts } from "./job-state.ts";
import { deadlineOf } from "./pace.ts";
import type { Timers } from "./timers.ts";

export type Action = Readonly<
  | { do: "submit" }
  | { do: "verify"; step: "status" | "output"; attempt: number }
  | { do: Duty; attempt: number }
  | { do: "project"; settled: boolean }
  | { do: "clock" }
  | { do: "wait"; until: number }
  | { do: "rest" }
>;

/**
 * What the job needs now, derived from nothing but its state: a crash at any line is repaired by asking again.
 * `wait` names the instant at which to ask again at the latest; only a settled job may `rest`.
 */
export function nextAction(job: JobState, now: number, timers: Timers): Action {
  const due = dueWork(job, timers).reduce((first, work) => (work.at < first.at ? work : first), idle);
  if (due.at <= now) {
    return due.action;
  }
  return due.at === Infinity ? { do: "rest" } : { do: "wait", until: due.at };
}

type Work = Readonly<{ at: number; action: Action }>;

const idle: Work = { at: Infinity, action: { do: "rest" } };

function dueWork(job: JobState, timers: Timers): Work[] {
  const owed = job.obligations.map(({ duty, attempt, dueAt }): Work => ({ at: dueAt, action: { do: duty, attempt } }));
  // While the job goes on, nothing waits for a notice; at its end one write to D1 waits for all that is owed.
  const [first, last] = isFinal(job.status)
    ? [owed, []]
    : [owed.filter(isNoNotice), owed.filter((w) => !isNoNotice(w))];
  const work = [...first];
  for (const attempt of job.attempts) {
    work.push({ at: deadlineOf(job, attempt, timers).at, action: { do: "clock" } });
    if (attempt.check && !isFinal(job.status)) {
      const { step, at } = attempt.check;
      work.push({ at, action: { do: "verify", step, attempt: attempt.number } });
    }
  }
  if (job.nextAttemptAt !== null && !isFinal(job.status)) {
    work.push({ at: job.nextAttemptAt, action: { do: "submit" } });
  }
  work.push(projectionWork(job, timers), ...last);
  return work;
}

function isNoNotice({ action }: Work): boolean {
  return action.do !== "notify";
}

/** Lists are read from D1 and need no more than a rough figure; who watches one job asks its object. In percent. */
const progressStep = 25;

/**
 * D1 gets a change of status at once, the settling with or after the final state, and progress in few steps: however
 * many updates a run sends, and however long it takes, they cost three rows.
 */
function projectionWork(job: JobState, timers: Timers): Work {
  const { version, urgentVersion, at, notBefore, progress } = job.projection;
  const settled = isSettleable(job);
  const action: Action = { do: "project", settled };
  if (urgentVersion > version || (settled && job.settledAt === null) || uncountedAttempts(job).length > 0) {
    // Not before what was owed at the same instant: then one write to D1 tells the end, the usage and the settling.
    return { at: Math.max(notBefore, job.updatedAt), action };
  }
  if (job.version > version && job.progress - progress >= progressStep) {
    return { at: Math.max(notBefore, at + timers.progressFlushMs), action };
  }
  return idle;
}
