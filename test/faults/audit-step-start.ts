import type { Run } from "../../src/core/attempt.ts";
import { isFinal } from "../../src/core/job-state.ts";
import { attemptIn, has, isWithin, type Rule, type Step } from "./audit-step.ts";

const stagesBefore = ["queued", "dispatching", "waiting_for_provider"];

/** A run is there: it is asked about, at once after a ring, and readers see that the job is under way. */
export function rulesOfStart(step: Step, number: number, run: Partial<Run>): Rule[] {
  const { before, after, context } = step;
  const { now, timers } = context;
  const is = attemptIn(after, number);
  const was = attemptIn(before, number);
  if (is?.phase !== "running") {
    return [["a run that is there is under way", false]];
  }
  const isRung = is.rungAt !== null;
  const isAsked = isRung
    ? is.pollAt >= now && is.pollAt <= Math.max(now, is.rungAt)
    : isWithin(is.pollAt, now, 0.8 * timers.pollMinMs, 1.2 * timers.pollMinMs);
  const sentAt = was && "sentAt" in was ? was.sentAt : is.sentAt;
  const begun: Rule[] = [
    ["a run is known", has(is.run, { endedAt: null, delayMs: null, executionMs: null, ...run })],
    ["a new run is asked about in time", isAsked && is.rung === isRung],
    ["nothing was heard of a new run yet", has(is, { silences: 0, gone: null })],
    ["when it was sent stays known", is.sentAt === sentAt],
  ];
  return [...begun, ...rulesOfJob(step, number, is.run.id)];
}

function rulesOfJob({ before, after, context }: Step, number: number, runId: string): Rule[] {
  if (after.attempts.length !== number || isFinal(after.status)) {
    const isSame = before.status === after.status && before.runId === after.runId;
    return [["an older run does not move the job", isSame]];
  }
  const stage = stagesBefore.includes(before.stage) ? "waiting_for_gpu" : before.stage;
  return [
    ["a job with a run is under way", has(after, { status: "processing", runId, nextAttemptAt: null })],
    ["a job under way has begun", after.startedAt === (before.startedAt ?? context.now)],
    ["a job with a run waits for its GPU, or renders", after.stage === stage],
  ];
}
