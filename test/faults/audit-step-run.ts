import type { Attempt, AttemptIn } from "../../src/core/attempt.ts";
import type { JobState } from "../../src/core/job-state.ts";
import { attemptIn, has, isBackoff, patienceEnd, type Rule, type StepOf } from "./audit-step.ts";
import { rulesOfFailure } from "./audit-step-failure.ts";
import { rulesOfStart } from "./audit-step-start.ts";

type Answered = StepOf<"attempt_opened" | "input_missing" | "run_answered" | "turn_delayed">;

/** How a run is bought: opened before it is sent, held back when nothing was bought, in doubt when nobody knows. */
export function rulesOfRun(step: Answered): Rule[] {
  const { signal } = step;
  switch (signal.kind) {
    case "attempt_opened":
      return rulesOfOpening({ ...step, signal });
    case "input_missing":
      return rulesOfMissing({ ...step, signal });
    case "run_answered":
      return rulesOfAnswer({ ...step, signal });
    case "turn_delayed":
      return rulesOfDelay({ ...step, signal });
  }
}

const minTtlMs = 10_000;
const maxTtlMs = 7 * 24 * 3_600_000;

function rulesOfOpening(step: StepOf<"attempt_opened">): Rule[] {
  const { before, after, change, signal, context } = step;
  const { now, timers } = context;
  const held = before.attempts.at(-1);
  const current = after.attempts.at(-1);
  const isResent = held?.phase === "held" && held.resendAt <= now;
  const isOpened = held?.phase !== "held" && before.nextAttemptAt !== null && before.nextAttemptAt <= now;
  if (!isResent && !isOpened) {
    return [["nothing is sent before its time", change === null]];
  }
  const executionTimeoutMs = before.spec.maxRunMs ?? timers.executionTimeoutMs;
  const lifeMs = Math.max(0, patienceEnd(before, context) - now) + executionTimeoutMs + timers.runGraceMs;
  const policy = { executionTimeoutMs, ttlMs: Math.min(maxTtlMs, Math.max(minTtlMs, lifeMs)) };
  const sent = { phase: "submitting", sentAt: now, heardAt: null, policy };
  if (isResent) {
    return [
      ["what was held back is sent as it is now allowed", has(current, { ...sent, tries: held.tries })],
      ["what was held back is no new attempt", after.attempts.length === before.attempts.length],
    ];
  }
  const { nonce, outputKey, endpointId } = signal;
  const clean = { openedAt: now, rungAt: null, hint: null, strays: [], tries: 0 };
  const shown = { nextAttemptAt: null, stage: "dispatching", message: null, progress: 0, runId: null };
  return [
    ["an attempt is saved as it is sent", has(current, { ...sent, ...clean, nonce, outputKey, endpointId })],
    ["an attempt begins anew for readers", has(after, shown)],
    ["an attempt is one more", after.attempts.length === before.attempts.length + 1],
  ];
}

function rulesOfMissing(step: StepOf<"input_missing">): Rule[] {
  const { before, after, change, signal } = step;
  const [was, is] = [attemptIn(before, signal.attempt), attemptIn(after, signal.attempt)];
  switch (was?.phase) {
    case "submitting":
      return [
        ["what was not sent is not looked for", has(is, { phase: "closed", sentAt: null })],
        ...rulesOfFailure(step, was, { code: "input_not_found" }),
      ];
    case "abandoned":
      return [["what was not sent leaves nothing", has(is, { phase: "closed", sentAt: null, outcome: was.outcome })]];
    default:
      return [["an input that was not asked for means nothing", change === null]];
  }
}

function rulesOfAnswer(step: StepOf<"run_answered">): Rule[] {
  const { before, after, change, signal, context } = step;
  const { answer, attempt: number } = signal;
  const [was, is] = [attemptIn(before, number), attemptIn(after, number)];
  if (answer.kind === "ok") {
    return was
      ? rulesOfBought(step, was, is, answer.value.runId)
      : [["a run of nobody means nothing", change === null]];
  }
  if (was?.phase === "abandoned") {
    const sentAt = answer.kind === "maybe_bought" ? was.sentAt : null;
    return [["what is over closes as it ended", has(is, { phase: "closed", outcome: was.outcome, sentAt })]];
  }
  if (was?.phase !== "submitting") {
    return [["an answer that nobody waits for means nothing", change === null]];
  }
  switch (answer.kind) {
    case "maybe_bought":
      return rulesOfDoubt(step, was, is);
    case "job_fault":
      return [
        ["what RunPod refused for good was never sent", has(is, { phase: "closed", sentAt: null })],
        ...rulesOfFailure(step, was, { code: "provider_rejected", message: answer.message }),
      ];
    default:
      return rulesOfHold(after, was, is, answer, context);
  }
}

function rulesOfHold(
  after: JobState,
  was: AttemptIn<"submitting">,
  is: Attempt | undefined,
  answer: { kind: string; message: string; afterMs?: number | null },
  { now, timers }: StepOf<"run_answered">["context"],
): Rule[] {
  const tries = was.tries + 1;
  const toldMs = Math.min(answer.afterMs ?? 0, 3_600_000);
  const resendAt = is?.phase === "held" ? is.resendAt : 0;
  const isObeyed = resendAt >= now + toldMs && resendAt <= now + 1.25 * Math.max(toldMs, 300_000) + 1;
  const isSteady = toldMs > 0 || isBackoff(resendAt, now, timers.retryBackoffMs, tries);
  return [
    ["what bought nothing is held back", has(is, { phase: "held", why: answer.kind, tries })],
    ["it is sent again later and later, and not before RunPod wishes it", isObeyed && isSteady],
    ["readers know why", has(after, { stage: "waiting_for_provider", message: answer.message })],
  ];
}

/** Nothing is sent again before the grace is over; a run that somebody named is asked about at once. */
export function rulesOfDoubt(
  step: StepOf<"run_answered" | "clock">,
  was: AttemptIn<"submitting">,
  is: Attempt | undefined,
): Rule[] {
  const { now, timers } = step.context;
  const { sentAt, heardAt, hint } = was;
  if (hint !== null) {
    return [
      ["a named run is asked about", has(is, { phase: "running", sentAt, hint: null })],
      ...rulesOfStart(step, was.number, { id: hint, toldBy: "webhook", startedAt: heardAt }),
    ];
  }
  const doubt = { phase: "unconfirmed", sentAt, heardAt, lookAt: now + timers.runGraceMs, looks: 0, verdict: null };
  return [["what may have been bought is waited for", has(is, doubt)]];
}

/** RunPod says so itself: the run is known by that id; of a job that is over it is cancelled. */
function rulesOfBought(
  step: StepOf<"run_answered">,
  was: Attempt | undefined,
  is: Attempt | undefined,
  id: string,
): Rule[] {
  const known = { id, toldBy: "answer", knownAt: step.context.now };
  switch (was?.phase) {
    case "submitting":
      return rulesOfStart(step, was.number, { ...known, toldBy: "answer", startedAt: was.heardAt });
    case "abandoned": {
      const isKnown = is?.phase === "closed" && has(is.run, { ...known, startedAt: null, endedAt: null });
      const end = { outcome: was.outcome, sentAt: was.sentAt, closedAt: step.context.now };
      return [["a run of a job that is over is closed, and known", isKnown && has(is, end)]];
    }
    default:
      return [["an answer that nobody waits for means nothing", step.change === null]];
  }
}

function rulesOfDelay({ before, after, change, signal }: StepOf<"turn_delayed">): Rule[] {
  const was = attemptIn(before, signal.attempt);
  const is = attemptIn(after, signal.attempt);
  switch (was?.phase) {
    case "held":
      return [["a turn is waited for", has(is, { ...was, resendAt: Math.max(was.resendAt, signal.at) })]];
    case "running":
      return [["a turn is waited for", has(is, { ...was, pollAt: Math.max(was.pollAt, signal.at) })]];
    default:
      return [["a turn that nobody waits for means nothing", change === null]];
  }
}
