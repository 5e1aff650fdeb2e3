import { closeAttempt, endIfNothingToSalvage, failAttempt, patchAttempt } from "./attempts.ts";
import { type Attempt, findAttempt, isFinal, type JobState, type Obligation } from "./job-state.ts";
import { endOtherAttempts } from "./live-signals.ts";
import type { DecisionContext, SignalOf } from "./signals.ts";

/** How often `/status` may say 404, with no output in R2, before a run is called lost. */
const looksBeforeLost = 3;
const looksInOutputWindow = 6;

/** The object is in R2: with RunPod's word, its webhook, or the end of all waiting, the job is complete (I6). */
export function outputFound(job: JobState, signal: SignalOf<"output_found">, context: DecisionContext) {
  const { now } = context;
  const attempt = findAttempt(job, signal.attempt);
  const grounds = attempt && (attempt.claim !== null || attempt.hinted || attempt.phase === "unconfirmed");
  if (!grounds || isFinal(job.status) || signal.output.size <= 0) {
    return null;
  }
  const complete: JobState = {
    ...keepOutput(closeAttempt(job, attempt.number, "complete", now), attempt.number),
    status: "complete",
    stage: "done",
    progress: 100,
    message: null,
    output: signal.output,
    nextAttemptAt: null,
    pendingError: null,
    startedAt: job.startedAt ?? now,
    completedAt: now,
  };
  return endOtherAttempts(complete, attempt.number, "superseded", context);
}

/** A cancel may have owed the removal of an output that, after the owner's retry, is the job's after all (I6). */
function keepOutput(job: JobState, number: number): JobState {
  const isOwed = ({ duty, attempt }: Obligation) => duty !== "delete_output" || attempt !== number;
  return { ...job, obligations: job.obligations.filter(isOwed) };
}

export function outputAbsent(job: JobState, signal: SignalOf<"output_absent">, context: DecisionContext) {
  const attempt = findAttempt(job, signal.attempt);
  if (attempt?.check?.step !== "output" || isFinal(job.status)) {
    return null;
  }
  return attempt.claim === null
    ? absentUnclaimed(job, attempt, context)
    : absentAs[attempt.claim](job, attempt, context);
}

/** A webhook without an output: RunPod is asked on. An unconfirmed run that nobody heard of never was: the next attempt. */
function absentUnclaimed(job: JobState, attempt: Attempt, context: DecisionContext): JobState {
  const { now, timers } = context;
  if (attempt.hinted && attempt.runId !== null) {
    const check = { step: "status", at: now + timers.pollMinMs } as const;
    return patchAttempt(job, attempt.number, { hinted: false, check });
  }
  const isHeardOf = attempt.runningSince !== null && now < attempt.runningSince + attempt.policy.executionTimeoutMs;
  if (attempt.runId === null && isHeardOf) {
    // Its handler reports progress, so there is a run, though nobody knows its id: a second one would be a waste.
    return patchAttempt(job, attempt.number, { check: { step: "output", at: now + timers.pollMaxMs } });
  }
  const message = "RunPod did not confirm the run.";
  const failed = failAttempt(job, attempt.number, { code: "provider_unavailable", message }, context);
  return failed.nextAttemptAt === null ? failed : patchAttempt(failed, attempt.number, { outcome: "superseded" });
}

type Absence = (job: JobState, attempt: Attempt, context: DecisionContext) => JobState;

const absentAs: Readonly<Record<NonNullable<Attempt["claim"]>, Absence>> = {
  completed: (job, attempt, context) => {
    const { now, timers } = context;
    if (now - (attempt.claimedAt ?? now) >= timers.outputWindowMs) {
      const message = "RunPod says that the run completed, but it left no output.";
      return failAttempt(job, attempt.number, { code: "output_missing", message }, context);
    }
    const at = now + Math.ceil(timers.outputWindowMs / looksInOutputWindow);
    return patchAttempt(job, attempt.number, { check: { step: "output", at } });
  },
  gone: (job, attempt, context) => {
    if (attempt.timesGone >= looksBeforeLost) {
      const message = "RunPod no longer knows the run, and it left no output.";
      return failAttempt(job, attempt.number, { code: "output_missing", message }, context);
    }
    const check = { step: "status", at: context.now + context.timers.pollMinMs } as const;
    return patchAttempt(job, attempt.number, { claim: null, check });
  },
  late_start: (job, attempt, context) => {
    const message = "No GPU took the run in time.";
    const { startWithinMs, createdAt } = job.spec;
    const retry = startWithinMs === null || context.now < createdAt + startWithinMs;
    return failAttempt(job, attempt.number, { code: "queue_timeout", message, retry }, context);
  },
  late_end: (job, attempt, context) => {
    const message = "The run did not end in time.";
    return failAttempt(job, attempt.number, { code: "deadline_exceeded", message }, context);
  },
  salvage: (job, attempt, { now }) =>
    endIfNothingToSalvage(patchAttempt(job, attempt.number, { claim: null, check: null }), now),
};

/** R2 did not answer: the look is repeated, nothing is decided. */
export function outputUnknown(job: JobState, signal: SignalOf<"output_unknown">, { now, timers }: DecisionContext) {
  const attempt = findAttempt(job, signal.attempt);
  if (attempt?.check?.step !== "output" || isFinal(job.status)) {
    return null;
  }
  return patchAttempt(job, attempt.number, { check: { step: "output", at: now + timers.pollMinMs } });
}
