import { readProc } from "../local/memory.ts";
import { median, quantile, sum } from "./statistics.ts";

/** One batch of one subject: how long each operation took, in milliseconds, and the whole batch. */
export type Batch = { times: number[]; wallMs: number; errors: number };

export type Subject = { name: string; run(): Promise<Batch> };

/** All batches of a subject. `perSecond` and `cpuMicros` are one figure per round, so that rounds can be compared. */
export type Measured = { name: string; times: number[]; perSecond: number[]; cpuMicros: number[]; errors: number };

export type RoundsOptions = {
  rounds: number;
  /** The processes whose CPU time is counted. */
  processes: readonly string[];
  /** Called after each batch, for the progress bar. */
  onBatch?(done: number, total: number): void;
};

/** CPU time of processes since their start, in microseconds. Linux only; 0 elsewhere. */
export function cpuOf(processes: readonly string[]): number {
  const ticks = processes.map((id) => {
    const [, , , , , , , , , , , , user, system] = readProc(`${id}/stat`)
      .replace(/^.*\) /s, "- - ")
      .split(" ");
    return Number(user ?? 0) + Number(system ?? 0);
  });
  return sum(ticks) * 10_000;
}

/**
 * Runs the subjects in turn, forwards and backwards, so that whatever else the machine does meets all of them alike. The
 * first round warms up and is not counted.
 */
export async function interleave(subjects: readonly Subject[], options: RoundsOptions): Promise<Map<string, Measured>> {
  const { rounds, processes, onBatch } = options;
  const measured = new Map(
    subjects.map(({ name }): [string, Measured] => [
      name,
      { name, times: [], perSecond: [], cpuMicros: [], errors: 0 },
    ]),
  );
  let done = 0;
  for (let round = 0; round <= rounds; round++) {
    for (const subject of round % 2 === 0 ? subjects : subjects.toReversed()) {
      const before = cpuOf(processes);
      const { times, wallMs, errors } = await subject.run();
      const figures = measured.get(subject.name);
      if (figures) {
        figures.errors += errors;
      }
      if (figures && round > 0) {
        figures.times.push(...times);
        figures.perSecond.push((times.length / wallMs) * 1000);
        figures.cpuMicros.push((cpuOf(processes) - before) / times.length);
      }
      onBatch?.(++done, subjects.length * (rounds + 1));
    }
  }
  return measured;
}

/** How many times as fast as `base` a subject is: the median over the rounds of the two rates of the same round. */
export function ratioOf(subject: Measured, base: Measured): number {
  return median(subject.perSecond.map((rate, round) => rate / (base.perSecond[round] ?? Number.NaN)));
}

/** The same by the CPU time of an operation: what a busy machine changes least. */
export function cpuRatioOf(subject: Measured, base: Measured): number {
  return median(subject.cpuMicros.map((cpu, round) => (base.cpuMicros[round] ?? Number.NaN) / cpu));
}

export function quantilesOf({ times }: Measured): { median: number; p99: number } {
  return { median: median(times), p99: quantile(times, 0.99) };
}
