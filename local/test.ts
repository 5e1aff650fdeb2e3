import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const help = `Runs every check of the project; the first that fails ends the run.

  npm test

  npx vitest run --project unit|workers|matrix|e2e   one part of the tests, once the dependencies are installed
`;

const bundleDir = mkdtempSync(join(tmpdir(), "export-jobs-bundle-"));
const generated = "src/worker-configuration.d.ts";

/** Each check: what it shows, and the command. Quick ones first. */
const checks: [string, ...string[]][] = [
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
  ["tests", "vitest", "run", "--project", "unit", "--project", "workers", "--project", "matrix"],
  ["API document", "node", "test/openapi/check.ts", "--quick"],
  // Alone: real processes and ffmpeg want the machine for themselves.
  ["end-to-end tests", "vitest", "run", "--project", "e2e"],
];

function run([name, command = "", ...args]: (typeof checks)[number]): boolean {
  const started = Date.now();
  process.stdout.write(`\n> ${name}\n`);
  const { status } = spawnSync(command, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, CI: "true" },
  });
  process.stdout.write(`${status === 0 ? "ok" : "FAILED"}: ${name}, ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
  return status === 0;
}

if (process.argv.includes("--help")) {
  process.stdout.write(help);
} else {
  const started = Date.now();
  const failed = checks.findIndex((check) => !run(check));
  rmSync(bundleDir, { recursive: true, force: true });
  const passed = failed < 0 ? checks.length : failed;
  process.stdout.write(`\nChecks in ${((Date.now() - started) / 1000).toFixed(1)} s:\n`);
  process.stdout.write(`${passed} passed, ${failed < 0 ? 0 : 1} failed\n`);
  process.exit(failed < 0 ? 0 : 1);
}
