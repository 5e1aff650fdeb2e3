import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { type Mutant, toBrokenSource } from "./generate.ts";
import type { Task, Told, Verdict } from "./protocol.ts";
import { urlOf } from "./sources.ts";

/** One seed takes some milliseconds: a copy that is still at it after so long will never end. */
const maxSeedMs = 30_000;
const maxHeapMb = 512;

/** Where the simulator lies; another one stands in for it where the runner itself is tried. */
const simulator = new URL("../simulate.ts", import.meta.url).href;

/** Simulates days with one broken copy of the protocol until one is noticed, or all went well; null: the protocol as it is. */
export function judge(mutant: Mutant | null, seeds: number, simulatorUrl = simulator): Promise<Verdict> {
  const broken = mutant && { url: urlOf(mutant.file), source: toBrokenSource(mutant) };
  const auditsUrl = new URL("../audit", import.meta.url).href;
  const task: Task = { seeds, broken, simulatorUrl, auditsUrl };
  const worker = new Worker(fileURLToPath(new URL("./worker.ts", import.meta.url).href), {
    workerData: task,
    execArgv: ["--no-warnings"],
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
  });
  return new Promise((resolve) => {
    let seed = 0;
    const end = (verdict: Verdict) => {
      clearTimeout(timer);
      resolve(verdict);
      void worker.terminate();
    };
    const timer = setTimeout(() => end({ kind: "caught", seed, by: "hangs", why: "no end" }), maxSeedMs);
    worker.on("message", (told: Told) => {
      if (told.kind !== "seed") {
        end(told);
        return;
      }
      seed = told.seed;
      timer.refresh();
    });
    worker.on("error", (error) => end({ kind: "caught", seed, by: "exception", why: String(error) }));
    worker.on("exit", () => end({ kind: "caught", seed, by: "exception", why: "the thread ended" }));
  });
}

export type Judged = Readonly<{ mutant: Mutant; verdict: Verdict }>;

/** Judges all of them, several at once, each in a thread of its own. */
export async function judgeAll(
  mutants: readonly Mutant[],
  { seeds, jobs, simulatorUrl }: { seeds: number; jobs: number; simulatorUrl?: string },
  onJudged: (judged: Judged) => void,
): Promise<Judged[]> {
  const waiting = mutants.values();
  const results: Judged[] = [];
  const work = async () => {
    for (const mutant of waiting) {
      const judged = { mutant, verdict: await judge(mutant, seeds, simulatorUrl) };
      results.push(judged);
      onJudged(judged);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  const order = new Map(mutants.map((mutant, index) => [mutant, index]));
  return results.toSorted((a, b) => (order.get(a.mutant) ?? 0) - (order.get(b.mutant) ?? 0));
}
