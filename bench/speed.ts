import type { Run } from "./endpoint.ts";
import { toRequest } from "./http.ts";
import { authorization, BenchJobs, inputKey, newJob, pathOf, updateOf } from "./jobs.ts";
import { isOk, load } from "./load.ts";
import type { Bench } from "./main.ts";
import { pacedSubject, timed } from "./paced.ts";
import { atLeast, type Goal, type Result, type Table, toFigure } from "./report.ts";
import { cpuRatioOf, interleave, type Measured, quantilesOf, ratioOf, type Subject } from "./rounds.ts";
import { type Runtime, startRuntime } from "./runtime.ts";
import { loadSockets } from "./sockets.ts";
import { median, sum } from "./statistics.ts";

const rounds = 30;
const connections = 16;
const manyJobs = 100;
const socketJobs = 50;
/** The service's answer to a message that is no JSON comes after all that came before it. */
const barrier = { ask: "{", isAnswer: (text: string) => text.includes("malformed_request") };

/** A job's handler reports by POST or by WebSocket: a socket that closes is a save, which the next POST would wait for. */
type Stage = { runtime: Runtime; jobs: BenchJobs; live: Run[]; bySocket: Run[]; hot: Run; final: Run };

async function prepare(): Promise<Stage> {
  const runtime = await startRuntime();
  const jobs = await BenchJobs.open(runtime);
  await jobs.call("POST", "/bare/begin/hot", "a new object");
  const live = await jobs.beginMany(manyJobs);
  const bySocket = await jobs.beginMany(socketJobs);
  const [hot, final] = [await jobs.begin(), await jobs.begin()];
  await jobs.complete(final);
  return { runtime, jobs, live, bySocket, hot, final };
}

/** Subjects under the load of many connections; the figure after the name is how many requests a batch has. */
function loadedSubjects({ runtime, live, bySocket, hot, final }: Stage): Subject[] {
  let frame = 1;
  const update = () => updateOf(frame++);
  const one = (name: string, count: number, request: (index: number) => Buffer): Subject => ({
    name,
    run: () => load(request, { port: runtime.port, connections, count, isGood: isOk }),
  });
  const liveAt = (index: number) => live[index % live.length] ?? hot;
  const socketOf = ({ input }: Run) => input.progress_url.replace(/^http/, "ws");
  const sockets = (name: string, urls: string[]): Subject => ({
    name,
    run: () => loadSockets({ urls, count: 1_000, barrier, message: update }),
  });
  return [
    one("bare Hono route", 400, () => toRequest("POST", "/bare/hono", {}, update())),
    one("bare object RPC", 300, () => toRequest("POST", "/bare/rpc/hot", {}, update())),
    one("bare object RPC, many", 300, (index) => toRequest("POST", `/bare/rpc/${index % manyJobs}`, {}, update())),
    one("bare object write", 300, () => toRequest("POST", "/bare/write/hot", {}, update())),
    one("progress, one hot job", 300, () => toRequest("POST", pathOf(hot.input.progress_url), {}, update())),
    one("progress, many jobs", 300, (index) =>
      toRequest("POST", pathOf(liveAt(index).input.progress_url), {}, update()),
    ),
    sockets("progress by WebSocket, one hot job", bySocket.slice(0, 1).map(socketOf)),
    sockets("progress by WebSocket, many jobs", bySocket.map(socketOf)),
    one("bare point SELECT", 150, () => toRequest("GET", `/bare/select/default/${final.input.job_id}`)),
    one("read a final job", 150, () => toRequest("GET", `/api/jobs/${final.input.job_id}`, authorization)),
    one("read an active job", 150, (index) =>
      toRequest("GET", `/api/jobs/${liveAt(index).input.job_id}`, authorization),
    ),
    one("list a page of 20", 80, () => toRequest("GET", "/api/jobs?project_id=7", authorization)),
    one("bare R2 HEAD", 150, () => toRequest("GET", `/bare/head/${inputKey}`)),
  ];
}

function pacedSubjects(stage: Stage): Subject[] {
  const { runtime, jobs } = stage;
  const row = () => JSON.stringify({ ...newJob, id: crypto.randomUUID() });
  return [
    pacedSubject(runtime.port, "bare INSERT", 5, (connection) =>
      timed(connection, toRequest("POST", "/bare/insert", {}, row())),
    ),
    pacedSubject(runtime.port, "bare new object", 5, (connection) =>
      timed(connection, toRequest("POST", `/bare/begin/${crypto.randomUUID()}`, {}, row())),
    ),
    pacedSubject(runtime.port, "bare INSERT and new object", 5, (connection) =>
      timed(connection, toRequest("POST", "/bare/create", {}, row())),
    ),
    pacedSubject(runtime.port, "bare HEAD, INSERT and new object", 5, (connection) =>
      timed(connection, toRequest("POST", "/bare/create?head", {}, row())),
    ),
    pacedSubject(runtime.port, "create a job", 5, async (connection) => {
      const created = await timed(connection, toRequest("POST", "/api/jobs", authorization, JSON.stringify(newJob)));
      await jobs.cancel(await runtime.endpoint.take(JSON.parse(created.answer.body).id));
      return created;
    }),
    pacedSubject(runtime.port, "bare object write, one at a time", 5, (connection) =>
      timed(connection, toRequest("POST", "/bare/write/hot", {}, row())),
    ),
    pacedSubject(runtime.port, "webhook", 3, async (connection) => {
      const run = await jobs.begin();
      await jobs.render(run);
      const rung = await timed(
        connection,
        toRequest("POST", pathOf(run.webhook ?? ""), {}, JSON.stringify({ id: run.id })),
      );
      await jobs.ended(run);
      return rung;
    }),
  ];
}

type Figures = { of(name: string): Measured; list: Measured[] };

function toTable({ of, list }: Figures): Table {
  const hono = of("bare Hono route");
  const rows = list.map((figures) => {
    const { median: mid, p99 } = quantilesOf(figures);
    const floor = floors[figures.name];
    return [
      figures.name,
      toFigure(median(figures.perSecond)),
      toFigure(mid),
      toFigure(p99),
      toFigure(ratioOf(figures, hono)),
      floor ? toFigure(ratioOf(figures, of(floor))) : "",
      floor ? toFigure(cpuRatioOf(figures, of(floor))) : "",
      floor ?? "",
    ];
  });
  const columns = ["", "per second", "median ms", "p99 ms", "× bare Hono", "× floor", "× floor, CPU", "floor"];
  const title = `${rounds} rounds, forwards and backwards, ${connections} connections (the last seven: one, paced)`;
  return { title, columns, rows };
}

const floors: Readonly<Record<string, string>> = {
  "progress, one hot job": "bare object RPC",
  "progress, many jobs": "bare object RPC, many",
  "progress by WebSocket, one hot job": "bare Hono route",
  "progress by WebSocket, many jobs": "bare Hono route",
  "read a final job": "bare point SELECT",
  "read an active job": "bare point SELECT",
  "list a page of 20": "bare point SELECT",
  "create a job": "bare INSERT and new object",
  webhook: "bare object write, one at a time",
};

function toGoals({ of }: Figures): Goal[] {
  const ratio = (name: string) => ratioOf(of(name), of(floors[name] ?? ""));
  const withHead = ratioOf(of("create a job"), of("bare HEAD, INSERT and new object"));
  return [
    atLeast("progress on one hot job, × bare object RPC", ratio("progress, one hot job"), 0.9, reasons.progress),
    atLeast("progress over many jobs, × bare object RPC", ratio("progress, many jobs"), 0.8, reasons.progress),
    atLeast("progress by WebSocket, × bare Hono", ratio("progress by WebSocket, one hot job"), 0.8),
    atLeast("create, × INSERT and new object", ratio("create a job"), 0.85, reasons.create(withHead)),
    atLeast("read of a final job, × point SELECT", ratio("read a final job"), 0.9, reasons.read),
    atLeast("list page of 20, × point SELECT", ratio("list a page of 20"), 0.5),
  ];
}

/** Why a goal may be missed; what was measured of it stands in README.md, "speed". */
const reasons = {
  progress:
    "an update is more than an RPC: its text is checked against limits and schema, its token is looked up, the job " +
    "decides what it means, its watchers are looked for, and the answer carries an id and the headers that all carry.",
  create: (withHead: number) =>
    `the input is looked up in R2 first; with that HEAD in the floor it is ${toFigure(withHead)}.`,
  read: "the answer is made from the row, and its link is signed.",
};

/** Each path of the service, beside the least that its kind takes. */
export const speed: Bench = async (progress): Promise<Result> => {
  const stage = await prepare();
  const { runtime, jobs } = stage;
  try {
    const { processes } = runtime;
    const loaded = loadedSubjects(stage);
    const paced = pacedSubjects(stage);
    const all = [...loaded, ...paced];
    const measured = await interleave(all, { rounds, processes, onBatch: (done, total) => progress(done / total) });
    const list = [...measured.values()];
    const of = (name: string): Measured =>
      measured.get(name) ?? { name, times: [], perSecond: [], cpuMicros: [], errors: 0 };
    const figures = { of, list };
    return { tables: [toTable(figures)], goals: toGoals(figures), errors: sum(list.map(({ errors }) => errors)) };
  } finally {
    jobs.close();
    await runtime.stop();
  }
};
