import { z } from "zod";
import { Timestamp } from "./common.ts";
import { JobError, JobStatus } from "./job.ts";

export const JobEventType = z.enum(["status", "progress", "complete", "error", "cancelled"]);
export type JobEventType = z.infer<typeof JobEventType>;

/**
 * One visible change of a job, the same for history, SSE and WebSocket. `seq` is the job's `version` at that change,
 * so a watcher that knows a version knows what it has missed.
 */
export const JobEvent = z
  .strictObject({
    seq: z.int(),
    type: JobEventType,
    at: Timestamp,
    job_id: z.string(),
    attempt: z.int(),
    status: JobStatus,
    stage: z.string(),
    progress: z.int().min(0).max(100),
    message: z.string().nullable(),
    error: JobError.nullable(),
    output_video_key: z.string().nullable(),
    output_url: z.url().optional().meta({ description: "Signed; only on complete, only on live streams." }),
  })
  .meta({ id: "JobEvent" });
export type JobEvent = z.infer<typeof JobEvent>;

/** A job was deleted; its `seq` is above all that was told of it. */
export const JobDeleted = z
  .strictObject({ type: z.literal("deleted"), job_id: z.string(), seq: z.int(), at: Timestamp })
  .meta({ id: "JobDeleted" });
export type JobDeleted = z.infer<typeof JobDeleted>;

/** What those who watch a project are told: the events of its jobs, and that one is gone. */
export const ProjectEvent = z.union([JobEvent, JobDeleted]).meta({ id: "ProjectEvent" });
export type ProjectEvent = z.infer<typeof ProjectEvent>;

/** A job's history, oldest first: every change of status or stage (progress only at its checkpoints). */
export const JobHistory = z.strictObject({ data: z.array(JobEvent) }).meta({ id: "JobHistory" });
export type JobHistory = z.infer<typeof JobHistory>;
