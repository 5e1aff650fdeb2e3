import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";
import { describe, expect, it } from "vitest";
import { WebhookDelivery, WebhookDeliveryList, WebhookEndpoint } from "../../src/contract/webhook.ts";
import { rpcVersion } from "../../src/object/rpc.ts";
import { webhookSenderOf } from "../../src/object/webhook-sender.ts";
import type { Notice } from "../../src/object/webhook-shell.ts";
import { expectProblem } from "../setup/job.ts";
import { newTenant, peers, received, until } from "./tenant.ts";

/** A notice of a job that has no row. */
function newNotice(jobId: string, extra: Partial<Notice["message"]> = {}): Notice {
  const message = {
    tenantId: "t",
    jobId,
    version: 9,
    type: "job.complete" as const,
    body: "{}",
    createdAt: Date.now(),
  };
  return { message: { ...message, ...extra }, projectId: 1, webhook: null };
}

const listRows = (tenantId: string, query: string) =>
  runInDurableObject(webhookSenderOf(env, tenantId), (_, { storage }) =>
    storage.sql.exec<Record<string, SqlStorageValue>>(query).toArray(),
  );

describe("a tenant's sender", () => {
  it("keeps nobody waiting for addresses that do not answer", async () => {
    const { tenantId, endpoint } = await newTenant();
    const name = crypto.randomUUID();
    await endpoint(`ok/${name}`);
    await Promise.all(Array.from({ length: 19 }, (_, index) => endpoint(`silent/${name}-${index}`)));
    const startedAt = Date.now();
    for (let job = 0; job < 40; job++) {
      await webhookSenderOf(env, tenantId).publishNotice(rpcVersion, newNotice(`job-${job}`));
    }
    await until(
      () => received(`ok/${name}`),
      (all) => all.length === 40,
    );
    expect(Date.now() - startedAt).toBeLessThan(4_000);
    expect((await received(`silent/${name}-0`)).length).toBe(1);
  });

  it("takes the same notice once, however often it is told", async () => {
    const { tenantId, endpoint } = await newTenant();
    const name = crypto.randomUUID();
    await endpoint(`ok/${name}`);
    const sender = webhookSenderOf(env, tenantId);
    await Promise.all([1, 2, 3].map(() => sender.publishNotice(rpcVersion, newNotice("job"))));
    await sender.publishNotice(rpcVersion, newNotice("job", { version: 10 }));
    const hooks = await until(
      () => received(`ok/${name}`),
      (all) => all.length >= 2,
    );
    expect(new Set(hooks.map(({ headers }) => headers["webhook-id"])).size).toBe(2);
    expect(hooks).toHaveLength(2);
  });

  it("tells of progress and of the change of status that made the same version", async () => {
    const { tenantId, endpoint } = await newTenant();
    const name = crypto.randomUUID();
    await endpoint(`ok/${name}`, ["job.processing"]);
    await endpoint(`ok/${name}-p`, ["job.progress"]);
    const sender = webhookSenderOf(env, tenantId);
    for (const type of ["job.processing", "job.progress"] as const) {
      await sender.publishNotice(rpcVersion, newNotice("job", { version: 3, type, body: `"${type}"` }));
    }
    const told = await until(
      async () => [...(await received(`ok/${name}`)), ...(await received(`ok/${name}-p`))],
      (all) => all.length === 2,
    );
    expect(told.map(({ body }) => body)).toEqual(['"job.processing"', '"job.progress"']);
  });

  it("is verified by the libraries of Standard Webhooks and of Svix", async () => {
    const { endpoint, create, cancel } = await newTenant();
    const name = crypto.randomUUID();
    const { secret = "" } = await endpoint(`ok/${name}`, ["job.cancelled"]);
    const { id } = await create();
    await cancel(id);
    const [hook] = await until(
      () => received(`ok/${name}`),
      (all) => all.length === 1,
    );
    const { body = "", headers = {} } = hook ?? {};
    expect(new StandardWebhook(secret).verify(body, headers)).toMatchObject({ data: { id } });
    expect(() => new SvixWebhook(secret).verify(body, headers)).not.toThrow();
    expect(() => new SvixWebhook(secret).verify(body.replace(id, "other"), headers)).toThrow();
  });

  it("sets an alarm that got lost again, and sends what waits", async () => {
    const { tenantId, endpoint } = await newTenant();
    const name = crypto.randomUUID();
    const sender = webhookSenderOf(env, tenantId);
    await endpoint(`late/${name}`);
    await sender.publishNotice(rpcVersion, newNotice("job"));
    await until(
      () => listRows(tenantId, "SELECT 1 FROM webhook_tries"),
      (tries) => tries.length === 1,
    );
    await runInDurableObject(sender, async (_, { storage }) => {
      storage.sql.exec("UPDATE webhook_deliveries SET due_at = 1");
      storage.sql.exec("DELETE FROM webhook_addresses");
      await storage.deleteAlarm();
    });
    await evictDurableObject(sender);
    await sender.listEndpoints(rpcVersion);
    await until(
      () => received(`late/${name}`),
      (all) => all.length === 2,
    );
    expect(await runInDurableObject(sender, (_, { storage }) => storage.getAlarm())).not.toBeNull();
  });

  it("takes over what the first release kept, and sends it under the same id", async () => {
    const tenantId = crypto.randomUUID();
    const name = crypto.randomUUID();
    const sender = webhookSenderOf(env, tenantId);
    await sender.listEndpoints(rpcVersion);
    const url = `${peers}/hooks/ok/${name}`;
    const endpoint = {
      id: "e1",
      url,
      events: ["job.complete"],
      description: "",
      status: "enabled",
      secret: "whsec_AAAA",
      createdAt: 1,
    };
    const delivery = {
      tenantId,
      type: "job.complete",
      jobId: "j1",
      projection: { version: 9 },
      body: "{}",
      tries: [],
      createdAt: Date.now(),
    };
    await runInDurableObject(sender, (_, { storage: { sql } }) => {
      sql.exec("DROP TABLE webhook_endpoints; DROP TABLE webhook_deliveries; DROP TABLE webhook_messages;");
      sql.exec("CREATE TABLE endpoints (id TEXT PRIMARY KEY, value TEXT NOT NULL)");
      sql.exec("CREATE TABLE deliveries (id TEXT PRIMARY KEY, endpoint_id TEXT, next_at INTEGER, value TEXT NOT NULL)");
      sql.exec("INSERT INTO endpoints VALUES ('e1', ?)", JSON.stringify(endpoint));
      sql.exec("INSERT INTO deliveries VALUES ('msg_1', 'e1', 5, ?)", JSON.stringify(delivery));
    });
    await evictDurableObject(sender);
    expect(await sender.readEndpoint(rpcVersion, "e1")).toMatchObject({ url, project_ids: null });
    const [hook] = await until(
      () => received(`ok/${name}`),
      (all) => all.length === 1,
    );
    expect(hook?.headers["webhook-id"]).toBe("msg_1");
  });

  it("forgets an endpoint that goes while a try is under way, and sends again what is resent meanwhile", async () => {
    const { tenantId, endpoint, ask } = await newTenant();
    const name = crypto.randomUUID();
    const sender = webhookSenderOf(env, tenantId);
    const [gone, again] = [await endpoint(`slow/${name}-gone`), await endpoint(`slow/${name}-again`)];
    await sender.publishNotice(rpcVersion, newNotice("job"));
    await until(
      () => received(`slow/${name}-again`),
      (all) => all.length === 1,
    );
    await ask("DELETE", `/api/webhook-endpoints/${gone.id}`);
    await sender.resendDelivery(rpcVersion, `msg_job_9_${again.id}`);
    const left = await until(
      () => listRows(tenantId, "SELECT endpoint_id, status FROM webhook_deliveries"),
      ([row]) => row?.["status"] === "delivered",
    );
    expect(left).toEqual([{ endpoint_id: again.id, status: "delivered" }]);
    expect(await received(`slow/${name}-again`)).toHaveLength(2);
    // The try that was under way says nothing of the message that was sent anew.
    await scheduler.wait(600);
    expect(await listRows(tenantId, "SELECT number FROM webhook_tries")).toEqual([{ number: 1 }]);
  });

  it("keeps what waits while its endpoint is off, and sends it when it is on again", async () => {
    const { tenantId, endpoint, ask, deliveries } = await newTenant();
    const name = crypto.randomUUID();
    const { id } = await endpoint(`broken/${name}`);
    await webhookSenderOf(env, tenantId).publishNotice(rpcVersion, newNotice("job"));
    await until(
      () => deliveries(id),
      ([first]) => first?.tries.length === 1,
    );
    const change = async (body: object) => ask("PATCH", `/api/webhook-endpoints/${id}`, body);
    await change({ status: "disabled" });
    await runInDurableObject(webhookSenderOf(env, tenantId), (_, { storage }) => {
      storage.sql.exec("UPDATE webhook_deliveries SET due_at = 1");
    });
    await evictDurableObject(webhookSenderOf(env, tenantId));
    await webhookSenderOf(env, tenantId).wake(rpcVersion);
    expect((await deliveries(id))[0]).toMatchObject({ status: "pending", tries: [{}] });
    await change({ status: "enabled", url: `${peers}/hooks/ok/${name}` });
    await until(
      () => deliveries(id),
      ([first]) => first?.status === "delivered",
    );
  });

  it("keeps of a job's progress the newest message alone, and no body of what was delivered", async () => {
    const { tenantId, endpoint } = await newTenant();
    await endpoint(`ok/${crypto.randomUUID()}`, ["job.progress", "job.complete"]);
    const sender = webhookSenderOf(env, tenantId);
    for (let version = 3; version < 20; version++) {
      await sender.publishNotice(rpcVersion, newNotice("job", { version, type: "job.progress" }));
    }
    await sender.publishNotice(rpcVersion, newNotice("job", { version: 20 }));
    const query = "SELECT status, count(*) AS count FROM webhook_deliveries GROUP BY status";
    await until(
      () => listRows(tenantId, query),
      ([row]) => row?.["status"] === "delivered" && Number(row["count"]) <= 4,
    );
    await until(
      () => listRows(tenantId, "SELECT id FROM webhook_messages WHERE body IS NOT NULL"),
      (kept) => kept.length === 0,
    );
  });

  it("tells of an endpoint's projects alone, and shows and takes none that a key of some projects may not see", async () => {
    const { tenantId, ask, endpoint, create, cancel, scoped } = await newTenant();
    const name = crypto.randomUUID();
    const all = await endpoint(`ok/${name}-all`, ["job.cancelled"]);
    const some = await scoped([7]);
    const body = { url: `${peers}/hooks/ok/${name}-7`, events: ["job.cancelled"] };
    expect((await some("POST", "/api/webhook-endpoints", { ...body, project_ids: [7, 8] })).status).toBe(422);
    const made = WebhookEndpoint.parse(await (await some("POST", "/api/webhook-endpoints", body)).json());
    expect(made.project_ids).toEqual([7]);
    for (const path of ["", "/deliveries"]) {
      expect((await some("GET", `/api/webhook-endpoints/${all.id}${path}`)).status).toBe(404);
    }
    expect((await some("PATCH", `/api/webhook-endpoints/${all.id}`, { description: "mine" })).status).toBe(404);
    expect((await some("DELETE", `/api/webhook-endpoints/${all.id}`)).status).toBe(404);
    expect((await some("PATCH", `/api/webhook-endpoints/${made.id}`, { project_ids: [8] })).status).toBe(422);
    const listed = await (await some("GET", "/api/webhook-endpoints")).json();
    expect(listed).toMatchObject({ data: [{ id: made.id }] });
    const [mine, other] = [await create({ project_id: 7 }), await create({ project_id: 8 })];
    await Promise.all([cancel(mine.id), cancel(other.id)]);
    await until(
      () => received(`ok/${name}-all`),
      (hooks) => hooks.length === 2,
    );
    const told = await received(`ok/${name}-7`);
    expect(told.map(({ body: text }) => JSON.parse(text).data.id)).toEqual([mine.id]);
    const page = WebhookDeliveryList.parse(await (await ask("GET", `/api/jobs/${other.id}/deliveries`)).json());
    expect((await some("POST", `/api/webhook-endpoints/deliveries/${page.data[0]?.id}/resend`)).status).toBe(404);
    expect((await some("GET", `/api/jobs/${other.id}/deliveries`)).status).toBe(404);
    const seen = WebhookDeliveryList.parse(await (await some("GET", `/api/jobs/${mine.id}/deliveries`)).json());
    expect(seen.data.map(({ endpoint_id: id }) => id)).toEqual([made.id]);
    expect(tenantId).not.toBe("default");
  });

  it("lists what a job's own address was told, page by page, and sends it again", async () => {
    const { ask, create, cancel } = await newTenant();
    const path = `ok/${crypto.randomUUID()}`;
    const job = await create({ webhook_url: `${peers}/hooks/${path}` });
    await until(
      () => received(path),
      (all) => all.length >= 1,
    );
    await cancel(job.id);
    const hooks = await until(
      () => received(path),
      (all) => all.length >= 2,
    );
    const list = `/api/jobs/${job.id}/deliveries`;
    const read = async (path: string) => WebhookDeliveryList.parse(await (await ask("GET", path)).json());
    const first = await until(
      () => read(`${list}?limit=1`),
      ({ data }) => data[0]?.status === "delivered",
    );
    const link = (await ask("GET", `${list}?limit=1`)).headers.get("link");
    const [, next = ""] = /^<http:\/\/exports\.test(.*)>; rel="next"$/.exec(link ?? "") ?? [];
    expect(next).toBe(`${list}?limit=1&cursor=${first.next_cursor}`);
    const second = await read(next);
    const listed = [...first.data, ...second.data];
    expect(listed.map(({ type, endpoint_id }) => [type, endpoint_id])).toEqual([
      ["job.cancelled", null],
      ["job.processing", null],
    ]);
    expect([second.next_cursor, (await ask("GET", next)).headers.get("link")]).toEqual([null, null]);
    const neighbour = await newTenant();
    const theirs = await neighbour.create();
    const foreign = await neighbour.ask("GET", `/api/jobs/${theirs.id}/deliveries?cursor=${first.next_cursor}`);
    await expectProblem(foreign, 400, "invalid_cursor");
    const resent = await ask("POST", `/api/webhook-endpoints/deliveries/${first.data[0]?.id}/resend`);
    expect(WebhookDelivery.parse(await resent.json())).toMatchObject({ status: "pending", tries: [] });
    const again = await until(
      () => received(path),
      (all) => all.length === 3,
    );
    expect(again[2]?.headers["webhook-id"]).toBe(hooks.at(-1)?.headers["webhook-id"]);
    expect(
      new StandardWebhook(job.webhook_secret ?? "").verify(again[2]?.body ?? "", again[2]?.headers ?? {}),
    ).toMatchObject({ type: "job.cancelled", data: { id: job.id, status: "cancelled" } });
  });

  it("tells of a job with long parameters as it is at its end", async () => {
    const { endpoint, create, cancel } = await newTenant();
    const path = `ok/${crypto.randomUUID()}`;
    await endpoint(path, ["job.cancelled"]);
    const keyframes = Array.from({ length: 1_400 }, (_, time) => ({ time, x: 0.123456789, y: 0, width: 9, height: 9 }));
    const job = await create({ params: { crop_keyframes: keyframes } });
    await cancel(job.id);
    const [hook] = await until(
      () => received(path),
      (all) => all.length === 1,
    );
    expect(hook?.body.length).toBeGreaterThan(64 * 1024);
    expect(JSON.parse(hook?.body ?? "")).toMatchObject({
      type: "job.cancelled",
      data: { id: job.id, status: "cancelled" },
    });
  });

  it("takes twenty endpoints of a tenant, and no more", async () => {
    const { endpoint, ask } = await newTenant();
    await Promise.all(Array.from({ length: 20 }, (_, index) => endpoint(`ok/${index}`)));
    const refused = await ask("POST", "/api/webhook-endpoints", { url: `${peers}/hooks/ok/21` });
    expect([refused.status, await refused.json()]).toMatchObject([429, { code: "quota_exceeded" }]);
  });

  it("signs by every secret of the last day, however often it was rotated", async () => {
    const { endpoint, create, cancel, ask } = await newTenant();
    const name = crypto.randomUUID();
    const { id, secret = "" } = await endpoint(`ok/${name}`, ["job.cancelled"]);
    await ask("PATCH", `/api/webhook-endpoints/${id}`, { rotate_secret: true });
    await ask("PATCH", `/api/webhook-endpoints/${id}`, { rotate_secret: true });
    await cancel((await create()).id);
    const [hook] = await until(
      () => received(`ok/${name}`),
      (all) => all.length === 1,
    );
    expect(() => new StandardWebhook(secret).verify(hook?.body ?? "", hook?.headers ?? {})).not.toThrow();
  });

  it("keeps nothing of a job that was deleted, and sends nothing more of it", async () => {
    const { ask, create, cancel, endpoint, deliveries, tenantId } = await newTenant();
    const { id } = await endpoint(`broken/${crypto.randomUUID()}`, ["job.cancelled"]);
    const job = await create();
    await cancel(job.id);
    await until(
      () => deliveries(id),
      ([first]) => first?.tries.length === 1,
    );
    await until(
      () => ask("DELETE", `/api/jobs/${job.id}`),
      ({ status }) => status === 204,
    );
    const [left] = await until(
      () => deliveries(id),
      ([first]) => first?.status === "failed",
    );
    expect(left?.tries.at(-1)).toMatchObject({ status: null, error: "the job was deleted" });
    expect(await listRows(tenantId, "SELECT id FROM webhook_messages WHERE body IS NOT NULL")).toEqual([]);
  });
});
