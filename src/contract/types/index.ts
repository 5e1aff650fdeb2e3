import { z } from "zod";
import { AnnotateParams } from "./annotate.ts";
import { FramingParams } from "./framing.ts";
import { OverlayParams } from "./overlay.ts";

export const JobType = z.enum(["framing", "overlay", "annotate"]).meta({ id: "JobType" });
export type JobType = z.infer<typeof JobType>;

/** The file that each type makes. */
export const outputFormats = {
  framing: { extension: "mp4", contentType: "video/mp4" },
  overlay: { extension: "mp4", contentType: "video/mp4" },
  annotate: { extension: "mp4", contentType: "video/mp4" },
} as const satisfies Record<JobType, { extension: string; contentType: string }>;

export const JobParams = z.union([FramingParams, OverlayParams, AnnotateParams]);
export type JobParams = z.infer<typeof JobParams>;

/** An object with `fields` and a job's `type`, which decides what its `params` must be. */
export function withTypedParams<Fields extends z.ZodRawShape>(fields: Fields) {
  return z.discriminatedUnion("type", [
    z.strictObject({ ...fields, type: z.literal("framing"), params: FramingParams }),
    z.strictObject({ ...fields, type: z.literal("overlay"), params: OverlayParams }),
    z.strictObject({ ...fields, type: z.literal("annotate"), params: AnnotateParams }),
  ]);
}

/** A job's type with its params. */
export const TypedParams = withTypedParams({});
export type TypedParams = z.infer<typeof TypedParams>;
