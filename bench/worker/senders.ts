import { Hono } from "hono";
import { rpcVersion } from "../../src/object/rpc.ts";
import { webhookSenderOf } from "../../src/object/webhook-sender.ts";
import type { BenchEnv } from "./env.ts";

const body = JSON.stringify({ type: "job.complete", data: { params: "x".repeat(1_500) } });

/** What jobs tell a tenant's sender, without the jobs. */
export const senders = new Hono<{ Bindings: BenchEnv }>()
  .post("/senders/:tenant/endpoints", async (c) => {
    const { url } = await c.req.json<{ url: string }>();
    const request = { url, events: ["job.complete" as const], description: "" };
    return c.json(await webhookSenderOf(c.env, c.req.param("tenant")).addEndpoint(rpcVersion, request));
  })
  .post("/senders/:tenant/notices/:job", async (c) => {
    const { tenant: tenantId, job: jobId } = c.req.param();
    const { url } = await c.req.json<{ url?: string }>();
    const webhook = url === undefined ? null : { url, events: ["job.complete" as const] };
    const message = { tenantId, jobId, version: 9, type: "job.complete" as const, body, createdAt: Date.now() };
    await webhookSenderOf(c.env, tenantId).publishNotice(rpcVersion, { message, projectId: 1, webhook });
    return c.json({});
  });
