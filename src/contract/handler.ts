import { z } from "zod";

/**
 * What a handler posts to its `progress_url`. Unknown fields are ignored: handlers are older and newer than the service.
 * A null is no text: Python sends one for `None`.
 */
export const ProgressUpdate = z
  .object({
    progress: z.number().min(0).max(100),
    stage: z.string().nullish().meta({ description: "Cut to 100 characters." }),
    message: z.string().nullish().meta({ description: "Cut to 500 characters." }),
  })
  .meta({ id: "ProgressUpdate" });
export type ProgressUpdate = z.infer<typeof ProgressUpdate>;

/** The answer to a progress update: `cancel` tells the handler to stop. */
export const ProgressAnswer = z.strictObject({ cancel: z.boolean() }).meta({ id: "ProgressAnswer" });
export type ProgressAnswer = z.infer<typeof ProgressAnswer>;

/** The answer to RunPod's webhook. */
export const WebhookAnswer = z.strictObject({ received: z.literal(true) }).meta({ id: "WebhookAnswer" });
export type WebhookAnswer = z.infer<typeof WebhookAnswer>;
