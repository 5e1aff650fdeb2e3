import { serve } from "./app.ts";
import { log, logFailure } from "./log.ts";
import { removeOldJobs } from "./tasks/retention.ts";
import { sweep } from "./tasks/sweep.ts";
import { reapUploads } from "./tasks/uploads.ts";

export { ExportJob } from "./object/export-job.ts";
export { ProjectStream } from "./object/project-stream.ts";
export { WebhookSender } from "./object/webhook-sender.ts";

async function inLog(during: string, work: Promise<number>): Promise<void> {
  try {
    const count = await work;
    if (count > 0) {
      log("info", "task", { during, count });
    }
  } catch (error) {
    logFailure(during, error);
  }
}

export default {
  fetch: serve,
  scheduled: async (controller, env) => {
    const now = controller.scheduledTime;
    // Each on its own: one that fails keeps none of the others from their work.
    await Promise.allSettled([
      inLog("sweep", sweep(env, now)),
      inLog("uploads", reapUploads(env, now)),
      inLog("retention", removeOldJobs(env, now)),
    ]);
  },
} satisfies ExportedHandler<Env>;
