import { generateMutants } from "./generate.ts";
import { newTeller, summarize } from "./report.ts";
import { judge, judgeAll } from "./run.ts";

export type MutantOptions = Readonly<{ seeds: number; jobs: number; only: string | null; simulatorUrl?: string }>;

/** Judges the mutants and prints what became of each. @returns whether enough were caught, and each survivor is explained */
export async function runMutants({ only, ...options }: MutantOptions): Promise<boolean> {
  const whole = await judge(null, options.seeds, options.simulatorUrl);
  if (whole.kind !== "survived") {
    process.stdout.write(`The protocol itself does not pass ${options.seeds} seeds: ${JSON.stringify(whole)}\n`);
    return false;
  }
  const mutants = generateMutants().filter(({ name }) => only === null || name.includes(only));
  const judged = await judgeAll(mutants, options, newTeller(mutants.length));
  const { text, isGood } = summarize(judged);
  process.stdout.write(text);
  return isGood;
}
