import type { Random } from "../../local/random.ts";
import type { JobSpec } from "../../src/core/job-state.ts";
import type { JobProjection } from "../../src/store/jobs.ts";

/** A job's row in D1. */
export type Row = JobProjection & { unsettled: boolean };

/** A job as its client may wish for it. */
export function newSpec(createdAt: number, random: Random): JobSpec {
  return {
    id: `01990000-0000-7000-8000-${String(random.between(0, 1e9)).padStart(12, "0")}`,
    tenantId: "t",
    projectId: 1,
    userId: null,
    type: "overlay",
    params: { include_audio: true, highlight_regions: [], effect_type: "blur" },
    inputVideoKey: "input/t/u/a.mp4",
    inputSize: null,
    maxRetries: random.between(0, 3),
    startWithinMs: random.chance(0.1) ? random.between(10_000, 100_000) : null,
    maxRunMs: random.chance(0.1) ? random.between(5_000, 100_000) : null,
    createdAt,
    reused: null,
    webhook: null,
  };
}

/** Its row as the INSERT writes it. */
export function newRow({ id, tenantId, createdAt }: JobSpec): Row {
  return {
    id,
    tenantId,
    version: 1,
    reopened: false,
    status: "pending",
    stage: "queued",
    progress: 0,
    message: null,
    outputVideoKey: null,
    outputSize: null,
    outputEtag: null,
    errorCode: null,
    errorMessage: null,
    attempt: 0,
    runpodJobId: null,
    startedAt: null,
    completedAt: null,
    updatedAt: new Date(createdAt).toISOString(),
    settledAt: null,
    acknowledgedAt: null,
    unsettled: true,
  };
}
