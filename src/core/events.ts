import type { JobDeleted, JobEvent, JobEventType } from "../contract/event.ts";
import type { JobStatus } from "../contract/job.ts";
import { type JobState, newJobState } from "./job-state.ts";
import { toTimestamp } from "./time.ts";

const finalEventTypes: Readonly<Partial<Record<JobStatus, JobEventType>>> = {
  complete: "complete",
  error: "error",
  cancelled: "cancelled",
};

/** The kind of event that leads to this job: its final state's own, or `otherwise`. */
export function eventTypeOf(job: { status: JobStatus }, otherwise: "status" | "progress"): JobEventType {
  return finalEventTypes[job.status] ?? otherwise;
}

/** The first event of a job: its creation. Of a removed job there is none. */
export function creationOf({ spec, removal }: JobState): JobEvent[] {
  const created = newJobState(spec);
  return removal ? [] : [toEvent(created, eventTypeOf(created, "status"))];
}

/** The job as one event, as it stands after its last change. */
export function toEvent(job: JobState, type: JobEventType): JobEvent {
  return {
    seq: job.lastSeq,
    type,
    at: toTimestamp(job.completedAt ?? job.updatedAt),
    job_id: job.spec.id,
    attempt: job.attempts.length,
    status: job.status,
    stage: job.stage,
    progress: job.progress,
    message: job.message,
    error: job.error,
    output_video_key: job.output?.key ?? null,
  };
}

/** The row of a job has gone: the last that its project's watchers hear of it. */
export function toDeletedEvent({ spec, version }: JobState, now: number): JobDeleted {
  return { type: "deleted", job_id: spec.id, seq: version + 1, at: toTimestamp(now) };
}
