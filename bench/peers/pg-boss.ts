import { PgBoss } from "pg-boss";
import { concurrency, type Engine, type EngineOptions, Pending, submitRun } from "./engine.ts";

const queue = "exports";
const statuses: Readonly<Record<string, string>> = { completed: "complete", failed: "error", active: "processing" };

/** pg-boss: workers woken by NOTIFY; it has no word for progress, which goes into a table of the application's own. */
export async function startPgBoss(options: EngineOptions): Promise<Engine> {
  const boss = new PgBoss({ connectionString: options.storeUrl, useListenNotify: true });
  boss.on("error", (error) => process.stderr.write(`${error.message}\n`));
  await boss.start();
  await boss.createQueue(queue, { notify: true });
  const db = boss.getDb();
  await db.executeSql("CREATE TABLE progress (id uuid PRIMARY KEY, progress integer NOT NULL)", []);
  const pending = new Pending();
  await boss.work<object>(queue, { localConcurrency: concurrency, pollingIntervalSeconds: 0.5 }, async ([job]) => {
    if (job) {
      const output = pending.wait(job.id);
      await submitRun(options, job.id, job.data);
      await output;
    }
  });
  const upsert = "INSERT INTO progress VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET progress = excluded.progress";
  return {
    create: async (job) => (await boss.send(queue, job, { retryLimit: 3 })) ?? "",
    progress: async (id, progress) => {
      await db.executeSql(upsert, [id, progress]);
    },
    finish: async (id, output) => pending.end(id, output),
    status: async (id) => {
      const [job] = await boss.findJobs(queue, { id });
      return statuses[job?.state ?? ""] ?? "pending";
    },
  };
}
