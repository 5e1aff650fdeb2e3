import { z } from "zod";
import { inText } from "./common.ts";

/** The query of `GET /api/jobs/:id/events`. */
export const WatchJob = z.object({
  token: z.string().optional().meta({ description: "A client_token, where a browser cannot set headers." }),
});

/** The query of `GET /api/jobs/:id/ws`. */
export const WatchJobBySocket = WatchJob.extend({ after: inText(z.int().min(0)).optional() });

/** The query of `GET /api/projects/:project_id/events`. */
export const WatchProject = z.object({
  since: z.iso.datetime({ offset: true }).optional().meta({ description: "RFC 3339; Last-Event-ID goes before it." }),
});
