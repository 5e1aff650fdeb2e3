import { setTimeout as sleep } from "node:timers/promises";
import { toRequest } from "./http.ts";
import { BenchJobs, inputKey, pathOf, updateOf } from "./jobs.ts";
import type { Bench } from "./main.ts";
import { pacedSubject, type Timed, timed } from "./paced.ts";
import { atMost, type Result, toFigure } from "./report.ts";
import { interleave, type Measured, quantilesOf, type Subject } from "./rounds.ts";
import { type Runtime, secrets, startRuntime } from "./runtime.ts";
import { openSocket } from "./sockets.ts";
import { sum } from "./statistics.ts";

const rounds = 60;
const perRound = 4;
const frame = "webhook → complete frame";

function subjects(runtime: Runtime, jobs: BenchJobs): Subject[] {
  const { port, endpoint } = runtime;
  const status = `/bare/status?${new URLSearchParams({ url: `${endpoint.url}/x/status/none`, key: secrets.RUNPOD_API_KEY })}`;
  const one = (name: string, request: Buffer): Subject =>
    pacedSubject(port, name, perRound, (connection) => timed(connection, request));
  return [
    one("bare object RPC", toRequest("POST", "/bare/rpc/hot", {}, updateOf(1))),
    one("bare object write", toRequest("POST", "/bare/write/hot", {}, "x".repeat(2_000))),
    one("RunPod's status, by fetch", toRequest("GET", status)),
    one("bare R2 HEAD", toRequest("GET", `/bare/head/${inputKey}`)),
    pacedSubject(port, frame, perRound, async (connection): Promise<Timed> => {
      const run = await jobs.begin();
      await jobs.render(run);
      const socket = await openSocket(run.watchUrl);
      const { promise: told, resolve } = Promise.withResolvers<number>();
      socket.addEventListener("message", ({ data }) => {
        if (String(data).includes('"type":"complete"')) {
          resolve(performance.now());
        }
      });
      // What the beginning of a job leaves to do, its row in D1 above all, is long over when a real run ends.
      await sleep(30);
      const started = performance.now();
      const { answer } = await timed(
        connection,
        toRequest("POST", pathOf(run.webhook ?? ""), {}, JSON.stringify({ id: run.id })),
      );
      const ms = (await told) - started;
      socket.close();
      return { ms, answer };
    }),
  ];
}

function addUp(parts: (Measured | undefined)[]): { median: number; p99: number } {
  const known = parts.flatMap((part) => (part ? [quantilesOf(part)] : []));
  return { median: sum(known.map(({ median }) => median)), p99: sum(known.map(({ p99 }) => p99)) };
}

/** How long RunPod's webhook takes to become the watcher's complete frame, beside the calls that it cannot do without. */
export const webhook: Bench = async (progress): Promise<Result> => {
  const runtime = await startRuntime();
  const jobs = await BenchJobs.open(runtime);
  await jobs.call("POST", "/bare/begin/hot", "a new object");
  try {
    const { processes } = runtime;
    const all = subjects(runtime, jobs);
    const measured = await interleave(all, { rounds, processes, onBatch: (done, total) => progress(done / total) });
    const list = [...measured.values()];
    const [rpc, write, status, head] = list;
    const bound = addUp([rpc, rpc, rpc, status, head]);
    const durable = addUp([write, write, write, status, head]);
    const rows = list.map((figures) => {
      const { median, p99 } = quantilesOf(figures);
      return [
        figures.name,
        toFigure(median),
        toFigure(p99),
        toFigure(median / bound.median),
        toFigure(p99 / bound.p99),
      ];
    });
    rows.push(["3 RPCs + status + HEAD", toFigure(bound.median), toFigure(bound.p99), "1.00", "1.00"]);
    const shares = [durable.median / bound.median, durable.p99 / bound.p99].map(toFigure);
    rows.push(["3 writes + status + HEAD", toFigure(durable.median), toFigure(durable.p99), ...shares]);
    const because =
      `three times on the way something must be on the disk before the object may speak: the ring, the claim, the end. ` +
      `With writes in the place of the bare RPCs the sum is ${toFigure(durable.p99)} ms at p99, and ${toFigure(durable.median)} ms in the middle. The rest is the way between them, which every job goes once and cold, where a floor is asked again and again.`;
    const columns = ["", "median ms", "p99 ms", "median, × the sum", "p99, × the sum"];
    const title = `${rounds * perRound} of each, one at a time`;
    const last = list.at(-1);
    return {
      tables: [{ title, columns, rows }],
      goals: [
        atMost(`${frame}, p99 ms, against the sum's`, last ? quantilesOf(last).p99 : Number.NaN, bound.p99, because),
      ],
      errors: sum(list.map(({ errors }) => errors)),
    };
  } finally {
    jobs.close();
    await runtime.stop();
  }
};
