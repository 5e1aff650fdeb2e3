import type { JobState } from "../core/job-state.ts";
import { toTimestamp, toTimestampOrNull } from "../core/time.ts";
import type { JobProjection } from "../store/jobs.ts";

/** The job in D1's columns. */
export function toProjection(job: JobState): JobProjection {
  return {
    id: job.spec.id,
    tenantId: job.spec.tenantId,
    version: job.version,
    reopened: job.row.reopenedVersion > job.row.version,
    status: job.status,
    stage: job.stage,
    progress: job.progress,
    message: job.message,
    outputVideoKey: job.output?.key ?? null,
    outputSize: job.output?.size ?? null,
    outputEtag: job.output?.etag ?? null,
    artifacts: job.output?.artifacts ?? null,
    result: job.output?.returned?.result ?? null,
    counters: job.output?.returned?.counters ?? null,
    errorCode: job.error?.code ?? null,
    errorMessage: job.error?.message ?? null,
    attempt: job.attempts.length,
    runpodJobId: job.runId,
    startedAt: toTimestampOrNull(job.startedAt),
    completedAt: toTimestampOrNull(job.completedAt),
    updatedAt: toTimestamp(job.updatedAt),
    settledAt: toTimestampOrNull(job.settledAt),
    quietUntil: null,
    acknowledgedAt: toTimestampOrNull(job.acknowledgedAt),
    ...(job.metadata ? { metadata: job.metadata } : {}),
  };
}
