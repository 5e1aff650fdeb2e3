import { z } from "zod";
import { ProjectId, Timestamp, UserId } from "./common.ts";
import { activeStatuses, Job, JobStatus } from "./job.ts";
import { JobType } from "./types/index.ts";

/** One status, a comma list of them, or `active` (pending and processing). */
const statusFilter = z
  .string()
  .transform((text) => text.split(",").flatMap((word) => (word === "active" ? [...activeStatuses] : [word])))
  .pipe(z.array(JobStatus))
  .meta({ description: "One status, a comma list, or active (= pending,processing).", examples: ["active"] });

/** The query of `GET /api/jobs`. */
export const ListJobs = z.strictObject({
  project_id: z.coerce.number().pipe(ProjectId).optional(),
  user_id: UserId.optional(),
  type: JobType.optional(),
  status: statusFilter.optional(),
  created_after: Timestamp.optional(),
  created_before: Timestamp.optional(),
  limit: z.coerce.number().pipe(z.int().min(1).max(100)).default(20),
  cursor: z.string().min(1).max(512).optional(),
});
export type ListJobs = z.infer<typeof ListJobs>;

/** A page of jobs, newest first. */
export const JobPage = z
  .strictObject({ data: z.array(Job), next_cursor: z.string().nullable() })
  .meta({ id: "JobPage" });
export type JobPage = z.infer<typeof JobPage>;
