import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The URL that a file below `src` is imported by. */
export function urlOf(file: string): string {
  return new URL(`../../../src/${file}`, import.meta.url).href;
}

const core = [
  "machine",
  "run-signals",
  "status-signals",
  "live-signals",
  "output-signals",
  "upkeep-signals",
  "attempts",
  "debts",
  "duty",
  "audience",
  "next-action",
  "pace",
  "retry",
  "saved-state",
  "kept-progress",
  "job-state",
];
const object = ["engine", "effects", "job-memory", "job-shell", "alarm-guard", "provider-calls"];

/** The protocol: what decides, and what carries it out. Paths below `src`. */
export const mutatedFiles: readonly string[] = [
  ...core.map((name) => `core/${name}.ts`),
  ...object.map((name) => `object/${name}.ts`),
];

export function readSource(file: string): string {
  return readFileSync(fileURLToPath(urlOf(file)), "utf8");
}
