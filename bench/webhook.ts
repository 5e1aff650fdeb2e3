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
const perRound = 6;
const frame = "webhook → complete frame";
/**
 * What the beginning of a job leaves to do, its row in D1 above all, is long over when a real run ends. Whoever is asked
 * after such a pause answers later than one who is asked again and again, so the floors are too.
 */
const pauseMs = 30;

function subjects(runtime: Runtime, jobs: BenchJobs): Subject[] {
  const { port, endpoint } = runtime;
  const status = `/bare/status?${new URLSearchParams({ url: `${endpoint.url}/x/status/none`, key: secrets.RUNPOD_API_KEY })}`;
  const rested = (name: string, request: Buffer): Subject =>
    pacedSubject(port, name, perRound, async (connection) => {
      await sleep(pauseMs);
      return timed(connection, request);
    });
  /** To an object of its own, like a job's: begun a moment before. */
  const own = (name: string, what: string, body: string): Subject =>
    pacedSubject(port, name, perRound, async (connection) => {
      const object = crypto.randomUUID();
      await connection.send(toRequest("POST", `/bare/begin/${object}`, {}, "a new object"));
      await sleep(pauseMs);
      return timed(connection, toRequest("POST", `/bare/${what}/${object}`, {}, body));
    });
  return [
    own("bare object RPC", "rpc", updateOf(1)),
    own("bare object write", "write", "x".repeat(2_000)),
    pacedSubject(port, "bare object RPC, again and again", perRound, (connection) =>
      timed(connection, toRequest("POST", "/bare/rpc/hot", {}, updateOf(1))),
    ),
    rested("RunPod's status, by fetch", toRequest("GET", status)),
    rested("bare R2 HEAD", toRequest("GET", `/bare/head/${inputKey}`)),
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
      await sleep(pauseMs);
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
    const [rpc, write, again, status, head] = list;
    const bound = addUp([rpc, again, again, status, head]);
    const durable = addUp([write, again, write, status, head]);
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
    rows.push(["RPC, 2 more at once, status and HEAD", toFigure(bound.median), toFigure(bound.p99), "1.00", "1.00"]);
    const shares = [durable.median / bound.median, durable.p99 / bound.p99].map(toFigure);
    rows.push(["the same with 2 of them writes", toFigure(durable.median), toFigure(durable.p99), ...shares]);
    const because =
      `twice on the way something must be on the disk before the object may speak: the ring and the end. With writes for ` +
      `two of the RPCs the sum is ${toFigure(durable.p99)} ms at p99, and ${toFigure(durable.median)} ms in the middle. ` +
      `The rest is the app around the route and the two decisions, which an object makes once in its life, and cold.`;
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
