import { createExecutionContext, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import type { AppEnv } from "../../src/http/edge/app-env.ts";
import { authenticate } from "../../src/http/edge/auth.ts";
import { requestContext } from "../../src/http/edge/request-context.ts";
import { streamLifeOf } from "../../src/http/edge/stream-life.ts";
import { ProjectStream, projectStreamOf } from "../../src/object/project-stream.ts";
import { withStrike } from "../setup/broken-objects.ts";
import { bearer, newJwt, newKey } from "../setup/callers.ts";
import { api, createJob, expectProblem, takeRun, tenantId } from "../setup/job.ts";
import { insertRow } from "../setup/rows.ts";
import { until, watchProject } from "../setup/streams.ts";

const cancel = (id: string) => api(`/api/jobs/${id}/cancel`, { method: "POST" });

async function remove(id: string): Promise<void> {
  const response = await api(`/api/jobs/${id}`, { method: "DELETE" });
  expect(response.status).toBe(204);
}

function watchersOf(projectId: number): Promise<number> {
  return runInDurableObject(projectStreamOf(env, tenantId, projectId), (_, state) => state.getWebSockets().length);
}

/** The environment with a database that fails as often as it is told to when the stream's rows are read. */
function withFailingReads(failures: number): Env {
  let left = failures;
  const prepare = (sql: string) => {
    if (/^select "id", "version"/i.test(sql) && left-- > 0) {
      throw new Error("D1 is away");
    }
    return env.DB.prepare(sql);
  };
  const own: Record<string | symbol, unknown> = { prepare, batch: env.DB.batch.bind(env.DB) };
  return { ...env, DB: new Proxy(env.DB, { get: (target, name) => own[name] ?? Reflect.get(target, name) }) };
}

/** D1 as it was before the job ended: its object has not written the end yet. */
async function setBack(id: string): Promise<void> {
  await env.DB.prepare("UPDATE export_jobs SET status = 'pending', version = 1, completed_at = NULL WHERE id = ?")
    .bind(id)
    .run();
}

describe("between a list and its stream", () => {
  it("no end is lost: the stream begins where the list ended", async () => {
    const job = await createJob({ project_id: 601 });
    const list = await api("/api/jobs?project_id=601");
    await list.json();
    const asOf = list.headers.get("x-as-of") ?? "";
    expect(Date.parse(asOf)).toBeGreaterThan(Date.now() - 5_000);
    await cancel(job.id);
    const stream = await watchProject(601, { query: `?since=${asOf}` });
    await until(() => stream.told.length > 0);
    expect(stream.told[0]).toMatchObject({ type: "cancelled", event: { job_id: job.id } });
    await stream.close();
  });

  it("a job that was deleted is told of too, and to its own user alone", async () => {
    const job = await createJob({ project_id: 602, user_id: "mia" });
    const since = encodeURIComponent("2026-01-01T00:00:00+01:00");
    await cancel(job.id);
    await remove(job.id);
    const stream = await watchProject(602, { query: `?since=${since}` });
    await until(() => stream.deleted.length > 0);
    expect([stream.told, stream.deleted]).toMatchObject([[], [{ type: "deleted", job_id: job.id }]]);
    const other = await watchProject(602, { query: `?since=${since}`, headers: bearer(await newJwt({ sub: "noah" })) });
    await scheduler.wait(100);
    expect(other.deleted).toEqual([]);
    await Promise.all([stream.close(), other.close()]);
  });

  it("no end is lost that D1 hears of only then, long after it", async () => {
    const since = new Date().toISOString();
    const [completedAt, settledAt] = ["2026-11-20T17:30:00.000Z", null];
    const { id } = await insertRow({ tenantId, projectId: 614, status: "cancelled", completedAt, settledAt });
    const stream = await watchProject(614, { query: `?since=${since}` });
    await until(() => stream.told.length > 0);
    expect(stream.told).toMatchObject([{ type: "cancelled", event: { job_id: id } }]);
    await stream.close();
  });

  it("what its owner changes of an old job is no end", async () => {
    const job = await createJob({ project_id: 623 });
    await cancel(job.id);
    const readSettled = async () =>
      await env.DB.prepare("SELECT settled_at FROM export_jobs WHERE id = ?").bind(job.id).first<string>("settled_at");
    await until(async () => (await readSettled()) !== null);
    const settled = await readSettled();
    await scheduler.wait(5);
    const headers = { "content-type": "application/json" };
    await api(`/api/jobs/${job.id}`, { method: "PATCH", headers, body: JSON.stringify({ acknowledged: true }) });
    expect(await readSettled()).toBe(settled);
  });

  it("what is no instant is refused", async () => {
    await expectProblem(await api("/api/projects/603/events?since=yesterday"), 422, "validation_failed");
  });
});

describe("a project's stream", () => {
  it("tells that a job is gone, above all that was told of it", async () => {
    const job = await createJob({ project_id: 604 });
    const { told, deleted, close } = await watchProject(604);
    await cancel(job.id);
    await until(() => told.some(({ type }) => type === "cancelled"));
    await remove(job.id);
    await until(() => deleted.length > 0);
    expect(deleted[0]?.job_id).toBe(job.id);
    expect(deleted[0]?.seq).toBeGreaterThan(Math.max(...told.map(({ event }) => event.seq)));
    await close();
  });

  it("tells it to the job's user, and to no other", async () => {
    const job = await createJob({ project_id: 615, user_id: "mia" });
    await cancel(job.id);
    const watching = ["mia", "noah"].map(async (sub) => watchProject(615, { headers: bearer(await newJwt({ sub })) }));
    const [mia, noah] = await Promise.all(watching);
    await remove(job.id);
    await until(() => mia?.deleted.length === 1);
    await scheduler.wait(100);
    expect([mia?.deleted[0]?.job_id, noah?.deleted]).toEqual([job.id, []]);
    await Promise.all([mia?.close(), noah?.close()]);
  });

  it("tells it in the end, though the project's object fails at first", async () => {
    const job = await createJob({ project_id: 616 });
    await cancel(job.id);
    const { deleted, close } = await watchProject(616);
    const fail = () => {
      throw new Error("the object is away");
    };
    const spy = vi.spyOn(ProjectStream.prototype, "tell");
    spy.mockImplementationOnce(fail).mockImplementationOnce(fail).mockImplementationOnce(fail);
    await remove(job.id);
    await until(() => deleted.length > 0);
    expect(spy.mock.calls.length).toBeGreaterThanOrEqual(4);
    spy.mockRestore();
    await close();
  });

  it("is told of all that becomes of a job that is tried again, though the job had just learned that nobody watches", async () => {
    const job = await createJob({ project_id: 617 });
    await cancel(job.id);
    await scheduler.wait(100);
    const { told, close } = await watchProject(617);
    await api(`/api/jobs/${job.id}/retry`, { method: "POST" });
    await cancel(job.id);
    await until(() => told.some(({ type }) => type === "cancelled"));
    expect(told[0]).toMatchObject({ type: "status", event: { status: "pending" } });
    await close();
  });

  it("repeats no id in what a resumed stream begins with", async () => {
    const jobs = await Promise.all([1, 2, 3].map(() => createJob({ project_id: 618 })));
    const first = await watchProject(618);
    await until(() => first.told.length >= 3);
    await first.close();
    const again = await watchProject(618, { headers: { "last-event-id": first.told[0]?.id ?? "" } });
    await until(() => again.told.length >= 2);
    const ids = new Set(first.told.map(({ id }) => id));
    expect(again.told.filter(({ id }) => ids.has(id))).toEqual([]);
    await again.close();
    await Promise.all(jobs.map(({ id }) => cancel(id)));
  });

  it("asks the jobs at once for the first alone, however many come to watch", async () => {
    const job = await createJob({ project_id: 619 });
    let asked = 0;
    const bindings = withStrike("announce", () => asked++);
    const first = await watchProject(619, { bindings });
    await until(() => asked === 1);
    const own = await createJob({ project_id: 619, user_id: "mia" });
    const user = await watchProject(619, { bindings, headers: bearer(await newJwt({ sub: "mia" })) });
    // The first of all may not have got as far as this user's job.
    await until(() => asked === 2);
    const more = await Promise.all([1, 2, 3].map(() => watchProject(619, { bindings })));
    await until(() => more.every(({ told }) => told.length > 0));
    await scheduler.wait(50);
    expect(asked).toBe(2);
    await Promise.all([first, user, ...more].map(({ close }) => close()));
    await Promise.all([job, own].map(({ id }) => cancel(id)));
  });

  it("leaves room for other users: one may watch a hundred times", async () => {
    const headers = bearer(await newJwt({ sub: "mia" }));
    const open = await Promise.all(Array.from({ length: 100 }, () => watchProject(620, { headers })));
    const url = "/api/projects/620/events";
    await expectProblem(await api(url, { headers }), 429, "rate_limited");
    open.push(await watchProject(620, { headers: bearer(await newJwt({ sub: "noah" })) }));
    await Promise.all(open.map(({ close }) => close()));
  });

  it("is not opened by HEAD", async () => {
    const job = await createJob({ project_id: 621 });
    for (const path of ["/api/projects/621/events", `/api/jobs/${job.id}/events`]) {
      const response = await api(path, { method: "HEAD", headers: { accept: "text/event-stream" } });
      expect([response.status, response.headers.get("content-type")]).toEqual([
        200,
        "text/event-stream; charset=utf-8",
      ]);
    }
    expect(await watchersOf(621)).toBe(0);
    await cancel(job.id);
  });

  it("cuts off no reader that pauses while thousands of jobs move", async () => {
    const { id, ...rest } = await insertRow({ tenantId, projectId: 622 });
    const copies = `INSERT INTO export_jobs (id, tenant_id, project_id, type, params, input_video_key, max_retries, created_at, updated_at)
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4500)
      SELECT 'copy' || i, tenant_id, project_id, type, params, input_video_key, max_retries, created_at, updated_at
      FROM export_jobs, n WHERE id = ?`;
    await env.DB.prepare(copies).bind(id).run();
    const { state, told, close } = await watchProject(rest.projectId);
    await until(() => told.length >= 4_501);
    state.isPaused = true;
    await env.DB.prepare("UPDATE export_jobs SET version = version + 1, progress = 50 WHERE project_id = 622").run();
    await scheduler.wait(4_000);
    state.isPaused = false;
    await until(() => told.length >= 8_000 || state.isOver);
    expect(state.isOver).toBe(false);
    await close();
    await env.DB.prepare("DELETE FROM export_jobs WHERE project_id = 622").run();
  });

  it("repeats nothing to one who comes back", async () => {
    const job = await createJob({ project_id: 605 });
    const first = await watchProject(605);
    await cancel(job.id);
    await until(() => first.told.some(({ type }) => type === "cancelled"));
    await first.close();
    const again = await watchProject(605, { headers: { "last-event-id": first.told.at(-1)?.id ?? "" } });
    const next = await createJob({ project_id: 605 });
    await until(() => again.told.some(({ event }) => event.job_id === next.id));
    expect(again.told.filter(({ event }) => event.job_id === job.id)).toEqual([]);
    await again.close();
    await cancel(next.id);
  });

  it("is told of the end of a job that had just learned that nobody watches", async () => {
    const job = await createJob({ project_id: 606 });
    await takeRun(job.id);
    const { told, close } = await watchProject(606);
    await until(() => told.length > 0);
    await scheduler.wait(300);
    await cancel(job.id);
    await until(() => told.some(({ type }) => type === "cancelled"));
    await close();
  });

  it("is told of it too where no job can be told that it is watched", async () => {
    const job = await createJob({ project_id: 613 });
    await takeRun(job.id);
    const bindings = withStrike("announce", () => {
      throw new Error("no answer");
    });
    const { told, close } = await watchProject(613, { bindings });
    await until(() => told.length > 0);
    await cancel(job.id);
    await until(() => told.some(({ type }) => type === "cancelled"));
    await close();
  });

  it("brings an end that D1 had not heard of yet", async () => {
    const job = await createJob({ project_id: 607 });
    await cancel(job.id);
    await setBack(job.id);
    const { told, close } = await watchProject(607);
    await until(() => told.length > 1);
    expect(told.map(({ type }) => type)).toEqual(["status", "cancelled"]);
    await close();
  });

  it("outlives a job's object that gives no answer, and finds its end in D1", async () => {
    const [silent, other] = [await createJob({ project_id: 608 }), await createJob({ project_id: 608 })];
    await cancel(silent.id);
    await setBack(silent.id);
    const bindings = withStrike("announce", (id) => {
      if (id === silent.id) {
        throw new Error("no answer");
      }
    });
    const { told, close } = await watchProject(608, { bindings });
    await until(() => told.length > 1);
    await cancel(other.id);
    await until(() => told.some(({ event, type }) => event.job_id === other.id && type === "cancelled"));
    const ended = "UPDATE export_jobs SET status = 'cancelled', version = 9, completed_at = updated_at WHERE id = ?";
    await env.DB.prepare(ended).bind(silent.id).run();
    await until(() => told.some(({ event, type }) => event.job_id === silent.id && type === "cancelled"));
    await close();
  });

  it("finds out by itself that a job has gone, if nobody could say so", async () => {
    const job = await createJob({ project_id: 609 });
    const { told, deleted, close } = await watchProject(609);
    await until(() => told.length > 0);
    await env.DB.prepare("DELETE FROM export_jobs WHERE id = ?").bind(job.id).run();
    await until(() => deleted.length > 0);
    expect(deleted[0]).toMatchObject({ job_id: job.id });
    await close();
  });
});

describe("a greeting", () => {
  it("is tried again when D1 fails once", async () => {
    const job = await createJob({ project_id: 610 });
    const { told, close } = await watchProject(610, { bindings: withFailingReads(1) });
    await until(() => told.length > 0);
    await close();
    await cancel(job.id);
  });

  it("that fails ends the stream cleanly, and leaves no socket behind", async () => {
    const { state, told, response } = await watchProject(611, { bindings: withFailingReads(100) });
    expect(response.headers.get("x-accel-buffering")).toBe("no");
    expect(response.headers.get("cache-control")).toBe("private, no-store");
    await until(() => state.isOver);
    expect([state.text, told]).toEqual(["retry: 2000\n\n", []]);
    await until(async () => (await watchersOf(611)) === 0);
  });
});

describe("a stream's end", () => {
  it("comes with its credential's", async () => {
    const job = await createJob({ project_id: 612, user_id: "mia" });
    // With the door's grace of 60 seconds.
    const exp = Math.floor(Date.now() / 1000) - 58;
    const { state } = await watchProject(612, { headers: bearer(await newJwt({ sub: "mia", exp })) });
    await until(() => state.isOver);
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(exp + 60 - 0.1);
    await until(async () => (await watchersOf(612)) === 0);
    await cancel(job.id);
  });

  it("comes when its key was revoked, and after a quarter of an hour at the latest", async () => {
    const key = await newKey({});
    const app = new Hono<AppEnv>().use("*", requestContext, authenticate).get("/api", async (c) => {
      const { until: end, isLet } = streamLifeOf(c);
      const before = await isLet();
      await env.DB.prepare("UPDATE api_keys SET revoked_at = created_at WHERE id = ?").bind(key.split("_")[1]).run();
      return c.json({ minutes: (end - Date.now()) / 60_000, let: [before, await isLet()] });
    });
    const response = await app.request("/api", { headers: bearer(key) }, env, createExecutionContext());
    const life = z.object({ minutes: z.number(), let: z.array(z.boolean()) }).parse(await response.json());
    expect([Math.round(life.minutes), life.let]).toEqual([15, [true, false]]);
  });
});
