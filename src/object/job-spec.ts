import { usualWebhookEvents } from "../contract/webhook.ts";
import type { JobSpec, StoredOutput } from "../core/job-state.ts";
import type { ExportJobRow } from "../store/schema.ts";

/**
 * Whether a row may begin its job in an object that holds none: one that has got further has an object, and if that is
 * gone, the job was just removed and must not come back.
 */
export function mayBegin({ status, reusedFrom }: ExportJobRow): boolean {
  return status === "pending" || reusedFrom !== null;
}

/** What a job's object needs of its row: enough to begin the job from the row alone. */
export function toJobSpec(row: ExportJobRow): JobSpec {
  return {
    id: row.id,
    tenantId: row.tenantId,
    projectId: row.projectId,
    userId: row.userId,
    type: row.type,
    params: row.params,
    inputVideoKey: row.inputVideoKey,
    inputSize: row.inputSize,
    assets: row.assets ?? undefined,
    priority: row.priority === 0 ? undefined : row.priority,
    maxRetries: row.maxRetries,
    startWithinMs: toMs(row.startWithinSeconds),
    maxRunMs: toMs(row.maxRunSeconds),
    createdAt: Date.parse(row.createdAt),
    metadata: row.metadata,
    reusedFrom: row.reusedFrom,
    reused: row.reusedFrom === null ? null : toStoredOutput(row),
    webhook: row.webhookUrl === null ? null : { url: row.webhookUrl, events: row.webhookEvents ?? usualWebhookEvents },
  };
}

function toStoredOutput(row: ExportJobRow): StoredOutput | null {
  const { outputVideoKey: key, outputSize: size, outputEtag: etag, artifacts, result, counters } = row;
  if (key === null || size === null || etag === null) {
    return null;
  }
  const returned = result === null && counters === null ? undefined : { result, counters: counters ?? {} };
  return { key, size, etag, ...(artifacts && { artifacts }), ...(returned && { returned }) };
}

function toMs(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1000;
}
