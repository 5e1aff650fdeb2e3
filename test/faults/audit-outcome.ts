import { type Attempt, openRunsOf, runOf } from "../../src/core/attempt.ts";
import { isFinal, type JobState } from "../../src/core/job-state.ts";
import type { ModelRun } from "./runs.ts";
import type { World } from "./world.ts";
import type { WorldJob } from "./world-job.ts";

/** A cancel that nothing stands in the way of is taken within this time. */
const maxCancelMs = 120_000;
/** The longest pause between two tries of a duty, and a little. */
const longestPauseMs = 400_000;
/** A webhook that names a run may come so late. */
const lateMs = 700_000;
/** R2 is asked for an input within this time. */
const lookMs = 5_000;

/** What a job ended in is what happened to it, and what it left behind was called off. */
export function auditOutcome(world: World, job: WorldJob, state: JobState, name: string): void {
  auditError(world, job, state, name);
  auditInputs(world, job, state, name);
  auditLateCancels(world, state, name);
  if (isCalm(job)) {
    auditCancels(world, state, name);
  }
}

/** An attempt that opened, and found its input gone, is over by that. */
function auditInputs({ ledger, r2 }: World, job: WorldJob, { attempts, spec }: JobState, name: string): void {
  const last = attempts.at(-1);
  const missedAt = (r2.missedAt.get(spec.inputVideoKey ?? "") ?? 0) + job.object.skewMs;
  const isSent = job.facts.submissions.some(({ attempt }) => attempt === last?.number);
  const isMissed = last !== undefined && !isSent && missedAt >= last.openedAt && missedAt < last.openedAt + lookMs;
  if (isMissed && isCalm(job) && last.phase === "closed" && last.outcome === "superseded") {
    ledger.violate("outcome", `attempt ${last.number} of ${name} found no input, and was waited for`);
  }
}

/** The run of an attempt that may go on, if it was known by then. */
function namedBy(attempt: Attempt, at: number): string[] {
  const run = runOf(attempt);
  return run && run.knownAt <= at ? openRunsOf(attempt).filter((id) => id === run.id) : [];
}

function endOf({ cancelledAt, endedAt, endsAt }: ModelRun): number {
  return Math.min(cancelledAt ?? Infinity, endedAt ?? Infinity, endsAt);
}

/** However long RunPod takes no cancels: once it does, no run goes on for nobody. */
function auditLateCancels({ ledger, runpod, calmAt }: World, { attempts, completedAt }: JobState, name: string): void {
  const strays = attempts.flatMap((attempt) => attempt.strays.map((id) => ({ id, afterMs: longestPauseMs + lateMs })));
  const known = attempts.flatMap((attempt) => namedBy(attempt, calmAt).map((id) => ({ id, afterMs: longestPauseMs })));
  for (const { id, afterMs } of [...known, ...strays]) {
    const run = runpod.runs.find((other) => other.id === id);
    const isOver = completedAt !== null && completedAt < calmAt;
    const goesOnUntil = run ? endOf(run) : 0;
    if (isOver && run?.cancels === 0 && goesOnUntil > calmAt + afterMs) {
      ledger.violate("I8", `${id} of ${name} went on long after all trouble, and was never cancelled`);
    }
  }
}

function isCalm({ facts, object }: WorldJob): boolean {
  return facts.mishaps === 0 && object.alarmLostAt === 0;
}

function auditError({ ledger, r2 }: World, job: WorldJob, { error, spec }: JobState, name: string): void {
  if (error?.code === "input_not_found" && !r2.missedAt.has(spec.inputVideoKey ?? "")) {
    ledger.violate("outcome", `${name} ended in input_not_found, and nobody missed its input`);
  }
  if (error?.code === "provider_unavailable" && job.facts.submissions.length === 0 && isCalm(job)) {
    ledger.violate("outcome", `${name} ended in provider_unavailable, and RunPod was never asked`);
  }
}

/** I8: once a job is over, each run that it knows is cancelled, once and soon. */
function auditCancels({ ledger, runpod }: World, { attempts, completedAt, status }: JobState, name: string): void {
  if (!isFinal(status) || completedAt === null || runpod.cancelsRefused > 0) {
    return;
  }
  const known = attempts.flatMap((attempt) =>
    namedBy(attempt, completedAt).map((id) => ({ id, isRung: attempt.rungAt !== null })),
  );
  for (const { id, isRung } of known) {
    const run = runpod.runs.find((other) => other.id === id);
    const isLate = run && run.boughtAt < completedAt && endOf(run) > completedAt + maxCancelMs;
    if (isLate && run.cancels === 0) {
      ledger.violate("I8", `${id} of ${name} went on after the end of its job, and was never cancelled`);
    }
    if (run && !isRung && (runpod.cancelsOfNone.get(id) ?? 0) > 1) {
      ledger.violate("I8", `${id} of ${name} was cancelled again, though RunPod knows no such run`);
    }
    if (run && run.cancels > 1 && !isRung) {
      ledger.violate("I8", `${id} of ${name} was cancelled ${run.cancels} times`);
    }
  }
}
