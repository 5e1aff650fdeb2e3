import { Queue, Worker } from "bullmq";
import { concurrency, type Engine, type EngineOptions, Pending, submitRun } from "./engine.ts";

const statuses: Readonly<Record<string, string>> = {
  completed: "complete",
  failed: "error",
  active: "processing",
};

/** BullMQ: a worker's processor orders the run, waits for its webhook, and returns the result. */
export async function startBullmq(options: EngineOptions): Promise<Engine> {
  const connection = { url: options.storeUrl, maxRetriesPerRequest: null };
  const queue = new Queue<object>("exports", { connection });
  const pending = new Pending();
  const active = new Map<string, { updateProgress(progress: number): Promise<void> }>();
  const worker = new Worker<object>(
    "exports",
    async (job) => {
      const id = job.id ?? "";
      active.set(id, job);
      const output = pending.wait(id);
      await submitRun(options, id, job.data);
      const result = await output;
      active.delete(id);
      return result;
    },
    { connection, concurrency },
  );
  await worker.waitUntilReady();
  return {
    create: async (job) => (await queue.add("export", job, { attempts: 3 })).id ?? "",
    progress: async (id, progress) => active.get(id)?.updateProgress(progress),
    finish: async (id, output) => pending.end(id, output),
    status: async (id) => {
      const state = await queue.getJobState(id);
      return statuses[state] ?? "pending";
    },
  };
}
