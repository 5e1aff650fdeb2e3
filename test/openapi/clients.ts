import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";
import { root, run, type Tools } from "./tools.ts";

/** Clients as others make them from the document; they must compile as strictly as anybody may. */
export async function makeClients(tools: Tools, dir: string, document: string, whole: boolean): Promise<void> {
  await Promise.all([
    run(join(tools, "openapi-ts"), ["-i", document, "-o", join(dir, "client")]),
    whole && run(join(tools, "openapi-typescript"), [document, "-o", join(dir, "types.ts")]),
  ]);
  copyFileSync(join(import.meta.dirname, "walk-client.ts"), join(dir, "walk-client.ts"));
  const compilerOptions = {
    ...{ strict: true, noUncheckedIndexedAccess: true, noEmit: true, skipLibCheck: false, target: "es2024" },
    ...{ module: "esnext", moduleResolution: "bundler", allowImportingTsExtensions: true, types: ["node"] },
    ...{ lib: ["es2024", "dom", "dom.iterable"], typeRoots: [join(root, "node_modules", "@types")] },
  };
  const files = ["walk-client.ts", ...(whole ? ["types.ts"] : [])];
  writeFileSync(join(dir, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  await run(join(root, "node_modules", ".bin", "tsc"), ["-p", dir]);
}

const named = { rolldownOptions: { output: { entryFileNames: "walk.mjs" } } };

/** Makes an export by the client that was generated. @returns the job's last status */
export async function runGenerated(dir: string, args: string[]): Promise<string> {
  await build({
    ...{ configFile: false, root: dir, logLevel: "error" },
    build: { ssr: join(dir, "walk-client.ts"), outDir: join(dir, "walk"), target: "node20", ...named },
  });
  return (await run(process.execPath, [join(dir, "walk", "walk.mjs"), ...args])).trim();
}
