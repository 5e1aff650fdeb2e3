import { setTimeout as sleep } from "node:timers/promises";
import { memoryOfAll } from "../local/memory.ts";
import { BenchJobs, newJob } from "./jobs.ts";
import type { Bench } from "./main.ts";
import { type Result, toFigure } from "./report.ts";
import { startRuntime } from "./runtime.ts";

const counts = [1, 10, 100, 1_000, 10_000];
const connections = 8;
/** The runtime lets an object that is silent for ten seconds leave memory. */
const asleepMs = 12_000;

/** What a job that waits for its GPU takes of the runtime's memory: just begun, and asleep. */
export const memory: Bench = async (progress): Promise<Result> => {
  const runtime = await startRuntime();
  const clients = await Promise.all(Array.from({ length: connections }, () => BenchJobs.open(runtime)));
  try {
    await clients[0]?.begin();
    const base = memoryOfAll(runtime.processes);
    const rows: string[][] = [];
    let begun = 0;
    for (const [index, count] of counts.entries()) {
      await Promise.all(
        clients.map(async (client) => {
          while (begun < count) {
            begun++;
            const { id } = await client.call("POST", "/api/jobs", JSON.stringify(newJob));
            await runtime.endpoint.take(id);
            progress(begun / (counts.at(-1) ?? 1));
          }
        }),
      );
      const awake = memoryOfAll(runtime.processes) - base;
      await sleep(index < 2 ? 0 : asleepMs);
      const asleep = memoryOfAll(runtime.processes) - base;
      const per = (bytes: number) => (index < 2 ? "" : toFigure(bytes / 1000 / count));
      rows.push([count.toLocaleString("en"), toFigure(awake / 1e6), per(awake), per(asleep)]);
    }
    const columns = ["live jobs", "MB above none", "kB each, just begun", "kB each, 12 s later"];
    return {
      tables: [{ title: "Resident memory of workerd, its emulators of D1 and R2 included", columns, rows }],
      goals: [],
      errors: 0,
    };
  } finally {
    for (const client of clients) {
      client.close();
    }
    await runtime.stop();
  }
};
