import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import { rpcVersion } from "../../src/object/rpc.ts";
import { webhookSenderOf } from "../../src/object/webhook-sender.ts";
import { wakeSenders } from "../../src/tasks/webhooks.ts";
import { peers, received, until } from "./tenant.ts";

const isNoted = async (tenantId: string) =>
  (await env.DB.prepare("SELECT 1 AS found FROM webhook_tenants WHERE tenant_id = ?").bind(tenantId).first()) !== null;

it("a sender notes in D1 that its tenant has endpoints, whenever it comes to life; one without notes nothing", async () => {
  const request = { url: "https://hooks.test/a", events: ["job.complete" as const], description: "" };
  const [listens, silent] = [crypto.randomUUID(), crypto.randomUUID()];
  await webhookSenderOf(env, listens).addEndpoint(rpcVersion, request);
  await webhookSenderOf(env, silent).listEndpoints(rpcVersion);
  expect(await isNoted(listens)).toBe(false);
  for (const tenantId of [listens, silent]) {
    await evictDurableObject(webhookSenderOf(env, tenantId));
    await webhookSenderOf(env, tenantId).listEndpoints(rpcVersion);
  }
  await vi.waitFor(async () => expect(await isNoted(listens)).toBe(true));
  expect(await isNoted(silent)).toBe(false);
});

it("a sender of nothing but jobs' own addresses notes its tenant too, and the cron wakes it when its alarm got lost", async () => {
  const tenantId = crypto.randomUUID();
  const path = `late/${tenantId}`;
  const message = {
    tenantId,
    jobId: "j",
    version: 9,
    type: "job.complete" as const,
    body: "{}",
    createdAt: Date.now(),
  };
  const webhook = { url: `${peers}/hooks/${path}`, events: ["job.complete" as const] };
  const sender = webhookSenderOf(env, tenantId);
  await sender.publishNotice(rpcVersion, { message, projectId: 1, webhook });
  await vi.waitFor(async () => expect(await isNoted(tenantId)).toBe(true));
  await until(
    () => received(path),
    (hooks) => hooks.length === 1,
  );
  await scheduler.wait(100);
  await runInDurableObject(sender, async (_, { storage }) => {
    storage.sql.exec("UPDATE webhook_deliveries SET due_at = 1");
    storage.sql.exec("DELETE FROM webhook_addresses");
    await storage.deleteAlarm();
  });
  await evictDurableObject(sender);
  expect(await wakeSenders(env, 1_000)).toBe(0);
  await until(
    () => received(path),
    (hooks) => hooks.length === 2,
  );
});
