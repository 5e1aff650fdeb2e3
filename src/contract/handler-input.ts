import { z } from "zod";
import { ObjectKey } from "./common.ts";
import { withTypedParams } from "./types/index.ts";

/** The `input` that a RunPod handler receives; `type` decides what `params` holds. */
export const HandlerInput = withTypedParams(
  {
    job_id: z.string(),
    attempt: z.int(),
    input_video_key: ObjectKey.nullable().meta({ description: "Null for a type that works on no video." }),
    input_url: z.url().nullable().meta({ description: "Signed GET of the input." }),
    output_video_key: ObjectKey,
    output_url: z.url().meta({ description: "Signed PUT of the output; takes one write." }),
    output_headers: z.record(z.string(), z.string()),
    asset_urls: z
      .record(z.string(), z.url())
      .default({})
      .meta({ description: "Signed GETs of the job's assets, by name." }),
    artifact_urls: z.record(z.string(), z.url()).default({}).meta({
      description: "Signed PUTs of what the type may give besides, by name; each is optional and takes one write.",
    }),
    artifact_headers: z.record(z.string(), z.record(z.string(), z.string())).default({}),
    progress_url: z.url().meta({ description: "Holds its credential." }),
    progress_endpoint: z
      .url()
      .meta({ description: "Takes the same, with progress_headers: no URL that is logged opens it." }),
    progress_headers: z.record(z.string(), z.string()),
  },
  { video: {}, none: {} },
).meta({ id: "HandlerInput" });
export type HandlerInput = z.infer<typeof HandlerInput>;
