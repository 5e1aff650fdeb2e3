import { z } from "zod";
import { Metadata, ObjectKey, ProjectId, Timestamp, UserId } from "./common.ts";
import { JobParams, JobType } from "./types/index.ts";

/** `complete`, `error` and `cancelled` are final. */
export const JobStatus = z.enum(["pending", "processing", "complete", "error", "cancelled"]).meta({ id: "JobStatus" });
export type JobStatus = z.infer<typeof JobStatus>;

export const activeStatuses = ["pending", "processing"] as const satisfies readonly JobStatus[];
export const finalStatuses = ["complete", "error", "cancelled"] as const satisfies readonly JobStatus[];

/** Why a job ended in `error`. */
export const JobErrorCode = z
  .enum([
    "input_not_found",
    "invalid_params",
    "handler_failed",
    "handler_timeout",
    "queue_timeout",
    "provider_unavailable",
    "provider_rejected",
    "output_missing",
    "deadline_exceeded",
    "cancelled_by_provider",
  ])
  .meta({ id: "JobErrorCode" });
export type JobErrorCode = z.infer<typeof JobErrorCode>;

export const JobError = z
  .strictObject({
    code: JobErrorCode,
    message: z.string(),
    retryable: z.boolean().meta({ description: "Whether the same request may succeed when it is tried again." }),
    attempt: z.int().meta({ description: "The attempt that failed last." }),
  })
  .meta({ id: "JobError" });
export type JobError = z.infer<typeof JobError>;

export const JobOutput = z
  .strictObject({
    size: z.int(),
    content_type: z.string(),
    etag: z.string(),
    url: z.url().meta({ description: "Signed: needs no credential until it expires." }),
    expires_at: Timestamp,
  })
  .meta({ id: "JobOutput" });
export type JobOutput = z.infer<typeof JobOutput>;

/** What a handler wrote besides the output. */
export const JobArtifact = JobOutput.extend({ name: z.string() }).meta({ id: "JobArtifact" });
export type JobArtifact = z.infer<typeof JobArtifact>;

const urls = z.strictObject({ self: z.url(), events: z.url(), ws: z.url(), cancel: z.url(), output: z.url() });

/** An export job as its owner sees it. */
export const Job = z
  .strictObject({
    id: z.uuidv7(),
    project_id: ProjectId,
    user_id: UserId.nullable(),
    type: JobType,
    status: JobStatus,
    stage: z.string().meta({
      description:
        "queued, dispatching, waiting_for_provider (RunPod is away, busy or misconfigured), waiting_for_gpu, the handler's own " +
        "words while it renders, verifying, or done.",
      examples: ["rendering"],
    }),
    progress: z.int().min(0).max(100).meta({ description: "Percent; never falls within an attempt." }),
    message: z.string().nullable(),
    input_video_key: ObjectKey.nullable().meta({ description: "Null for a type that works on no video." }),
    output_video_key: ObjectKey.nullable().meta({ description: "The main output, whatever its kind." }),
    output: JobOutput.nullable(),
    assets: z
      .record(z.string(), ObjectKey)
      .meta({ description: "Uploads that the handler is given besides, by name." }),
    artifacts: z.array(JobArtifact).meta({ description: "What the handler wrote besides the output." }),
    result: z
      .unknown()
      .meta({ description: "What the handler returned, as its type says; null where there is nothing." }),
    counters: z
      .record(z.string(), z.number())
      .meta({ description: "What the handler counted, `tokens` for instance." }),
    params: JobParams,
    metadata: Metadata,
    error: JobError.nullable(),
    attempt: z.int().min(0).meta({ description: "Number of the current attempt; 0 before the first." }),
    retry_count: z.int().min(0),
    max_retries: z.int().min(0),
    priority: z.int().min(-10).max(10),
    runpod_job_id: z.string().nullable(),
    reused_from: z.string().nullable(),
    acknowledged_at: Timestamp.nullable(),
    version: z.int().meta({ description: "Rises with every change that a reader can see." }),
    queue_position: z
      .int()
      .nullable()
      .meta({ description: "Jobs, of all tenants, that wait before this one; null once it renders." }),
    eta: Timestamp.nullable().meta({
      description: "When it will be over, as others of its type went; null without ground.",
    }),
    eta_range: z
      .array(Timestamp)
      .length(2)
      .nullable()
      .meta({ description: "Earliest and latest: four of five jobs end between them." }),
    created_at: Timestamp,
    started_at: Timestamp.nullable(),
    completed_at: Timestamp.nullable(),
    updated_at: Timestamp,
    urls,
  })
  .meta({ id: "Job" });
export type Job = z.infer<typeof Job>;
