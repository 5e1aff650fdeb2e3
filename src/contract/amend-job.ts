import { z } from "zod";
import { LabelChanges } from "./common.ts";

/** The body of `PATCH /api/jobs/:id`. */
export const AmendJob = z
  .strictObject({
    metadata: LabelChanges.optional(),
    acknowledged: z.boolean().optional().meta({ description: "Whether the owner has taken note of the job's end." }),
  })
  .meta({ id: "AmendJob" });
export type AmendJob = z.infer<typeof AmendJob>;
