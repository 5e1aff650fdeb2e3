import { rowOf } from "../contract/types/index.ts";
import { type Attempt, type AttemptIn, runOf } from "./attempt.ts";
import { awaitLooks, endAttempts, putAttempt, toClosed } from "./attempts.ts";
import { findAttempt, type JobState, type StoredOutput } from "./job-state.ts";
import { troublePauseMs } from "./pace.ts";
import { decideUnconfirmed } from "./run-signals.ts";
import type { DecisionContext, SignalOf } from "./signals.ts";
import { failRun } from "./status-signals.ts";

/** How often `/status` must say 404, in a row, and for how long at least, before a run is called lost. */
const looksBeforeLost = 3;
const minGoneMs = 120_000;
const looksInOutputWindow = 6;

/** The object is in R2: with RunPod's word, its webhook, or the end of all waiting, the job is complete (I6). */
export function outputFound(job: JobState, signal: SignalOf<"output_found">, { now }: DecisionContext) {
  const attempt = findAttempt(job, signal.attempt);
  if (!attempt || signal.output.size <= 0 || !mayDecide(job, attempt)) {
    return null;
  }
  const complete: JobState = {
    ...putAttempt(job, toClosed(attempt, "complete", now)),
    status: "complete",
    stage: "done",
    progress: 100,
    message: null,
    output: { ...signal.output, ...returnedBy(attempt) },
    nextAttemptAt: null,
    verdict: null,
    startedAt: job.startedAt ?? now,
    completedAt: now,
  };
  return endAttempts(complete, "superseded", now);
}

function returnedBy(attempt: Attempt): Pick<StoredOutput, "returned"> {
  const returned = runOf(attempt)?.returned;
  return returned ? { returned } : {};
}

/** Whether there is ground to look for this attempt's output: an output alone, without any word, ends nothing. */
function mayDecide(job: JobState, attempt: Attempt): boolean {
  switch (attempt.phase) {
    case "unconfirmed":
    case "verifying":
      return true;
    case "running":
      return (attempt.rung && !mustReturn(job)) || attempt.gone !== null || attempt.silences > 0;
    case "closed":
      return job.verdict !== null;
    default:
      return false;
  }
}

/** Whether RunPod's own word is waited for behind a ring: with it comes what the handler returned. */
function mustReturn({ spec }: JobState): boolean {
  const { result, counters } = rowOf(spec.type);
  return result !== null || counters.length > 0;
}

export function outputAbsent(job: JobState, signal: SignalOf<"output_absent">, context: DecisionContext) {
  if (job.verdict?.looks.includes(signal.attempt)) {
    const looks = job.verdict.looks.filter((number) => number !== signal.attempt);
    return awaitLooks(job, { ...job.verdict, looks }, context.now);
  }
  const attempt = findAttempt(job, signal.attempt);
  switch (attempt?.phase) {
    case "unconfirmed":
      return decideUnconfirmed(job, attempt, context);
    case "running":
      return absentWhileRunning(job, attempt, context);
    case "verifying":
      return absentAs[attempt.claim](job, attempt, context);
    default:
      return null;
  }
}

/** A ring without an output was early; RunPod is asked on. A run that it has long forgotten left nothing. */
function absentWhileRunning(job: JobState, attempt: AttemptIn<"running">, context: DecisionContext): JobState | null {
  const { now } = context;
  const { gone } = attempt;
  if (gone && gone.times >= looksBeforeLost && now - gone.since >= minGoneMs) {
    const message = "RunPod no longer knows the run, and it left no output.";
    return failRun(job, attempt, { code: "output_missing", message }, context);
  }
  return attempt.rung ? putAttempt(job, { ...attempt, rung: false }) : null;
}

type Absence = (job: JobState, attempt: AttemptIn<"verifying">, context: DecisionContext) => JobState;

const absentAs: Readonly<Record<AttemptIn<"verifying">["claim"], Absence>> = {
  completed: (job, attempt, context) => {
    const { now, timers } = context;
    if (now - attempt.since >= timers.outputWindowMs) {
      const message = "RunPod says that the run completed, but it left no output.";
      return failRun(job, attempt, { code: "output_missing", message }, context);
    }
    return putAttempt(job, { ...attempt, lookAt: now + Math.ceil(timers.outputWindowMs / looksInOutputWindow) });
  },
  late_start: (job, attempt, context) => {
    const message = "No GPU took the run in time.";
    return failRun(job, attempt, { code: "queue_timeout", message }, context);
  },
  late_end: (job, attempt, context) => {
    const message = "The run did not end in time.";
    return failRun(job, attempt, { code: "deadline_exceeded", message }, context);
  },
  late_word: (job, attempt, { now }) => putAttempt(job, toClosed(attempt, "superseded", now)),
};

/** R2 did not answer: the look is repeated, nothing is decided. */
export function outputUnknown(job: JobState, signal: SignalOf<"output_unknown">, { now, timers }: DecisionContext) {
  const later = (tries: number) => now + troublePauseMs(timers.pollMinMs, tries, job.spec.id, null);
  if (job.verdict?.looks.includes(signal.attempt)) {
    return { ...job, verdict: { ...job.verdict, lookAt: later(1) } };
  }
  const attempt = findAttempt(job, signal.attempt);
  switch (attempt?.phase) {
    case "unconfirmed":
      return putAttempt(job, { ...attempt, looks: attempt.looks + 1, lookAt: later(attempt.looks + 1) });
    case "verifying":
      return putAttempt(job, { ...attempt, silences: attempt.silences + 1, lookAt: later(attempt.silences + 1) });
    default:
      return null;
  }
}

/** Whether R2 is worth a look together with the question to RunPod: a ring, or a RunPod that has lost or lost sight of it. */
export function looksWhileAsking(attempt: AttemptIn<"running">): boolean {
  return attempt.rung || attempt.gone !== null || attempt.silences > 0 || runOf(attempt)?.toldBy === "webhook";
}
