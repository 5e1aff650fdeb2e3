import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { root } from "./markdown.ts";

it("the bundle that is deployed holds no fault point", () => {
  const dir = mkdtempSync(join(tmpdir(), "export-jobs-bundle-"));
  const wrangler = join(root, "node_modules", ".bin", "wrangler");
  const { status } = spawnSync(wrangler, ["deploy", "--dry-run", "--outdir", dir], { cwd: root, stdio: "ignore" });
  const bundle = readFileSync(join(dir, "index.js"), "utf8");
  rmSync(dir, { recursive: true, force: true });
  expect(status).toBe(0);
  expect(bundle).toContain("adaptPorts");
  for (const word of ["afterCommit", "afterD1", "afterRead", "fault-points", "struck"]) {
    expect(bundle).not.toContain(word);
  }
});
