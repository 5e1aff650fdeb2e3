import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const help = `Runs every check of the project; the first that fails ends the run.

  npm test

  npx vitest run --project unit|workers|matrix|e2e   one part of the tests, once the dependencies are installed
`;

const bundleDir = mkdtempSync(join(tmpdir(), "export-jobs-bundle-"));
const generated = "src/worker-configuration.d.ts";

type Check = [name: string, ...command: string[]];

/** Each check: what it shows, and the command. Quick ones first. */
const checks: Check[] = [
  ["types of the page", "tsc", "-p", "src/page/tsconfig.json"],
  ["page", "vite", "build", "--config", "src/page/vite.config.ts"],
  ["bindings", "wrangler", "types", generated, "--include-runtime=false", "--strict-vars=false", "--check"],
  ["types of src", "tsc", "-p", "tsconfig.json"],
  ["types of the client", "tsc", "-p", "src/client/tsconfig.json"],
  ["types of the command line", "tsc", "-p", "src/cli/tsconfig.json"],
  ["types of the renderer", "tsc", "-p", "renderer/tsconfig.json"],
  ["types of local and bench", "tsc", "-p", "local/tsconfig.json"],
  ["types of the bench's Worker", "tsc", "-p", "bench/worker/tsconfig.json"],
  ["types of test", "tsc", "-p", "test/tsconfig.json"],
  ["types of the simulator", "tsc", "-p", "test/faults/tsconfig.json"],
  ["lint, layers and format", "biome", "ci", "--reporter=summary", "."],
  ["bundle to deploy", "wrangler", "deploy", "--dry-run", "--outdir", bundleDir],
  ["tests in workerd", "vitest", "run", "--project", "workers", "--project", "matrix"],
  ["unit tests", "vitest", "run", "--project", "unit"],
  ["API document", "node", "test/openapi/check.ts", "--quick"],
  ["end-to-end tests", "vitest", "run", "--project", "e2e"],
];

/** Takes one processor, for minutes: goes on beside those behind it, and what it says is told at its end. */
const beside = "tests in workerd";

/** @param isQuiet what it says is told at its end */
async function run([name, command = "", ...args]: Check, isQuiet = false): Promise<boolean> {
  const started = Date.now();
  const child = spawn(command, args, {
    stdio: ["ignore", isQuiet ? "pipe" : "inherit", isQuiet ? "pipe" : "inherit"],
    env: { ...process.env, CI: "true" },
  });
  const said: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => said.push(chunk));
  }
  if (!isQuiet) {
    process.stdout.write(`\n> ${name}\n`);
  }
  const [status] = await once(child, "close");
  process.stdout.write(isQuiet ? `\n> ${name}\n${Buffer.concat(said).toString()}` : "");
  process.stdout.write(`${status === 0 ? "ok" : "FAILED"}: ${name}, ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
  return status === 0;
}

/** One after the other, but for the one that goes on beside them. @returns how many passed before one failed */
async function runAll(): Promise<number> {
  let besides = Promise.resolve(true);
  for (const [index, check] of checks.entries()) {
    if (check[0] === beside) {
      besides = run(check, true);
    } else if (!(await run(check))) {
      await besides;
      return index;
    }
  }
  return (await besides) ? checks.length : checks.length - 1;
}

if (process.argv.includes("--help")) {
  process.stdout.write(help);
} else {
  const started = Date.now();
  const passed = await runAll();
  rmSync(bundleDir, { recursive: true, force: true });
  process.stdout.write(`\nChecks in ${((Date.now() - started) / 1000).toFixed(1)} s:\n`);
  process.stdout.write(`${passed} passed, ${passed === checks.length ? 0 : 1} failed\n`);
  process.exit(passed === checks.length ? 0 : 1);
}
