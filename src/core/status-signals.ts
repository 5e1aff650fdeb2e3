import { type JobType, rowOf } from "../contract/types/index.ts";
import { type AttemptIn, type Failure, toPhase } from "./attempt.ts";
import { failAttempt, putAttempt } from "./attempts.ts";
import { currentAttempt, findAttempt, isWaiting, isWanted, type JobState, type Returned } from "./job-state.ts";
import { pollPauseMs, restPauseMs, troublePauseMs } from "./pace.ts";
import { backToUnconfirmed, enterProcessing } from "./run-signals.ts";
import type { DecisionContext, ProgressReport, RunReport, SignalOf } from "./signals.ts";

/** What RunPod says of the run that was asked about, or why it said nothing. */
export function statusAnswered(job: JobState, signal: SignalOf<"status_answered">, context: DecisionContext) {
  const attempt = findAttempt(job, signal.attempt);
  if (attempt?.phase !== "running" || attempt.run.id !== signal.runId) {
    return null;
  }
  const { answer } = signal;
  if (answer.kind !== "ok") {
    const silences = attempt.silences + 1;
    const afterMs = answer.kind === "busy" ? answer.afterMs : null;
    const pauseMs = troublePauseMs(context.timers.pollMinMs, silences, attempt.nonce, afterMs);
    return putAttempt(job, { ...attempt, silences, pollAt: context.now + pauseMs });
  }
  const { value: report } = answer;
  const run = {
    ...attempt.run,
    delayMs: report.delayMs ?? attempt.run.delayMs,
    executionMs: report.executionMs ?? attempt.run.executionMs,
    endedAt: report.word === "completed" || report.word === "failed" ? context.now : null,
    ...(report.word === "completed" && report.returned && { returned: toFitting(report.returned, job.spec.type) }),
  };
  return applyWord(job, { ...attempt, run, silences: 0 }, report, context);
}

/** A result that is not as the type says is none; the counters stay. */
function toFitting({ result, counters }: Returned, type: JobType): Returned {
  const fitting = rowOf(type).result?.safeParse(JSON.parse(result ?? "null")).data;
  return { result: fitting === undefined ? null : JSON.stringify(fitting), counters };
}

function applyWord(
  job: JobState,
  attempt: AttemptIn<"running">,
  report: RunReport,
  context: DecisionContext,
): JobState {
  const { now } = context;
  switch (report.word) {
    case "queued":
      return keepAsking(job, attempt, context);
    case "running":
      return keepAsking(beginRendering(job, attempt, report.progress, now), asStarted(attempt, now), context);
    case "completed":
      return verify(job, attempt, "completed", now);
    case "gone":
      return noteGone(job, attempt, context);
    case "failed":
      return failRun(job, attempt, report, context);
  }
}

function asStarted(attempt: AttemptIn<"running">, now: number): AttemptIn<"running"> {
  return { ...attempt, run: { ...attempt.run, startedAt: attempt.run.startedAt ?? now } };
}

/** No final word yet. A ring stays noted until its output was looked for: `/status` can lag behind it for ever. */
function keepAsking(job: JobState, attempt: AttemptIn<"running">, context: DecisionContext): JobState {
  const pollAt = context.now + pollPauseMs(job, attempt, context);
  return putAttempt(job, { ...attempt, gone: null, pollAt });
}

/** Only several 404s in a row, over minutes, mean that a run is lost: one alone has been wrong before. */
function noteGone(job: JobState, attempt: AttemptIn<"running">, context: DecisionContext): JobState {
  const { now, timers } = context;
  if (attempt.run.toldBy === "webhook") {
    return backToUnconfirmed(job, attempt, null, context);
  }
  const gone = { times: (attempt.gone?.times ?? 0) + 1, since: attempt.gone?.since ?? now };
  return putAttempt(job, { ...attempt, gone, pollAt: now + timers.pollMaxMs });
}

/** The run should have ended: its output decides. Only the current attempt moves what a reader sees. */
export function verify(
  job: JobState,
  attempt: AttemptIn<"running">,
  claim: AttemptIn<"verifying">["claim"],
  now: number,
): JobState {
  const { sentAt, run } = attempt;
  const looking = { phase: "verifying", sentAt, run, claim, since: now, lookAt: now, silences: 0 } as const;
  const verifying = putAttempt(job, toPhase(attempt, looking));
  return currentAttempt(job)?.number === attempt.number ? { ...verifying, stage: "verifying" } : verifying;
}

/** A run failed. Of one that only a webhook named, that counts when the grace is over: another may be the true one. */
export function failRun(
  job: JobState,
  attempt: AttemptIn<"running" | "verifying">,
  failure: Failure,
  context: DecisionContext,
): JobState {
  const isHint = attempt.run?.toldBy === "webhook" && context.now < attempt.sentAt + context.timers.runGraceMs;
  const verdict: Failure = { code: failure.code, message: failure.message };
  return isHint ? backToUnconfirmed(job, attempt, verdict, context) : failAttempt(job, attempt, verdict, context);
}

/** The handler's own progress: monotone within the attempt; of an old attempt, or after the end, it is nothing. */
export function progressed(job: JobState, signal: SignalOf<"progress">, { now, timers }: DecisionContext) {
  const attempt = currentAttempt(job);
  if (!isWanted(job, signal)) {
    return null;
  }
  if (Math.round(signal.report.progress) < job.progress) {
    // A handler that was begun anew: its figure is no news, but its run is there.
    return attempt?.phase === "running" && attempt.gone ? putAttempt(job, { ...attempt, gone: null }) : null;
  }
  switch (attempt?.phase) {
    case "running": {
      const begun = beginRendering(job, attempt, signal.report, now);
      // As long as the handler speaks, its run is there, whatever RunPod says.
      const run = attempt.run.startedAt === null ? { ...attempt.run, startedAt: now } : attempt.run;
      const pollAt = attempt.rung ? attempt.pollAt : Math.max(attempt.pollAt, now + restPauseMs(begun, timers));
      return putAttempt(begun, { ...attempt, run, gone: null, pollAt });
    }
    case "submitting":
    case "unconfirmed": {
      const begun = beginRendering(job, attempt, signal.report, now);
      return putAttempt(begun, { ...attempt, heardAt: attempt.heardAt ?? now });
    }
    default:
      return null;
  }
}

/** An attempt's handler is at work: what a reader sees of the current one. Its progress never falls. */
function beginRendering(
  job: JobState,
  attempt: AttemptIn<"running" | "unconfirmed" | "submitting">,
  progress: ProgressReport | null,
  now: number,
): JobState {
  if (currentAttempt(job)?.number !== attempt.number) {
    return job;
  }
  const processing = enterProcessing(job, now, isWaiting(job) ? "rendering" : job.stage);
  const begun = { ...processing, startBy: null };
  if (!progress || Math.round(progress.progress) < job.progress) {
    return begun;
  }
  return {
    ...begun,
    progress: Math.round(progress.progress),
    stage: progress.stage ?? begun.stage,
    message: progress.message ?? job.message,
  };
}
