import { z } from "zod";

/** `continuation`: the next segment of a story, as a video. */
export const ContinuationParams = z
  .strictObject({ input_text: z.string().min(1).max(20_000).meta({ description: "What happens next." }) })
  .meta({ id: "ContinuationParams", description: "The next segment of a story, as a video." });
export type ContinuationParams = z.infer<typeof ContinuationParams>;

export const ContinuationResult = z
  .strictObject({
    duration_seconds: z.number().min(0),
    resolution: z
      .string()
      .max(20)
      .meta({ examples: ["1280x720"] }),
  })
  .meta({ id: "ContinuationResult" });
