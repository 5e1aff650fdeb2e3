import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;
export const root = join(here, "..", "..");
const quiet = { REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
/** What npm says when the registry is out of reach. */
const awayCodes =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|ENOTCACHED)\b/;

/** The folder of the tools' commands. They are many and large, and so are installed where nothing else looks. */
export type Tools = string;

/** @param whole with those that `npm test` does without @returns null when the registry cannot be reached */
export function installTools(whole: boolean): Tools | null {
  const dir = join(root, ".local", "openapi-tools", whole ? "whole" : "usual");
  const [lock, installed] = [join(here, "package-lock.json"), join(dir, "node_modules", ".package-lock.json")];
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
    mkdirSync(dir, { recursive: true });
    for (const name of ["package.json", "package-lock.json"]) {
      copyFileSync(join(here, name), join(dir, name));
    }
    const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1"];
    const npm = spawnSync("npm", [...args, ...(whole ? [] : ["--omit=dev"])], { cwd: dir, encoding: "utf8" });
    if (npm.status !== 0) {
      if (awayCodes.test(npm.stderr)) {
        return null;
      }
      throw new Error(`The tools could not be installed:\n${npm.stderr}`);
    }
  }
  return join(dir, "node_modules", ".bin");
}

/** Runs a program to its end. @returns what it wrote. @throws Error with its words when it fails and may not */
export function run(command: string, args: string[], { cwd = root, mayFail = false } = {}): Promise<string> {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...quiet }, stdio: ["ignore", "pipe", "pipe"] });
  const said = { out: "", all: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    said.out += chunk.toString();
    said.all += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    said.all += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 || mayFail ? resolve(said.out) : reject(new Error(`${command}\n${said.all}`)),
    );
  });
}
