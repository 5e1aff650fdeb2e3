import { parseArgs } from "node:util";
import { mutants } from "./mutants.ts";
import { simulate } from "./simulate.ts";
import type { Breakage } from "./world.ts";

const help = `Runs the job engine through simulated bad days: the real decisions and effects over modelled platforms.

  npm run simulate -- [options]

  --seeds <number>   how many days (2000)
  --seed <number>    the first one (1); with --seeds 1 its timeline is printed
  --mutants          breaks the protocol in one point after the other, and shows how soon each is noticed
  --help             this text

A seed always tells the same story. The first violation ends the run with its timeline and exit code 1.
`;

const mutantSeeds = 5_000;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    mutants: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** @returns the first seed whose audit fails, or null */
async function findViolation(
  first: number,
  count: number,
  newBreakage: () => Breakage,
  onSeed: (seed: number) => void,
) {
  for (let seed = first; seed < first + count; seed++) {
    const simulation = await simulate(seed, newBreakage());
    onSeed(seed);
    if (simulation.violations.length > 0) {
      return { seed, simulation };
    }
  }
  return null;
}

async function runSeeds(first: number, count: number): Promise<boolean> {
  const started = Date.now();
  const tell = (seed: number) => {
    if (process.stderr.isTTY && seed % 100 === 0) {
      process.stderr.write(`\r${seed - first + 1} of ${count} seeds`);
    }
  };
  const found = await findViolation(first, count, () => ({}), tell);
  if (count === 1 || found) {
    const { timeline, faults, violations } = found?.simulation ?? (await simulate(first));
    process.stdout.write(`seed ${found?.seed ?? first}, faults: ${faults}\n${timeline.join("\n")}\n`);
    process.stdout.write(violations.map(({ invariant, detail }) => `${invariant}: ${detail}\n`).join(""));
  }
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stdout.write(
    `\n${found ? found.seed - first + 1 : count} seeds, ${found ? 1 : 0} violations, ${seconds} s\n`,
  );
  return !found;
}

async function runMutants(): Promise<boolean> {
  let missed = 0;
  for (const [name, newBreakage] of Object.entries(mutants)) {
    const found = await findViolation(1, mutantSeeds, newBreakage, () => {});
    missed += found ? 0 : 1;
    const [violation] = found?.simulation.violations ?? [];
    const caught = found
      ? `caught by seed ${String(found.seed).padStart(4)}: ${violation?.invariant} ${violation?.detail}`
      : "MISSED";
    process.stdout.write(`${name.padEnd(42)} ${caught}\n`);
  }
  process.stdout.write(
    `\n${Object.keys(mutants).length - missed} of ${Object.keys(mutants).length} mutants caught within ${mutantSeeds} seeds\n`,
  );
  return missed === 0;
}

if (values.help) {
  process.stdout.write(help);
} else {
  const isGood = values.mutants ? await runMutants() : await runSeeds(Number(values.seed), Number(values.seeds));
  process.exit(isGood ? 0 : 1);
}
