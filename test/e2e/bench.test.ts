import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { root } from "../docs/markdown.ts";

it("the bench of a life's cost runs without errors and keeps its goals", () => {
  const args = [join(root, "bench", "main.ts"), "--print", "cost"];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 100_000 });
  expect(status).toBe(0);
  expect(stdout).toContain("cost: 0 errors");
  expect(stdout.match(/\| +yes \|/g)).toHaveLength(3);
});
