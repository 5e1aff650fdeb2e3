import type { Job, JobArtifact, JobError, JobOutput } from "../contract/job.ts";
import { rowOf } from "../contract/types/index.ts";
import { retryable } from "../core/retry.ts";
import type { Settings } from "../env.ts";
import type { JobProjection } from "../store/jobs.ts";
import type { ExportJobRow } from "../store/schema.ts";
import { newOutputLink, outputLinkTtlMs } from "./links.ts";

/** What of a row the API shows. */
export type ShownJob = Omit<JobProjection, "tenantId" | "reopened" | "settledAt" | "quietUntil" | "metadata"> &
  Pick<
    ExportJobRow,
    | "projectId"
    | "userId"
    | "type"
    | "inputVideoKey"
    | "params"
    | "metadata"
    | "maxRetries"
    | "assets"
    | "priority"
    | "reusedFrom"
    | "createdAt"
  >;

/**
 * A row as the API shows it.
 * @param linkMs how long the link to its output is good at least
 */
export async function toJob(row: ShownJob, settings: Settings, now: number, linkMs = outputLinkTtlMs): Promise<Job> {
  return {
    id: row.id,
    project_id: row.projectId,
    user_id: row.userId,
    type: row.type,
    status: row.status,
    stage: row.stage,
    progress: row.progress,
    message: row.message,
    input_video_key: row.inputVideoKey,
    output_video_key: row.outputVideoKey,
    output: await toOutput(row, settings, now, linkMs),
    assets: row.assets ?? {},
    artifacts: await toArtifacts(row, settings, now, linkMs),
    result: JSON.parse(row.result ?? "null"),
    counters: row.counters ?? {},
    params: row.params,
    metadata: row.metadata,
    error: toError(row),
    attempt: row.attempt,
    retry_count: Math.max(0, row.attempt - 1),
    max_retries: row.maxRetries,
    priority: row.priority,
    runpod_job_id: row.runpodJobId,
    reused_from: row.reusedFrom,
    acknowledged_at: row.acknowledgedAt,
    version: row.version,
    queue_position: null,
    eta: null,
    eta_range: null,
    created_at: row.createdAt,
    started_at: row.startedAt,
    completed_at: row.completedAt,
    updated_at: row.updatedAt,
    urls: toUrls(row.id, settings),
  };
}

async function toOutput(row: ShownJob, settings: Settings, now: number, linkMs: number): Promise<JobOutput | null> {
  const { outputVideoKey, outputSize, outputEtag, type } = row;
  if (outputVideoKey === null || outputSize === null || outputEtag === null) {
    return null;
  }
  const link = await newOutputLink(settings, outputVideoKey, now, linkMs);
  return { size: outputSize, content_type: rowOf(type).output.contentType, etag: outputEtag, ...link };
}

function toArtifacts(row: ShownJob, settings: Settings, now: number, linkMs: number): Promise<JobArtifact[]> {
  const formats = rowOf(row.type).artifacts;
  const shown = (row.artifacts ?? []).flatMap(({ name, key, size, etag }) => {
    const format = formats[name];
    return format ? [{ name, key, about: { size, content_type: format.contentType, etag } }] : [];
  });
  return Promise.all(
    shown.map(async ({ name, key, about }) => ({
      name,
      ...about,
      ...(await newOutputLink(settings, key, now, linkMs)),
    })),
  );
}

/** Why a job failed. */
export function toError(row: Pick<ExportJobRow, "errorCode" | "errorMessage" | "attempt">): JobError | null {
  const { errorCode, errorMessage, attempt } = row;
  return errorCode && { code: errorCode, message: errorMessage ?? "", retryable: retryable[errorCode], attempt };
}

function toUrls(id: string, { publicBaseUrl }: Settings): Job["urls"] {
  const self = `${publicBaseUrl}/api/jobs/${id}`;
  return {
    self,
    events: `${self}/events`,
    ws: `${self.replace(/^http/, "ws")}/ws`,
    cancel: `${self}/cancel`,
    output: `${self}/output`,
  };
}
