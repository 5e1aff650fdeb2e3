import { Hono } from "hono";
import { insertRow, objectOf } from "./bare.ts";
import type { BenchEnv } from "./env.ts";
import { submitRun } from "./submit-run.ts";

const outputOf = (id: string) => `output/${id}.mp4`;

/**
 * The least that an object per job can do and still verify its output: a row, an object, the run, updates in memory; at
 * the end a write, RunPod's status, a look into R2 and the row again. No checks, retries, events or credentials.
 */
export const bareLife = new Hono<{ Bindings: BenchEnv }>()
  .post("/least/jobs", async (c) => {
    const id = crypto.randomUUID();
    const job = { ...(await c.req.json()), id };
    await insertRow(c.env, job);
    await objectOf(c.env, id).begin(JSON.stringify(job));
    c.executionCtx.waitUntil(submitRun(c.env, `/least/jobs/${id}`, { job_id: id, output_video_key: outputOf(id) }));
    return c.json({ id, status: "pending" }, 201);
  })
  .post("/least/jobs/:id/progress", async (c) =>
    c.json(await objectOf(c.env, c.req.param("id")).take(await c.req.json())),
  )
  .post("/least/jobs/:id/webhook", async (c) => {
    const { id: runId }: { id: string } = await c.req.json();
    const id = c.req.param("id");
    await objectOf(c.env, id).write("verifying");
    const headers = { authorization: `Bearer ${c.env.RUNPOD_API_KEY}` };
    const base = `${c.env.RUNPOD_BASE_URL}/${c.env.RUNPOD_ENDPOINT_ID}`;
    const status: { status: string } = await (await fetch(`${base}/status/${runId}`, { headers })).json();
    const output = await c.env.VIDEOS.head(outputOf(id));
    if (status.status !== "COMPLETED" || !output) {
      return c.json({ received: false }, 409);
    }
    await objectOf(c.env, id).write("complete");
    const update = "UPDATE export_jobs SET status = 'complete', version = 2 WHERE tenant_id = 'bare' AND id = ?";
    await c.env.DB.prepare(update).bind(id).run();
    return c.json({ received: true });
  })
  .get("/least/jobs/:id", async (c) => {
    const select = c.env.DB.prepare("SELECT * FROM export_jobs WHERE tenant_id = 'bare' AND id = ?");
    return c.json(await select.bind(c.req.param("id")).first());
  });
