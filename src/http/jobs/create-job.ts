import type { CreatedJob, CreateJob } from "../../contract/create-job.ts";
import { isUploadOf, mayUseProject, ownerFor } from "../../core/access.ts";
import { toCanonicalJson } from "../../core/canonical-json.ts";
import { newId } from "../../core/ids.ts";
import { isInputKeyOf, uploadIdOf } from "../../core/object-keys.ts";
import { sha256Hex } from "../../core/signing.ts";
import { toTimestamp } from "../../core/time.ts";
import { newWatchToken } from "../../core/tokens.ts";
import { deriveWebhookSecret } from "../../core/webhook-signing.ts";
import type { Settings } from "../../env.ts";
import { openDatabase } from "../../store/database.ts";
import { findActiveTwin, findFinishedTwin, findJobByIdempotencyKey, insertJob } from "../../store/jobs.ts";
import type { ExportJobRow, NewExportJobRow } from "../../store/schema.ts";
import { findUpload } from "../../store/uploads.ts";
import { findVideo } from "../../store/videos.ts";
import { toJob } from "../../view/job-view.ts";
import type { Call, Host } from "../edge/call.ts";
import { AppError } from "../edge/problem.ts";
import { requireTarget } from "../webhooks/webhook-target.ts";
import { hashRequest, isSameRequest, requireIdempotencyKey } from "./idempotency.ts";
import { withLiveState } from "./job-object.ts";
import { startJob } from "./start-job.ts";

type Creation = { row: ExportJobRow; readonly replayed: boolean };

/** The body before defaults were filled in, and by which name the same request is known again. */
type Sent = Readonly<{ sent: unknown; idempotencyKey: string | undefined }>;

/** Makes the job, or finds the one that the same request made before (I2). */
export async function createJob(call: Call, request: CreateJob, { sent, idempotencyKey }: Sent): Promise<Creation> {
  const { tenantId } = call.caller;
  const userId = requireOwner(call, request);
  requireTarget(call.settings, "/webhook_url", request.webhook_url);
  const key = requireIdempotencyKey(idempotencyKey);
  const requestHash = key === null ? null : await hashRequest(sent, request, userId);
  const db = openDatabase(call.env.DB);
  const earlier = key === null ? null : await findJobByIdempotencyKey(db, tenantId, key);
  if (earlier) {
    return replay(call, earlier, requestHash);
  }
  const inputSize = await requireInput(call, request.input_video_key);
  const { maxActiveJobs } = call.settings;
  const { fingerprint, borrowed } = await readReuse(call, request, userId);
  const row = { ...toRow(call, request), fingerprint, userId, inputSize, idempotencyKey: key, requestHash };
  const insert = (reused: Partial<NewExportJobRow>) => insertJob(db, { ...row, ...reused }, maxActiveJobs);
  // The lender may have been removed since it was found.
  const inserted = (borrowed && (await insert(borrowed))) ?? (await insert({}));
  if (inserted) {
    // Behind the answer: a new object takes longer than all the rest, and whoever comes before it begins it.
    call.later(startJob(call.env, inserted));
    return { row: inserted, replayed: false };
  }
  const winner = key === null ? null : await findJobByIdempotencyKey(db, tenantId, key);
  if (winner) {
    return replay(call, winner, requestHash);
  }
  const twin = fingerprint === null ? null : await findActiveTwin(db, tenantId, fingerprint);
  if (!twin) {
    throw quotaExceeded(call.settings);
  }
  return { row: await withLiveState(call.env, twin), replayed: true };
}

/** As many jobs of the tenant are active as may be. */
export function quotaExceeded({ maxActiveJobs }: Pick<Settings, "maxActiveJobs">): AppError {
  return new AppError("quota_exceeded", { detail: `At most ${maxActiveJobs} jobs may be active at once.` });
}

type Reuse = Readonly<{
  fingerprint: string | null;
  /** The columns of a job that shows another's output; null to do the work. */
  borrowed: Partial<NewExportJobRow> | null;
}>;

/** What makes the job one that others may stand for, and with `result` the output of one that has done the same. */
async function readReuse(call: Call, request: CreateJob, userId: string | null): Promise<Reuse> {
  if (request.reuse === "off") {
    return { fingerprint: null, borrowed: null };
  }
  const { project_id, type, input_video_key, params } = request;
  const fingerprint = await sha256Hex(toCanonicalJson([project_id, userId, type, input_video_key, params]));
  const db = openDatabase(call.env.DB);
  const { tenantId } = call.caller;
  const twin = request.reuse === "result" ? await findFinishedTwin(db, tenantId, fingerprint) : null;
  const isThere = twin?.outputVideoKey && (await findVideo(call.env.VIDEOS, twin.outputVideoKey));
  if (!twin || !isThere) {
    return { fingerprint, borrowed: null };
  }
  const now = toTimestamp(Date.now());
  const { outputVideoKey, outputSize, outputEtag } = twin;
  // Not settled: the sweep sees it until its object has told those who are to be told.
  const end = { status: "complete", stage: "done", progress: 100, startedAt: now, completedAt: now } as const;
  return { fingerprint, borrowed: { ...end, reusedFrom: twin.id, outputVideoKey, outputSize, outputEtag } };
}

/** Whose the job will be. @throws AppError when the caller may not create such a one */
function requireOwner(call: Call, { project_id, user_id }: CreateJob): string | null {
  const caller = call.caller;
  const owner = ownerFor(caller, user_id ?? null);
  if (owner === undefined || !mayUseProject(caller, project_id)) {
    const what = owner === undefined ? "of another user" : "in this project";
    throw new AppError("insufficient_scope", { detail: `The credential creates no jobs ${what}.` });
  }
  return owner;
}

/** The same key with the same body is the same job, as it is now. */
async function replay(call: Call, row: ExportJobRow, requestHash: string | null): Promise<Creation> {
  if (!isSameRequest(row.requestHash, requestHash)) {
    throw new AppError("idempotency_key_reused");
  }
  return { row: await withLiveState(call.env, row), replayed: true };
}

/** @returns its size in bytes @throws AppError `input_not_found` */
async function requireInput(call: Call, key: string): Promise<number> {
  const { tenantId } = call.caller;
  const size = (isInputKeyOf(tenantId, key) && (await findVideo(call.env.VIDEOS, key))?.size) || 0;
  if (size === 0 || !(await mayUseInput(call, key))) {
    const errors = [{ pointer: "/input_video_key", detail: "names no uploaded video" }];
    throw new AppError("input_not_found", { errors });
  }
  return size;
}

/** Who is held to some projects, or is a user, works with uploads of their own only. */
async function mayUseInput(call: Call, key: string): Promise<boolean> {
  const caller = call.caller;
  if (caller.kind === "backend" && caller.projectIds === null) {
    return true;
  }
  const upload = await findUpload(openDatabase(call.env.DB), caller.tenantId, uploadIdOf(key));
  return upload !== null && isUploadOf(caller, upload);
}

function toRow(call: Call, request: CreateJob): NewExportJobRow {
  const now = toTimestamp(Date.now());
  return {
    id: newId(),
    tenantId: call.caller.tenantId,
    projectId: request.project_id,
    type: request.type,
    params: request.params,
    inputVideoKey: request.input_video_key,
    metadata: request.metadata,
    maxRetries: request.max_retries ?? call.settings.maxRetries,
    startWithinSeconds: request.start_within_seconds ?? null,
    maxRunSeconds: request.max_run_seconds ?? null,
    webhookUrl: request.webhook_url ?? null,
    webhookEvents: request.webhook_events ?? null,
    createdAt: now,
    updatedAt: now,
  };
}

/** The answer to a creation: the job, and a token for the browser that will watch it. */
export async function toCreatedJob({ settings }: Host, row: ExportJobRow): Promise<CreatedJob> {
  const now = Date.now();
  const watcher = { jobId: row.id, tenantId: row.tenantId };
  const clientToken = await newWatchToken(settings.signingKeys, watcher, now);
  const job = { ...(await toJob(row, settings, now)), client_token: clientToken };
  const [{ secret }] = settings.signingKeys;
  return row.webhookUrl === null ? job : { ...job, webhook_secret: await deriveWebhookSecret(secret, row.id) };
}
