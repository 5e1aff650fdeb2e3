import { z } from "zod";
import { inText, ProjectId, Timestamp, UserId } from "./common.ts";
import { activeStatuses, Job, JobStatus } from "./job.ts";
import { pageFields } from "./page.ts";
import { JobType } from "./types/index.ts";

/** One status, a comma list of them, or `active` (pending and processing). */
const statusFilter = z
  .string()
  .transform((text) => text.split(",").flatMap((word) => (word === "active" ? [...activeStatuses] : [word])))
  .pipe(z.array(JobStatus))
  .meta({ description: "One status, a comma list, or active (= pending,processing).", examples: ["active"] });

const labelFilter = /^metadata\[(.{1,40})\]$/s;
const maxLabelFilters = 10;

const fields = {
  project_id: inText(ProjectId).optional(),
  user_id: UserId.optional(),
  type: JobType.optional(),
  status: statusFilter.optional(),
  created_after: Timestamp.optional(),
  created_before: Timestamp.optional(),
  ...pageFields,
};

/** Gathers `metadata[name]=value`, as the query has it, under `metadata`. */
function gatherLabels(query: unknown): unknown {
  const entries: [string, unknown][] = Object.entries(query ?? {});
  const isLabel = ([name]: [string, unknown]) => labelFilter.test(name);
  const labels = entries.filter(isLabel).map(([name, value]) => [labelFilter.exec(name)?.[1] ?? "", value]);
  const others = Object.fromEntries(entries.filter((entry) => !isLabel(entry)));
  return labels.length === 0 ? others : { ...others, metadata: Object.fromEntries(labels) };
}

/** The query of `GET /api/jobs`. */
export const ListJobs = z.preprocess(
  gatherLabels,
  z.strictObject({
    ...fields,
    metadata: z
      .record(z.string(), z.string().max(500))
      .refine((labels) => Object.keys(labels).length <= maxLabelFilters, { error: `at most ${maxLabelFilters}` })
      .optional(),
  }),
);
export type ListJobs = z.infer<typeof ListJobs>;

/** As {@link ListJobs} stands in the OpenAPI document, which has its own way to write `metadata[name]=value`. */
export const ListJobsQuery = z.object({
  ...fields,
  metadata: z
    .record(z.string(), z.string())
    .optional()
    .meta({
      param: { style: "deepObject", explode: true },
      description: "`metadata[name]=value`: jobs with this label; up to ten, all of which must hold.",
    }),
});

/** A page of jobs, newest first. */
export const JobPage = z
  .strictObject({ data: z.array(Job), next_cursor: z.string().nullable() })
  .meta({ id: "JobPage" });
export type JobPage = z.infer<typeof JobPage>;
