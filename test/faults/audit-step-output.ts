import type { Attempt, AttemptIn } from "../../src/core/attempt.ts";
import { attemptIn, has, isBackoff, isEqual, patienceEnd, type Rule, type StepOf } from "./audit-step.ts";
import { rulesOfError, rulesOfFailure, rulesOfOlder, rulesOfVerdict } from "./audit-step-failure.ts";
import { rulesOfNoRun } from "./audit-step-word.ts";

type Looked = StepOf<"output_found" | "output_absent" | "output_unknown">;

/** What a look into R2 decides. */
export function rulesOfOutput(step: Looked): Rule[] {
  const { signal } = step;
  switch (signal.kind) {
    case "output_found":
      return rulesOfFound({ ...step, signal });
    case "output_absent":
      return rulesOfAbsent({ ...step, signal });
    case "output_unknown":
      return rulesOfUnknown({ ...step, signal });
  }
}

/** An output alone, without any word, ends nothing; with one the job is complete (I6). */
function rulesOfFound(step: StepOf<"output_found">): Rule[] {
  const { before, after, change, signal, context } = step;
  const was = attemptIn(before, signal.attempt);
  if (!was || !isLookedFor(was, before.verdict !== null)) {
    return [["an output that nobody waits for ends nothing", change === null]];
  }
  const { now } = context;
  const end = { status: "complete", stage: "done", progress: 100, message: null, error: null, completedAt: now };
  const closed = { phase: "closed", outcome: "complete", closedAt: now };
  const won = has(attemptIn(after, was.number), closed);
  const others = after.attempts.filter(({ number }) => number !== was.number);
  return [
    ["an output that was waited for completes the job", has(after, { ...end, output: signal.output })],
    ["a job that is over waits for nothing", has(after, { nextAttemptAt: null, verdict: null })],
    ["what is complete has begun", after.startedAt === (before.startedAt ?? now)],
    ["the attempt has won", won],
    ["the others are given up", others.every((other) => isGivenUp(attemptIn(before, other.number), other))],
  ];
}

function isLookedFor(attempt: Attempt, hasVerdict: boolean): boolean {
  switch (attempt.phase) {
    case "unconfirmed":
    case "verifying":
      return true;
    case "running":
      return attempt.rung || attempt.gone !== null || attempt.silences > 0;
    case "closed":
      return hasVerdict;
    default:
      return false;
  }
}

function isGivenUp(was: Attempt | undefined, is: Attempt): boolean {
  if (was?.phase === "closed" || was?.phase === "abandoned") {
    return is.phase === was.phase;
  }
  const phase = was?.phase === "submitting" ? "abandoned" : "closed";
  return is.phase === phase && has(is, { outcome: "superseded" });
}

function rulesOfAbsent(step: StepOf<"output_absent">): Rule[] {
  const { before, after, change, signal, context } = step;
  const { verdict } = before;
  if (verdict?.looks.includes(signal.attempt)) {
    const looks = verdict.looks.filter((number) => number !== signal.attempt);
    const ends = rulesOfError(step);
    return looks.length === 0
      ? [...ends, ["its error is the verdict", isEqual(after.error, verdict.error)]]
      : [["the other outputs are looked for", has(after.verdict, { ...verdict, looks })]];
  }
  const was = attemptIn(before, signal.attempt);
  switch (was?.phase) {
    case "unconfirmed":
      return rulesOfDecision(step, was);
    case "running": {
      const isLost = was.gone !== null && was.gone.times >= 3 && context.now - was.gone.since >= 120_000;
      return isLost
        ? rulesOfLost(step, was)
        : was.rung
          ? [["a ring without an output was early", has(attemptIn(after, was.number), { ...was, rung: false })]]
          : [["an output that is not there yet means nothing", change === null]];
    }
    case "verifying":
      return rulesOfClaim(step, was);
    default:
      return [["an output that nobody waits for means nothing", change === null]];
  }
}

function rulesOfLost(step: StepOf<"output_absent">, was: AttemptIn<"running" | "verifying">): Rule[] {
  const { now, timers } = step.context;
  const isEarly = was.run?.toldBy === "webhook" && now < was.sentAt + timers.runGraceMs;
  const is = attemptIn(step.after, was.number);
  const verdict = is?.phase === "unconfirmed" ? is.verdict : null;
  return isEarly
    ? [
        ["what was missed is noted", verdict?.code === "output_missing"],
        ...rulesOfNoRun(step, was, verdict, was.run?.endedAt !== null),
      ]
    : rulesOfFailure(step, was, { code: "output_missing" });
}

function rulesOfClaim(step: StepOf<"output_absent">, was: AttemptIn<"verifying">): Rule[] {
  const { now, timers } = step.context;
  const is = attemptIn(step.after, was.number);
  switch (was.claim) {
    case "completed": {
      const lookAt = now + Math.ceil(timers.outputWindowMs / 6);
      return now - was.since >= timers.outputWindowMs
        ? rulesOfLost(step, was)
        : [["an output may take its time", has(is, { ...was, lookAt })]];
    }
    case "late_word":
      return [
        ["a late word without an output was none", has(is, { phase: "closed", outcome: "superseded" })],
        ...rulesOfOlder(step),
      ];
    case "late_start":
      return isDoubtful(step, was)
        ? rulesOfNoRun(step, was, { code: "queue_timeout", message: noGpu }, was.run?.endedAt !== null)
        : rulesOfFailure(step, was, { code: "queue_timeout", message: noGpu });
    case "late_end":
      return isDoubtful(step, was)
        ? rulesOfNoRun(step, was, { code: "deadline_exceeded", message: noEnd }, was.run?.endedAt !== null)
        : rulesOfFailure(step, was, { code: "deadline_exceeded" });
  }
}

const noGpu = "No GPU took the run in time.";
const noEnd = "The run did not end in time.";

function isDoubtful({ context }: StepOf<"output_absent">, { run, sentAt }: AttemptIn<"verifying">): boolean {
  return run?.toldBy === "webhook" && context.now < sentAt + context.timers.runGraceMs;
}

/** The grace is over without an output: what RunPod said counts; else nobody heard of a run, and it is given up. */
function rulesOfDecision(step: StepOf<"output_absent">, was: AttemptIn<"unconfirmed">): Rule[] {
  const { before, after, context } = step;
  const { now, timers } = context;
  const is = attemptIn(after, was.number);
  const graceEnd = was.sentAt + timers.runGraceMs;
  if (now < graceEnd) {
    return [["the grace is waited out", has(is, { ...was, lookAt: graceEnd })]];
  }
  if (was.verdict) {
    return rulesOfFailure(step, was, was.verdict);
  }
  if (was.heardAt !== null && now < was.heardAt + was.policy.executionTimeoutMs + timers.pollMaxMs) {
    return [["a handler that was heard is waited for", has(is, { ...was, lookAt: now + timers.pollMaxMs })]];
  }
  const givenUp: Rule = ["nobody heard of a run", has(is, { phase: "closed", outcome: "superseded", closedAt: now })];
  if (before.attempts.length !== was.number) {
    return [givenUp, ...rulesOfOlder(step)];
  }
  const own = after.attempts.slice(after.attemptsBefore);
  const count = own.filter((attempt) => attempt.phase !== "closed" || attempt.outcome === "superseded").length;
  if (after.nextAttemptAt === null) {
    const isLate = now + 375_000 >= patienceEnd(before, context);
    return [
      givenUp,
      ["as long as it may wait it is tried again", isLate],
      ...rulesOfVerdict(step, { code: "provider_unavailable", number: was.number }),
    ];
  }
  return [
    givenUp,
    ["it is tried again in time", after.nextAttemptAt < patienceEnd(before, context) && after.verdict === null],
    ["the next try comes soon, later after each", isBackoff(after.nextAttemptAt, now, timers.retryBackoffMs, count)],
    ["readers know why it waits", after.stage === "waiting_for_provider" && after.message !== null],
  ];
}

/** R2 said nothing: nothing is decided. */
function rulesOfUnknown(step: StepOf<"output_unknown">): Rule[] {
  const { before, after, change, signal, context } = step;
  const { now, timers } = context;
  const { verdict } = before;
  if (verdict?.looks.includes(signal.attempt)) {
    const isLater = isBackoff(after.verdict?.lookAt, now, timers.pollMinMs, 1);
    return [["it is looked again", isLater && isEqual({ ...after.verdict, lookAt: 0 }, { ...verdict, lookAt: 0 })]];
  }
  const was = attemptIn(before, signal.attempt);
  const is = attemptIn(after, signal.attempt);
  if (was?.phase !== "unconfirmed" && was?.phase !== "verifying") {
    return [["a look that nobody waits for means nothing", change === null]];
  }
  const tries = (was.phase === "unconfirmed" ? was.looks : was.silences) + 1;
  const count = was.phase === "unconfirmed" ? { looks: tries } : { silences: tries };
  const lookAt = is && "lookAt" in is ? is.lookAt : 0;
  return [
    ["nothing is decided", has(is, { ...was, ...count, lookAt })],
    ["it is looked again later and later", isBackoff(lookAt, now, timers.pollMinMs, tries)],
  ];
}
