import { equivalent } from "./equivalent.ts";
import type { Mutant } from "./generate.ts";
import type { Judged } from "./run.ts";

/** The share of mutants, in percent, that must be caught. */
const minPercent = 95;
const barWidth = 30;
const clearLine = "\r\u001b[K";

/** Tells of each mutant as soon as it is judged; below, on a terminal, how far the run is. */
export function newTeller(total: number): (judged: Judged) => void {
  let [done, survived] = [0, 0];
  return (judged) => {
    done++;
    survived += judged.verdict.kind === "survived" ? 1 : 0;
    const { isTTY } = process.stderr;
    process.stderr.write(isTTY ? clearLine : "");
    process.stdout.write(`${toLine(judged)}\n`);
    if (isTTY && done < total) {
      const bar = "#".repeat(Math.round((barWidth * done) / total)).padEnd(barWidth, ".");
      process.stderr.write(`[${bar}] ${done} of ${total} mutants, ${survived} survived`);
    }
  };
}

function toLine({ mutant, verdict }: Judged): string {
  switch (verdict.kind) {
    case "caught":
      return `${verdict.by.padEnd(9)} seed ${String(verdict.seed).padStart(4)}  ${mutant.name}  (${oneLine(verdict.why)})`;
    case "stillborn":
      return `stillborn            ${mutant.name}  (${oneLine(verdict.why)})`;
    case "survived":
      return `survived             ${mutant.name}`;
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").slice(0, 120);
}

/** The table's end: what caught how many, who survived and why that is well. @returns whether it is good enough */
export function summarize(all: readonly Judged[]): { text: string; isGood: boolean } {
  const born = all.filter(({ verdict }) => verdict.kind !== "stillborn");
  const survivors = born.filter(({ verdict }) => verdict.kind === "survived").map(({ mutant }) => mutant);
  const caught = born.length - survivors.length;
  const percent = born.length === 0 ? 100 : (100 * caught) / born.length;
  const unexplained = survivors.filter(({ key }) => !(key in equivalent));
  const text = [
    "",
    ...countBy(all),
    "",
    ...survivors.map((mutant) => `survived: ${mutant.name}\n          ${reasonFor(mutant)}`),
    ...listSurprises(all),
    "",
    `${caught} of ${born.length} caught (${percent.toFixed(1)} %), ${all.length - born.length} stillborn, ` +
      `${unexplained.length} of ${survivors.length} survivors unexplained`,
    "",
  ].join("\n");
  return { text, isGood: percent >= minPercent && unexplained.length === 0 };
}

function reasonFor({ key }: Mutant): string {
  return equivalent[key] ?? "NOT EXPLAINED";
}

/** A reason for a mutant that was caught is none. */
function listSurprises(all: readonly Judged[]): string[] {
  return all
    .filter(({ mutant, verdict }) => verdict.kind === "caught" && mutant.key in equivalent)
    .map(({ mutant }) => `caught, though listed as equivalent: ${mutant.name}`);
}

function countBy(all: readonly Judged[]): string[] {
  const counts = new Map<string, { count: number; lastSeed: number }>();
  for (const { verdict } of all) {
    if (verdict.kind === "caught") {
      const { count, lastSeed } = counts.get(verdict.by) ?? { count: 0, lastSeed: 0 };
      counts.set(verdict.by, { count: count + 1, lastSeed: Math.max(lastSeed, verdict.seed) });
    }
  }
  return [...counts]
    .toSorted(([, a], [, b]) => b.count - a.count)
    .map(
      ([by, { count, lastSeed }]) =>
        `${by.padEnd(12)} caught ${String(count).padStart(4)}, the last at seed ${lastSeed}`,
    );
}
