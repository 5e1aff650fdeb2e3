import { app } from "./app.ts";

export { ExportJob } from "./object/export-job.ts";

export default { fetch: app.fetch } satisfies ExportedHandler<Env>;
