import { type Attempt, findAttempt, type JobState } from "../core/job-state.ts";
import type { Action } from "../core/next-action.ts";
import type { Signal } from "../core/signals.ts";
import { toTimestamp } from "../core/time.ts";
import type { RunOutcome } from "../runpod/client.ts";
import type { Ports } from "./ports.ts";
import { toProjection } from "./projection.ts";

/** The actions that reach outside; each ends in one signal, whatever happens. */
export type Effect = Extract<Action, { do: "submit" | "verify" | "cancel" | "project" }>;

/** Carries out one action for the job as it is now. Never throws: failures are signals too. */
export function perform(effect: Effect, job: JobState, ports: Ports): Promise<Signal> {
  switch (effect.do) {
    case "submit":
      return submit(job, job.attempts.length, ports);
    case "verify":
      return effect.step === "status" ? ask(job, effect.attempt, ports) : look(job, effect.attempt, ports);
    case "cancel":
      return cancel(job, effect.attempt, ports);
    case "project":
      return project(job, effect.settled, ports);
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

async function cancel(job: JobState, number: number, ports: Ports): Promise<Signal> {
  const run = runOf(findAttempt(job, number));
  const done = run ? await ports.cancelRun(run.endpointId, run.runId).catch(() => false) : true;
  return { kind: "run_cancelled", attempt: number, done };
}

async function project(job: JobState, settled: boolean, ports: Ports): Promise<Signal> {
  const settledAt = settled ? toTimestamp(ports.now()) : null;
  const signal = { kind: "projected", version: job.version, settled } as const;
  try {
    await ports.project({ ...toProjection(job), settledAt });
    return { ...signal, done: true };
  } catch {
    return { ...signal, done: false };
  }
}

function runOf(attempt: Attempt | undefined): { endpointId: string; runId: string } | null {
  return attempt && attempt.runId !== null ? { endpointId: attempt.endpointId, runId: attempt.runId } : null;
}
