import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import { rpcVersion } from "../../src/object/rpc.ts";
import { webhookSenderOf } from "../../src/object/webhook-sender.ts";

const isNoted = async (tenantId: string) =>
  (await env.DB.prepare("SELECT 1 AS found FROM webhook_tenants WHERE tenant_id = ?").bind(tenantId).first()) !== null;

it("a sender notes in D1 that its tenant has endpoints, whenever it comes to life; one without notes nothing", async () => {
  const request = { url: "https://hooks.test/a", events: ["job.complete" as const], description: "" };
  const [listens, silent] = [crypto.randomUUID(), crypto.randomUUID()];
  await webhookSenderOf(env, listens).create(rpcVersion, request);
  await webhookSenderOf(env, silent).list(rpcVersion);
  expect(await isNoted(listens)).toBe(false);
  for (const tenantId of [listens, silent]) {
    await evictDurableObject(webhookSenderOf(env, tenantId));
    await webhookSenderOf(env, tenantId).list(rpcVersion);
  }
  await vi.waitFor(async () => expect(await isNoted(listens)).toBe(true));
  expect(await isNoted(silent)).toBe(false);
});
