import { type Attempt, type AttemptIn, openRunsOf } from "../../src/core/attempt.ts";
import { isFinal } from "../../src/core/job-state.ts";
import { attemptIn, dutyIn, has, isEqual, type Rule, type StepOf } from "./audit-step.ts";
import { rulesOfStart } from "./audit-step-start.ts";

const ringPauseMs = 1_000;
const maxStrays = 8;

/** A webhook rang: it makes us ask, once a second at most, and may name a run, which is a hint. */
export function rulesOfRing(step: StepOf<"doorbell">): Rule[] {
  const { before, change, signal } = step;
  const was = attemptIn(before, signal.attempt);
  if (!was || was.nonce !== signal.nonce || before.verdict) {
    return [["a ring of a stranger means nothing", change === null]];
  }
  const runId = was.strays.length < maxStrays ? signal.runId : null;
  switch (was.phase) {
    case "submitting":
    case "abandoned":
      return rulesOfEarly(step, was, runId);
    case "unconfirmed":
      return runId === null ? rulesOfLook(step, was) : rulesOfHint(step, was, runId, was.heardAt);
    case "held":
      return runId === null ? isNothing(step) : rulesOfHint(step, was, runId, null);
    case "running":
    case "verifying":
      return rulesOfKnownRun(step, was, runId);
    case "closed":
      return isFinal(before.status) ? rulesOfRunAfterEnd(step, was, runId) : rulesOfLateRing(step, was, runId);
  }
}

function rulesOfKnownRun(
  step: StepOf<"doorbell">,
  was: AttemptIn<"running" | "verifying">,
  runId: string | null,
): Rule[] {
  if (was.run?.toldBy === "webhook" && runId !== null && runId !== was.run.id) {
    return rulesOfHint(step, was, runId, null);
  }
  return was.phase === "running" ? rulesOfAsking(step, was) : isNothing(step);
}

function isNothing({ change }: StepOf<"doorbell">): Rule[] {
  return [["a ring that tells nothing new costs nothing", change === null]];
}

/** The answer to `/run` is still to come. */
function rulesOfEarly(step: StepOf<"doorbell">, was: Attempt, runId: string | null): Rule[] {
  if (was.rungAt !== null && (runId === null || runId === was.hint)) {
    return isNothing(step);
  }
  const hint = runId ?? was.hint;
  const is = attemptIn(step.after, was.number);
  return [["what was named is remembered", has(is, { ...was, rungAt: step.context.now, hint })]];
}

function rulesOfLook(step: StepOf<"doorbell">, was: AttemptIn<"unconfirmed">): Rule[] {
  const { now } = step.context;
  const isRecent = was.rungAt !== null && now < was.rungAt + ringPauseMs;
  if (isRecent || was.lookAt <= now) {
    return isNothing(step);
  }
  const is = attemptIn(step.after, was.number);
  return [["its output is looked for at once", has(is, { ...was, rungAt: now, lookAt: now })]];
}

function rulesOfAsking(step: StepOf<"doorbell">, was: AttemptIn<"running">): Rule[] {
  if (was.rung) {
    return isNothing(step);
  }
  const { now } = step.context;
  const at = Math.max(now, was.rungAt === null ? now : was.rungAt + ringPauseMs);
  const is = attemptIn(step.after, was.number);
  return [["RunPod is asked at once", has(is, { ...was, rung: true, rungAt: at, pollAt: at })]];
}

function straysOf(was: Attempt, id: string): string[] {
  const run = "run" in was ? was.run : null;
  return [...was.strays, ...(run ? [run.id] : [])].filter((other) => other !== id);
}

/** The attempt goes on with the run that was named; another that had been named is cancelled in the end. */
function rulesOfHint(step: StepOf<"doorbell">, was: Attempt, id: string, startedAt: number | null): Rule[] {
  const { now } = step.context;
  const is = attemptIn(step.after, was.number);
  const strays = straysOf(was, id);
  const rungAt = Math.max(now, was.rungAt === null ? now : was.rungAt + ringPauseMs);
  return [
    ["a run that was named is a hint", has(is, { hint: null, rungAt })],
    ["runs that were named before are cancelled in the end", isEqual(is?.strays, strays)],
    ...rulesOfStart(step, was.number, { id, toldBy: "webhook", knownAt: now, startedAt }),
  ];
}

/** The job is over: a run of it that nobody knew is cancelled. */
function rulesOfRunAfterEnd(step: StepOf<"doorbell">, was: AttemptIn<"closed">, runId: string | null): Rule[] {
  const isKnown = was.run?.toldBy === "answer" || (runId !== null && openRunsOf(was).includes(runId));
  if (runId === null || was.sentAt === null || isKnown) {
    return isNothing(step);
  }
  const is = attemptIn(step.after, was.number);
  const isKept = is?.phase === "closed" && (is.run?.id === runId || is.strays.includes(runId));
  const isOwed = was.cancelsOwed.includes(runId) || dutyIn(step.after, "cancel", runId) !== undefined;
  return [
    ["a run of a job that is over is cancelled", isKept && isOwed],
    ["what was known of the attempt stays", was.run === null || (is?.phase === "closed" && is.run?.id === was.run.id)],
    ["a run that was named is a hint", was.run !== null || (is?.phase === "closed" && is.run?.toldBy === "webhook")],
  ];
}

/** An attempt that was given up is heard of after all. */
function rulesOfLateRing(step: StepOf<"doorbell">, was: AttemptIn<"closed">, runId: string | null): Rule[] {
  const { before, context } = step;
  const { now } = context;
  const isRecent = was.rungAt !== null && now < was.rungAt + ringPauseMs;
  if (was.outcome !== "superseded" || was.sentAt === null || isRecent) {
    return isNothing(step);
  }
  if (runId !== null && !was.cancelsOwed.includes(runId) && before.attempts.length === was.number) {
    return rulesOfHint(step, was, runId, null);
  }
  const is = attemptIn(step.after, was.number);
  const looking = { phase: "verifying", claim: "late_word", sentAt: was.sentAt, since: now, lookAt: now, silences: 0 };
  const run = is?.phase === "verifying" ? is.run : null;
  const isNamed = runId === null ? isEqual(run, was.run) : has(run, { id: runId, toldBy: "webhook", knownAt: now });
  return [
    ["what a given-up attempt left is looked for", has(is, { ...looking, rungAt: now })],
    ["the run that was named is kept", isNamed],
    ["runs that were named before are known", isEqual(is?.strays, runId === null ? was.strays : straysOf(was, runId))],
  ];
}
