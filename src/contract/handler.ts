import { z } from "zod";
import { ObjectKey } from "./common.ts";
import { withTypedParams } from "./types/index.ts";

/** The `input` that a RunPod handler receives; `type` decides what `params` holds. */
export const HandlerInput = withTypedParams({
  job_id: z.string(),
  attempt: z.int(),
  input_video_key: ObjectKey,
  input_url: z.url().meta({ description: "Signed GET of the input." }),
  output_video_key: ObjectKey,
  output_url: z.url().meta({ description: "Signed PUT of the output; takes one write." }),
  output_headers: z.record(z.string(), z.string()),
  progress_url: z.url().meta({ description: "Holds its credential." }),
  progress_endpoint: z
    .url()
    .meta({ description: "Takes the same, with progress_headers: no URL that is logged opens it." }),
  progress_headers: z.record(z.string(), z.string()),
}).meta({ id: "HandlerInput" });
export type HandlerInput = z.infer<typeof HandlerInput>;

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
