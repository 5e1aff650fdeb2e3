import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "../../src/contract/zod.ts";
import { describedRoutes } from "../../src/document/routes.ts";
import { root } from "./markdown.ts";

describe("the bundle that is deployed", () => {
  let bundle: string;

  beforeAll(() => {
    const dir = mkdtempSync(join(tmpdir(), "export-jobs-bundle-"));
    const wrangler = join(root, "node_modules", ".bin", "wrangler");
    const { status } = spawnSync(wrangler, ["deploy", "--dry-run", "--outdir", dir], { cwd: root, stdio: "ignore" });
    expect(status).toBe(0);
    bundle = readFileSync(join(dir, "index.js"), "utf8");
    rmSync(dir, { recursive: true, force: true });
  }, 120_000);

  it("holds no fault point", () => {
    expect(bundle).toContain("adaptPorts");
    for (const word of ["afterCommit", "afterD1", "afterRead", "fault-points", "struck"]) {
      expect(bundle).not.toContain(word);
    }
  });

  it("holds nothing that only the API's document needs", () => {
    expect(describedRoutes.length).toBeGreaterThan(30);
    const words = ["securitySchemes", ...describedRoutes.map(({ summary = "" }) => summary)];
    expect(words.filter((one) => bundle.includes(one))).toEqual([]);
  });

  it("has 150 kB at most, compressed", () => {
    expect(gzipSync(bundle).byteLength).toBeLessThanOrEqual(150_000);
  });
});

it("what the Worker carries of zod is what its sources use", () => {
  const files = globSync(["src/*.ts", "src/{contract,core,store,runpod,view,object,http,tasks}/**/*.ts"], {
    cwd: root,
  });
  // Types need nothing at run time.
  const types = ["core", "infer", "input", "output", "ZodObject", "ZodRawShape", "ZodType"];
  const used = files.flatMap((file) => {
    const text = readFileSync(join(root, file), "utf8");
    return Array.from(text.matchAll(/\bz\.(\w+)/g), ([, name]) => name ?? "");
  });
  const needed = new Set(used.filter((name) => !types.includes(name)));
  expect(Object.keys(z).sort()).toEqual([...needed].sort());
});
