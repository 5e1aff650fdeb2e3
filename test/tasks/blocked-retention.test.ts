import { createExecutionContext, createScheduledController, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { z } from "zod";
import { CreatedJob } from "../../src/contract/create-job.ts";
import { Upload } from "../../src/contract/upload.ts";
import worker from "../../src/index.ts";
import { bearer, newKey } from "../setup/callers.ts";
import { framingParams, post, put, runpod, writeOutput } from "../setup/job.ts";
import { takeOwnRun } from "../setup/own-run.ts";

const day = 24 * 60 * 60_000;

type Headers = Record<string, string>;

async function upload(headers: Headers): Promise<string> {
  const file = { filename: "match.mp4", content_type: "video/mp4", size: 7, project_id: 7 };
  const { url, input_video_key, ...rest } = Upload.parse(await (await post("/api/uploads", file, headers)).json());
  await put(url ?? "", "a video", rest.headers);
  return input_video_key;
}

async function create(headers: Headers, input_video_key: string): Promise<CreatedJob> {
  const body = { project_id: 7, type: "framing", input_video_key, params: framingParams, reuse: "result" };
  return CreatedJob.parse(await (await post("/api/jobs", body, headers)).json());
}

const handler: ExportedHandler<Env> = worker;

/** One run of every cron, a month ahead, where jobs are kept for a day. */
async function runCrons(): Promise<void> {
  const settings = { ...env, RETENTION_DAYS: "1" };
  for (const cron of env.TEST_CRONS) {
    const controller = createScheduledController({ cron, scheduledTime: new Date(Date.now() + 30 * day) });
    const context = createExecutionContext();
    await handler.scheduled?.(controller, settings, context);
    await waitOnExecutionContext(context);
  }
}

const Count = z.object({ count: z.number() });

async function count(tenantId: string, state: string): Promise<number> {
  const query = `SELECT count(*) AS count FROM export_jobs WHERE tenant_id = ? AND ${state}`;
  return Count.parse(await env.DB.prepare(query).bind(tenantId).first()).count;
}

async function until(reached: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400 && !(await reached()); tries++) {
    await scheduler.wait(25);
  }
  expect(await reached()).toBe(true);
}

it("removes lenders, their borrowers and all others within a few runs", async () => {
  const tenantId = "lends-much";
  const headers = bearer(await newKey({ tenantId }));
  const inputs: string[] = [];
  for (let index = 0; index < 30; index++) {
    inputs.push(await upload(headers));
  }
  const complete = async (key: string) => {
    const { id } = await create(headers, key);
    const { input, id: runId } = await takeOwnRun(id);
    await writeOutput({ id: runId, input, webhook: "" });
    await runpod(`job-done/tester/${runId}`, { method: "POST", body: JSON.stringify({ output: {} }) });
    return id;
  };
  for (const key of inputs.slice(0, 20)) {
    await complete(key);
  }
  await until(async () => (await count(tenantId, "status = 'complete'")) === 20);
  for (const key of inputs.slice(0, 20)) {
    expect((await create(headers, key)).reused_from).not.toBeNull();
  }
  for (const key of inputs.slice(20)) {
    await complete(key);
  }
  await until(async () => (await count(tenantId, "settled_at IS NOT NULL")) === 50);
  for (let run = 0; run < 10 && (await count(tenantId, "true")) > 0; run++) {
    await runCrons();
  }
  await until(async () => (await count(tenantId, "true")) === 0);
}, 60_000);
