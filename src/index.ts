import { serve } from "./app.ts";
import { log, logFailure } from "./log.ts";
import { removeOrphans } from "./tasks/orphans.ts";
import { takeQueueCount } from "./tasks/queue.ts";
import { removeOldJobs } from "./tasks/retention.ts";
import { sweep } from "./tasks/sweep.ts";
import { reapUploads } from "./tasks/uploads.ts";
import { wakeSenders } from "./tasks/webhooks.ts";

export { ExportJob } from "./object/export-job.ts";
export { ProjectStream } from "./object/project-stream.ts";
export { ProviderGate } from "./object/provider-gate.ts";
export { WebhookPoster } from "./object/webhook-poster.ts";
export { WebhookSender } from "./object/webhook-sender.ts";

type Task = Readonly<{ during: string; run: (env: Env, now: number) => Promise<number> }>;

/** The crons of wrangler.toml and what each does: a run of its own, with 1,000 calls of its own. */
const tasks: Readonly<Record<string, readonly Task[]>> = {
  "* * * * *": [
    { during: "sweep", run: (env, now) => sweep(env, now) },
    { during: "queue", run: takeQueueCount },
  ],
  "*/2 * * * *": [{ during: "retention", run: (env, now) => removeOldJobs(env, now) }],
  "*/5 * * * *": [
    { during: "uploads", run: (env, now) => reapUploads(env, now) },
    { during: "orphans", run: (env, now) => removeOrphans(env, now) },
    { during: "webhooks", run: (env) => wakeSenders(env) },
  ],
};

async function inLog({ during, run }: Task, env: Env, now: number): Promise<void> {
  try {
    const count = await run(env, now);
    if (count > 0) {
      log("info", "task", { during, count });
    }
  } catch (error) {
    logFailure(during, error);
  }
}

export default {
  fetch: serve,
  scheduled: async ({ cron, scheduledTime }, env) => {
    // One that nobody named a cron for, as locally, does all.
    const due = tasks[cron] ?? Object.values(tasks).flat();
    // Each on its own: one that fails keeps none of the others from their work.
    await Promise.all(due.map((task) => inLog(task, env, scheduledTime)));
  },
} satisfies ExportedHandler<Env>;
