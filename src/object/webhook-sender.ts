import { DurableObject } from "cloudflare:workers";
import type {
  CreateWebhookEndpoint,
  UpdateWebhookEndpoint,
  WebhookDelivery,
  WebhookEndpoint,
  WebhookEventType,
  WebhookMessage,
} from "../contract/webhook.ts";
import { firstIdAt, newId } from "../core/ids.ts";
import type { JobSpec } from "../core/job-state.ts";
import { toTimestamp, toTimestampOrNull } from "../core/time.ts";
import { disableAfterMs, nextPauseMs } from "../core/webhook-schedule.ts";
import { deriveWebhookSecret, toWebhookHeaders } from "../core/webhook-signing.ts";
import { getSettings } from "../env.ts";
import { logFailure } from "../log.ts";
import { openDatabase } from "../store/database.ts";
import { findJob, type JobProjection } from "../store/jobs.ts";
import { addWebhookTenant } from "../store/webhook-tenants.ts";
import { toJob } from "./job-view.ts";
import { type Delivery, type Endpoint, WebhookLog } from "./webhook-log.ts";
import { type Posted, postWebhook } from "./webhook-post.ts";

/** What happened, and the job's own address if it has one. */
export type WebhookEvent = Readonly<{
  type: WebhookEventType;
  projection: JobProjection;
  webhook: JobSpec["webhook"];
}>;

const batchSize = 20;
/** Above every message id. */
const afterAll = "msg_g";

export function webhookSenderOf(env: Env, tenantId: string) {
  return env.WEBHOOK_SENDER.get(env.WEBHOOK_SENDER.idFromName(tenantId));
}

/** A tenant's outgoing webhooks: what it wants to be told, and the messages on their way. One alarm drives all tries. */
export class WebhookSender extends DurableObject<Env> {
  readonly #log: WebhookLog;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    this.#log = new WebhookLog(context.storage);
    this.#noteTenant();
  }

  /** D1 may not know of endpoints that are older than its list of tenants; whoever is not on it is told nothing. */
  #noteTenant(): void {
    const tenantId = this.ctx.id.name;
    if (tenantId !== undefined && this.#log.listEndpoints().length > 0) {
      const noting = addWebhookTenant(openDatabase(this.env.DB), tenantId);
      this.ctx.waitUntil(noting.catch((error: unknown) => logFailure("webhooks", error)));
    }
  }

  /** Takes a message in for each address that wants it; durable when it returns. @returns whether any wants progress */
  async publish({ type, projection, webhook }: WebhookEvent): Promise<{ wantsProgress: boolean }> {
    const endpoints = this.#log.listEndpoints().filter(({ status }) => status === "enabled");
    const targets = [
      ...endpoints.map(({ id, events }) => ({ endpointId: id, url: null, events })),
      ...(webhook ? [{ endpointId: null, url: webhook.url, events: webhook.events }] : []),
    ];
    const now = Date.now();
    for (const { endpointId, url } of targets.filter(({ events }) => events.includes(type))) {
      const { id: jobId, tenantId } = projection;
      const place = { id: `msg_${newId()}`, tenantId, endpointId, url, type, jobId, projection, createdAt: now };
      this.#log.saveDelivery({ ...place, body: null, status: "pending", tries: [], nextAt: now });
    }
    await this.#setAlarm();
    return { wantsProgress: targets.some(({ events }) => events.includes("job.progress")) };
  }

  create(request: CreateWebhookEndpoint): WebhookEndpoint {
    const endpoint = this.#log.addEndpoint(request, Date.now());
    return { ...toPublic(endpoint), secret: endpoint.secret };
  }

  list(): WebhookEndpoint[] {
    return this.#log.listEndpoints().map(toPublic);
  }

  read(id: string): WebhookEndpoint | null {
    const endpoint = this.#log.findEndpoint(id);
    return endpoint && toPublic(endpoint);
  }

  update(id: string, change: UpdateWebhookEndpoint): WebhookEndpoint | null {
    const endpoint = this.#log.findEndpoint(id);
    if (!endpoint) {
      return null;
    }
    const changed = this.#log.changeEndpoint(endpoint, change, Date.now());
    return change.rotate_secret ? { ...toPublic(changed), secret: changed.secret } : toPublic(changed);
  }

  remove(id: string): boolean {
    const isThere = this.#log.findEndpoint(id) !== null;
    this.#log.removeEndpoint(id);
    return isThere;
  }

  /** One page, newest first; null when there is no such endpoint. */
  deliveries(id: string, cursor: string | null, limit: number): WebhookDelivery[] | null {
    const rows = this.#log.findEndpoint(id) && this.#log.listDeliveries(id, cursor ?? afterAll, limit);
    return rows?.map(toPublicDelivery) ?? null;
  }

  /** Sends a message again, whatever became of it. */
  async resend(id: string): Promise<WebhookDelivery | null> {
    const delivery = this.#log.findDelivery(id);
    if (!delivery) {
      return null;
    }
    const again: Delivery = { ...delivery, status: "pending", tries: [], nextAt: Date.now() };
    this.#log.saveDelivery(again);
    await this.#setAlarm();
    return toPublicDelivery(again);
  }

  /** Sends again what failed since an instant. @returns how many; null when there is no such endpoint */
  async recover(id: string, since: number): Promise<number | null> {
    const rows = this.#log.findEndpoint(id) && this.#log.listDeliveries(id, afterAll, 1_000);
    const failed = rows?.filter(({ status, createdAt }) => status === "failed" && createdAt >= since);
    for (const delivery of failed ?? []) {
      this.#log.saveDelivery({ ...delivery, status: "pending", tries: [], nextAt: Date.now() });
    }
    await this.#setAlarm();
    return failed?.length ?? null;
  }

  /** Must not throw: the runtime gives up on an alarm after six failures. */
  override async alarm(): Promise<void> {
    try {
      const now = Date.now();
      this.#log.forgetBefore(firstIdAt, now);
      const due = this.#log.listDue(now, batchSize);
      await Promise.all(due.map((delivery) => this.#try(delivery)));
    } catch (error) {
      logFailure("webhooks", error);
    }
    await this.#setAlarm();
  }

  async #setAlarm(): Promise<void> {
    const dueAt = this.#log.nextDueAt();
    if (dueAt !== null) {
      await this.ctx.storage.setAlarm(Math.max(dueAt, Date.now() + 1));
    }
  }

  async #try(delivery: Delivery): Promise<void> {
    const endpoint = delivery.endpointId === null ? null : this.#log.findEndpoint(delivery.endpointId);
    const url = endpoint?.url ?? delivery.url;
    const body = delivery.body ?? (await this.#toBody(delivery));
    if (url === null || body === null || endpoint?.status === "disabled") {
      this.#log.saveDelivery({ ...delivery, status: "failed", nextAt: null });
      return;
    }
    const startedAt = Date.now();
    const settings = getSettings(this.env);
    const secrets = await this.#secretsFor(delivery, endpoint);
    const headers = await toWebhookHeaders(secrets, delivery.id, startedAt, body);
    const posted = await postWebhook(url, headers, body, settings.webhooks);
    this.#note({ ...delivery, body }, posted, startedAt);
  }

  /** The job as it was when that happened, beside what of it never changes; null when it was removed. */
  async #toBody({ tenantId, jobId, type, projection, createdAt }: Delivery): Promise<string | null> {
    const row = await findJob(openDatabase(this.env.DB), tenantId, jobId);
    if (!row) {
      return null;
    }
    const data = await toJob({ ...row, ...projection }, getSettings(this.env), Date.now());
    const message: WebhookMessage = { type, timestamp: toTimestamp(createdAt), data };
    return JSON.stringify(message);
  }

  async #secretsFor({ jobId }: Delivery, endpoint: Endpoint | null): Promise<string[]> {
    if (!endpoint) {
      const { signingKeys } = getSettings(this.env);
      return Promise.all(signingKeys.map(({ secret }) => deriveWebhookSecret(secret, jobId)));
    }
    const { secret, oldSecret, oldSecretUntil } = endpoint;
    return oldSecret !== null && oldSecretUntil > Date.now() ? [secret, oldSecret] : [secret];
  }

  #note(delivery: Delivery, posted: Posted, startedAt: number): void {
    const now = Date.now();
    const { status, error, retryAfterMs } = posted;
    const tries = [...delivery.tries, { at: toTimestamp(startedAt), status, ms: now - startedAt, error }];
    const isDelivered = error === null;
    const pauseMs = isDelivered || status === 410 ? null : nextPauseMs(tries.length, Math.random(), retryAfterMs);
    const outcome = pauseMs === null ? "failed" : "pending";
    const nextAt = pauseMs === null ? null : now + pauseMs;
    this.#log.saveDelivery({ ...delivery, tries, status: isDelivered ? "delivered" : outcome, nextAt });
    // Read again: others may have changed it while the answer was awaited.
    const endpoint = delivery.endpointId === null ? null : this.#log.findEndpoint(delivery.endpointId);
    if (endpoint) {
      this.#judge(endpoint, posted, now);
    }
  }

  /** An endpoint that says 410, or has failed for days, is switched off. */
  #judge(endpoint: Endpoint, { status, error }: Posted, now: number): void {
    if (error === null) {
      if (endpoint.failingSince !== null) {
        this.#log.saveEndpoint({ ...endpoint, failingSince: null });
      }
      return;
    }
    const failingSince = endpoint.failingSince ?? now;
    const reason =
      status === 410 ? "it answered 410" : now - failingSince > disableAfterMs ? "it failed for 5 days" : null;
    const off = reason === null ? {} : { status: "disabled" as const, disabledReason: reason };
    this.#log.saveEndpoint({ ...endpoint, failingSince, ...off });
  }
}

function toPublic(endpoint: Endpoint): WebhookEndpoint {
  const { id, url, events, description, status, disabledReason, createdAt } = endpoint;
  const times = { disabled_reason: disabledReason, created_at: toTimestamp(createdAt) };
  return { id, url, events: [...events], description, status, ...times };
}

function toPublicDelivery({
  id,
  endpointId,
  type,
  jobId,
  status,
  tries,
  nextAt,
  createdAt,
}: Delivery): WebhookDelivery {
  const times = { created_at: toTimestamp(createdAt), next_try_at: toTimestampOrNull(nextAt) };
  return { id, endpoint_id: endpointId, type, job_id: jobId, status, tries, ...times };
}
