import { env } from "cloudflare:workers";
import { newId } from "../../src/core/ids.ts";
import { toTimestamp } from "../../src/core/time.ts";
import { openDatabase } from "../../src/store/database.ts";
import { insertJob } from "../../src/store/jobs.ts";
import type { ExportJobRow, NewExportJobRow } from "../../src/store/schema.ts";

/** A row as a creation makes it, without an object behind it. */
export function newRow(extra: Partial<NewExportJobRow> = {}): NewExportJobRow {
  const now = toTimestamp(Date.now());
  return {
    id: newId(),
    tenantId: "t",
    projectId: 1,
    type: "overlay",
    params: { include_audio: true, highlight_regions: [], effect_type: "blur" },
    inputVideoKey: "input/t/u/a.mp4",
    maxRetries: 3,
    createdAt: now,
    updatedAt: now,
    ...extra,
  };
}

/** Writes a row; the quota is one that no test comes near. */
export async function insertRow(extra: Partial<NewExportJobRow> = {}): Promise<ExportJobRow> {
  const row = await insertJob(openDatabase(env.DB), newRow(extra), 10_000_000);
  if (!row) {
    throw new Error("The row was not written.");
  }
  return row;
}
