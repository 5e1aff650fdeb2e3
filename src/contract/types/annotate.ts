import { z } from "zod";
import { outputFields, Seconds } from "./common.ts";

export const Clip = z
  .strictObject({
    start_time: Seconds,
    end_time: Seconds,
    name: z.string().max(200).optional(),
    notes: z.string().max(2000).optional(),
    rating: z.int().min(1).max(5).optional(),
    tags: z.array(z.string().min(1).max(60)).max(50).optional(),
  })
  .refine((clip) => clip.end_time > clip.start_time, { path: ["end_time"], error: "must be after start_time" });
export type Clip = z.infer<typeof Clip>;

/** `annotate`: clips cut from the input and joined in the order given. */
export const AnnotateParams = z
  .strictObject({
    ...outputFields,
    clips: z.array(Clip).min(1).max(200),
    titles: z.boolean().default(false).meta({ description: "Write each clip's name over its start." }),
  })
  .meta({ id: "AnnotateParams", description: "Clips cut from the input and joined in the order given." });
export type AnnotateParams = z.infer<typeof AnnotateParams>;
