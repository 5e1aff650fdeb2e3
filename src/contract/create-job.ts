import { z } from "zod";
import { Metadata, ObjectKey, ProjectId, UserId } from "./common.ts";
import { Job } from "./job.ts";
import { withTypedParams } from "./types/index.ts";
import { WebhookEvents, WebhookUrl } from "./webhook.ts";

const maxAssets = 20;

/** Uploads that a handler is given besides its input. Which names there may be is the type's to say. */
export const Assets = z
  .record(z.string().regex(/^[\w-]{1,60}$/, { error: "must be letters, digits, _ and -" }), ObjectKey)
  .refine((assets) => Object.keys(assets).length <= maxAssets, { error: `at most ${maxAssets} assets` })
  .meta({ id: "Assets", description: "Uploaded images, sounds and JSON by name, as the type takes them." });
export type Assets = z.infer<typeof Assets>;

const input = { input_video_key: ObjectKey.meta({ description: "The key that POST /api/uploads returned." }) };

const fields = {
  project_id: ProjectId,
  user_id: UserId.optional(),
  assets: Assets.optional(),
  metadata: Metadata.default({}),
  max_retries: z.int().min(0).max(10).optional().meta({ description: "MAX_RETRIES when absent." }),
  start_within_seconds: z
    .int()
    .min(10)
    .max(604_800)
    .optional()
    .meta({ description: "Give up when rendering has not begun this long after creation." }),
  max_run_seconds: z
    .int()
    .min(5)
    .max(604_800)
    .optional()
    .meta({ description: "Longest time one attempt may render; EXECUTION_TIMEOUT_MS when absent." }),
  reuse: z
    .enum(["off", "join", "result"])
    .default("off")
    .meta({
      description:
        "Whether the same work (type, input, assets, params) may stand for this one: `join` answers with the job that " +
        "is doing it right now; `result` also takes the output of one that has done it. Only jobs created with `join` " +
        "or `result`, and with the same `reuse_scope`, are considered.",
    }),
  reuse_scope: z.enum(["user", "project", "tenant"]).optional().meta({
    description:
      "Whose jobs are considered, whatever the name of the same file; of the same user, project and upload when absent.",
  }),
  reuse_max_age_seconds: z
    .int()
    .min(1)
    .max(315_360_000)
    .optional()
    .meta({ description: "How long ago the work that `result` takes may have ended." }),
  priority: z.int().min(-10).max(10).default(0).meta({
    description: "What waits with a higher one goes first; below 0 it waits for capacity that nobody else wants.",
  }),
  webhook_url: WebhookUrl.optional().meta({ description: "Told of this job's changes of status, signed." }),
  webhook_events: WebhookEvents.optional(),
};

/** The body of `POST /api/jobs`: `type` decides what `params` must be. */
export const CreateJob = withTypedParams(fields, { video: input, none: {} }).meta({
  id: "CreateJob",
  examples: [
    {
      project_id: 7,
      type: "annotate",
      input_video_key: "input/default/01990000-0000-7000-8000-000000000000/match.mp4",
      params: { clips: [{ start_time: 12.5, end_time: 20 }] },
    },
  ],
});
export type CreateJob = z.infer<typeof CreateJob>;
/** As a caller writes it: what has a default may be left out. */
export type CreateJobInput = z.input<typeof CreateJob>;

/** The answer to `POST /api/jobs`: the job, and a token with which a browser may watch and cancel it. */
export const CreatedJob = Job.extend({
  client_token: z.string().meta({ description: "Reads and cancels this one job, for 15 minutes." }),
  webhook_secret: z
    .string()
    .optional()
    .meta({ description: "With a webhook_url: `whsec_…`, by which its messages are verified." }),
}).meta({ id: "CreatedJob" });
export type CreatedJob = z.infer<typeof CreatedJob>;
