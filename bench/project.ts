import { setTimeout as sleep } from "node:timers/promises";
import { ExportJobs } from "../src/client/index.ts";
import type { Run } from "./endpoint.ts";
import { BenchJobs, newJob, pathOf, updateOf } from "./jobs.ts";
import type { Bench } from "./main.ts";
import { atMost, type Result, toFigure } from "./report.ts";
import { type Runtime, secrets, startRuntime } from "./runtime.ts";
import { quantile } from "./statistics.ts";

const jobs = 2_000;
const connections = 8;
/** So many of them report so often: what they say would be more than one object should take. */
const reporting = 250;
const reportMs = 500;
/** Longer than the pause of each: 2,000 jobs have 80 words a second in all. */
const reportingMs = 40_000;
/** Changes of status take no pause: so many jobs begin as one object can hear of. */
const beginsPerSecond = 30;
const endsPerSecond = 100;
/** The last look at D1 that can bring an end comes a minute after the one before. */
const patienceMs = 75_000;

const finals = ["complete", "error", "cancelled"];

/** One watcher of the project, and when it saw what. */
class Watcher {
  readonly #abort = new AbortController();
  readonly greeted = new Set<string>();
  readonly endedAt = new Map<string, number>();
  progress = 0;

  constructor({ url }: Runtime) {
    const client = new ExportJobs({ url, token: secrets.BOOTSTRAP_API_KEY });
    void this.#watch(client).catch(() => undefined);
  }

  async #watch(client: ExportJobs): Promise<void> {
    for await (const { type, job_id } of client.watchProject(newJob.project_id, this.#abort)) {
      this.greeted.add(job_id);
      this.progress += type === "progress" ? 1 : 0;
      if (finals.includes(type) && !this.endedAt.has(job_id)) {
        this.endedAt.set(job_id, performance.now());
      }
    }
  }

  stop(): void {
    this.#abort.abort();
  }
}

/** Gives each piece of work to the next client that is free, and starts so many a second at most. */
async function spread<Item>(
  clients: readonly BenchJobs[],
  items: readonly Item[],
  perSecond: number,
  work: (client: BenchJobs, item: Item) => Promise<unknown>,
): Promise<void> {
  const started = performance.now();
  let next = 0;
  await Promise.all(
    clients.map(async (client) => {
      for (let index = next++; index < items.length; index = next++) {
        const item = items[index];
        await sleep(Math.max(0, started + (1000 * index) / perSecond - performance.now()));
        if (item !== undefined) {
          await work(client, item);
        }
      }
    }),
  );
}

async function until(isSo: () => boolean, limitMs: number): Promise<void> {
  for (const started = performance.now(); !isSo() && performance.now() < started + limitMs; ) {
    await sleep(20);
  }
}

async function report(clients: readonly BenchJobs[], runs: readonly Run[]): Promise<number> {
  let [frame, sent] = [0, 0];
  for (const started = performance.now(); performance.now() < started + reportingMs; ) {
    frame++;
    await spread(clients, runs, (1000 * runs.length) / reportMs, (client, { input }) => {
      sent++;
      return client.call("POST", pathOf(input.progress_url), updateOf(frame), {});
    });
  }
  return sent;
}

async function busiest({ url }: Runtime): Promise<number> {
  const { peak }: { peak: number } = await (await fetch(`${url}/busiest`)).json();
  return peak;
}

async function begin(clients: readonly BenchJobs[], done: (count: number) => void): Promise<Run[]> {
  const runs: Run[] = [];
  await spread(clients, Array.from({ length: jobs }).fill(newJob), beginsPerSecond, async (client) => {
    done(runs.push(await client.begin()));
  });
  return runs;
}

/** Cancels them all. @returns the milliseconds from each cancel to the watcher's frame */
async function end(clients: readonly BenchJobs[], runs: readonly Run[], watcher: Watcher): Promise<number[]> {
  const askedAt = new Map<string, number>();
  await spread(clients, runs, endsPerSecond, (client, run) => {
    askedAt.set(run.input.job_id, performance.now());
    return client.cancel(run);
  });
  await until(() => watcher.endedAt.size >= runs.length, patienceMs);
  return [...watcher.endedAt].map(([id, at]) => at - (askedAt.get(id) ?? at));
}

async function measure(runtime: Runtime, clients: readonly BenchJobs[], progress: (share: number) => void) {
  const watcher = new Watcher(runtime);
  try {
    const runs = await begin(clients, (count) => progress((0.5 * count) / jobs));
    const greeted = watcher.greeted.size;
    const begun = await busiest(runtime);
    const reported = await report(clients, runs.slice(-reporting));
    const [whileReporting, seen] = [await busiest(runtime), watcher.progress];
    progress(0.7);
    const times = await end(clients, runs, watcher);
    const ended = watcher.endedAt.size;
    return {
      runs,
      greeted,
      reported,
      seen,
      ended,
      times,
      peaks: { begun, reporting: whileReporting, ended: await busiest(runtime) },
    };
  } finally {
    watcher.stop();
  }
}

/** A project of 2,000 active jobs and one watcher: what it sees, and what the busiest object takes. */
export const project: Bench = async (progress): Promise<Result> => {
  const runtime = await startRuntime({ entry: "metered.ts" });
  const clients = await Promise.all(Array.from({ length: connections }, () => BenchJobs.open(runtime)));
  try {
    const { runs, greeted, reported, seen, ended, times, peaks } = await measure(runtime, clients, progress);
    const toRow = (what: string, told: number, got: number, peak: number, ms: string[] = ["", ""]) => [
      what,
      ...[told, got, peak].map((count) => count.toLocaleString("en")),
      ...ms,
    ];
    const latencies = [0.5, 0.99].map((share) => toFigure(quantile(times, share)));
    const rows = [
      toRow(`beginning, ${beginsPerSecond} a second`, runs.length, greeted, peaks.begun),
      toRow(`progress, ${reporting} jobs every ${reportMs} ms`, reported, seen, peaks.reporting),
      toRow(`ends, ${endsPerSecond} a second at most`, runs.length, ended, peaks.ended, latencies),
    ];
    const columns = [
      "",
      "told by jobs",
      "seen by the watcher",
      "busiest object, requests a second",
      "median ms",
      "p99 ms",
    ];
    const title = `${runs.length} active jobs and one watcher; an end that does not come is an error`;
    const most = Math.max(peaks.begun, peaks.reporting, peaks.ended);
    const goals = [atMost("requests in a second, busiest object", most, 200)];
    return { tables: [{ title, columns, rows }], goals, errors: runs.length - ended };
  } finally {
    clients.forEach((client) => void client.close());
    await runtime.stop();
  }
};
