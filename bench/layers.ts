import { setTimeout as sleep } from "node:timers/promises";
import { Driver, type Surface } from "./driver.ts";
import type { Run } from "./endpoint.ts";
import { Connection } from "./http.ts";
import { type Table, toFigure } from "./report.ts";
import { cpuOf } from "./rounds.ts";
import type { Runtime } from "./runtime.ts";
import { median, sum } from "./statistics.ts";

const rounds = 5;
const livesPerRound = 40;
const atOnce = 8;
const updates = 10;
/** What goes on behind the answers of a stage belongs to it. */
const behindMs = 300;

const stages = ["create, to the run", `${updates} updates`, "webhook, to the read of the end"] as const;

/** A surface, and the processes that do its work. */
export type Laid = Readonly<{ surface: Surface; processes: readonly string[] }>;

/** Many jobs go through each stage together. @returns the processor time of each stage, in microseconds per job */
async function goThrough(runtime: Runtime, { surface, processes }: Laid): Promise<number[]> {
  const driver = new Driver(runtime, surface, updates);
  const connections = await Promise.all(Array.from({ length: atOnce }, () => Connection.open(surface.port)));
  const forAll = async (work: (connection: Connection, index: number) => Promise<void>): Promise<number> => {
    const before = cpuOf(processes);
    let next = 0;
    await Promise.all(
      connections.map(async (connection) => {
        while (next < livesPerRound) {
          await work(connection, next++);
        }
      }),
    );
    await sleep(behindMs);
    return (cpuOf(processes) - before) / livesPerRound;
  };
  const runs: Run[] = [];
  const isOver = async (connection: Connection, run: Run | undefined) => {
    if (!run || !(await driver.end(connection, run))) {
      throw new Error(`${surface.name}: a job did not end`);
    }
  };
  const begun = await forAll(async (connection) => void runs.push(await driver.begin(connection)));
  const told = await forAll(async (connection, index) => {
    const run = runs[index];
    await (run && driver.report(connection, run));
  });
  // The output's way into R2 is the same for all.
  await Promise.all(runs.map((run) => driver.render(run)));
  const ended = await forAll((connection, index) => isOver(connection, runs[index]));
  for (const connection of connections) {
    connection.close();
  }
  return [begun, told, ended];
}

/** Where the processor time of a life goes: each stage as a share of the first surface's whole life. */
export async function measureLayers(
  runtime: Runtime,
  laid: readonly Laid[],
  progress: (share: number) => void,
): Promise<Table> {
  const measured = laid.map((): number[][] => []);
  for (let round = 0; round <= rounds; round++) {
    const order = [...laid.keys()];
    for (const index of round % 2 === 0 ? order : order.toReversed()) {
      const subject = laid[index];
      const figures = subject ? await goThrough(runtime, subject) : [];
      // The first round warms up.
      measured[index]?.push(...(round > 0 ? [figures] : []));
      progress((round * laid.length + index + 1) / ((rounds + 1) * laid.length));
    }
  }
  const middle = measured.map((figures) => stages.map((_, stage) => median(figures.map((row) => row[stage] ?? 0))));
  const whole = sum(middle[0] ?? []);
  const rows = laid.map(({ surface }, index) => {
    const own = middle[index] ?? [];
    return [surface.name, ...[...own, sum(own)].map((micros) => toFigure(micros / whole))];
  });
  const title = `Processor time of a life's stages, × the whole life of ${laid[0]?.surface.name}`;
  return { title, columns: ["", ...stages, "whole life"], rows };
}
