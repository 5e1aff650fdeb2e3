import { type Attempt, runOf, sentAtOf } from "../../src/core/attempt.ts";
import { isFinal, type JobState } from "../../src/core/job-state.ts";
import { attemptIn, has, isBackoff, isEqual, patienceEnd, type Rule, type Step } from "./audit-step.ts";

const hopeless = ["input_not_found", "invalid_params", "provider_rejected"];

type Failing = Readonly<{ code: string; message?: string }>;

/** An attempt failed: the next is planned, or every output is looked for once more before the job ends. */
export function rulesOfFailure(step: Step, was: Attempt, { code, message }: Failing): Rule[] {
  const { before, after, context } = step;
  const { now, timers } = context;
  const is = attemptIn(after, was.number);
  const closed: Rule = ["an attempt that failed is closed", has(is, { phase: "closed", outcome: code, closedAt: now })];
  if (before.attempts.length !== was.number) {
    return [closed, ...rulesOfOlder(step)];
  }
  const failures = countFailures(after);
  const hadBegun = (runOf(was)?.startedAt ?? null) !== null;
  const waits: Rule = [
    "a wait begins with each run that began",
    after.waitingSince === (hadBegun ? now : before.waitingSince),
  ];
  const isMendable = !hopeless.includes(code) && failures <= before.spec.maxRetries;
  if (after.nextAttemptAt === null) {
    const pauseMs = 0.75 * timers.retryBackoffMs * 2 ** Math.min(10, failures - 1);
    const isLate = now + Math.max(pauseMs, Math.min(pauseMs, 225_000)) + 150_000 >= patienceEnd(after, context);
    const isJust: Rule = ["what may be mended in time is tried again", !isMendable || isLate];
    return [closed, waits, isJust, ...rulesOfVerdict(step, { code, number: was.number, message })];
  }
  const isTimely = after.nextAttemptAt < patienceEnd(after, context);
  return [
    closed,
    waits,
    ["only what may be mended is tried again", isMendable && isTimely],
    ["the next try comes soon, later after each", isBackoff(after.nextAttemptAt, now, timers.retryBackoffMs, failures)],
    ["readers know that it is tried again, and why", after.stage === "queued" && after.message !== null],
    ["readers are told the failure", message === undefined || after.message === message],
    ["a job that goes on has no verdict", after.verdict === null && !isFinal(after.status)],
  ];
}

/** An older attempt moves nothing of its job. */
export function rulesOfOlder({ before, after }: Step): Rule[] {
  const { status, stage, message, nextAttemptAt, verdict, waitingSince } = before;
  const same = { status, stage, message, nextAttemptAt, verdict, waitingSince };
  return [["an older attempt moves nothing of its job", has(after, same)]];
}

function countFailures({ attempts, attemptsBefore }: JobState): number {
  const own = attempts.filter(({ number }) => number > attemptsBefore);
  return own.filter((attempt) => attempt.phase === "closed" && attempt.outcome !== "superseded").length;
}

/** Every attempt that was sent is looked at; where there is none, the job ends. */
export function rulesOfVerdict(
  step: Step,
  { code, number, message }: { code: string; number: number; message?: string | undefined },
): Rule[] {
  const { after, context } = step;
  const looks = after.attempts.filter((attempt) => sentAtOf(attempt) !== null).map((attempt) => attempt.number);
  const error = after.verdict?.error ?? after.error;
  const retryable = !hopeless.includes(code);
  const told: Rule[] = [
    [
      "the verdict tells what failed",
      has(error, { code, attempt: number, retryable }) && (error?.message ?? "") !== "",
    ],
    ["the verdict tells it in its words", message === undefined || error?.message === message],
    ["no more is tried", after.nextAttemptAt === null],
  ];
  if (looks.length === 0) {
    return [...told, ...rulesOfError(step)];
  }
  return [
    ...told,
    ["all outputs are looked for", isEqual(after.verdict?.looks, looks) && after.verdict?.lookAt === context.now],
    ["readers know that outputs are looked for", after.stage === "verifying" && !isFinal(after.status)],
  ];
}

export function rulesOfError({ after, context }: Step): Rule[] {
  const end = { status: "error", stage: "done", message: null, verdict: null, completedAt: context.now };
  return [
    ["a job without hope ends", has(after, end) && after.error !== null && after.nextAttemptAt === null],
    [
      "a job that ended waits for no attempt",
      after.attempts.every(({ phase }) => ["closed", "abandoned"].includes(phase)),
    ],
  ];
}
