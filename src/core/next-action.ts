import type { Attempt } from "./attempt.ts";
import type { Duty, DutyName, Errand } from "./duty.ts";
import { isFinal, type JobState } from "./job-state.ts";
import { deadlineOf } from "./pace.ts";
import type { Timers } from "./timers.ts";

export type Action = Readonly<
  | { do: "submit" }
  | { do: "ask"; attempt: number }
  | { do: "look"; attempt: number }
  | { do: "write_row" }
  | { do: "carry_out"; key: Errand }
  | { do: "forget" }
  | { do: "clock" }
  | { do: "wait"; until: number }
  | { do: "rest" }
>;

/**
 * What the job needs now, derived from nothing but its state: a crash at any line is repaired by asking again.
 * `wait` names the instant at which to ask again at the latest; only a settled job may `rest`.
 */
export function nextAction(job: JobState, now: number, timers: Timers): Action {
  const work = dueWork(job, timers);
  const due = work.find(({ at }) => at <= now);
  if (due) {
    return due.action;
  }
  const until = work.reduce((first, { at }) => Math.min(first, at), Infinity);
  return until === Infinity ? { do: "rest" } : { do: "wait", until };
}

type Work = Readonly<{ at: number; action: Action }>;

/**
 * Of what is due the first in this order goes first. While the job goes on, everything comes before a notice and the
 * write to D1; at its end one write waits for all else that is owed, and then tells the end, the usage and the settling.
 */
function dueWork(job: JobState, timers: Timers): Work[] {
  const isOver = isFinal(job.status);
  const work = [...job.attempts.flatMap((attempt) => workOf(job, attempt, timers)), ...openWork(job)];
  if (job.duties.length === 0) {
    return work;
  }
  const owed = job.duties.map((duty) => ({ rank: rankOf(duty.duty, isOver), work: toWork(job, duty) }));
  const ofRank = (rank: number) => owed.filter((duty) => duty.rank === rank).map(({ work }) => work);
  return [...ofRank(0), ...work, ...ofRank(1), ...ofRank(2)];
}

function rankOf(duty: DutyName, isOver: boolean): number {
  switch (duty) {
    case "write_row":
    case "count_usage":
      return 1;
    case "notify":
      return isOver ? 0 : 2;
    case "cancel":
    case "delete_output":
    case "drop_messages":
    case "tell_deleted":
    case "delete_row":
    case "forget":
      return 0;
  }
}

function toWork(job: JobState, { duty, of, dueAt }: Duty): Work {
  switch (duty) {
    case "write_row":
    case "count_usage":
      return { at: dueAt, action: { do: "write_row" } };
    case "forget":
      // The last of all: it takes the list of what is owed with it.
      return { at: job.duties.length === 1 ? dueAt : Infinity, action: { do: "forget" } };
    case "notify":
    case "cancel":
    case "delete_output":
    case "drop_messages":
    case "tell_deleted":
    case "delete_row":
      return { at: dueAt, action: { do: "carry_out", key: { duty, of } } };
  }
}

/** What an attempt waits for: its next question or look, and the end of all waiting. */
function workOf(job: JobState, attempt: Attempt, timers: Timers): Work[] {
  const deadline: Work = { at: deadlineOf(job, attempt, timers).at, action: { do: "clock" } };
  const { number } = attempt;
  switch (attempt.phase) {
    case "submitting":
    case "abandoned":
      return [deadline];
    case "held":
      return [deadline, { at: attempt.resendAt, action: { do: "submit" } }];
    case "running":
      return [deadline, { at: attempt.pollAt, action: { do: "ask", attempt: number } }];
    case "unconfirmed":
    case "verifying":
      return [{ at: attempt.lookAt, action: { do: "look", attempt: number } }];
    case "closed":
      return [];
  }
}

function openWork({ status, nextAttemptAt, verdict }: JobState): Work[] {
  if (isFinal(status)) {
    return [];
  }
  const looks = verdict?.looks.slice(0, 1) ?? [];
  const at = verdict?.lookAt ?? Infinity;
  const looking = looks.map((attempt): Work => ({ at, action: { do: "look", attempt } }));
  return nextAttemptAt === null ? looking : [...looking, { at: nextAttemptAt, action: { do: "submit" } }];
}
