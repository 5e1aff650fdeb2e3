import { type Attempt, isFinal, type JobState } from "./job-state.ts";
import type { DecisionContext } from "./signals.ts";
import type { Timers } from "./timers.ts";

const nearEndPercent = 90;
const growth = 1.5;

/** Pause before the next `/status` poll: short while someone watches or the end is near, else growing. */
export function pollPauseMs(job: JobState, attempt: Attempt, { timers, watched }: DecisionContext): number {
  if (watched || attempt.hinted || job.progress >= nearEndPercent) {
    return timers.pollMinMs;
  }
  return Math.min(timers.pollMaxMs, Math.round(timers.pollMinMs * growth ** Math.min(20, attempt.polls)));
}

/** Longest rendering time of one attempt of this job. */
export function executionTimeoutMs(job: JobState, timers: Timers): number {
  return job.spec.maxRunMs ?? timers.executionTimeoutMs;
}

/** After this RunPod drops the job, running or not: a whole wait, a whole run and time to be told of it. */
export function runTtlMs(job: JobState, timers: Timers): number {
  return Math.max(10_000, timers.queueTimeoutMs + executionTimeoutMs(job, timers) + timers.runGraceMs);
}

/** When the job as a whole must have begun to render, whatever the attempt; infinite once it has, or without a wish. */
export function startDeadline(job: JobState): number {
  const begun = job.attempts.some(({ runningSince }) => runningSince !== null);
  return begun || job.spec.startWithinMs === null ? Infinity : job.spec.createdAt + job.spec.startWithinMs;
}

export type Deadline = Readonly<{ at: number; passed: "unanswered" | "late_start" | "late_end" | "forgotten" }>;

/**
 * The instant at which waiting for this attempt ends, and what has then happened. Our own deadlines lie a little
 * behind RunPod's, so that its own word comes first.
 */
export function deadlineOf(job: JobState, attempt: Attempt, timers: Timers): Deadline {
  const { phase, runningSince, submittedAt, acceptedAt, claim } = attempt;
  if (phase === "submitting") {
    return { at: submittedAt + timers.runTimeoutMs + timers.statusTimeoutMs, passed: "unanswered" };
  }
  if (phase === "unconfirmed" && isFinal(job.status)) {
    return { at: submittedAt + attempt.policy.ttlMs, passed: "forgotten" };
  }
  if (phase !== "running" || claim !== null) {
    return { at: Infinity, passed: "late_end" };
  }
  if (runningSince !== null) {
    return { at: runningSince + attempt.policy.executionTimeoutMs + timers.pollMaxMs, passed: "late_end" };
  }
  return {
    at: Math.min((acceptedAt ?? submittedAt) + timers.queueTimeoutMs, startDeadline(job)),
    passed: "late_start",
  };
}
