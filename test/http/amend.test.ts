import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { CreatedJob } from "../../src/contract/create-job.ts";
import { JobHistory } from "../../src/contract/event.ts";
import { Job } from "../../src/contract/job.ts";
import worker from "../../src/index.ts";
import { bearer, newKey } from "../setup/callers.ts";
import {
  api,
  authorization,
  completeRun,
  createJob,
  expectProblem,
  framingParams,
  getJob,
  post,
  ring,
  takeRun,
  uploadVideo,
  waitForJob,
} from "../setup/job.ts";
import { storeInput } from "../setup/rows.ts";

const patch = (id: string, body: object, headers: Record<string, string> = {}) =>
  api(`/api/jobs/${id}`, {
    method: "PATCH",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });

async function finish(id: string): Promise<Job> {
  const run = await takeRun(id);
  await completeRun(run);
  await ring(run);
  return waitForJob(id, ({ status }) => status === "complete");
}

describe("PATCH /api/jobs/:id", () => {
  it("merges labels, removes by null, and lists find the new ones", async () => {
    const { id, version } = await createJob({ project_id: 31, metadata: { a: 1, b: "x" } });
    const amended = Job.parse(await (await patch(id, { metadata: { b: null, c: true } })).json());
    expect(amended.metadata).toEqual({ a: 1, c: true });
    expect(amended.version).toBeGreaterThan(version);
    expect((await getJob(id)).metadata).toEqual({ a: 1, c: true });
    const found = async (query: string) => JSON.stringify(await (await api(`/api/jobs?project_id=31&${query}`)).json());
    expect(await found("metadata[c]=true")).toContain(id);
    expect(await found("metadata[b]=x")).not.toContain(id);
    await finish(id);
    expect((await getJob(id)).metadata).toEqual({ a: 1, c: true });
  });

  it("takes note of the end, without touching it, and If-Match guards it", async () => {
    const { id } = await createJob();
    const done = await finish(id);
    const history = async () => JobHistory.parse(await (await api(`/api/jobs/${id}/events`)).json()).data;
    const before = await history();
    const etag = `W/"v${done.version}"`;
    const response = await patch(id, { acknowledged: true }, { "if-match": etag });
    const acknowledged = Job.parse(await response.json());
    expect(acknowledged.acknowledged_at).not.toBeNull();
    expect({ ...acknowledged, output: null }).toMatchObject({
      ...{ status: "complete", completed_at: done.completed_at, output_video_key: done.output_video_key },
    });
    expect(response.headers.get("etag")).toBe(`W/"v${acknowledged.version}"`);
    await expectProblem(await patch(id, { acknowledged: false }, { "if-match": etag }), 412, "precondition_failed");
    expect(await getJob(id)).toMatchObject({
      version: acknowledged.version,
      acknowledged_at: acknowledged.acknowledged_at,
    });
    // A proxy on the way may have dropped the W/.
    expect((await patch(id, { acknowledged: false }, { "if-match": `"v1", "v${acknowledged.version}"` })).status).toBe(
      200,
    );
    expect((await getJob(id)).acknowledged_at).toBeNull();
    expect(await history()).toEqual(before);
    const row = await env.DB.prepare("SELECT settled_at, version FROM export_jobs WHERE id = ?").bind(id).first();
    expect(row?.["settled_at"]).toBeTruthy();
  });

  it("refuses a label too many, and changes nothing then", async () => {
    const metadata = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, index]));
    const { id } = await createJob({ metadata });
    const problem = await expectProblem(await patch(id, { metadata: { more: 1 } }), 422, "validation_failed");
    expect(problem.errors?.[0]?.pointer).toBe("/metadata");
    expect((await patch(id, { metadata: { more: 1, k0: null } })).status).toBe(200);
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
  });

  it("is forgotten when the owner tries again", async () => {
    const { id } = await createJob();
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
    await patch(id, { acknowledged: true });
    expect((await getJob(id)).acknowledged_at).not.toBeNull();
    await api(`/api/jobs/${id}/retry`, { method: "POST" });
    expect((await getJob(id)).acknowledged_at).toBeNull();
    await finish(id);
  });
});

describe("waiting", () => {
  const body = async () => ({
    ...{ project_id: 7, type: "framing", params: framingParams },
    input_video_key: await uploadVideo(),
  });

  it("Prefer: wait answers when the job is over", async () => {
    const request = await body();
    const waiting = post("/api/jobs", request, { prefer: "respond-async, wait=30" });
    const query = "SELECT id FROM export_jobs WHERE input_video_key = ?";
    let id: string | null = null;
    while (id === null) {
      id = await env.DB.prepare(query).bind(request.input_video_key).first<string>("id");
    }
    await finish(id);
    const response = await waiting;
    expect([response.status, response.headers.get("preference-applied")]).toEqual([201, "wait=30"]);
    expect(CreatedJob.parse(await response.json())).toMatchObject({ id, status: "complete", progress: 100 });
  });

  it("Prefer: wait answers when the time is over, with the job as it is", async () => {
    const response = await post("/api/jobs", await body(), { prefer: "wait=1" });
    const job = CreatedJob.parse(await response.json());
    expect([response.status, job.status]).toEqual([201, "processing"]);
    await api(`/api/jobs/${job.id}/cancel`, { method: "POST" });
  });

  it("?wait answers as soon as the version passes the one that is known", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    const { version } = await getJob(id);
    const waiting = api(`/api/jobs/${id}?wait=30&version=${version}`);
    await patch(id, { metadata: { seen: true } });
    const amended = Job.parse(await (await waiting).json());
    expect(amended).toMatchObject({ version: version + 1, metadata: { seen: true } });
    expect(Job.parse(await (await api(`/api/jobs/${id}?wait=30&version=0`)).json()).version).toBe(version + 1);
    const end = api(`/api/jobs/${id}?wait=30`);
    await completeRun(run);
    await ring(run);
    expect(Job.parse(await (await end).json()).version).toBeGreaterThan(version + 1);
    await waitForJob(id, ({ status }) => status === "complete");
    const late = await getJob(id);
    expect(Job.parse(await (await api(`/api/jobs/${id}?wait=30&version=${late.version}`)).json())).toMatchObject({
      status: "complete",
    });
  });
});

describe("MAX_ACTIVE_JOBS", () => {
  it("is a 429 that says when to come back, and a replay is not counted", async () => {
    const headers = {
      ...bearer(await newKey({ tenantId: "tiny" })),
      "content-type": "application/json",
      "idempotency-key": "once",
    };
    const input_video_key = await storeInput("tiny");
    const create = (key: string) => {
      const request = new Request<unknown, IncomingRequestCfProperties>("https://exports.test/api/jobs", {
        method: "POST",
        headers: { ...headers, "idempotency-key": key },
        body: JSON.stringify({
          project_id: 1,
          type: "framing",
          input_video_key,
          params: framingParams,
        }),
      });
      return worker.fetch(request, { ...env, MAX_ACTIVE_JOBS: "1" }, createExecutionContext());
    };
    const job = CreatedJob.parse(await (await create("one")).json());
    expect((await create("one")).status).toBe(200);
    const refused = await create("two");
    expect(refused.headers.get("retry-after")).toBeTruthy();
    await expectProblem(refused, 429, "quota_exceeded");
    expect((await api(`/api/jobs/${job.id}`, { headers: authorization })).status).toBe(404);
  });
});
