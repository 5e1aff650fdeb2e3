import { app } from "./app.ts";
import { sweep } from "./tasks/sweep.ts";

export { ExportJob } from "./object/export-job.ts";

export default {
  fetch: app.fetch,
  scheduled: async (controller, env) => {
    await sweep(env, controller.scheduledTime);
  },
} satisfies ExportedHandler<Env>;
