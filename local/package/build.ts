import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { build } from "vite";
import { z } from "zod";
import { toDeclarations } from "./contract-types.ts";

const root = resolve(import.meta.dirname, "..", "..");
const contract = join(root, "src", "contract");
/** What the package is installed by; whoever publishes it puts their own scope here. */
const packageName = "@reel-ballers/export-jobs";

const Manifest = z.object({ version: z.string(), license: z.string() });

function listFiles(dir: string, end: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(end))
    .map((name) => join(dir, name));
}

/** The client as modules, with declarations; of the contract it imports types alone, so that its code stays behind. */
function compileClient(target: string): void {
  const args = ["-p", join(root, "src", "client", "tsconfig.build.json"), "--outDir", target];
  const { status, stdout } = spawnSync(join(root, "node_modules", ".bin", "tsc"), args, { encoding: "utf8" });
  if (status !== 0) {
    throw new Error(`The client does not compile:\n${stdout}`);
  }
}

/** In place of the contract's own declarations, which speak of zod, those that say the same without it. */
async function declareContract(target: string): Promise<void> {
  const imported = /from "(\.\.\/contract\/[\w/-]+)\.[jt]s"|import\("(\.\.\/contract\/[\w/-]+)\.[jt]s"\)/g;
  const texts = listFiles(join(target, "client"), ".d.ts").map((file) => readFileSync(file, "utf8"));
  const named = texts.flatMap((text) => [...text.matchAll(imported)].map(([, one, other]) => one ?? other ?? ""));
  rmSync(join(target, "contract"), { recursive: true });
  for (const name of new Set(named.map((path) => path.replace("../contract/", "")))) {
    const source = join(contract, `${name}.ts`);
    const file = join(target, "contract", `${name}.d.ts`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, toDeclarations(readFileSync(source, "utf8"), await import(source)));
  }
}

/** The command line in one file, with what it needs of zod inside. */
export async function bundleCli(target: string): Promise<void> {
  await build({
    configFile: false,
    root,
    logLevel: "warn",
    resolve: { alias: [{ find: /^zod$/, replacement: join(contract, "zod.ts") }] },
    ssr: { noExternal: true },
    build: {
      ssr: join(root, "src", "cli", "main.ts"),
      target: "node20",
      minify: true,
      outDir: target,
      emptyOutDir: false,
      rolldownOptions: { output: { entryFileNames: "cli.js" } },
    },
  });
  chmodSync(join(target, "cli.js"), 0o755);
}

const entry = (name: string) => ({ types: `./client/${name}.d.ts`, default: `./client/${name}.js` });

function writeManifest(target: string): void {
  const { version, license } = Manifest.parse(JSON.parse(readFileSync(join(root, "package.json"), "utf8")));
  const manifest = {
    ...{ name: packageName, version, license, type: "module", sideEffects: false },
    description: "The client and the command line of an export-job service.",
    engines: { node: ">=20" },
    exports: {
      ".": entry("index"),
      "./documents": entry("documents"),
      "./live": entry("live"),
      "./react": entry("react"),
      "./verify": entry("verify"),
    },
    bin: { "export-jobs": "cli.js" },
    files: ["client", "contract", "cli.js", "zod-license.txt"],
    peerDependencies: { react: ">=18" },
    peerDependenciesMeta: { react: { optional: true } },
  };
  writeFileSync(join(target, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Writes the package of the client and the command line. */
export async function buildPackage(target = join(root, "dist", "npm")): Promise<void> {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  compileClient(target);
  await declareContract(target);
  await bundleCli(target);
  writeManifest(target);
  copyFileSync(join(root, "LICENSE"), join(target, "LICENSE"));
  copyFileSync(join(root, "docs", "client.md"), join(target, "README.md"));
  // The command line carries a part of it.
  copyFileSync(join(root, "node_modules", "zod", "LICENSE"), join(target, "zod-license.txt"));
}

if (import.meta.main) {
  await buildPackage();
  const { status } = spawnSync("npm", ["pack", "--pack-destination", ".."], {
    cwd: join(root, "dist", "npm"),
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32",
  });
  process.exitCode = status ?? 1;
}
