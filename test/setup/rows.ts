import { env } from "cloudflare:workers";
import { newId } from "../../src/core/ids.ts";
import { toTimestamp } from "../../src/core/time.ts";
import { openDatabase } from "../../src/store/database.ts";
import { insertJob } from "../../src/store/jobs.ts";
import type { ExportJobRow, NewExportJobRow } from "../../src/store/schema.ts";
import { completeUpload, insertUpload } from "../../src/store/uploads.ts";

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

/** A quota that no test comes near. */
const amply = { maxBytes: 1e15, maxBytesOfUser: 1e15, maxPendingOfUser: 1_000_000 };

/** A video that a backend of the tenant has uploaded. @returns its key */
export async function storeInput(tenantId: string, body = "a video"): Promise<string> {
  const db = openDatabase(env.DB);
  const [id, now] = [newId(), toTimestamp(Date.now())];
  const objectKey = `input/${tenantId}/${id}/a.mp4`;
  const file = { filename: "a.mp4", contentType: "video/mp4", size: body.length, objectKey } as const;
  await insertUpload(db, { tenantId, id, projectId: 1, ...file, createdAt: now, expiresAt: now }, amply);
  await env.VIDEOS.put(objectKey, body);
  await completeUpload(db, { tenantId, id }, now);
  return objectKey;
}
