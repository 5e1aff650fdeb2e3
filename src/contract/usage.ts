import { z } from "zod";
import { inText, ProjectId } from "./common.ts";

const Day = z.iso.date().meta({ description: "A day in UTC.", examples: ["2026-11-20"] });

/** The query of `GET /api/usage`; the last 30 days when it names none. */
export const ListUsage = z
  .strictObject({
    from: Day.optional(),
    to: Day.optional(),
    project_id: inText(ProjectId).optional(),
  })
  .refine(({ from, to }) => !from || !to || from <= to, { path: ["to"], error: "must not be before from" });
export type ListUsage = z.infer<typeof ListUsage>;

/** What one project used on one day, counted when its jobs ended. */
export const UsageDay = z
  .strictObject({
    day: Day,
    project_id: ProjectId,
    jobs: z.strictObject({ complete: z.int(), error: z.int(), cancelled: z.int() }),
    attempts: z.int(),
    gpu_ms: z.int().meta({ description: "RunPod's executionTime, all attempts." }),
    queue_ms: z.int().meta({ description: "RunPod's delayTime, all attempts." }),
    bytes_in: z.int(),
    bytes_out: z.int(),
    cost: z.number().nullable().meta({ description: "gpu_ms at GPU_PRICE_PER_SECOND; null without that setting." }),
  })
  .meta({ id: "UsageDay" });
export type UsageDay = z.infer<typeof UsageDay>;

export const UsageReport = z.strictObject({ data: z.array(UsageDay) }).meta({ id: "UsageReport" });
export type UsageReport = z.infer<typeof UsageReport>;
