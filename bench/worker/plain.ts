import { Hono } from "hono";
import type { BenchEnv } from "./env.ts";
import { submitRun } from "./submit-run.ts";

type NewJob = { project_id: number; type: string; input_video_key: string; params: unknown };

/** The plain design: a row of D1 per job, and every word about it written there at once. */
export const plain = new Hono<{ Bindings: BenchEnv }>()
  .post("/plain/jobs", async (c) => {
    const job: NewJob = await c.req.json();
    const id = crypto.randomUUID();
    const { DB } = c.env;
    await DB.prepare("INSERT INTO plain_jobs (id, project_id, type, input_video_key, params) VALUES (?, ?, ?, ?, ?)")
      .bind(id, job.project_id, job.type, job.input_video_key, JSON.stringify(job.params))
      .run();
    c.executionCtx.waitUntil(
      submitRun(c.env, `/plain/jobs/${id}`, { ...job, job_id: id }).then((runId) =>
        DB.prepare("UPDATE plain_jobs SET status = 'processing', runpod_job_id = ?, started_at = ? WHERE id = ?")
          .bind(runId, new Date().toISOString(), id)
          .run(),
      ),
    );
    return c.json({ id, status: "pending" }, 201);
  })
  .post("/plain/jobs/:id/progress", async (c) => {
    const { progress }: { progress: number } = await c.req.json();
    await c.env.DB.prepare("UPDATE plain_jobs SET progress = ? WHERE id = ?").bind(progress, c.req.param("id")).run();
    return c.json({ cancel: false });
  })
  .post("/plain/jobs/:id/webhook", async (c) => {
    const { output }: { output: { output_video_key: string } } = await c.req.json();
    const update = "UPDATE plain_jobs SET status = 'complete', output_video_key = ?, completed_at = ? WHERE id = ?";
    await c.env.DB.prepare(update).bind(output.output_video_key, new Date().toISOString(), c.req.param("id")).run();
    return c.json({ received: true });
  })
  .get("/plain/jobs/:id", async (c) =>
    c.json(await c.env.DB.prepare("SELECT * FROM plain_jobs WHERE id = ?").bind(c.req.param("id")).first()),
  );
