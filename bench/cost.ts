import { setTimeout as sleep } from "node:timers/promises";
import type { Run } from "./endpoint.ts";
import { BenchJobs, newJob, pathOf, updateOf } from "./jobs.ts";
import type { Bench } from "./main.ts";
import { prices } from "./prices.ts";
import { atMost, type Result, type Table, toFigure } from "./report.ts";
import { type Runtime, startRuntime } from "./runtime.ts";
import { openSocket } from "./sockets.ts";
import type { Meter } from "./worker/counts.ts";

const updateCounts = [10, 100, 1_000];
/** How handlers report: one request per update, or one socket. */
const ways = ["POST", "WebSocket"] as const;

type Life = { name: string; updates: number; meter: Meter };

const meterOf = (jobs: BenchJobs): Promise<Meter> => jobs.call("GET", "/meter");

/** The counts do not move any more: all that goes on behind answers has been done. */
async function settle(runtime: Runtime, id: string): Promise<void> {
  const select = runtime.db.prepare("SELECT settled_at FROM export_jobs WHERE id = ?").bind(id);
  while (!(await select.first())?.["settled_at"]) {
    await sleep(10);
  }
  await sleep(50);
}

async function reportAll(jobs: BenchJobs, run: Run, way: (typeof ways)[number], updates: number): Promise<void> {
  const updateAt = (index: number) => updateOf(index, Math.floor((index / updates) * 100));
  if (way === "POST") {
    for (let index = 0; index < updates; index++) {
      await jobs.call("POST", pathOf(run.input.progress_url), updateAt(index), {});
    }
    return;
  }
  const socket = await openSocket(run.input.progress_url.replace(/^http/, "ws"));
  for (let index = 0; index < updates; index++) {
    socket.send(updateAt(index));
  }
}

/** One job from its creation to the webhook's last consequence, its upload and download not counted. */
async function liveOnce(runtime: Runtime, jobs: BenchJobs, way: (typeof ways)[number], updates: number) {
  await meterOf(jobs);
  const job = await jobs.call("POST", "/api/jobs", JSON.stringify(newJob));
  const run = await runtime.endpoint.take(job.id);
  await reportAll(jobs, run, way, updates);
  await jobs.render(run);
  await jobs.call("POST", pathOf(run.webhook ?? ""), JSON.stringify({ id: run.id }), {});
  await settle(runtime, job.id);
  return { name: `this service, ${way}`, updates, meter: await meterOf(jobs) };
}

async function livePlainly(runtime: Runtime, jobs: BenchJobs, updates: number): Promise<Life> {
  await meterOf(jobs);
  const { id } = await jobs.call("POST", "/plain/jobs", JSON.stringify(newJob));
  const run = await runtime.endpoint.take(id);
  const select = runtime.db.prepare("SELECT status FROM plain_jobs WHERE id = ?").bind(id);
  while ((await select.first())?.["status"] !== "processing") {
    await sleep(10);
  }
  for (let index = 0; index < updates; index++) {
    await jobs.call("POST", pathOf(run.input.progress_url), updateOf(index), {});
  }
  await jobs.call("POST", `/plain/jobs/${id}/webhook`, '{"output":{"output_video_key":"k"}}', {});
  return { name: "plain design", updates, meter: await meterOf(jobs) };
}

/** What a life costs, in dollars per million. */
function priceOf(meter: Meter): number {
  const objectRequests = meter.objectRequests + meter.socketMessages / prices.socketMessagesPerRequest;
  return (
    meter.workerRequests * prices.workerRequests +
    objectRequests * prices.objectRequests +
    (meter.d1RowsWritten + meter.journalRowsWritten) * prices.rowsWritten +
    (meter.d1RowsRead + meter.journalRowsRead) * prices.rowsRead +
    meter.r2ClassA * prices.r2ClassA +
    meter.r2ClassB * prices.r2ClassB
  );
}

function toTable(lives: readonly Life[]): Table {
  const columns = ["", "updates", "D1 rows written", "D1 rows read", "D1 queries", "journal rows written"];
  columns.push("object requests", "socket messages", "R2 class A", "R2 class B", "RunPod calls", "$ per million jobs");
  const rows = lives.map(({ name, updates, meter }) => [
    name,
    String(updates),
    ...[meter.d1RowsWritten, meter.d1RowsRead, meter.d1Queries, meter.journalRowsWritten].map(String),
    ...[meter.objectRequests, meter.socketMessages, meter.r2ClassA, meter.r2ClassB, meter.runpodCalls].map(String),
    toFigure(priceOf(meter)),
  ]);
  const title = `One life, counted; prices of ${prices.at}, without storage, duration and CPU time`;
  return { title, columns, rows };
}

/** What one job costs from its creation to its last write, beside the plain design. */
export const cost: Bench = async (progress): Promise<Result> => {
  const runtime = await startRuntime({ entry: "metered.ts" });
  const jobs = await BenchJobs.open(runtime);
  try {
    // The first job of a tenant makes objects that all others share.
    await liveOnce(runtime, jobs, "POST", 1);
    const lives: Life[] = [];
    for (const [index, updates] of updateCounts.entries()) {
      for (const way of ways) {
        lives.push(await liveOnce(runtime, jobs, way, updates));
      }
      lives.push(await livePlainly(runtime, jobs, updates));
      progress((index + 1) / updateCounts.length);
    }
    const written = (name: string) => lives.find((life) => life.name === name && life.updates === 100)?.meter;
    const own = written("this service, POST")?.d1RowsWritten ?? Number.NaN;
    const plain = written("plain design")?.d1RowsWritten ?? Number.NaN;
    const goals = [
      atMost("D1 rows written by a life with 100 updates", own, 9),
      atMost("the same, × the plain design's", own / plain, 1 / 12),
      atMost("D1 queries of 100 updates and a webhook", await countHotQueries(jobs), 0),
    ];
    return { tables: [toTable(lives)], goals, errors: 0 };
  } finally {
    jobs.close();
    await runtime.stop();
  }
};

/** D1's part in updates and in the webhook's own request; what the job does behind it is in the table. */
async function countHotQueries(jobs: BenchJobs): Promise<number> {
  const run = await jobs.begin();
  await sleep(200);
  await meterOf(jobs);
  await reportAll(jobs, run, "POST", 20);
  await jobs.call("POST", pathOf(run.webhook ?? ""), JSON.stringify({ id: run.id }), {});
  const { d1Queries } = await meterOf(jobs);
  await jobs.cancel(run);
  return d1Queries;
}
