import { setTimeout as sleep } from "node:timers/promises";
import { memoryOfAll } from "../local/memory.ts";
import { BenchJobs, pathOf, updateOf } from "./jobs.ts";
import type { Bench } from "./main.ts";
import { type Result, toFigure } from "./report.ts";
import { type Runtime, startRuntime } from "./runtime.ts";
import { openSocket } from "./sockets.ts";
import { quantile, sum } from "./statistics.ts";

const counts = [1, 10, 100, 1_000];
const updates = 8;
const rounds = 2;
/** Longer than the pause between two frames of progress. */
const pauseMs = 300;
const openAtOnce = 50;

type Seen = Map<string, number>;

async function watch(url: string): Promise<{ socket: WebSocket; seen: Seen }> {
  const seen: Seen = new Map();
  const socket = await openSocket(url);
  socket.addEventListener("message", ({ data }) => {
    const at = performance.now();
    seen.set(/frame \d+/.exec(String(data))?.[0] ?? "", at);
  });
  return { socket, seen };
}

type Fanout = { times: number[]; missing: number; bytes: number };

/** The milliseconds from each update to each watcher's frame; a frame that did not come is an error. */
async function measure(runtime: Runtime, jobs: BenchJobs, count: number): Promise<Fanout> {
  const run = await jobs.begin();
  const before = memoryOfAll(runtime.processes);
  const watchers: Awaited<ReturnType<typeof watch>>[] = [];
  while (watchers.length < count) {
    const more = Math.min(openAtOnce, count - watchers.length);
    watchers.push(...(await Promise.all(Array.from({ length: more }, () => watch(run.watchUrl)))));
  }
  const bytes = (memoryOfAll(runtime.processes) - before) / count;
  const times: number[] = [];
  let missing = 0;
  for (let frame = 1; frame <= updates; frame++) {
    await sleep(pauseMs);
    const started = performance.now();
    await jobs.call("POST", pathOf(run.input.progress_url), updateOf(frame), {});
    await sleep(pauseMs);
    for (const { seen } of watchers) {
      const at = seen.get(`frame ${frame}`);
      at === undefined ? missing++ : times.push(at - started);
    }
  }
  for (const { socket } of watchers) {
    socket.close();
  }
  await jobs.cancel(run);
  return { times, missing, bytes };
}

/** From progress posted to frame received, with more and more watchers of one job. */
export const watchers: Bench = async (progress): Promise<Result> => {
  const runtime = await startRuntime();
  const jobs = await BenchJobs.open(runtime);
  try {
    await measure(runtime, jobs, 1);
    const byCount = new Map(counts.map((count): [number, Fanout[]] => [count, []]));
    for (let round = 0; round < rounds; round++) {
      for (const count of round % 2 === 0 ? counts : counts.toReversed()) {
        byCount.get(count)?.push(await measure(runtime, jobs, count));
        progress(sum([...byCount.values()].map((list) => list.length)) / (rounds * counts.length));
      }
    }
    const timesOf = (count: number) => (byCount.get(count) ?? []).flatMap(({ times }) => times);
    const one = timesOf(1);
    const rows = counts.map((count) => {
      const times = timesOf(count);
      const kb = Math.max(...(byCount.get(count) ?? []).map(({ bytes }) => bytes)) / 1000;
      const at = (share: number) => quantile(times, share);
      const ratios = [0.5, 0.99].map((share) => toFigure(at(share) / quantile(one, share)));
      return [
        count.toLocaleString("en"),
        toFigure(at(0.5)),
        toFigure(at(0.99)),
        ...ratios,
        count < 100 ? "" : toFigure(kb),
      ];
    });
    const columns = ["watchers", "median ms", "p99 ms", "median, × one's", "p99, × one's", "kB each"];
    const errors = sum([...byCount.values()].flatMap((list) => list.map(({ missing }) => missing)));
    const title = `${rounds * updates} updates for each count; a frame that does not come is an error`;
    return { tables: [{ title, columns, rows }], goals: [], errors };
  } finally {
    jobs.close();
    await runtime.stop();
  }
};
