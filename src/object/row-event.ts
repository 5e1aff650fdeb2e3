import type { JobEvent } from "../contract/event.ts";
import { eventTypeOf } from "../core/events.ts";
import type { Settings } from "../env.ts";
import type { StreamRow } from "../store/stream-rows.ts";
import { toError } from "../view/job-view.ts";
import { newOutputLink } from "../view/links.ts";

/**
 * A job's row as the event that leads to it; null for one that is just being reopened: it is no end, and what it becomes
 * is told next.
 */
export async function toRowEvent(row: StreamRow, settings: Settings, now: number): Promise<JobEvent | null> {
  const type = eventTypeOf(row, "status");
  if (type !== "status" && row.completedAt === null) {
    return null;
  }
  const link =
    type === "complete" && row.outputVideoKey !== null ? await newOutputLink(settings, row.outputVideoKey, now) : null;
  return {
    seq: row.version,
    type,
    at: row.completedAt ?? row.updatedAt,
    job_id: row.id,
    attempt: row.attempt,
    status: row.status,
    stage: row.stage,
    progress: row.progress,
    message: row.message,
    error: toError(row),
    output_video_key: row.outputVideoKey,
    ...(link ? { output_url: link.url } : {}),
  };
}
