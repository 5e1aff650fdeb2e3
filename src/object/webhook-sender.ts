import { DurableObject } from "cloudflare:workers";
import type {
  CreateWebhookEndpoint,
  UpdateWebhookEndpoint,
  WebhookDelivery,
  WebhookEndpoint,
} from "../contract/webhook.ts";
import { toTimestamp, toTimestampOrNull } from "../core/time.ts";
import { deriveWebhookSecret, toWebhookHeaders } from "../core/webhook-signing.ts";
import { getSettings } from "../env.ts";
import { logFailure } from "../log.ts";
import { openDatabase } from "../store/database.ts";
import { addWebhookTenant } from "../store/webhook-tenants.ts";
import { rpcVersion } from "./rpc.ts";
import { type Endpoint, WebhookEndpoints } from "./webhook-endpoints.ts";
import { WebhookLog, type Whose } from "./webhook-log.ts";
import { toBodyFromRow } from "./webhook-message.ts";
import type { WebhookPorts } from "./webhook-ports.ts";
import { webhookPosterOf } from "./webhook-poster.ts";
import type { Delivery } from "./webhook-rows.ts";
import { type Notice, WebhookShell } from "./webhook-shell.ts";
import { createTables } from "./webhook-tables.ts";

export function webhookSenderOf(env: Env, tenantId: string) {
  return env.WEBHOOK_SENDER.get(env.WEBHOOK_SENDER.idFromName(tenantId));
}

/**
 * The object of a tenant's outgoing webhooks: Cloudflare's events, and nothing else. What they mean is in
 * {@link WebhookShell}. The first argument of each method is the version of this interface (`src/object/rpc.ts`).
 */
export class WebhookSender extends DurableObject<Env> {
  readonly #endpoints: WebhookEndpoints;
  readonly #log: WebhookLog;
  readonly #shell: WebhookShell;
  #isNoted = false;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    const { sql } = context.storage;
    createTables(sql);
    this.#endpoints = new WebhookEndpoints(sql);
    this.#log = new WebhookLog(sql);
    this.#shell = new WebhookShell(this.adaptPorts(newPorts(context, env, this.#endpoints, this.#log)));
    void context.blockConcurrencyWhile(() => this.#shell.pump.findAlarm());
    if (this.#endpoints.list().length > 0) {
      this.#noteTenant();
    }
  }

  /** The seam at which a test breaks the world; here it is whole. */
  protected adaptPorts(ports: WebhookPorts): WebhookPorts {
    return ports;
  }

  /**
   * D1 may not know of endpoints that are older than its list of tenants, nor of addresses that jobs named themselves;
   * whoever is not on it is told nothing, and no cron wakes its sender.
   */
  #noteTenant(): void {
    const tenantId = this.ctx.id.name;
    if (tenantId !== undefined && !this.#isNoted) {
      this.#isNoted = true;
      const noting = addWebhookTenant(openDatabase(this.env.DB), tenantId);
      this.ctx.waitUntil(noting.catch((error: unknown) => logFailure("webhooks", error)));
    }
  }

  /** Durable when it returns. @returns whether anyone wants progress */
  publishNotice(_v: number, notice: Notice): { wantsProgress: boolean } {
    if (notice.webhook) {
      this.#noteTenant();
    }
    return this.#shell.publish(notice);
  }

  dropJob(_v: number, jobId: string): void {
    this.#shell.dropJob(jobId);
  }

  /** The sweep calls: whatever is due goes, and a lost alarm is set again. */
  wake(_v: number): void {
    this.#shell.pump.run();
  }

  /** @returns null when the tenant has as many endpoints as it may */
  addEndpoint(_v: number, request: CreateWebhookEndpoint): WebhookEndpoint | null {
    const endpoint = this.#endpoints.add(request, Date.now());
    this.#shell.endpointsChanged();
    return endpoint && { ...toPublic(endpoint), secret: endpoint.secret };
  }

  listEndpoints(_v: number): WebhookEndpoint[] {
    return this.#endpoints.list().map(toPublic);
  }

  readEndpoint(_v: number, id: string): WebhookEndpoint | null {
    const endpoint = this.#endpoints.find(id);
    return endpoint && toPublic(endpoint);
  }

  changeEndpoint(_v: number, id: string, change: UpdateWebhookEndpoint): WebhookEndpoint | null {
    const endpoint = this.#endpoints.find(id);
    if (!endpoint) {
      return null;
    }
    const changed = this.#endpoints.change(endpoint, change, Date.now());
    this.#shell.endpointsChanged();
    return change.rotate_secret ? { ...toPublic(changed), secret: changed.secret } : toPublic(changed);
  }

  removeEndpoint(_v: number, id: string): void {
    this.#shell.removeEndpoint(id);
  }

  /**
   * One page, newest first. Of what an endpoint was told before its projects were others, nobody may know who sees them
   * alone.
   * @param endpointIds of a job's deliveries, the endpoints that the caller may know of; null: all
   * @param before where the page before ended; null for the first
   */
  listDeliveries(
    _v: number,
    whose: Whose,
    endpointIds: readonly string[] | null,
    before: number | null,
    limit: number,
  ): { data: WebhookDelivery[]; next: number | null } {
    const seenBy = "endpointId" in whose ? (this.#endpoints.find(whose.endpointId)?.projectIds ?? null) : endpointIds;
    const rows = this.#log.list(whose, seenBy, before, limit + 1);
    const shown = rows.slice(0, limit);
    const next = rows.length > limit ? (shown.at(-1)?.seq ?? null) : null;
    return { data: shown.map((row) => this.#toPublicDelivery(row)), next };
  }

  readDelivery(_v: number, id: string): WebhookDelivery | null {
    const delivery = this.#shell.find(id);
    return delivery && this.#toPublicDelivery(delivery);
  }

  resendDelivery(_v: number, id: string): WebhookDelivery | null {
    const renewed = this.#shell.resend(id);
    return renewed && this.#toPublicDelivery(renewed);
  }

  recoverDeliveries(_v: number, id: string, since: number): Promise<number> {
    return this.#shell.recover(id, since);
  }

  override alarm(): void {
    this.#shell.pump.alarm();
  }

  #toPublicDelivery({ seq, id, endpointId, type, jobId, status, dueAt, createdAt }: Delivery): WebhookDelivery {
    const tries = this.#log.listTries(seq).map(({ at, ...rest }) => ({ at: toTimestamp(at), ...rest }));
    const times = { created_at: toTimestamp(createdAt), next_try_at: toTimestampOrNull(dueAt) };
    return { id, endpoint_id: endpointId, type, job_id: jobId, status, tries, ...times };
  }
}

function newPorts(context: DurableObjectState, env: Env, endpoints: WebhookEndpoints, log: WebhookLog): WebhookPorts {
  const { storage } = context;
  const fail = (error: unknown) => logFailure("webhooks", error);
  return {
    now: Date.now,
    chance: Math.random,
    endpoints,
    log,
    getAlarm: () => storage.getAlarm(),
    setAlarm: (at) => context.waitUntil(storage.setAlarm(at).catch(fail)),
    post: ({ tenantId }, address, post) => webhookPosterOf(env, tenantId, address).post(rpcVersion, post),
    sign: async ({ id, jobId }, secrets, body) => {
      const ofJob = () => getSettings(env).signingKeys.map(({ secret }) => deriveWebhookSecret(secret, jobId));
      return toWebhookHeaders(secrets ?? (await Promise.all(ofJob())), id, Date.now(), body);
    },
    toBody: (message) => toBodyFromRow(message, env, getSettings(env)),
    nextTurn: () => scheduler.wait(0),
    background: (work) => context.waitUntil(work),
    fail,
  };
}

function toPublic(endpoint: Endpoint): WebhookEndpoint {
  const { id, url, events, projectIds, description, status, disabledReason, createdAt } = endpoint;
  const times = { disabled_reason: disabledReason, created_at: toTimestamp(createdAt) };
  return { id, url, events: [...events], project_ids: projectIds && [...projectIds], description, status, ...times };
}
