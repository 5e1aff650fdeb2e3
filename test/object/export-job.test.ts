import { abortAllDurableObjects } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { JobHistory } from "../../src/contract/event.ts";
import { newAttemptToken } from "../../src/core/tokens.ts";
import {
  api,
  call,
  completeRun,
  createJob,
  finishRun,
  getJob,
  ring,
  runpod,
  takeRun,
  waitForJob,
  writeOutput,
} from "../setup/job.ts";

describe("the life of a job", () => {
  it("goes from create over webhook and verification to complete, and D1 agrees", async () => {
    const created = await createJob({ metadata: { home: true } });
    expect(created).toMatchObject({ status: "pending", progress: 0, attempt: 0, metadata: { home: true } });
    const run = await takeRun(created.id);
    expect(run.input).toMatchObject({ attempt: 1, type: "framing", input_video_key: created.input_video_key });
    await writeOutput(run);
    await finishRun(run, { output: { output_video_key: run.input.output_video_key } });
    expect((await ring(run)).status).toBe(200);
    const job = await waitForJob(created.id, ({ status }) => status === "complete");
    expect(job).toMatchObject({
      progress: 100,
      stage: "done",
      error: null,
      output_video_key: run.input.output_video_key,
    });
    expect(job.output?.size).toBe("a rendered video".length);
    const row = await vi.waitFor(async () => {
      const found = await env.DB.prepare("SELECT * FROM export_jobs WHERE id = ?").bind(job.id).first();
      expect(found).toMatchObject({ status: "complete", version: job.version, settled_at: expect.any(String) });
      return found;
    });
    expect(row).toMatchObject({ progress: 100, attempt: 1, runpod_job_id: run.id, output_etag: job.output?.etag });
  });

  it("completes without any webhook, by its polls", async () => {
    const { id } = await createJob();
    await completeRun(await takeRun(id));
    expect(await waitForJob(id, ({ status }) => status === "complete")).toMatchObject({ attempt: 1 });
  });

  it("believes no webhook: one that says COMPLETED changes nothing while nothing is in R2", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    expect((await ring(run, { id: run.id, status: "COMPLETED", output: { output_video_key: "x" } })).status).toBe(200);
    expect((await ring(run, { id: run.id, status: "FAILED", error: "no" })).status).toBe(200);
    await waitForJob(id, ({ stage }) => stage === "rendering");
    expect(await getJob(id)).toMatchObject({ status: "processing", error: null });
    await completeRun(run);
    await waitForJob(id, ({ status }) => status === "complete");
  });

  it("completes on a webhook and the object in R2, even when RunPod's status hangs at IN_PROGRESS", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    await writeOutput(run);
    await ring(run);
    expect(await waitForJob(id, ({ status }) => status === "complete")).toMatchObject({ runpod_job_id: run.id });
  });

  it("does not take RunPod's COMPLETED for an output: without one in R2 the attempt fails", async () => {
    const { id } = await createJob({ max_retries: 0 });
    await finishRun(await takeRun(id), { output: { output_video_key: "imagined" } });
    const job = await waitForJob(id, ({ status }) => status === "error");
    expect(job.error).toMatchObject({ code: "output_missing", retryable: true, attempt: 1 });
  });
});

describe("a failed run", () => {
  it("is tried again as a new attempt with a key and a token of its own, and can still succeed", async () => {
    const { id } = await createJob();
    const first = await takeRun(id);
    await finishRun(first, { error: JSON.stringify({ error_type: "X", error_message: "CUDA out of memory" }) });
    await waitForJob(id, ({ attempt }) => attempt === 2);
    const second = await takeRun(id);
    expect(second.input.attempt).toBe(2);
    expect(second.input.output_video_key).not.toBe(first.input.output_video_key);
    expect(second.webhook).not.toBe(first.webhook);
    await completeRun(second);
    const job = await waitForJob(id, ({ status }) => status === "complete");
    expect(job).toMatchObject({ attempt: 2, retry_count: 1, output_video_key: second.input.output_video_key });
  });

  it("ends in error with the handler's words when no retry is left", async () => {
    const { id } = await createJob({ max_retries: 0 });
    const run = await takeRun(id);
    await finishRun(run, { error: JSON.stringify({ error_message: "CUDA out of memory", error_traceback: "secret" }) });
    await ring(run);
    const job = await waitForJob(id, ({ status }) => status === "error");
    expect(job.error).toEqual({ code: "handler_failed", message: "CUDA out of memory", retryable: true, attempt: 1 });
    expect(JSON.stringify(job)).not.toContain("secret");
  });

  it("is never tried again when the handler refuses the params", async () => {
    const { id } = await createJob({ max_retries: 3 });
    await finishRun(await takeRun(id), { error: "invalid_params: the crop lies outside the video" });
    const job = await waitForJob(id, ({ status }) => status === "error");
    expect(job).toMatchObject({
      attempt: 1,
      error: { code: "invalid_params", message: "the crop lies outside the video", retryable: false },
    });
  });

  it("still gives its result when the output turns out to be in R2", async () => {
    const { id } = await createJob({ max_retries: 0 });
    const run = await takeRun(id);
    await writeOutput(run);
    await finishRun(run, { error: "the worker was lost after its upload" });
    await waitForJob(id, ({ status }) => status === "complete");
  });
});

describe("a crash", () => {
  it("of the object with a run under way is repaired by its alarm", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    await abortAllDurableObjects();
    await completeRun(run);
    const job = await waitForJob(id, ({ status }) => status === "complete");
    expect(job).toMatchObject({ attempt: 1, runpod_job_id: run.id });
  });

  it("between saved progress and the next leaves no version behind", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    await report(run.input.progress_url, { progress: 10 });
    await report(run.input.progress_url, { progress: 60 });
    const seen = await getJob(id);
    expect(seen.progress).toBe(60);
    await abortAllDurableObjects();
    await report(run.input.progress_url, { progress: 61 });
    const after = await getJob(id);
    expect(after.progress).toBe(61);
    expect(after.version).toBeGreaterThan(seen.version);
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
  });
});

async function report(url: string, update: object): Promise<unknown> {
  const response = await call(url, { method: "POST", body: JSON.stringify(update) });
  expect(response.status).toBe(200);
  return response.json();
}

describe("progress", () => {
  it("never falls, carries the handler's words, and costs no D1 write until its flush", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    const url = run.input.progress_url;
    expect(await report(url, { progress: 20.4, stage: "rendering", message: "frame 1\nof 5" })).toEqual({
      cancel: false,
    });
    expect(await report(url, { progress: 10 })).toEqual({ cancel: false });
    expect(await getJob(id)).toMatchObject({ progress: 20, stage: "rendering", message: "frame 1 of 5" });
    const row = await env.DB.prepare("SELECT progress FROM export_jobs WHERE id = ?").bind(id).first();
    expect(row).toEqual({ progress: 0 });
    await completeRun(run);
    await ring(run);
    await waitForJob(id, ({ status }) => status === "complete");
    expect(await report(url, { progress: 30 })).toEqual({ cancel: true });
    expect(await getJob(id)).toMatchObject({ status: "complete", progress: 100 });
  });

  it("of another attempt, or with another nonce, is not this attempt's", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    const [kid = "", secret = ""] = env.SIGNING_KEYS.split(",")[0]?.split(":") ?? [];
    for (const attempt of [1, 2]) {
      const ref = { jobId: id, attempt, nonce: "guessed" };
      const token = await newAttemptToken([{ kid, secret }], ref, Date.now());
      expect(await report(`/webhooks/runpod/${token}/progress`, { progress: 90 })).toEqual({ cancel: true });
    }
    expect((await getJob(id)).progress).toBe(0);
    await completeRun(run);
    await waitForJob(id, ({ status }) => status === "complete");
  });
});

describe("what a life costs", () => {
  it("in D1: its insert, processing, usage and end: nothing for 100 updates of progress", async () => {
    await vi.waitFor(async () => {
      // Others of this file wait for the end of their links, or for nothing.
      const active = "SELECT count(*) AS jobs FROM export_jobs WHERE completed_at IS NULL";
      expect(await env.DB.prepare(active).first()).toEqual({ jobs: 0 });
    });
    const original = env.DB.prepare;
    const statements: string[] = [];
    const prepare = vi.spyOn(Object.getPrototypeOf(env.DB), "prepare").mockImplementation(function (
      this: D1Database,
      sql,
    ) {
      statements.push(String(sql));
      return Reflect.apply(original, this, [sql]);
    });
    const { id } = await createJob();
    const run = await takeRun(id);
    for (let progress = 0; progress < 100; progress++) {
      await report(run.input.progress_url, { progress });
    }
    await completeRun(run);
    await ring(run);
    await vi.waitFor(async () => {
      expect(
        (await env.DB.prepare("SELECT settled_at FROM export_jobs WHERE id = ?").bind(id).first())?.["settled_at"],
      ).toBeTruthy();
    });
    prepare.mockRestore();
    const ofJob = statements.filter((sql) => !/"(uploads|stored_bytes)"/.test(sql));
    const writes = ofJob.filter((sql) => /^(insert|update|delete)/i.test(sql)).map((sql) => sql.slice(0, 6));
    // The job's row, processing, and in one batch the end with its settling and the attempt's usage.
    expect(writes).toEqual(["insert", "update", "update", "insert"]);
  });
});

describe("cancel", () => {
  it("is final at once, and RunPod is told behind it", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    const response = await api(`/api/jobs/${id}/cancel`, { method: "POST" });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: "cancelled", stage: "done" });
    await vi.waitFor(async () => {
      expect(await (await runpod(`status/${run.id}`)).json()).toMatchObject({ status: "CANCELLED" });
    });
    expect((await api(`/api/jobs/${id}/cancel`, { method: "POST" })).status).toBe(200);
    expect(await report(run.input.progress_url, { progress: 5 })).toEqual({ cancel: true });
    await completeRun(run).catch(() => {});
    await ring(run);
    expect(await getJob(id)).toMatchObject({ status: "cancelled", output: null });
  });
});

describe("history", () => {
  it("tells each change once, in order, with the version as its number", async () => {
    const { id } = await createJob();
    const run = await takeRun(id);
    await completeRun(run);
    await ring(run);
    const job = await waitForJob(id, ({ status }) => status === "complete");
    const { data } = JobHistory.parse(await (await api(`/api/jobs/${id}/events`)).json());
    expect(data.map(({ stage }) => stage)).toEqual(
      expect.arrayContaining(["queued", "dispatching", "waiting_for_gpu", "verifying", "done"]),
    );
    expect(data.map(({ seq }) => seq)).toEqual([...new Set(data.map(({ seq }) => seq))].sort((a, b) => a - b));
    expect(data.at(-1)).toMatchObject({ type: "complete", seq: job.version, progress: 100 });
  });
});
