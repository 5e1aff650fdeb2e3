import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { CreatedJob } from "../../src/contract/create-job.ts";
import { JobHistory } from "../../src/contract/event.ts";
import {
  api,
  completeRun,
  expectProblem,
  framingParams,
  getJob,
  post,
  ring,
  takeRun,
  uploadVideo,
  waitForJob,
} from "../setup/job.ts";

async function newRequest(extra: object = {}): Promise<object> {
  const input_video_key = await uploadVideo();
  return { project_id: 7, type: "framing", input_video_key, params: framingParams, ...extra };
}

async function create(body: object, status: number, headers: Record<string, string> = {}): Promise<CreatedJob> {
  const response = await post("/api/jobs", body, headers);
  expect(response.status).toBe(status);
  return CreatedJob.parse(await response.json());
}

async function finish(id: string): Promise<void> {
  const run = await takeRun(id);
  await completeRun(run);
  await ring(run);
  await waitForJob(id, ({ status }) => status === "complete");
}

describe("reuse", () => {
  it("join: twenty at once are one job, and the next after its end is a new one", async () => {
    const request = await newRequest({ reuse: "join" });
    const responses = await Promise.all(Array.from({ length: 20 }, () => post("/api/jobs", request)));
    const jobs = await Promise.all(responses.map(async (response) => CreatedJob.parse(await response.json())));
    const [first] = jobs;
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
    expect(responses.filter(({ status }) => status === 201)).toHaveLength(1);
    await finish(first?.id ?? "");
    const next = await create(request, 201);
    expect(next.id).not.toBe(first?.id);
    expect(next.reused_from).toBeNull();
    await api(`/api/jobs/${next.id}/cancel`, { method: "POST" });
  });

  it("join: a key stands for the job that it joined, also behind its end", async () => {
    const request = await newRequest({ reuse: "join" });
    const { id } = await create(request, 201, { "Idempotency-Key": `made-${crypto.randomUUID()}` });
    const headers = { "Idempotency-Key": `joined-${crypto.randomUUID()}` };
    expect((await create(request, 200, headers)).id).toBe(id);
    await finish(id);
    expect(await create(request, 200, headers)).toMatchObject({ id, status: "complete" });
    await expectProblem(
      await post("/api/jobs", { ...request, metadata: { a: 1 } }, headers),
      422,
      "idempotency_key_reused",
    );
    await api(`/api/jobs/${id}`, { method: "DELETE" });
    const joined = () => env.DB.prepare("SELECT count(*) AS n FROM joined_keys WHERE job_id = ?").bind(id).first("n");
    await vi.waitUntil(async () => (await joined()) === 0, { timeout: 5_000 });
  });

  it("join: takes nobody else's job, no other work's, and none that was not lent", async () => {
    const request = await newRequest({ reuse: "join" });
    const { id } = await create(request, 201);
    const others = [{ project_id: 8 }, { user_id: "u_9" }, { params: { ...framingParams, fps: 25 } }, { reuse: "off" }];
    for (const change of others) {
      const other = await create({ ...request, ...change }, 201);
      expect(other.id).not.toBe(id);
      await api(`/api/jobs/${other.id}/cancel`, { method: "POST" });
    }
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
  });

  it("result: of a wider scope the same content counts, whoever uploaded it, and for as long as was asked", async () => {
    const body = `a video ${crypto.randomUUID()}`;
    const request = async (extra: object) => ({
      ...{ project_id: 7, type: "framing", params: framingParams, reuse: "result" },
      ...{ input_video_key: await uploadVideo(body), ...extra },
    });
    const first = await create(await request({ user_id: "u_1", reuse_scope: "tenant" }), 201);
    await finish(first.id);
    const others = { user_id: "u_2", project_id: 8, reuse_scope: "tenant" };
    const second = await create(await request({ ...others, reuse_max_age_seconds: 3_600 }), 201);
    expect([second.status, second.reused_from]).toEqual(["complete", first.id]);
    const old = "2020-01-01T00:00:00.000Z";
    await env.DB.prepare("UPDATE export_jobs SET completed_at = ? WHERE id = ?").bind(old, first.id).run();
    for (const extra of [{ ...others, reuse_max_age_seconds: 3_600 }, { reuse_scope: "project" }, {}]) {
      const fresh = await create(await request(extra), 201);
      expect([fresh.status, fresh.reused_from]).not.toContain("complete");
      await api(`/api/jobs/${fresh.id}/cancel`, { method: "POST" });
    }
  });

  it("result: is complete at once with the other's output, which then cannot be removed under it", async () => {
    const request = await newRequest({ reuse: "result" });
    const first = await create(request, 201);
    await finish(first.id);
    const done = await getJob(first.id);
    const second = await create(request, 201, { "idempotency-key": "again-and-again" });
    expect(second).toMatchObject({
      status: "complete",
      progress: 100,
      attempt: 0,
      reused_from: first.id,
      output_video_key: done.output_video_key,
    });
    expect((await create(request, 200, { "idempotency-key": "again-and-again" })).id).toBe(second.id);
    const { data } = JobHistory.parse(await (await api(`/api/jobs/${second.id}/events`)).json());
    expect(data.map(({ type }) => type)).toEqual(["complete"]);
    expect((await api(`/api/jobs/${second.id}/output`)).status).toBe(302);
    await expectProblem(await api(`/api/jobs/${first.id}`, { method: "DELETE" }), 409, "conflict");
    const patched = await api(`/api/jobs/${second.id}`, {
      method: "PATCH",
      body: '{"acknowledged":true}',
      headers: { "content-type": "application/json" },
    });
    expect(patched.status).toBe(200);
    expect((await getJob(second.id)).status).toBe("complete");
    for (const id of [second.id, first.id]) {
      expect((await api(`/api/jobs/${id}`, { method: "DELETE" })).status).toBe(204);
    }
    const fresh = await create(request, 201);
    expect(fresh.reused_from).toBeNull();
    await api(`/api/jobs/${fresh.id}/cancel`, { method: "POST" });
  });
});
