import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { migrate, stateDir } from "../../local/stack.ts";

/** Migrates one database, by wrangler, which takes ten seconds: every end-to-end test begins with a copy of it. */
export default function setup(project: TestProject): () => void {
  const dir = mkdtempSync(join(tmpdir(), "export-jobs-migrated-"));
  migrate(dir);
  project.provide("migratedState", stateDir(dir));
  return () => rmSync(dir, { recursive: true, force: true });
}
