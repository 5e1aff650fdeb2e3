import { spawnSync } from "node:child_process";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildPackage } from "../../local/package/build.ts";
import { root } from "../docs/markdown.ts";

const name = "@reel-ballers/export-jobs";
const tsc = join(root, "node_modules", ".bin", "tsc");

let dir = "";
let project = "";
let installed = "";

/** Runs a program in the project. @returns what it said; a failure's words make the test fail */
function run(command: string, args: string[], cwd = project): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8" });
  expect({ status, said: status === 0 ? "" : stdout + stderr }).toEqual({ status: 0, said: "" });
  return stdout;
}

/** Compiles one file as strictly as anybody may. */
function compile(file: string, text: string, options: object): void {
  writeFileSync(join(project, file), text);
  const compilerOptions = { strict: true, noEmit: true, skipLibCheck: false, target: "es2024", types: [], ...options };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [file] }));
  run(tsc, ["-p", "."]);
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "export-package-"));
  project = join(dir, "project");
  installed = join(project, "node_modules", name);
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
  await buildPackage(join(dir, "npm"));
  const [{ filename }] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", dir], join(dir, "npm")));
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", join(dir, filename)]);
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("the package", () => {
  it("brings nothing with it into an empty project, and its command runs", () => {
    expect(readdirSync(join(project, "node_modules")).filter((entry) => !entry.startsWith("."))).toEqual([
      "@reel-ballers",
    ]);
    expect(readdirSync(installed).sort()).toEqual([
      ...["LICENSE", "README.md", "cli.js", "client", "contract", "package.json", "zod-license.txt"],
    ]);
    expect(run(join(project, "node_modules", ".bin", "export-jobs"), ["--help"])).toContain("export-jobs submit");
    const named = globSync("**/*.{js,ts}", { cwd: installed }).flatMap((file) => {
      const text = readFileSync(join(installed, file), "utf8");
      return [...text.matchAll(/\b(?:from|import)\s*\(?"([^".][^"]*)"/g)].map(([, from = ""]) => from);
    });
    expect(named.filter((from) => from !== "react" && !from.startsWith("node:"))).toEqual([]);
  });

  it("is found by its name, at run time and by the compiler", () => {
    const use = `import { ExportJobs, type Job } from "${name}";
      import { LiveJob, LiveList } from "${name}/live";
      import { verifyWebhook } from "${name}/verify";
      export const models = [LiveJob, LiveList, verifyWebhook];
      const exports = new ExportJobs({ url: "http://127.0.0.1:1", token: "x" });
      export const read = async (id: string): Promise<Job["status"]> => (await exports.jobs.get(id)).status;
      // @ts-expect-error a crop needs keyframes
      export const wrong = () => exports.jobs.create({ project_id: 7, type: "framing", input_video_key: "k", params: {} });`;
    const lib = ["es2024", "dom", "dom.iterable", "dom.asynciterable"];
    compile("nodenext.ts", use, { module: "nodenext", lib });
    compile("bundler.ts", use, {
      module: "esnext",
      moduleResolution: "bundler",
      exactOptionalPropertyTypes: true,
      lib,
    });
    const script = `import { ExportJobs } from "${name}"; console.log(typeof new ExportJobs({ url: "", token: "" }).run)`;
    expect(run(process.execPath, ["--input-type=module", "-e", script])).toBe("function\n");
    const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
    expect(Object.keys(exports)).toEqual([".", "./documents", "./live", "./react", "./verify"]);
    for (const file of Object.values<Record<string, string>>(exports).flatMap((entry) => Object.values(entry))) {
      expect(existsSync(join(installed, file))).toBe(true);
    }
  });

  it("declares just what the contract says", () => {
    const modules = globSync("**/*.d.ts", { cwd: join(installed, "contract") });
    const lines = modules.flatMap((file, index) => {
      const source = join(root, "src", "contract", file.replace(/\.d\.ts$/, ".ts"));
      const types = [...readFileSync(source, "utf8").matchAll(/^export type (\w+) = z\./gm)].map(([, type]) => type);
      expect(types.length).toBeGreaterThan(0);
      return [
        `import type * as there${index} from "${join(installed, "contract", file.replace(/\.d\.ts$/, ".js"))}";`,
        `import type * as here${index} from "${source}";`,
        ...types.map(
          (type) => `export const ${type}${index}: Same<there${index}.${type}, here${index}.${type}> = true;`,
        ),
      ];
    });
    const same = "type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;";
    compile("same.ts", [same, ...lines].join("\n"), {
      ...{ module: "esnext", moduleResolution: "bundler", allowImportingTsExtensions: true, skipLibCheck: true },
      ...{ exactOptionalPropertyTypes: true, lib: ["es2024", "dom"] },
    });
  });

  it("has 6 kB at most of a page's code, compressed", async () => {
    writeFileSync(join(project, "page.js"), `export { ExportJobs } from "${name}";`);
    const output = await build({
      ...{ configFile: false, root: project, logLevel: "error" },
      build: {
        ...{ write: false, minify: true },
        rolldownOptions: { input: join(project, "page.js"), preserveEntrySignatures: "strict" },
      },
    });
    const made = [output].flat().flatMap((one) => ("output" in one ? one.output : []));
    const code = made.map((file) => ("code" in file ? file.code : "")).join("");
    expect(code).toContain("Bearer");
    const size = gzipSync(code).byteLength;
    console.info(`the client: ${size} B, compressed`);
    expect(size).toBeLessThanOrEqual(6_000);
  });
});
