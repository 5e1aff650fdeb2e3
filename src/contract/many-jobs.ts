import { z } from "zod";
import { Metadata, ProjectId, Timestamp, UserId } from "./common.ts";
import { CreatedJob } from "./create-job.ts";
import { JobStatus } from "./job.ts";
import { Problem } from "./problem.ts";
import { JobType } from "./types/index.ts";

/** The body of `POST /api/jobs/batch`. What is wrong with one job is that one's answer. */
export const CreateJobs = z
  .strictObject({
    jobs: z.array(z.unknown()).min(1).max(100).meta({ description: "Each as the body of POST /api/jobs." }),
  })
  .meta({ id: "CreateJobs" });

/** What became of one of them, with the HTTP status that it would have had by itself. */
export const CreatedOne = z
  .strictObject({ status: z.int(), job: CreatedJob.nullable(), error: Problem.nullable() })
  .meta({ id: "CreatedOne" });
export type CreatedOne = z.infer<typeof CreatedOne>;

export const CreatedJobs = z
  .strictObject({ data: z.array(CreatedOne).meta({ description: "In the order of the request." }) })
  .meta({ id: "CreatedJobs" });

export const JobAction = z.enum(["cancel", "retry", "delete"]);
export type JobAction = z.infer<typeof JobAction>;

/** The body of `POST /api/jobs/actions`. */
export const ActOnJobs = z
  .strictObject({
    action: JobAction,
    filter: z
      .strictObject({
        project_id: ProjectId.optional(),
        user_id: UserId.optional(),
        type: JobType.optional(),
        status: z.array(JobStatus).min(1).optional().meta({ description: "Those that the action fits when absent." }),
        created_after: Timestamp.optional(),
        created_before: Timestamp.optional(),
        metadata: Metadata.optional(),
      })
      .meta({ description: "As for the list of jobs; empty for all that the caller sees." }),
    limit: z.int().min(1).max(100).default(100).meta({ description: "Jobs that this request acts on, at most." }),
    cursor: z.string().min(1).max(512).optional().meta({ description: "The `next_cursor` of the answer before." }),
  })
  .meta({ id: "ActOnJobs" });
export type ActOnJobs = z.infer<typeof ActOnJobs>;

export const ActedOnJobs = z
  .strictObject({
    count: z.int().meta({ description: "Jobs that were acted on by this request." }),
    skipped: z.int().meta({ description: "Jobs whose state, or a passing trouble, did not allow it." }),
    next_cursor: z.string().nullable().meta({ description: "Send it to go on; null when all were looked at." }),
  })
  .meta({ id: "ActedOnJobs" });
export type ActedOnJobs = z.infer<typeof ActedOnJobs>;
