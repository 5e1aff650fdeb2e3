import type { Attempt } from "../../src/core/attempt.ts";
import { isFinal, type JobState } from "../../src/core/job-state.ts";
import type { Action } from "../../src/core/next-action.ts";
import { deadlineOf } from "../../src/core/pace.ts";
import type { Timers } from "../../src/core/timers.ts";

/** One thing that a job has to do: when, and how it is asked for. A lower rank goes first. */
type Due = Readonly<{ at: number; rank: number; action: Exclude<Action, { do: "wait" | "rest" }> }>;

/** What is wrong with what a job is said to need now. */
export function auditAction(job: JobState, action: Action, now: number, timers: Timers): string[] {
  const all = listDue(job, timers);
  const due = all.filter(({ at }) => at <= now);
  const next = Math.min(...all.map(({ at }) => at));
  const text = JSON.stringify(action);
  if (due.length > 0) {
    const first = Math.min(...due.map(({ rank }) => rank));
    const isDue = due.some((one) => one.rank === first && JSON.stringify(one.action) === text);
    return isDue ? [] : [`what is due is done, the most urgent first: ${text}`];
  }
  if (next === Infinity) {
    return action.do === "rest" ? [] : [`a job without work rests: ${text}`];
  }
  const isWaiting = action.do === "wait" && action.until === next;
  return isWaiting ? [] : [`a job waits until its next work, and no longer: ${text}`];
}

/**
 * While a job goes on, calling back what is not wanted comes first and telling of it last; at its end those who listen,
 * runs to cancel and outputs to delete come before the one write that tells D1 all of it.
 */
function listDue(job: JobState, timers: Timers): Due[] {
  const isOver = isFinal(job.status);
  const work = [...job.attempts.flatMap((attempt) => dueOf(job, attempt, timers)), ...dueOfJob(job)];
  const owed = job.duties.map(({ duty, of, dueAt }): Due => {
    switch (duty) {
      case "write_row":
      case "count_usage":
        return { at: dueAt, rank: 2, action: { do: "write_row" } };
      case "forget":
        return { at: job.duties.length === 1 ? dueAt : Infinity, rank: 0, action: { do: "forget" } };
      case "notify":
        return { at: dueAt, rank: isOver ? 0 : 3, action: { do: "carry_out", key: { duty, of } } };
      default:
        return { at: dueAt, rank: 0, action: { do: "carry_out", key: { duty, of } } };
    }
  });
  return [...owed, ...work];
}

function dueOf(job: JobState, attempt: Attempt, timers: Timers): Due[] {
  const { number } = attempt;
  const late: Due = { at: deadlineOf(job, attempt, timers).at, rank: 1, action: { do: "clock" } };
  switch (attempt.phase) {
    case "submitting":
    case "abandoned":
      return [late];
    case "held":
      return [late, { at: attempt.resendAt, rank: 1, action: { do: "submit" } }];
    case "running":
      return [late, { at: attempt.pollAt, rank: 1, action: { do: "ask", attempt: number } }];
    case "unconfirmed":
    case "verifying":
      return [{ at: attempt.lookAt, rank: 1, action: { do: "look", attempt: number } }];
    case "closed":
      return [];
  }
}

function dueOfJob({ nextAttemptAt, verdict }: JobState): Due[] {
  const [attempt] = verdict?.looks ?? [];
  return [
    ...(verdict && attempt !== undefined
      ? [{ at: verdict.lookAt, rank: 1, action: { do: "look", attempt } } as const]
      : []),
    ...(nextAttemptAt === null ? [] : [{ at: nextAttemptAt, rank: 1, action: { do: "submit" } } as const]),
  ];
}
