import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, vi } from "vitest";
import { z } from "zod";
import { WebhookDeliveryList, WebhookEndpoint } from "../../src/contract/webhook.ts";
import { rpcVersion } from "../../src/object/rpc.ts";
import { webhookSenderOf } from "../../src/object/webhook-sender.ts";
import { bearer, newKey } from "../setup/callers.ts";
import { call, framingParams } from "../setup/job.ts";
import { storeInput } from "../setup/rows.ts";

export const peers = String(Reflect.get(env, "PEERS_URL"));
const Hooks = z.array(z.object({ headers: z.record(z.string(), z.string()), body: z.string() }));

export async function received(path: string) {
  return Hooks.parse(await (await fetch(`${peers}/hooks/${path}`)).json());
}

/** Whether a try is claimed: for a minute from then on. No pause between tries is that long, but longer. */
function isAnyUnderWay(tenantId: string): Promise<boolean> {
  return runInDurableObject(webhookSenderOf(env, tenantId), (_, { storage }) => {
    const query = "SELECT seq FROM webhook_deliveries WHERE due_at > ? AND due_at <= ?";
    return storage.sql.exec(query, Date.now() + 40_000, Date.now() + 60_000).toArray().length > 0;
  });
}

/** A tenant of its own for each test, with its key. */
export async function newTenant() {
  const tenantId = `t${crypto.randomUUID().slice(0, 8)}`;
  const headers = { ...bearer(await newKey({ tenantId })), "content-type": "application/json" };
  const ask = (method: string, path: string, body?: object) =>
    call(path, body ? { method, headers, body: JSON.stringify(body) } : { method, headers });
  const endpoint = async (path: string, events?: string[]) => {
    const response = await ask("POST", "/api/webhook-endpoints", {
      url: `${peers}/hooks/${path}`,
      ...(events ? { events } : {}),
    });
    expect(response.status).toBe(201);
    return WebhookEndpoint.parse(await response.json());
  };
  const deliveries = async (id: string) =>
    WebhookDeliveryList.parse(await (await ask("GET", `/api/webhook-endpoints/${id}/deliveries`)).json()).data;
  const create = async (extra: object = {}) => {
    const key = await storeInput(tenantId);
    const body = { project_id: 1, type: "framing", input_video_key: key, params: framingParams, ...extra };
    const response = await ask("POST", "/api/jobs", body);
    expect(response.status).toBe(201);
    return z.looseObject({ id: z.string(), webhook_secret: z.string().optional() }).parse(await response.json());
  };
  const cancel = (id: string) => ask("POST", `/api/jobs/${id}/cancel`);
  /** Brings every waiting try forward, and waits until all are made. */
  const hurry = async () => {
    await runInDurableObject(webhookSenderOf(env, tenantId), (_, { storage }) => {
      storage.sql.exec("UPDATE webhook_deliveries SET due_at = 1 WHERE due_at IS NOT NULL");
      storage.sql.exec("DELETE FROM webhook_addresses");
    });
    // What is in memory is read anew.
    await evictDurableObject(webhookSenderOf(env, tenantId));
    await webhookSenderOf(env, tenantId).wake(rpcVersion);
    await vi.waitFor(async () => expect(await isAnyUnderWay(tenantId)).toBe(false), { timeout: 8_000, interval: 10 });
  };
  /** Asks by another key of the tenant, for some projects. */
  const scoped = async (projectIds: number[]) => {
    const key = bearer(await newKey({ tenantId, projectIds }));
    return (method: string, path: string, body?: object) =>
      call(path, { method, headers: { ...headers, ...key }, ...(body ? { body: JSON.stringify(body) } : {}) });
  };
  return { tenantId, ask, endpoint, deliveries, create, cancel, hurry, scoped };
}

export const until = <Value>(look: () => Promise<Value>, isSo: (value: Value) => boolean) =>
  vi.waitFor(
    async () => {
      const value = await look();
      if (!isSo(value)) {
        throw new Error(`not yet: ${JSON.stringify(value).slice(0, 300)}`);
      }
      return value;
    },
    { timeout: 8_000, interval: 20 },
  );
