import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { barrier, Driver, type Surface } from "./driver.ts";
import { Connection, toRequest } from "./http.ts";
import { authorization, BenchJobs, newJob, updateOf } from "./jobs.ts";
import { measureLayers } from "./layers.ts";
import { isOk, load } from "./load.ts";
import type { Bench } from "./main.ts";
import { startPeers } from "./peers/start.ts";
import { atLeast, type Goal, type Result, type Table, toFigure } from "./report.ts";
import { type Batch, interleave, type Measured, quantilesOf, ratioOf, type Subject } from "./rounds.ts";
import { type Runtime, startRuntime } from "./runtime.ts";
import { loadSockets } from "./sockets.ts";
import { median, sum } from "./statistics.ts";

const rounds = 8;
const longRounds = 3;
const livesPerBatch = 24;
const atOnce = 8;
const updatesPerLife = 10;
/** A second comparison, of those that differ in what an update costs. */
const manyUpdates = 100;
function lifeSubject(runtime: Runtime, surface: Surface, updates: number): Subject {
  const driver = new Driver(runtime, surface, updates);
  return {
    name: `life, ${surface.name}`,
    run: async (): Promise<Batch> => {
      const connections = await Promise.all(Array.from({ length: atOnce }, () => Connection.open(surface.port)));
      const times: number[] = [];
      let [left, errors] = [livesPerBatch, 0];
      const started = performance.now();
      await Promise.all(
        connections.map(async (connection) => {
          while (left-- > 0) {
            const begun = performance.now();
            errors += (await driver.live(connection)) ? 0 : 1;
            times.push(performance.now() - begun);
          }
          connection.close();
        }),
      );
      return { times, wallMs: performance.now() - started, errors };
    },
  };
}

/** Updates of one job that goes on, and the surface's own bare route beside them. */
async function progressSubjects(runtime: Runtime, surface: Surface): Promise<Subject[]> {
  const { name, port, base, headers } = surface;
  const connection = await Connection.open(port);
  const created = await connection.send(toRequest("POST", `${base}/jobs`, headers, JSON.stringify(newJob)));
  connection.close();
  const run = await runtime.endpoint.take(JSON.parse(created.body).id);
  await sleep(100);
  let frame = 0;
  const { pathname } = new URL(run.input.progress_url);
  const one = (what: string, path: string): Subject => ({
    name: what,
    run: () =>
      load(() => toRequest("POST", path, {}, updateOf(frame++)), { port, connections: 16, count: 200, isGood: isOk }),
  });
  if (surface.bySocket) {
    const urls = [run.input.progress_url.replace(/^http/, "ws")];
    const message = () => updateOf(frame++);
    return [{ name: `progress, ${name}`, run: () => loadSockets({ urls, count: 500, barrier, message }) }];
  }
  return [one(`bare route, ${name}`, "/bare/hono"), one(`progress, ${name}`, pathname)];
}

const own = "this service";
const ownBySocket = "this service, WebSocket";
const plainDesign = "plain design";
const least = "bare object per job";
const workflows = "Cloudflare Workflows";

function ownSurfaces({ port }: Runtime): Surface[] {
  const service = { port, base: "/api", headers: authorization, wait: "?wait=10&version=1000000" };
  return [
    { name: own, ...service },
    { name: ownBySocket, ...service, bySocket: true },
    { name: least, port, base: "/least", headers: {} },
    { name: plainDesign, port, base: "/plain", headers: {} },
    { name: workflows, port, base: "/flow", headers: {} },
  ];
}

type Figures = { lives: Map<string, Measured>; longLives: Map<string, Measured>; updates: Map<string, Measured> };

function lifeTable(lives: Map<string, Measured>, names: readonly string[], title: string): Table {
  const base = lives.get(`life, ${own}`);
  const rows = names.flatMap((name) => {
    const figures = lives.get(`life, ${name}`);
    const { median: mid, p99 } = figures ? quantilesOf(figures) : { median: 0, p99: 0 };
    const ratio = figures && base ? toFigure(ratioOf(figures, base)) : "";
    return figures ? [[name, toFigure(median(figures.perSecond)), toFigure(mid), toFigure(p99), ratio]] : [];
  });
  return { title, columns: ["", "per second", "median ms", "p99 ms", `× ${own}`], rows };
}

function toTables({ lives, longLives, updates }: Figures, names: readonly string[]): Table[] {
  const updateRows = names.flatMap((name) => {
    const figures = updates.get(`progress, ${name}`);
    const bare = updates.get(`bare route, ${name}`) ?? updates.get(`bare route, ${own}`);
    const ownBare = updates.get(`bare route, ${own}`);
    return figures && bare && ownBare
      ? [
          [
            name,
            toFigure(median(figures.perSecond)),
            toFigure(ratioOf(figures, bare)),
            toFigure(ratioOf(figures, ownBare)),
          ],
        ]
      : [];
  });
  return [
    lifeTable(
      lives,
      names,
      `Lives with ${updatesPerLife} updates, ${atOnce} at once, ${rounds} rounds of ${livesPerBatch}`,
    ),
    lifeTable(longLives, names, `Lives with ${manyUpdates} updates, ${longRounds} rounds`),
    {
      title: "Updates of one job",
      columns: ["", "per second", "× its own bare route", "× workerd's bare route"],
      rows: updateRows,
    },
  ];
}

function toGoals({ lives, longLives, updates }: Figures, names: readonly string[]): Goal[] {
  const ratio = (map: Map<string, Measured>, name: string, base: string) => {
    const [figures, floor] = [map.get(name), map.get(base)];
    return figures && floor ? ratioOf(figures, floor) : Number.NaN;
  };
  const others = names.filter((name) => name !== own && name !== ownBySocket && name !== least);
  const fastest = Math.min(...others.map((name) => ratio(updates, `progress, ${ownBySocket}`, `progress, ${name}`)));
  const [mine, plain, flow] = [`life, ${ownBySocket}`, `life, ${plainDesign}`, `life, ${workflows}`] as const;
  const because = (base: string, whose: string) =>
    `an object per job is a file of its own to create, and its commits are written through to the disk: even the bare ` +
    `object per job, which does nothing else, comes to ${toFigure(ratio(lives, `life, ${least}`, base))} times ${whose} ` +
    `rate. What it buys shows with more updates: with ${manyUpdates} of them this service comes to ` +
    `${toFigure(ratio(longLives, mine, base))} times ${whose} rate.`;
  return [
    atLeast(
      "whole life, × the plain design's rate",
      ratio(lives, mine, plain),
      2.5,
      because(plain, "the plain design's"),
    ),
    atLeast("whole life, × Workflows' rate", ratio(lives, mine, flow), 3, because(flow, "Workflows'")),
    atLeast("progress by WebSocket, × the fastest of the others", fastest, 1),
  ];
}

async function run(runtime: Runtime, surfaces: Surface[], progress: (share: number) => void): Promise<Figures> {
  const { processes } = runtime;
  const lives = await interleave(
    surfaces.map((surface) => lifeSubject(runtime, surface, updatesPerLife)),
    { rounds, processes, onBatch: (done, total) => progress((0.6 * done) / total) },
  );
  const long = surfaces.filter(({ name }) => [own, ownBySocket, plainDesign, workflows].includes(name));
  const longLives = await interleave(
    long.map((surface) => lifeSubject(runtime, surface, manyUpdates)),
    { rounds: longRounds, processes, onBatch: (done, total) => progress(0.6 + (0.3 * done) / total) },
  );
  const subjects = await Promise.all(surfaces.map((surface) => progressSubjects(runtime, surface)));
  const updates = await interleave(subjects.flat(), {
    rounds: 12,
    processes,
    onBatch: (done, total) => progress(0.9 + (0.1 * done) / total),
  });
  return { lives, longLives, updates };
}

/** The same job, through the same surface, on what else could run it. */
export const peers: Bench = async (progress): Promise<Result> => {
  const dir = mkdtempSync(join(tmpdir(), "export-peers-"));
  const runtime = await startRuntime();
  const jobs = await BenchJobs.open(runtime);
  const { peers: others, skipped } = await startPeers(runtime, dir);
  try {
    const surfaces = [...ownSurfaces(runtime), ...others.map(({ surface }) => surface)];
    const figures = await run(runtime, surfaces, (share) => progress(0.7 * share));
    const processesOf = (name: string) => others.find(({ surface }) => surface.name === name)?.processes;
    const laid = surfaces.map((surface) => ({
      surface,
      processes: processesOf(surface.name) ?? runtime.processes,
    }));
    const layers = await measureLayers(runtime, laid, (share) => progress(0.7 + 0.3 * share));
    const names = surfaces.map(({ name }) => name);
    const all = [...figures.lives.values(), ...figures.longLives.values(), ...figures.updates.values()];
    const errors = sum(all.map(({ errors: count }) => count));
    const tables = [...toTables(figures, names), layers];
    return { tables, goals: toGoals(figures, names), errors, skipped };
  } finally {
    jobs.close();
    await Promise.all(others.map((peer) => peer.stop()));
    await runtime.stop();
    rmSync(dir, { recursive: true, force: true });
  }
};
