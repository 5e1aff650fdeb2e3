import type { WebhookEventType, WebhookMessage } from "../contract/webhook.ts";
import type { JobState } from "../core/job-state.ts";
import { toTimestamp } from "../core/time.ts";
import { giveUpAfterMs } from "../core/webhook-schedule.ts";
import type { Settings } from "../env.ts";
import { openDatabase } from "../store/database.ts";
import { findJob } from "../store/jobs.ts";
import { type ShownJob, toJob } from "../view/job-view.ts";
import { toProjection } from "./projection.ts";
import { rpcVersion } from "./rpc.ts";
import type { Message } from "./webhook-rows.ts";

/**
 * The body of a message: the job as it is now. The link to its output is good as long as the message may be under way.
 */
async function toBody(type: WebhookEventType, job: ShownJob, settings: Settings, at: number): Promise<string> {
  const data = await toJob(job, settings, Date.now(), giveUpAfterMs);
  const message: WebhookMessage = { type, timestamp: toTimestamp(at), data };
  return JSON.stringify(message);
}

/** What those who asked for webhooks are told of a job; `version` names the change that it is about. */
export async function newMessage(
  type: WebhookEventType,
  job: JobState,
  version: number,
  settings: Settings,
): Promise<Message> {
  const { spec } = job;
  const createdAt = Date.now();
  const shown = toShownJob(job);
  const body = shown && (await toBody(type, shown, settings, createdAt));
  return { tenantId: spec.tenantId, jobId: spec.id, version, type, body, createdAt };
}

/** Null for a job that an earlier release began without its labels: its row has them. */
function toShownJob(job: JobState): ShownJob | null {
  const { params, metadata, reusedFrom = null, projectId, userId, type, inputVideoKey, maxRetries } = job.spec;
  if (params === null || metadata === undefined) {
    return null;
  }
  const createdAt = toTimestamp(job.spec.createdAt);
  const { assets = null, priority = 0 } = job.spec;
  const fixed = { projectId, userId, type, inputVideoKey, params, metadata, maxRetries, reusedFrom, createdAt };
  return { ...fixed, assets, priority, ...toProjection(job) };
}

/**
 * The body of a message from the job as it is by now; null when there is none. Of a job that is not settled its object
 * knows more than its row: the end is told before it is written.
 * @throws when D1, or the object, gives no answer
 */
export async function toBodyFromRow(message: Message, env: Env, settings: Settings): Promise<string | null> {
  const { tenantId, jobId, type, createdAt } = message;
  const row = await findJob(openDatabase(env.DB), tenantId, jobId);
  if (!row) {
    return null;
  }
  const object = env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(jobId));
  const live = row.settledAt === null ? await object.read(rpcVersion, tenantId) : null;
  return toBody(type, { ...row, ...live }, settings, createdAt);
}
