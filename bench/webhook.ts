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

/** How long RunPod's webhook takes to become the watcher's complete frame, beside the calls that it cannot do without. */
export const webhook: Bench = async (progress): Promise<Result> => {
  const runtime = await startRuntime();
  const jobs = await BenchJobs.open(runtime);
  try {
    const { processes } = runtime;
    const all = subjects(runtime, jobs);
    const measured = await interleave(all, { rounds, processes, onBatch: (done, total) => progress(done / total) });
    const list = [...measured.values()];
    const at =
      (share: "median" | "p99") =>
      ([rpc, status, head]: Measured[]) =>
        [rpc, rpc, rpc, status, head].reduce((total, floor) => total + (floor ? quantilesOf(floor)[share] : 0), 0);
    const bound = { median: at("median")(list), p99: at("p99")(list) };
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
    const columns = ["", "median ms", "p99 ms", "median, × the sum", "p99, × the sum"];
    const title = `${rounds * perRound} of each, one at a time`;
    const last = list.at(-1);
    return {
      tables: [{ title, columns, rows }],
      goals: [atMost(`${frame}, p99 ms, against the sum's`, last ? quantilesOf(last).p99 : Number.NaN, bound.p99)],
      errors: sum(list.map(({ errors }) => errors)),
    };
  } finally {
    jobs.close();
    await runtime.stop();
  }
};
