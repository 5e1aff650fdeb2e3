import { z } from "zod";
import { inText, ProjectId, UserId } from "./common.ts";
import { JobType } from "./types/index.ts";

const Day = z.iso.date().meta({ description: "A day in UTC.", examples: ["2026-11-20"] });

export const UsageGroup = z.enum(["day", "user", "project", "type"]);
export type UsageGroup = z.infer<typeof UsageGroup>;

/** The query of `GET /api/usage`; the last 30 days when it names none. */
export const ListUsage = z
  .strictObject({
    from: Day.optional(),
    to: Day.optional(),
    project_id: inText(ProjectId).optional(),
    group_by: z
      .string()
      .transform((text) => text.split(","))
      .pipe(z.array(UsageGroup).min(1).max(4))
      .optional()
      .meta({
        description: "A comma list of day, user, project and type; day and project when absent.",
        examples: ["day,user"],
      }),
  })
  .refine(({ from, to }) => !from || !to || from <= to, { path: ["to"], error: "must not be before from" });
export type ListUsage = z.infer<typeof ListUsage>;

const ofGroup = { description: "Only where `group_by` has it." };

/** What one group used, one project on one day if nothing else is asked for; counted when its jobs ended. */
export const UsageDay = z
  .strictObject({
    day: Day.optional(),
    project_id: ProjectId.optional(),
    user_id: UserId.nullable().optional().meta(ofGroup),
    type: JobType.optional().meta(ofGroup),
    jobs: z.strictObject({ complete: z.int(), error: z.int(), cancelled: z.int() }),
    attempts: z.int(),
    gpu_ms: z.int().meta({ description: "RunPod's executionTime, all attempts." }),
    queue_ms: z.int().meta({ description: "RunPod's delayTime, all attempts." }),
    bytes_in: z.int(),
    bytes_out: z.int(),
    counters: z.record(z.string(), z.number()).meta({ description: "What the handlers counted, summed." }),
    cost: z.number().nullable().meta({ description: "gpu_ms at GPU_PRICE_PER_SECOND; null without that setting." }),
  })
  .meta({ id: "UsageDay" });
export type UsageDay = z.infer<typeof UsageDay>;

export const UsageReport = z.strictObject({ data: z.array(UsageDay) }).meta({ id: "UsageReport" });
export type UsageReport = z.infer<typeof UsageReport>;
