import type { CreatedJob, CreateJob } from "../contract/create-job.ts";
import { describeError } from "../core/errors.ts";
import { newId } from "../core/ids.ts";
import { isInputKeyOf } from "../core/object-keys.ts";
import { sha256Hex } from "../core/signing.ts";
import { toTimestamp } from "../core/time.ts";
import { newWatchToken } from "../core/tokens.ts";
import { toJobSpec } from "../object/job-spec.ts";
import { openDatabase } from "../store/database.ts";
import { findJobByIdempotencyKey, insertJob } from "../store/jobs.ts";
import type { ExportJobRow, NewExportJobRow } from "../store/schema.ts";
import { findVideo } from "../store/videos.ts";
import type { AppContext } from "./app-env.ts";
import { jobObject, withLiveState } from "./job-object.ts";
import { toJob } from "./job-view.ts";
import { AppError } from "./problem.ts";

type Creation = Readonly<{ row: ExportJobRow; replayed: boolean }>;

/** Makes the job, or finds the one that the same request made before (I2). */
export async function createJob(c: AppContext, tenantId: string, request: CreateJob): Promise<Creation> {
  const key = readIdempotencyKey(c);
  const requestHash = key === null ? null : await sha256Hex(JSON.stringify(request));
  const db = openDatabase(c.env.DB);
  const earlier = key === null ? null : await findJobByIdempotencyKey(db, tenantId, key);
  if (earlier) {
    return replay(c, earlier, requestHash);
  }
  await requireInput(c, tenantId, request.input_video_key);
  const row = await insertJob(db, { ...toRow(c, tenantId, request), idempotencyKey: key, requestHash });
  if (row) {
    return { row: await start(c, row), replayed: false };
  }
  const winner = key === null ? null : await findJobByIdempotencyKey(db, tenantId, key);
  if (!winner) {
    throw new Error("The row was neither written nor found.");
  }
  return replay(c, winner, requestHash);
}

/** The same key with the same body is the same job, as it is now. */
async function replay(c: AppContext, row: ExportJobRow, requestHash: string | null): Promise<Creation> {
  if (row.requestHash !== requestHash) {
    throw new AppError("idempotency_key_reused");
  }
  return { row: await withLiveState(c.env, row), replayed: true };
}

function readIdempotencyKey(c: AppContext): string | null {
  const key = c.req.header("idempotency-key");
  if (key !== undefined && !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new AppError("invalid_idempotency_key");
  }
  return key ?? null;
}

async function requireInput(c: AppContext, tenantId: string, key: string): Promise<void> {
  const object = isInputKeyOf(tenantId, key) ? await findVideo(c.env.VIDEOS, key) : null;
  if (!object || object.size === 0) {
    const errors = [{ pointer: "/input_video_key", detail: "names no uploaded video" }];
    throw new AppError("input_not_found", { errors });
  }
}

function toRow(c: AppContext, tenantId: string, request: CreateJob): NewExportJobRow {
  const now = toTimestamp(Date.now());
  return {
    id: newId(),
    tenantId,
    projectId: request.project_id,
    userId: request.user_id ?? null,
    type: request.type,
    params: request.params,
    inputVideoKey: request.input_video_key,
    metadata: request.metadata,
    maxRetries: request.max_retries ?? c.get("settings").maxRetries,
    startWithinSeconds: request.start_within_seconds ?? null,
    maxRunSeconds: request.max_run_seconds ?? null,
    createdAt: now,
    updatedAt: now,
  };
}

/** The row is durable and so is the job: a start that fails here is not the caller's trouble. */
async function start(c: AppContext, row: ExportJobRow): Promise<ExportJobRow> {
  try {
    return { ...row, ...(await jobObject(c.env, row.id).start(toJobSpec(row))) };
  } catch (error) {
    const message = describeError(error);
    console.warn(JSON.stringify({ level: "warn", during: "start", job_id: row.id, message }));
    return row;
  }
}

/** The answer to a creation: the job, and a token for the browser that will watch it. */
export async function toCreatedJob(c: AppContext, { row }: Creation): Promise<CreatedJob> {
  const settings = c.get("settings");
  const now = Date.now();
  const watcher = { jobId: row.id, tenantId: row.tenantId };
  const clientToken = await newWatchToken(settings.signingKeys, watcher, now);
  return { ...(await toJob(row, settings, now)), client_token: clientToken };
}
