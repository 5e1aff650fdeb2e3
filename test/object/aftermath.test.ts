import { abortAllDurableObjects, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { UsageReport } from "../../src/contract/usage.ts";
import { toTimestamp } from "../../src/core/time.ts";
import { toJobSpec } from "../../src/object/job-spec.ts";
import { rpcVersion } from "../../src/object/rpc.ts";
import { openDatabase } from "../../src/store/database.ts";
import { findJob } from "../../src/store/jobs.ts";
import { sweep } from "../../src/tasks/sweep.ts";
import {
  api,
  call,
  completeRun,
  createJob,
  expectProblem,
  finishRun,
  framingParams,
  getJob,
  ring,
  takeRun,
  tenantId,
  uploadVideo,
  waitForJob,
} from "../setup/job.ts";
import { insertRow } from "../setup/rows.ts";

const post = (path: string) => api(path, { method: "POST" });

async function readRow(id: string): Promise<Record<string, unknown> | null> {
  return env.DB.prepare("SELECT * FROM export_jobs WHERE id = ?").bind(id).first();
}

describe("POST /api/jobs/:id/retry", () => {
  it("starts a new attempt of a failed job, which can still complete", async () => {
    const { id } = await createJob({ max_retries: 0 });
    await expectProblem(await post(`/api/jobs/${id}/retry`), 409, "conflict");
    await finishRun(await takeRun(id), { error: "invalid_params: no" });
    await waitForJob(id, ({ status }) => status === "error");
    const response = await post(`/api/jobs/${id}/retry`);
    expect([response.status, await response.json()]).toMatchObject([
      200,
      { status: "pending", error: null, completed_at: null },
    ]);
    expect((await getJob(id)).status).not.toBe("error");
    const run = await takeRun(id);
    expect(run.input.attempt).toBe(2);
    await completeRun(run);
    await ring(run);
    await waitForJob(id, ({ status }) => status === "complete");
    await expectProblem(await post(`/api/jobs/${id}/retry`), 409, "conflict");
  });
});

describe("DELETE /api/jobs/:id", () => {
  it("removes row, output and state of a job that is over, and leaves its input", async () => {
    const { id, input_video_key } = await createJob();
    await expectProblem(await api(`/api/jobs/${id}`, { method: "DELETE" }), 409, "conflict");
    const run = await takeRun(id);
    await completeRun(run);
    await waitForJob(id, ({ status }) => status === "complete");
    const response = await api(`/api/jobs/${id}`, { method: "DELETE" });
    expect([response.status, await response.text()]).toEqual([204, ""]);
    await expectProblem(await api(`/api/jobs/${id}`), 404, "not_found");
    expect(await env.VIDEOS.head(run.input.output_video_key)).toBeNull();
    expect(await env.VIDEOS.head(input_video_key ?? "")).not.toBeNull();
    expect((await ring(run)).status).toBe(200);
    await expectProblem(await api(`/api/jobs/${id}`, { method: "DELETE" }), 404, "not_found");
  });

  it("leaves nothing of its owner's in its object", async () => {
    const { id } = await createJob({ metadata: { player: "Ada" } });
    await completeRun(await takeRun(id));
    await waitForJob(id, ({ status }) => status === "complete");
    await api(`/api/jobs/${id}`, { method: "DELETE" });
    const object = env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(id));
    const kept = await runInDurableObject(object, (_instance, { storage }) => {
      const parts = storage.sql.exec("SELECT value FROM parts").toArray();
      return JSON.stringify([parts, storage.sql.exec("SELECT event FROM events").toArray()]);
    });
    expect(kept).not.toMatch(/crop_keyframes|Ada|a video/);
  });

  it("is the end, even for a start that was under way meanwhile: it buys no run", async () => {
    const { id } = await createJob();
    const row = await findJob(openDatabase(env.DB), tenantId, id);
    await takeRun(id);
    await post(`/api/jobs/${id}/cancel`);
    await vi.waitFor(async () => expect((await api(`/api/jobs/${id}`, { method: "DELETE" })).status).toBe(204));
    const object = env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(id));
    await object.start(rpcVersion, toJobSpec(row ?? expect.fail("no row")));
    expect(await object.read(rpcVersion, tenantId)).toBeNull();
  });
});

describe("usage", () => {
  it("is counted once per attempt, with RunPod's figures", async () => {
    const project_id = 9001;
    const { id } = await createJob({ project_id });
    await finishRun(await takeRun(id), { error: "out of memory" });
    await waitForJob(id, ({ attempt }) => attempt === 2);
    await completeRun(await takeRun(id));
    await waitForJob(id, ({ status }) => status === "complete");
    const cancelled = await createJob({ project_id });
    await takeRun(cancelled.id);
    await post(`/api/jobs/${cancelled.id}/cancel`);
    const day = await vi.waitFor(async () => {
      const { data } = UsageReport.parse(await (await api(`/api/usage?project_id=${project_id}`)).json());
      expect(data[0]?.attempts).toBe(3);
      return data[0];
    });
    expect(day).toMatchObject({
      day: toTimestamp(Date.now()).slice(0, 10),
      jobs: { complete: 1, error: 0, cancelled: 1 },
      bytes_out: "a rendered video".length,
      bytes_in: 3 * "a video".length,
      cost: null,
    });
    const rows = await env.DB.prepare("SELECT attempt, outcome, job_status FROM usage WHERE job_id = ?").bind(id).all();
    expect(rows.results).toEqual([
      { attempt: 1, outcome: "handler_failed", job_status: null },
      { attempt: 2, outcome: "complete", job_status: "complete" },
    ]);
  });

  it("refuses days that are none", async () => {
    await expectProblem(await api("/api/usage?from=yesterday"), 422, "validation_failed");
  });
});

describe("an alarm that got lost", () => {
  it("is set again by the object that comes back without it", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    const object = () => env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(id));
    await runInDurableObject(object(), (_instance, { storage }) => storage.deleteAlarm());
    await abortAllDurableObjects();
    await completeRun(run);
    expect((await getJob(id)).attempt).toBe(1);
    await waitForJob(id, ({ status }) => status === "complete");
  });
});

describe("what a life costs the journal", () => {
  it("is no more than five saves for 100 updates of progress", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    const object = env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(id));
    const readState = () =>
      runInDurableObject(object, (_instance, { storage }) => {
        const [row] = storage.sql.exec<{ value: string }>("SELECT value FROM parts WHERE id = 2").toArray();
        return row?.value ?? "";
      });
    const states = new Set<string>();
    for (let progress = 1; progress <= 100; progress++) {
      const update = { method: "POST", body: JSON.stringify({ progress }) };
      await call(run.input.progress_url, update).then((response) => response.body?.cancel());
      states.add(await readState());
    }
    // Polls go on meanwhile, but save nothing that they do not have to.
    expect(states.size).toBeLessThanOrEqual(5);
    expect((await getJob(id)).progress).toBe(100);
    await completeRun(run);
    await waitForJob(id, ({ status }) => status === "complete");
  });
});

describe("the sweep", () => {
  const later = () => Date.now() + 200_000;

  it("begins a job whose object never started", async () => {
    const row = await insertRow({
      tenantId,
      type: "framing",
      params: {
        ...framingParams,
        include_audio: true,
        output_width: 64,
        output_height: 64,
        interpolation: "linear",
        rotation: 0,
      },
      inputVideoKey: await uploadVideo(),
      maxRetries: 0,
    });
    const { id } = row;
    expect(await sweep(env, Date.now())).toBe(0);
    expect(await sweep(env, later())).toBeGreaterThan(0);
    await completeRun(await takeRun(id));
    await waitForJob(id, ({ status }) => status === "complete");
  });

  it("has D1 written again where it lost the end of a job, and then leaves the job alone", async () => {
    const { id } = await createJob();
    await completeRun(await takeRun(id));
    await waitForJob(id, ({ status }) => status === "complete");
    await vi.waitFor(async () => expect((await readRow(id))?.["settled_at"]).toBeTruthy());
    const lost =
      "UPDATE export_jobs SET status = 'processing', version = 2, completed_at = NULL, settled_at = NULL WHERE id = ?";
    await env.DB.prepare(lost).bind(id).run();
    await sweep(env, later());
    expect(await readRow(id)).toMatchObject({ status: "complete", settled_at: expect.any(String) });
    const { results } = await env.DB.prepare("SELECT id FROM export_jobs WHERE settled_at IS NULL AND id = ?")
      .bind(id)
      .all();
    expect(results).toEqual([]);
  });

  it("looks at no more jobs than it may, and goes on where it ended", async () => {
    const ids: string[] = [];
    for (let count = 0; count < 5; count++) {
      const row = await insertRow({ tenantId: "sweep", status: "processing" });
      ids.push(row.id);
    }
    const woken: number[] = [];
    const cursors: string[] = [];
    for (let run = 0; run < 4; run++) {
      woken.push(await sweep(env, later(), { pageSize: 2, maxPages: 1 }));
      cursors.push(String((await env.DB.prepare("SELECT position FROM task_cursors").first())?.["position"]));
    }
    expect(woken.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(5);
    expect(Math.max(...woken)).toBe(2);
    expect(new Set(cursors).size).toBeGreaterThan(2);
    await env.DB.prepare("DELETE FROM export_jobs WHERE tenant_id = 'sweep'").run();
    expect(ids).toHaveLength(5);
  });

  it("does not bring back a job that was removed", async () => {
    const { id } = await createJob();
    await completeRun(await takeRun(id));
    await waitForJob(id, ({ status }) => status === "complete");
    const row = await readRow(id);
    await api(`/api/jobs/${id}`, { method: "DELETE" });
    const columns = Object.keys(row ?? {});
    const insert = `INSERT INTO export_jobs (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
    await env.DB.prepare(insert)
      .bind(...Object.values({ ...row, settled_at: null }))
      .run();
    await sweep(env, later());
    // Nor do those who read the row a moment before it went.
    const path = `/api/jobs/${id}`;
    const patch = { method: "PATCH", body: '{"acknowledged":true}', headers: { "content-type": "application/json" } };
    await expectProblem(await api(path, patch), 404, "not_found");
    const headers = { "last-event-id": `${Date.now()}.${id}.1` };
    const stream = await api("/api/projects/7/events", { headers });
    await scheduler.wait(50);
    await stream.body?.cancel();
    expect(await env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(id)).read(rpcVersion, tenantId)).toBeNull();
  });
});
