import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const data = mkdtempSync(join(tmpdir(), "export-jobs-keys-"));
afterAll(() => rmSync(data, { recursive: true, force: true }));

it.each(["7,", "", ",", "7,,8", "0x7", "7 8", "-1", "1e2"])(
  "a key is held to the projects that were named, and to none by mistake: --projects '%s' is refused",
  (projects) => {
    const args = ["local/keys.ts", "create", "--tenant", "acme", "--data", data, "--projects", projects];
    const { status, stderr, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("--projects");
  },
);
