import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { WebhookEndpoint, WebhookMessage } from "../../src/contract/webhook.ts";
import { webhookSenderOf } from "../../src/object/webhook-sender.ts";
import { call, expectProblem, finishRun, writeOutput } from "../setup/job.ts";
import { takeOwnRun } from "../setup/own-run.ts";
import { newTenant, peers, received, until } from "./tenant.ts";

describe("outgoing webhooks", () => {
  it("tell an endpoint and a job's own address of its changes, signed, with the job", async () => {
    const { endpoint, create, cancel, deliveries } = await newTenant();
    const name = crypto.randomUUID();
    const { id: endpointId, secret = "" } = await endpoint(`ok/${name}`);
    const job = await create({ webhook_url: `${peers}/hooks/ok/own-${name}`, webhook_events: ["job.cancelled"] });
    await until(
      () => received(`ok/${name}`),
      (hooks) => hooks.length >= 1,
    );
    await cancel(job.id);
    const hooks = await until(
      () => received(`ok/${name}`),
      (all) => all.length >= 2,
    );
    const messages = hooks.map(({ headers, body }) => WebhookMessage.parse(new Webhook(secret).verify(body, headers)));
    expect(messages.map(({ type }) => type).sort()).toEqual(["job.cancelled", "job.processing"]);
    expect(messages.find(({ type }) => type === "job.cancelled")?.data).toMatchObject({
      id: job.id,
      status: "cancelled",
    });
    const [own] = await until(
      () => received(`ok/own-${name}`),
      (all) => all.length >= 1,
    );
    const message = new Webhook(job.webhook_secret ?? "").verify(own?.body ?? "", own?.headers ?? {});
    expect(WebhookMessage.parse(message)).toMatchObject({ type: "job.cancelled", data: { id: job.id } });
    const log = await until(
      () => deliveries(endpointId),
      (all) => all.every(({ status }) => status === "delivered"),
    );
    expect(log.map(({ tries }) => tries.map(({ status }) => status))).toEqual([[204], [204]]);
  });

  it("tell whoever asks in the middle of a job of its end, and nobody is called for a tenant that never asked", async () => {
    const [silent, late] = [await newTenant(), await newTenant()];
    const isCalled = async ({ tenantId }: typeof silent) => {
      const id = env.WEBHOOK_SENDER.idFromName(tenantId);
      return (await listDurableObjectIds(env.WEBHOOK_SENDER)).some((other) => other.equals(id));
    };
    const jobs = [await silent.create(), await late.create()];
    for (const { id } of jobs) {
      await takeOwnRun(id);
      await until(
        () => env.DB.prepare("SELECT status FROM export_jobs WHERE id = ?").bind(id).first("status"),
        (status) => status === "processing",
      );
    }
    expect([await isCalled(silent), await isCalled(late)]).toEqual([false, false]);
    const name = crypto.randomUUID();
    await late.endpoint(`ok/${name}`);
    await Promise.all([silent.cancel(jobs[0]?.id ?? ""), late.cancel(jobs[1]?.id ?? "")]);
    const [hook] = await until(
      () => received(`ok/${name}`),
      (all) => all.length === 1,
    );
    expect(JSON.parse(hook?.body ?? "")).toMatchObject({ type: "job.cancelled", data: { id: jobs[1]?.id } });
    await until(
      () => env.DB.prepare("SELECT count(*) AS n FROM export_jobs WHERE completed_at IS NULL").first("n"),
      (open) => open === 0,
    );
    expect(await isCalled(silent)).toBe(false);
  });

  it("tell of a job that is complete, with its output, and of one that failed, with its error", async () => {
    const { endpoint, create } = await newTenant();
    const name = crypto.randomUUID();
    await endpoint(`ok/${name}`, ["job.complete", "job.error"]);
    const messages = async () =>
      (await received(`ok/${name}`)).map(({ body }) => WebhookMessage.parse(JSON.parse(body)));
    const good = await create();
    const run = await takeOwnRun(good.id);
    await writeOutput({ ...run, webhook: "" });
    await finishRun({ ...run, webhook: "" }, { output: {} });
    const [complete] = await until(messages, (all) => all.length === 1);
    expect(complete).toMatchObject({
      type: "job.complete",
      data: { id: good.id, progress: 100, output: { size: 16 } },
    });
    const bad = await create();
    await finishRun({ ...(await takeOwnRun(bad.id)), webhook: "" }, { error: "invalid_params: too short" });
    const all = await until(messages, (some) => some.length === 2);
    const failed = all.find(({ data }) => data.id === bad.id);
    expect(failed).toMatchObject({ type: "job.error", data: { status: "error", error: { code: "invalid_params" } } });
  });

  it("tell of progress at most once a second, and only who asked", async () => {
    const { endpoint, create, cancel } = await newTenant();
    const name = crypto.randomUUID();
    await endpoint(`ok/${name}`, ["job.progress"]);
    const { id } = await create();
    const { input } = await takeOwnRun(id);
    let progress = 0;
    const report = () =>
      call(input.progress_url, {
        method: "POST",
        body: JSON.stringify({ progress: Math.min(99, ++progress), stage: "rendering" }),
      });
    const startedAt = Date.now();
    // Whether anybody listens, the job learns with its next write to D1.
    await until(
      async () => {
        await report();
        return received(`ok/${name}`);
      },
      (all) => all.length >= 1,
    );
    for (let count = 0; count < 30; count++) {
      await report();
    }
    const hooks = await received(`ok/${name}`);
    expect(hooks.length).toBeLessThanOrEqual(2 + (Date.now() - startedAt) / 1000);
    expect(WebhookMessage.parse(JSON.parse(hooks[0]?.body ?? "")).type).toBe("job.progress");
    await cancel(id);
  });

  it("are sent again after a failure: the same message, when the receiver asked for it", async () => {
    const { endpoint, create, cancel, deliveries, hurry } = await newTenant();
    const name = crypto.randomUUID();
    const { id, secret = "" } = await endpoint(`late/${name}`, ["job.cancelled"]);
    const job = await create();
    await cancel(job.id);
    const [waiting] = await until(
      () => deliveries(id),
      ([first]) => first?.tries.length === 1,
    );
    expect(waiting).toMatchObject({ status: "pending", tries: [{ status: 503, error: "HTTP 503" }] });
    expect(Date.parse(waiting?.next_try_at ?? "") - Date.now()).toBeGreaterThan(3_500_000);
    await hurry();
    const [delivered] = await until(
      () => deliveries(id),
      ([first]) => first?.status === "delivered",
    );
    expect(delivered?.tries.map(({ status }) => status)).toEqual([503, 200]);
    const [first, second] = await received(`late/${name}`);
    expect([second?.headers["webhook-id"], second?.body]).toEqual([first?.headers["webhook-id"], first?.body]);
    expect(() => new Webhook(secret).verify(second?.body ?? "", second?.headers ?? {})).not.toThrow();
  });

  it("end after ten tries, and are recovered and resent on request", async () => {
    const { endpoint, create, cancel, deliveries, hurry, ask } = await newTenant();
    const { id } = await endpoint(`broken/${crypto.randomUUID()}`, ["job.cancelled"]);
    const since = new Date().toISOString();
    await cancel((await create()).id);
    await until(
      () => deliveries(id),
      ([first]) => (first?.tries.length ?? 0) > 0,
    );
    for (let tries = 0; tries < 9; tries++) {
      await hurry();
    }
    const [failed] = await deliveries(id);
    expect(failed).toMatchObject({ status: "failed", next_try_at: null });
    expect(failed?.tries).toHaveLength(10);
    // Of what it was told before its projects were others nothing is sent again, nor shown.
    const recover = async () => (await ask("POST", `/api/webhook-endpoints/${id}/recover?since=${since}`)).json();
    const resend = () => ask("POST", `/api/webhook-endpoints/deliveries/${failed?.id}/resend`);
    await ask("PATCH", `/api/webhook-endpoints/${id}`, { project_ids: [987_654] });
    expect(await recover()).toEqual({ recovered: 0 });
    await expectProblem(await resend(), 404, "not_found");
    await ask("PATCH", `/api/webhook-endpoints/${id}`, { project_ids: null });
    expect(await recover()).toEqual({ recovered: 1 });
    await hurry();
    expect((await deliveries(id))[0]).toMatchObject({ status: "pending" });
    expect(await (await resend()).json()).toMatchObject({ id: failed?.id, status: "pending", tries: [] });
  });

  it("follow no redirect, and switch an endpoint off that says 410 or fails for five days", async () => {
    const { endpoint, create, cancel, deliveries, ask, tenantId } = await newTenant();
    const name = crypto.randomUUID();
    const moved = await endpoint(`moved/${name}`, ["job.cancelled"]);
    const gone = await endpoint(`gone/${name}`, ["job.cancelled"]);
    const broken = await endpoint(`broken/${name}`, ["job.cancelled"]);
    await runInDurableObject(webhookSenderOf(env, tenantId), (_, { storage }) => {
      const since = Date.now() - 6 * 24 * 3_600_000;
      storage.sql.exec("UPDATE webhook_endpoints SET failing_since = ? WHERE id = ?", since, broken.id);
    });
    await cancel((await create()).id);
    const read = async (id: string) =>
      WebhookEndpoint.parse(await (await ask("GET", `/api/webhook-endpoints/${id}`)).json());
    await until(
      () => read(gone.id),
      ({ status }) => status === "disabled",
    );
    await until(
      () => read(broken.id),
      ({ status }) => status === "disabled",
    );
    expect((await read(gone.id)).disabled_reason).toBe("it answered 410");
    expect((await read(broken.id)).disabled_reason).toBe("it failed for 5 days");
    expect((await deliveries(gone.id))[0]).toMatchObject({ status: "failed", next_try_at: null });
    const [first] = await until(
      () => deliveries(moved.id),
      ([sent]) => sent?.tries.length === 1,
    );
    expect(first?.tries[0]).toMatchObject({ status: 307, error: "HTTP 307" });
    expect((await read(moved.id)).status).toBe("enabled");
    expect(await received("ok/elsewhere")).toEqual([]);
    const enabled = await ask("PATCH", `/api/webhook-endpoints/${gone.id}`, { status: "enabled" });
    expect(await enabled.json()).toMatchObject({ status: "enabled", disabled_reason: null });
    expect((await ask("DELETE", `/api/webhook-endpoints/${gone.id}`)).status).toBe(204);
    expect((await ask("GET", `/api/webhook-endpoints/${gone.id}`)).status).toBe(404);
  });

  it("show a secret once, and sign by both while one replaces the other", async () => {
    const { endpoint, create, cancel, ask } = await newTenant();
    const name = crypto.randomUUID();
    const { id, secret: old = "" } = await endpoint(`ok/${name}`, ["job.cancelled"]);
    const rotated = WebhookEndpoint.parse(
      await (await ask("PATCH", `/api/webhook-endpoints/${id}`, { rotate_secret: true })).json(),
    );
    expect(rotated.secret).not.toBe(old);
    const list = await (await ask("GET", "/api/webhook-endpoints")).text();
    expect([old, rotated.secret ?? ""].some((secret) => list.includes(secret))).toBe(false);
    await cancel((await create()).id);
    const [hook] = await until(
      () => received(`ok/${name}`),
      (all) => all.length === 1,
    );
    for (const secret of [old, rotated.secret ?? ""]) {
      expect(() => new Webhook(secret).verify(hook?.body ?? "", hook?.headers ?? {})).not.toThrow();
    }
  });
});
