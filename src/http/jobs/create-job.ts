import type { CreatedJob, CreateJob } from "../../contract/create-job.ts";
import { maySee, mayUseProject, ownerFor } from "../../core/access.ts";
import { toCanonicalJson } from "../../core/canonical-json.ts";
import { newId } from "../../core/ids.ts";
import { sha256Hex } from "../../core/signing.ts";
import { toTimestamp } from "../../core/time.ts";
import { newWatchToken } from "../../core/tokens.ts";
import { deriveWebhookSecret } from "../../core/webhook-signing.ts";
import type { Settings } from "../../env.ts";
import { openDatabase } from "../../store/database.ts";
import { findFinishedTwin, insertJob } from "../../store/jobs.ts";
import { joinTwin, listJobsByIdempotencyKey } from "../../store/joined-keys.ts";
import type { ExportJobRow, NewExportJobRow } from "../../store/schema.ts";
import { findVideo } from "../../store/videos.ts";
import { toJob } from "../../view/job-view.ts";
import type { Call, Host } from "../edge/call.ts";
import {
  hashRequest,
  type IdempotencyKey,
  isSameRequest,
  requireIdempotencyKey,
  type Sent,
} from "../edge/idempotency.ts";
import { AppError } from "../edge/problem.ts";
import { requireTarget } from "../webhooks/webhook-target.ts";
import { type JobFiles, requireFiles } from "./job-files.ts";
import { withLiveState } from "./job-object.ts";
import { startJob } from "./start-job.ts";

type Creation = { row: ExportJobRow; readonly replayed: boolean };

/** How often a job is written when what stood in its way is gone each time. */
const maxTries = 3;

/** Makes the job, or finds the one that the same request made before (I2). */
export async function createJob(call: Call, request: CreateJob, { body, idempotencyKey }: Sent): Promise<Creation> {
  const userId = requireOwner(call, request);
  requireTarget(call.settings, "/webhook_url", request.webhook_url);
  const key = await requireIdempotencyKey(call.caller, idempotencyKey);
  const requestHash = key && (await hashRequest(body, request, userId));
  const earlier = key && (await findEarlier(call, key));
  if (earlier) {
    return replay(call, earlier, requestHash);
  }
  const files = await requireFiles(call, request);
  const { fingerprint, borrowed } = await readReuse(call, request, userId, files);
  const own = { fingerprint, userId, inputSize: files.size, idempotencyKey: key?.kept ?? null, requestHash };
  const row = { ...toRow(call, request), ...own };
  // A twin that stands in the way may be over when it is looked for: then there is room.
  for (let tries = fingerprint === null ? 1 : maxTries; tries > 0; tries--) {
    const creation = (await insert(call, row, borrowed)) ?? (await findMade(call, row, key));
    if (creation) {
      return creation;
    }
  }
  throw quotaExceeded(call.settings);
}

/** The job that the caller made or joined under a key; one of a release before this one, if the caller sees it. */
async function findEarlier({ caller, env }: Call, { sent, kept }: IdempotencyKey): Promise<ExportJobRow | null> {
  const rows = await listJobsByIdempotencyKey(openDatabase(env.DB), caller.tenantId, [kept, sent]);
  const own = rows.find(({ idempotencyKey }) => idempotencyKey === kept);
  return own ?? rows.find((row) => maySee(caller, row)) ?? null;
}

/** Writes the job's row and begins the job. @returns null when something stands in the way */
async function insert(call: Call, row: NewExportJobRow, borrowed: Reuse["borrowed"]): Promise<Creation | null> {
  const { maxActiveJobs, maxActiveJobsOfUser } = call.settings;
  const write = (reused: Partial<NewExportJobRow>) =>
    insertJob(openDatabase(call.env.DB), { ...row, ...reused }, maxActiveJobs, maxActiveJobsOfUser);
  // The lender may have been removed since it was found.
  const inserted = (borrowed && (await write(borrowed))) ?? (await write({}));
  if (!inserted) {
    return null;
  }
  // Behind the answer: a new object takes longer than all the rest, and whoever comes before it begins it.
  call.later(startJob(call.env, inserted));
  return { row: inserted, replayed: false };
}

/** The job that was made meanwhile under the same key, or that does the same work. */
async function findMade(call: Call, row: NewExportJobRow, key: IdempotencyKey | null): Promise<Creation | null> {
  const { tenantId, fingerprint, idempotencyKey = null, requestHash = null } = row;
  const winner = key && (await findEarlier(call, key));
  if (winner) {
    return replay(call, winner, requestHash);
  }
  const joining = fingerprint && { tenantId, fingerprint, idempotencyKey, requestHash };
  const twin = joining ? await joinTwin(openDatabase(call.env.DB), joining) : null;
  return twin && { row: await withLiveState(call.env, twin), replayed: true };
}

/** As many jobs of the tenant or the user are active as may be. */
export function quotaExceeded({ maxActiveJobs, maxActiveJobsOfUser }: Settings): AppError {
  const detail = `At most ${maxActiveJobs} jobs may be active at once, ${maxActiveJobsOfUser} of one user.`;
  return new AppError("quota_exceeded", { detail });
}

type Reuse = Readonly<{
  fingerprint: string | null;
  /** The columns of a job that shows another's output; null to do the work. */
  borrowed: Partial<NewExportJobRow> | null;
}>;

/** What makes the job one that others may stand for, and with `result` the output of one that has done the same. */
async function readReuse(call: Call, request: CreateJob, userId: string | null, files: JobFiles): Promise<Reuse> {
  if (request.reuse === "off") {
    return { fingerprint: null, borrowed: null };
  }
  const { type, params, reuse_max_age_seconds: maxAge } = request;
  const work = [...amongWhom(request, userId, files), type, ...files.contents, params];
  const fingerprint = await sha256Hex(toCanonicalJson(work));
  const db = openDatabase(call.env.DB);
  const { tenantId } = call.caller;
  const since = maxAge === undefined ? "" : toTimestamp(Date.now() - maxAge * 1000);
  const twin = request.reuse === "result" ? await findFinishedTwin(db, tenantId, fingerprint, since) : null;
  const isThere = twin?.outputVideoKey && (await findVideo(call.env.VIDEOS, twin.outputVideoKey));
  if (!twin || !isThere) {
    return { fingerprint, borrowed: null };
  }
  const now = toTimestamp(Date.now());
  const { outputVideoKey, outputSize, outputEtag, artifacts, result, counters } = twin;
  const shown = { outputVideoKey, outputSize, outputEtag, artifacts, result, counters };
  // Not settled: the sweep sees it until its object has told those who are to be told.
  const end = { status: "complete", stage: "done", progress: 100, startedAt: now, completedAt: now } as const;
  return { fingerprint, borrowed: { ...end, ...shown, reusedFrom: twin.id } };
}

/** Whose jobs may stand for one: of the same user, project and uploads, unless it says how far else. */
function amongWhom({ project_id, reuse_scope: scope }: CreateJob, userId: string | null, { keys }: JobFiles) {
  switch (scope) {
    case undefined:
      return [project_id, userId, ...keys];
    case "user":
      return [scope, userId];
    case "project":
      return [scope, project_id];
    case "tenant":
      return [scope];
  }
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

function toRow(call: Call, request: CreateJob): NewExportJobRow {
  const now = toTimestamp(Date.now());
  return {
    id: newId(),
    tenantId: call.caller.tenantId,
    projectId: request.project_id,
    type: request.type,
    params: request.params,
    inputVideoKey: "input_video_key" in request ? request.input_video_key : null,
    assets: request.assets ?? null,
    priority: request.priority,
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
