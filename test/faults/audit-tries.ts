import type { Attempt } from "../../src/core/attempt.ts";
import { isFinal, type JobState } from "../../src/core/job-state.ts";

/** What the contract says of each way in which an attempt fails. */
const mendable = ["handler_failed", "handler_timeout", "output_missing", "deadline_exceeded", "cancelled_by_provider"];
const hopeless = ["input_not_found", "invalid_params", "provider_rejected"];
const noFailure = ["complete", "cancelled", "superseded"];

/** What is wrong with how often a job has been tried, and with what its readers are told of it meanwhile. */
export function auditTries(job: JobState): string[] {
  return [...rulesOfTries(job), ...rulesOfStage(job)].filter(([, holds]) => !holds).map(([rule]) => rule);
}

type Rule = readonly [rule: string, holds: boolean];

function rulesOfTries(job: JobState): Rule[] {
  const { attemptsBefore, spec, verdict, startBy } = job;
  const own = job.attempts.slice(attemptsBefore);
  const outcomes = own.map(outcomeOf);
  const isFailure = (outcome: string | null) => outcome !== null && !noFailure.includes(outcome);
  const failures = outcomes.filter(isFailure).length;
  // What became of an attempt that had been given up may be heard when the last one is under way already.
  const late = own.filter((attempt, index) => isFailure(outcomes[index] ?? null) && !isHeard(attempt, own[index + 1]));
  const isMendable = verdict !== null && mendable.includes(verdict.error.code) && startBy === null;
  const isHopeless = own.some((attempt, index) => {
    const next = own[index + 1];
    return next !== undefined && isHeard(attempt, next) && hopeless.includes(outcomeOf(attempt) ?? "");
  });
  return [
    ["no more is tried than the owner allows", failures - late.length <= spec.maxRetries + 1],
    ["what another try may mend is tried again", !isMendable || failures > spec.maxRetries],
    ["what no try can mend is not tried again", !isHopeless],
  ];
}

/** Whether it was over when the next one, if any, was opened. */
function isHeard(attempt: Attempt, next: Attempt | undefined): boolean {
  return attempt.phase === "closed" && (next === undefined || attempt.closedAt <= next.openedAt);
}

function outcomeOf(attempt: Attempt): string | null {
  return attempt.phase === "closed" ? attempt.outcome : null;
}

function rulesOfStage(job: JobState): Rule[] {
  if (isFinal(job.status)) {
    return [];
  }
  const { stage, message } = job;
  const phase = job.attempts.at(-1)?.phase;
  const isPaused = job.nextAttemptAt !== null;
  const isAgain = isPaused && job.attempts.length > job.attemptsBefore;
  const isWaiting = stage === "waiting_for_provider";
  return [
    ["a job that waits for its next attempt says so", !isPaused || isWaiting || stage === "queued"],
    ["a job that waits for RunPod says so, and why", phase !== "held" || (isWaiting && message !== null)],
    ["a job that is tried again says why", !isAgain || message !== null],
    ["a job whose output is looked for says so", stage === "verifying" || !isLookedFor(job, phase)],
    ["an attempt on its way says so", phase !== "submitting" || !["queued", "verifying"].includes(stage)],
    ["a run with RunPod is no attempt on its way", phase !== "running" || !["queued", "dispatching"].includes(stage)],
    ["a job with a run at RunPod is under way", phase !== "running" || job.status === "processing"],
  ];
}

function isLookedFor({ verdict, nextAttemptAt }: JobState, phase: Attempt["phase"] | undefined): boolean {
  return verdict !== null || (phase === "verifying" && nextAttemptAt === null);
}
