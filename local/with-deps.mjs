// Runs one of the project's scripts on a fresh clone: installs the dependencies if they are missing or out of date, and
// uses the Node that they bring. Plain JavaScript for Node 20: it runs before anything is installed.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, "node_modules", ".bin");

const [script, ...args] = process.argv.slice(2);
if (!script) {
  fail("Usage: node local/with-deps.mjs <script.ts> [arguments]");
}

if (!isInstalled()) {
  process.stderr.write("Installing the dependencies (once, about half a minute) ...\n");
  const started = Date.now();
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    fail("npm ci failed; its message is above. The npm registry must be reachable.");
  }
  process.stderr.write(`Installed in ${((Date.now() - started) / 1000).toFixed(1)} s.\n`);
}

const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ""}` };
const child = spawn(findNode(), [join(root, script), ...args], { cwd: root, stdio: "inherit", env });
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => child.kill(signal));
}
child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal ?? "SIGKILL"] ?? 0)));

function isInstalled() {
  const lock = join(root, "package-lock.json");
  const installed = join(root, "node_modules", ".package-lock.json");
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs;
}

function findNode() {
  const [own, mine] = [join(bin, "node"), process.execPath];
  if (existsSync(own) && spawnSync(own, ["--version"]).status === 0) {
    return own;
  }
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) {
    return mine;
  }
  return fail(
    `This platform's dependencies bring no Node of their own: install Node 22.18 or newer (this is ${process.versions.node}).`,
  );
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
