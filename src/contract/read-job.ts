import { z } from "zod";
import { inText } from "./common.ts";

/** The query of `GET /api/jobs/:id`. */
export const ReadJob = z.strictObject({
  wait: inText(z.int().min(1).max(60))
    .optional()
    .meta({ description: "Seconds to wait, 1 to 60, until the version passes `version`." }),
  version: inText(z.int().min(0))
    .optional()
    .meta({ description: "The version that the caller knows; the present one when absent." }),
});

/** The query of `GET /api/jobs/:id/output`. */
export const ReadOutput = z.strictObject({
  redirect: z.enum(["true", "false"]).default("true").meta({ description: "`false` answers the link as JSON." }),
});
