import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";
import { z } from "zod";
import { startStack } from "../../local/stack.ts";
import { makeTestVideo } from "../../local/test-video.ts";

const here = import.meta.dirname;
const root = join(here, "..", "..");
/** The tools are many and large: what they need is installed where nothing else looks, when this runs first. */
const toolsDir = join(root, ".local", "openapi-tools");
const quiet = { REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };

function installTools(): void {
  const [lock, installed] = [join(here, "package-lock.json"), join(toolsDir, "node_modules", ".package-lock.json")];
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) {
    return;
  }
  mkdirSync(toolsDir, { recursive: true });
  for (const name of ["package.json", "package-lock.json"]) {
    copyFileSync(join(here, name), join(toolsDir, name));
  }
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync("npm", args, { cwd: toolsDir, stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) {
    throw new Error("The tools could not be installed.");
  }
}

/** Runs a program to its end. @returns what it wrote. @throws Error with its words when it fails and may not */
function run(command: string, args: string[], { cwd = root, mayFail = false } = {}): Promise<string> {
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

const tool = (name: string) => join(toolsDir, "node_modules", ".bin", name);

const Redocly = z.looseObject({ problems: z.array(z.looseObject({ ruleId: z.string(), message: z.string() })) });
const Spectral = z.array(z.looseObject({ code: z.string(), message: z.string() }));

/** What the linters have to say: nothing, if all is well. */
async function lint(dir: string, document: string): Promise<string[]> {
  writeFileSync(join(dir, "redocly.yaml"), "extends: [recommended]\n");
  writeFileSync(join(dir, "spectral.yaml"), 'extends: ["spectral:oas"]\n');
  const options = { cwd: dir, mayFail: true };
  const redocly = await run(tool("redocly"), ["lint", document, "--format=json", "--max-problems=1000"], options);
  const spectral = await run(tool("spectral"), ["lint", document, "-r", "spectral.yaml", "-f", "json", "-q"], options);
  return [
    ...Redocly.parse(JSON.parse(redocly)).problems.map(({ ruleId, message }) => `redocly ${ruleId}: ${message}`),
    ...Spectral.parse(JSON.parse(spectral)).map(({ code, message }) => `spectral ${code}: ${message}`),
  ];
}

const named = { rolldownOptions: { output: { entryFileNames: "walk.mjs" } } };

/** Clients as others make them from the document; both must compile as strictly as anybody may. */
async function makeClients(dir: string, document: string): Promise<void> {
  await run(tool("openapi-typescript"), [document, "-o", join(dir, "types.ts")]);
  await run(tool("openapi-ts"), ["-i", document, "-o", join(dir, "client")]);
  copyFileSync(join(here, "walk-client.ts"), join(dir, "walk-client.ts"));
  const compilerOptions = {
    ...{ strict: true, noUncheckedIndexedAccess: true, noEmit: true, skipLibCheck: false, target: "es2024" },
    ...{ module: "esnext", moduleResolution: "bundler", allowImportingTsExtensions: true, types: ["node"] },
    ...{ lib: ["es2024", "dom", "dom.iterable"], typeRoots: [join(root, "node_modules", "@types")] },
  };
  writeFileSync(join(dir, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["walk-client.ts", "types.ts"] }));
  await run(join(root, "node_modules", ".bin", "tsc"), ["-p", dir]);
  await build({
    ...{ configFile: false, root: dir, logLevel: "error" },
    build: { ssr: join(dir, "walk-client.ts"), outDir: join(dir, "walk"), target: "node20", ...named },
  });
}

async function check(dir: string): Promise<void> {
  const stack = await startStack({ dataDir: join(dir, "data"), workers: 1 });
  try {
    const document = join(dir, "openapi.json");
    writeFileSync(document, await (await fetch(`${stack.url}/openapi.json`)).text());
    const complaints = await lint(dir, document);
    if (complaints.length > 0) {
      throw new Error(complaints.join("\n"));
    }
    process.stdout.write("redocly and spectral: 0 errors, 0 warnings\n");
    await makeClients(dir, document);
    process.stdout.write("openapi-typescript and hey-api: their clients compile\n");
    const video = join(dir, "match.mp4");
    await makeTestVideo(video, 1);
    const status = await run(process.execPath, [join(dir, "walk", "walk.mjs"), stack.url, stack.apiKey, video]);
    if (status.trim() !== "complete") {
      throw new Error(`The export by the generated client ended as ${status}`);
    }
    process.stdout.write("an export by the generated client: complete\n");
  } finally {
    await stack.stop();
  }
}

installTools();
const dir = mkdtempSync(join(tmpdir(), "export-openapi-"));
try {
  await check(dir);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
