import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Coverage } from "./coverage.ts";
import { listNeverStruck, toCoverageTable } from "./coverage-table.ts";
import { runMutants } from "./mutants/command.ts";
import { type Simulation, simulate } from "./simulate.ts";

const help = `Runs jobs through simulated bad days: the object's own shell and decisions over modelled platforms.

  npm run simulate -- [options]

  --seeds <number>   how many days (2000)
  --seed <number>    the first one (1); with --seeds 1 its timeline is printed
  --mutants          breaks the protocol in one point after the other, and shows how soon each is noticed; with
                     --seeds so many days at most for each (300)
  --only <text>      those mutants alone whose name has this text
  --jobs <number>    so many mutants at once (one per core)
  --help             this text

A seed always tells the same story. The first violation ends the run with its timeline and exit code 1. From 2000 seeds
on, a signal that never met a phase that it can meet is a failure too.
`;

const seedsThatMustCover = 2_000;
/** Enough days for nearly every mutant, and few enough for those that survive. */
const mutantSeeds = 300;

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    seed: { type: "string", default: "1" },
    mutants: { type: "boolean", default: false },
    only: { type: "string" },
    jobs: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

async function runSeeds(first: number, count: number): Promise<boolean> {
  const started = Date.now();
  const coverage = new Coverage();
  let seeds = 0;
  let simulation: Simulation | null = null;
  for (let seed = first; seed < first + count && !simulation?.violations.length; seed++) {
    simulation = await simulate(seed);
    coverage.add(simulation.coverage);
    seeds++;
    if (process.stderr.isTTY && seeds % 100 === 0) {
      process.stderr.write(`\r${seeds} of ${count} seeds`);
    }
  }
  const { violations = [] } = simulation ?? {};
  if (simulation && (count === 1 || violations.length > 0)) {
    process.stdout.write(
      `seed ${first + seeds - 1}, faults: ${simulation.faults}\n${simulation.timeline.join("\n")}\n`,
    );
    process.stdout.write(violations.map(({ invariant, detail }) => `${invariant}: ${detail}\n`).join(""));
  }
  process.stdout.write(`\n${toCoverageTable(coverage)}\n`);
  const missing = seeds >= seedsThatMustCover ? listNeverStruck(coverage) : [];
  for (const pair of missing) {
    process.stdout.write(`never struck: ${pair}\n`);
  }
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stdout.write(`\n${seeds} seeds, ${violations.length} violations, ${seconds} s\n`);
  return violations.length === 0 && missing.length === 0;
}

if (values.help) {
  process.stdout.write(help);
} else {
  const isGood = values.mutants
    ? await runMutants({
        seeds: Number(values.seeds ?? mutantSeeds),
        jobs: Number(values.jobs ?? availableParallelism()),
        only: values.only ?? null,
      })
    : await runSeeds(Number(values.seed), Number(values.seeds ?? 2_000));
  process.exit(isGood ? 0 : 1);
}
