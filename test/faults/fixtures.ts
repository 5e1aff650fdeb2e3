import type { Random } from "../../local/random.ts";
import type { JobSpec, StoredOutput } from "../../src/core/job-state.ts";
import type { Timers } from "../../src/core/timers.ts";
import type { JobProjection } from "../../src/store/jobs.ts";

/** A job's row in D1. */
export type Row = JobProjection & { quietUntil: string | null; reusedFrom: string | null };

/** The timers of a world that is short of patience, so that much happens in little time. */
export const quickTimers: Timers = {
  runTimeoutMs: 15_000,
  runGraceMs: 60_000,
  statusTimeoutMs: 5_000,
  pollMinMs: 5_000,
  pollMaxMs: 60_000,
  executionTimeoutMs: 180_000,
  queueTimeoutMs: 300_000,
  providerPatienceMs: 3 * 3_600_000,
  outputWindowMs: 30_000,
  retryBackoffMs: 5_000,
  progressFlushMs: 5_000,
};

/** A job's id, by its place among the jobs of its world. */
export function jobId(index: number): string {
  return `01990000-0000-7000-8000-${String(index).padStart(12, "0")}`;
}

/** A job as its client may wish for it. */
export function newSpec(index: number, createdAt: number, random: Random): JobSpec {
  return {
    ...plainSpec(index, createdAt),
    maxRetries: random.between(0, 3),
    startWithinMs: random.chance(0.1) ? random.between(10_000, 100_000) : null,
    maxRunMs: random.chance(0.1) ? random.between(5_000, 100_000) : null,
    webhook: random.chance(0.1) ? { url: "https://example.com/hook", events: ["job.complete"] } : null,
  };
}

/** A job without wishes. */
export function plainSpec(index: number, createdAt: number): JobSpec {
  return {
    id: jobId(index),
    tenantId: "t",
    projectId: 1,
    userId: "u",
    type: "overlay",
    params: { include_audio: true, highlight_regions: [], effect_type: "blur" },
    inputVideoKey: `input/t/${index}/a.mp4`,
    inputSize: null,
    maxRetries: 3,
    startWithinMs: null,
    maxRunMs: null,
    createdAt,
    reused: null,
    webhook: null,
  };
}

/** The same work as another job's, whose output it shows. */
export function reusingSpec(index: number, createdAt: number, reused: StoredOutput): JobSpec {
  return { ...plainSpec(index, createdAt), reused };
}

/** Its row as the INSERT writes it. */
export function newRow({ id, tenantId, createdAt, reused }: JobSpec, reusedFrom: string | null): Row {
  const at = new Date(createdAt).toISOString();
  return {
    id,
    tenantId,
    version: 1,
    reopened: false,
    status: reused ? "complete" : "pending",
    stage: reused ? "done" : "queued",
    progress: reused ? 100 : 0,
    message: null,
    outputVideoKey: reused?.key ?? null,
    outputSize: reused?.size ?? null,
    outputEtag: reused?.etag ?? null,
    artifacts: null,
    result: null,
    counters: null,
    errorCode: null,
    errorMessage: null,
    attempt: 0,
    runpodJobId: null,
    startedAt: reused ? at : null,
    completedAt: reused ? at : null,
    updatedAt: at,
    settledAt: null,
    quietUntil: null,
    acknowledgedAt: null,
    reusedFrom,
  };
}
