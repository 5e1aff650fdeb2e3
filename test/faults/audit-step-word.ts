import { type AttemptIn, type Failure, openRunsOf } from "../../src/core/attempt.ts";
import type { JobState } from "../../src/core/job-state.ts";
import type { ProgressReport, RunReport } from "../../src/core/signals.ts";
import { attemptIn, has, isBackoff, isEqual, type Rule, type Step, type StepOf } from "./audit-step.ts";
import { rulesOfFailure } from "./audit-step-failure.ts";

type Asked = StepOf<"status_answered">;

/** What RunPod says of the run that it was asked about. */
export function rulesOfWord(step: Asked): Rule[] {
  const { before, change, signal } = step;
  const was = attemptIn(before, signal.attempt);
  if (was?.phase !== "running" || was.run.id !== signal.runId) {
    return [["a word about another run means nothing", change === null]];
  }
  return signal.answer.kind === "ok" ? rulesOfReport(step, was, signal.answer.value) : rulesOfSilence(step, was);
}

function rulesOfSilence({ after, signal, context }: Asked, was: AttemptIn<"running">): Rule[] {
  const { now, timers } = context;
  const is = attemptIn(after, signal.attempt);
  const silences = was.silences + 1;
  const pollAt = is?.phase === "running" ? is.pollAt : 0;
  const toldMs = signal.answer.kind === "busy" ? Math.min(signal.answer.afterMs ?? 0, 3_600_000) : 0;
  const isObeyed = pollAt >= now + toldMs && pollAt <= now + 1.25 * Math.max(toldMs, 300_000) + 1;
  const { pollAt: _, ...rest } = was;
  return [
    ["a RunPod that says nothing decides nothing", has(is, { ...rest, silences })],
    [
      "it is asked again later and later",
      isObeyed && (toldMs > 0 || isBackoff(pollAt, now, timers.pollMinMs, silences)),
    ],
  ];
}

function rulesOfReport(step: Asked, was: AttemptIn<"running">, report: RunReport): Rule[] {
  const is = attemptIn(step.after, was.number);
  const run = is && "run" in is ? is.run : null;
  const isHint = was.run.toldBy === "webhook";
  const heard = is?.phase === "unconfirmed" ? [] : rulesOfHeard(step, was, report);
  switch (report.word) {
    case "queued":
      return [...heard, ...rulesOfAskingOn(step, was)];
    case "running":
      return [
        ...heard,
        ...rulesOfAskingOn(step, was),
        ["a run that renders has begun", run?.startedAt === (was.run.startedAt ?? step.context.now)],
        ...rulesOfRendering(step, was.number, report.progress),
      ];
    case "completed":
      return [...heard, ...rulesOfVerifying(step, was, "completed")];
    case "gone":
      return [...heard, ...(isHint ? rulesOfNoRun(step, was, null, false) : rulesOfGone(step, was))];
    case "failed": {
      const isEarly = isHint && step.context.now < was.sentAt + step.context.timers.runGraceMs;
      const { code, message } = report;
      return [
        ...heard,
        ...(isEarly ? rulesOfNoRun(step, was, { code, message }, true) : rulesOfFailure(step, was, { code, message })),
      ];
    }
  }
}

function rulesOfHeard({ after, context }: Asked, was: AttemptIn<"running">, report: RunReport): Rule[] {
  const is = attemptIn(after, was.number);
  const run = is && "run" in is ? is.run : null;
  const isOver = report.word === "completed" || report.word === "failed";
  const figures = {
    delayMs: report.delayMs ?? was.run.delayMs,
    executionMs: report.executionMs ?? was.run.executionMs,
    endedAt: isOver ? context.now : null,
  };
  const { id, toldBy, knownAt } = was.run;
  const isNoted = has(is, { silences: 0, rung: was.rung });
  return [
    ["RunPod's figures are kept", has(run, figures)],
    ["the run stays the same", has(run, { id, toldBy, knownAt })],
    ["a word ends the silence", is?.phase !== "running" || isNoted],
  ];
}

/** It goes on: it is asked again, soon where somebody waits for it. */
function rulesOfAskingOn({ after, context }: Asked, was: AttemptIn<"running">): Rule[] {
  const { now, timers, watched } = context;
  const is = attemptIn(after, was.number);
  if (is?.phase !== "running") {
    return [["a run that goes on goes on", false]];
  }
  const isSoon = watched || was.rung || after.progress >= 90;
  const grownMs = Math.min(timers.pollMaxMs, timers.pollMinMs + Math.max(0, now - was.run.knownAt) / 2);
  const pauseMs = isSoon ? timers.pollMinMs : grownMs;
  const isPaced = is.pollAt >= Math.floor(now + 0.8 * pauseMs) && is.pollAt <= Math.ceil(now + 1.2 * pauseMs);
  return [
    ["a run is asked about at the pace of its day", isPaced],
    ["a run that is there is not gone", is.gone === null],
  ];
}

const stagesBefore = ["queued", "dispatching", "waiting_for_provider", "waiting_for_gpu"];

/** A handler is at work: readers see it, and nobody waits for a GPU any more. */
export function rulesOfRendering(
  { before, after, context }: Step,
  number: number,
  told: ProgressReport | null,
): Rule[] {
  if (before.attempts.length !== number) {
    return [["an older attempt moves nothing that readers see", isSameForReaders(before, after)]];
  }
  const isNews = told !== null && Math.round(told.progress) >= before.progress;
  const stage = stagesBefore.includes(before.stage) ? "rendering" : before.stage;
  const shown = {
    progress: isNews ? Math.round(told.progress) : before.progress,
    stage: (isNews ? told.stage : null) ?? stage,
    message: (isNews ? told.message : null) ?? before.message,
  };
  const { now } = context;
  return [
    ["readers see how far it is", has(after, shown)],
    ["a job that renders is under way", has(after, { status: "processing", startBy: null })],
    ["a job that renders has begun", after.startedAt === (before.startedAt ?? now)],
  ];
}

function isSameForReaders(before: JobState, after: JobState): boolean {
  return before.version === after.version && before.status === after.status && before.startBy === after.startBy;
}

/** It should be over: its output is looked for at once. */
export function rulesOfVerifying(
  { before, after, context }: Step,
  was: AttemptIn<"running">,
  claim: AttemptIn<"verifying">["claim"],
): Rule[] {
  const { now } = context;
  const is = attemptIn(after, was.number);
  const isCurrent = before.attempts.length === was.number;
  const looking = { phase: "verifying", claim, since: now, lookAt: now, silences: 0, sentAt: was.sentAt };
  return [
    ["an output is looked for at once", has(is, looking)],
    ["the run stays known", is?.phase === "verifying" && is.run?.id === was.run.id],
    // Another attempt may be looked for in the same step.
    ["readers know that it is looked for", after.stage === "verifying" || (!isCurrent && after.stage === before.stage)],
  ];
}

/** What only a webhook had named is none, or failed too early to count: the attempt waits on as it did. */
export function rulesOfNoRun(
  { after, context }: Step,
  was: AttemptIn<"running" | "verifying">,
  verdict: Failure | null,
  isEnded: boolean,
): Rule[] {
  const { now, timers } = context;
  const is = attemptIn(after, was.number);
  const lookAt = Math.max(now, was.sentAt + timers.runGraceMs);
  const heardAt = was.run?.startedAt ?? null;
  const doubt = { phase: "unconfirmed", sentAt: was.sentAt, lookAt, looks: 0, heardAt };
  const runs = isEnded ? was.strays : openRunsOf(was);
  return [
    [
      "a run that only a webhook named gives way",
      has(is, doubt) && is?.phase === "unconfirmed" && isEqual(is.verdict, verdict),
    ],
    ["a run that gave way is cancelled in the end", isEqual(is?.strays, runs)],
  ];
}

/** One 404 alone is no loss. */
function rulesOfGone({ after, context }: Asked, was: AttemptIn<"running">): Rule[] {
  const { now, timers } = context;
  const gone = { times: (was.gone?.times ?? 0) + 1, since: was.gone?.since ?? now };
  const asked = { phase: "running", gone, pollAt: now + timers.pollMaxMs };
  return [["a run that is not found is looked for on, without haste", has(attemptIn(after, was.number), asked)]];
}
