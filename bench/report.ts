import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export type Table = { title: string; columns: string[]; rows: string[][] };

/** What the service promises itself; `because` is the reason of one that is not met. */
export type Goal = { what: string; goal: string; measured: string; met: boolean; because?: string };

export type Result = { tables: Table[]; goals: Goal[]; errors: number; skipped?: string[] };

const here = dirname(fileURLToPath(import.meta.url));
const readme = join(here, "README.md");

const packages = ["wrangler", "miniflare", "workerd", "hono", "drizzle-orm", "zod", "bullmq", "ioredis", "pg-boss"];

function readVersion(name: string): string {
  const file = join(here, "..", "node_modules", name, "package.json");
  const { version }: { version: string } = JSON.parse(readFileSync(file, "utf8"));
  return version;
}

/** Where and with what a figure was measured. */
function describeMachine() {
  const versions = packages.map((name) => [name, readVersion(name)]);
  const [cpu] = cpus();
  return {
    machine: `${cpus().length} × ${cpu?.model ?? "unknown"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    versions: Object.fromEntries([["node", process.versions.node], ...versions]),
  };
}

/** Prints a result, keeps it as JSON, and puts its tables into the README. */
export function publish(
  name: string,
  result: Result,
  { seconds, onlyPrint }: { seconds: number; onlyPrint: boolean },
): void {
  const { machine, versions } = describeMachine();
  const report = { name, at: new Date().toISOString(), machine, versions, seconds: Math.round(seconds), ...result };
  const text = [...result.tables.map(toText), goalsTable(result.goals)].filter((part) => part !== "").join("\n\n");
  process.stdout.write(`\n${text}\n\n`);
  for (const line of result.skipped ?? []) {
    process.stdout.write(`Skipped: ${line}\n`);
  }
  process.stdout.write(`${machine}\n${toVersionLine(versions)}\n`);
  process.stdout.write(`${name}: ${result.errors} errors, ${report.seconds} s\n`);
  if (onlyPrint) {
    return;
  }
  mkdirSync(join(here, "results"), { recursive: true });
  writeFileSync(join(here, "results", `${name}.json`), `${JSON.stringify(report, null, 2)}\n`);
  updateReadme(
    name,
    `${text}\n\n${report.at.slice(0, 10)}, ${machine}; ${toVersionLine(versions)}; ${result.errors} errors.`,
  );
}

function toVersionLine(versions: Record<string, string>): string {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
}

/** As Markdown, which reads well in a terminal too. */
function toText({ title, columns, rows }: Table): string {
  const lines = [columns, ...rows];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const toLine = (cells: string[]) =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(" | ")} |`;
  const rule = `| ${widths.map((width, column) => (column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
  return [title, "", toLine(columns), rule, ...rows.map(toLine)].join("\n");
}

function goalsTable(goals: readonly Goal[]): string {
  if (goals.length === 0) {
    return "";
  }
  const rows = goals.map(({ what, goal, measured, met }) => [what, goal, measured, met ? "yes" : "no"]);
  const reasons = goals.flatMap(({ met, what, because }) => (!met && because ? [`${what}: ${because}`] : []));
  return [toText({ title: "Goals", columns: ["goal", "at", "measured", "met"], rows }), ...reasons].join("\n\n");
}

/** Between `<!-- name -->` and `<!-- /name -->`. */
function updateReadme(name: string, text: string): void {
  const before = readFileSync(readme, "utf8");
  const section = new RegExp(`(<!-- ${name} -->)[\\s\\S]*(<!-- /${name} -->)`);
  writeFileSync(
    readme,
    before.replace(section, (_, start: string, end: string) => `${start}\n${text}\n${end}`),
  );
}

/** At three figures. */
export function toFigure(value: number): string {
  if (value >= 100) {
    return Math.round(value).toLocaleString("en");
  }
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** A goal of "at least". */
export function atLeast(what: string, measured: number, goal: number, because = ""): Goal {
  return { what, goal: `≥ ${goal}`, measured: toFigure(measured), met: measured >= goal, because };
}

/** A goal of "at most". */
export function atMost(what: string, measured: number, goal: number, because = ""): Goal {
  return { what, goal: `≤ ${toFigure(goal)}`, measured: toFigure(measured), met: measured <= goal, because };
}
