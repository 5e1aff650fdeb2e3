import { outputMsOf } from "../core/eta.ts";
import { type Attempt, type Duty, findAttempt, type JobState, uncountedAttempts } from "../core/job-state.ts";
import type { Action } from "../core/next-action.ts";
import type { Projected, ProjectionAnswer, Signal } from "../core/signals.ts";
import { toTimestamp } from "../core/time.ts";
import type { RunOutcome } from "../runpod/client.ts";
import type { UsageRow } from "../store/schema.ts";
import type { Ports } from "./ports.ts";
import { toProjection } from "./projection.ts";

/** The actions that reach outside; each ends in at least one signal, whatever happens. */
export type Effect = Exclude<Action, { do: "clock" | "wait" | "rest" }>;

/** Carries out one action for the job as it is now. Never throws: failures are signals too. */
export async function perform(effect: Effect, job: JobState, ports: Ports): Promise<Signal[]> {
  switch (effect.do) {
    case "submit":
      return [await submit(job, job.attempts.length, ports)];
    case "verify":
      return effect.step === "status" ? verify(job, effect.attempt, ports) : [await look(job, effect.attempt, ports)];
    case "project":
      return [await project(job, effect.settled, ports)];
    case "notify":
      return [await notify(job, effect.attempt, ports)];
    default:
      return [await tryDuty(effect.do, job, effect.attempt, ports)];
  }
}

async function submit(job: JobState, number: number, ports: Ports): Promise<Signal> {
  const attempt = findAttempt(job, number);
  const outcome = attempt ? await ports.submitRun(job, attempt).catch(unconfirmed) : unconfirmed();
  if (outcome.kind === "refused") {
    ports.warn(outcome.message);
  }
  return toSubmitSignal(outcome, number);
}

function unconfirmed(): RunOutcome {
  return { kind: "unconfirmed" };
}

function toSubmitSignal(outcome: RunOutcome, attempt: number): Signal {
  switch (outcome.kind) {
    case "accepted":
      return { kind: "run_accepted", attempt, runId: outcome.runId };
    case "refused":
      return { kind: "run_refused", attempt, code: "provider_rejected", message: outcome.message };
    case "throttled":
      return { kind: "run_throttled", attempt, retryAfterMs: outcome.retryAfterMs };
    case "unconfirmed":
      return { kind: "run_unconfirmed", attempt };
  }
}

/**
 * After a webhook the output is most likely there: RunPod is asked and R2 looked into at once. What was not there a
 * moment before RunPod's word is looked for again after it.
 */
async function verify(job: JobState, number: number, ports: Ports): Promise<Signal[]> {
  const [word, seen] = await Promise.all([
    ask(job, number, ports),
    findAttempt(job, number)?.hinted ? look(job, number, ports) : null,
  ]);
  return seen?.kind === "output_found" ? [word, seen] : [word];
}

async function ask(job: JobState, number: number, ports: Ports): Promise<Signal> {
  const run = runOf(findAttempt(job, number));
  const report = run ? await ports.askStatus(run.endpointId, run.runId).catch(() => null) : null;
  return report ? { kind: "run_reported", attempt: number, report } : { kind: "status_unavailable", attempt: number };
}

async function look(job: JobState, number: number, ports: Ports): Promise<Signal> {
  const key = findAttempt(job, number)?.outputKey;
  try {
    const output = key === undefined ? null : await ports.findOutput(key);
    return output ? { kind: "output_found", attempt: number, output } : { kind: "output_absent", attempt: number };
  } catch {
    return { kind: "output_unknown", attempt: number };
  }
}

async function notify(job: JobState, version: number, ports: Ports): Promise<Signal> {
  const done = await ports.notify(job).then(
    () => true,
    () => false,
  );
  return { kind: "duty_tried", duty: "notify", attempt: version, done };
}

type AttemptDuty = Exclude<Duty, "notify">;

async function tryDuty(duty: AttemptDuty, job: JobState, number: number, ports: Ports): Promise<Signal> {
  const attempt = findAttempt(job, number);
  const done = attempt ? await duties[duty](job, attempt, ports).catch(() => false) : true;
  return { kind: "duty_tried", duty, attempt: number, done };
}

/** How each duty is done. @returns whether it is; a throw is a no */
const duties: Readonly<Record<AttemptDuty, (job: JobState, attempt: Attempt, ports: Ports) => Promise<boolean>>> = {
  cancel: async (_job, attempt, ports) => {
    const run = runOf(attempt);
    return run ? ports.cancelRun(run.endpointId, run.runId) : true;
  },
  delete_output: async (job, attempt, ports) => {
    if (job.output?.key !== attempt.outputKey) {
      await ports.deleteOutput(attempt.outputKey);
    }
    return true;
  },
};

/** RunPod's figures, asked for once more where its last word came without them. */
async function toUsageRow(job: JobState, attempt: Attempt, ports: Ports): Promise<UsageRow> {
  const { spec, status, output } = job;
  const run = attempt.executionMs === null ? runOf(attempt) : null;
  const report = run && (await ports.askStatus(run.endpointId, run.runId).catch(() => null));
  const bytesIn = spec.inputSize ?? (await ports.findOutput(spec.inputVideoKey).catch(() => null))?.size ?? 0;
  return {
    tenantId: spec.tenantId,
    day: toTimestamp(attempt.closedAt ?? job.updatedAt).slice(0, 10),
    projectId: spec.projectId,
    jobId: spec.id,
    attempt: attempt.number,
    type: spec.type,
    outcome: attempt.outcome ?? "closed",
    jobStatus: attempt.number === job.attempts.length ? status : null,
    gpuMs: Math.round(attempt.executionMs ?? report?.executionMs ?? 0),
    queueMs: Math.round(attempt.delayMs ?? report?.delayMs ?? 0),
    bytesIn,
    outputMs: outputMsOf(spec.params),
    bytesOut: output?.key === attempt.outputKey ? output.size : 0,
  };
}

/** One write tells D1 the job, what its attempts used, and that it is settled, unless somebody is still to be told. */
async function project(job: JobState, settled: boolean, ports: Ports): Promise<Signal> {
  const uncounted = uncountedAttempts(job);
  const projected: Projected = {
    version: job.version,
    progress: job.progress,
    settled,
    counted: uncounted.map(({ number }) => number),
  };
  const usage = await Promise.all(uncounted.map((attempt) => toUsageRow(job, attempt, ports)));
  const projection = { ...toProjection(job), settledAt: settled ? toTimestamp(ports.now()) : null };
  const answer = await ports.project(projection, { usage, settlesUnlessHeard: job.audience.untold !== null }).then(
    (isHeard): ProjectionAnswer => ({ isHeard }),
    (): ProjectionAnswer => "failed",
  );
  return { kind: "projected", projected, answer };
}

function runOf(attempt: Attempt | undefined): { endpointId: string; runId: string } | null {
  return attempt && attempt.runId !== null ? { endpointId: attempt.endpointId, runId: attempt.runId } : null;
}
