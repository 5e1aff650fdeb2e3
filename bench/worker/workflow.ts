import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import { Hono } from "hono";
import type { BenchEnv } from "./env.ts";

export type FlowParams = { type: string; input_video_key: string; params: unknown };

/** The same job as a Cloudflare Workflow: a step that submits, and a wait for the event that the webhook sends. */
export class ExportFlow extends WorkflowEntrypoint<BenchEnv, FlowParams> {
  override async run(event: WorkflowEvent<FlowParams>, step: WorkflowStep) {
    const runId = await step.do("submit", async () => {
      const { RUNPOD_BASE_URL, RUNPOD_ENDPOINT_ID, RUNPOD_API_KEY, PUBLIC_BASE_URL } = this.env;
      const id = event.instanceId;
      const input = { ...event.payload, job_id: id, progress_url: `${PUBLIC_BASE_URL}/flow/jobs/${id}/progress` };
      const response = await fetch(`${RUNPOD_BASE_URL}/${RUNPOD_ENDPOINT_ID}/run`, {
        method: "POST",
        headers: { authorization: `Bearer ${RUNPOD_API_KEY}`, "content-type": "application/json" },
        body: JSON.stringify({ input }),
      });
      const run: { id: string } = await response.json();
      return run.id;
    });
    const done = await step.waitForEvent<{ output: { output_video_key: string } }>("rendered", {
      type: "rendered",
      timeout: "1 hour",
    });
    return { run_id: runId, output_video_key: done.payload.output.output_video_key };
  }
}

const statuses: Readonly<Record<string, string>> = { queued: "pending", errored: "error" };

export const flow = new Hono<{ Bindings: BenchEnv }>()
  .post("/flow/jobs", async (c) => {
    const { id } = await c.env.FLOW.create({ id: crypto.randomUUID(), params: await c.req.json() });
    return c.json({ id, status: "pending" }, 201);
  })
  .post("/flow/jobs/:id/progress", async (c) => {
    const { progress }: { progress: number } = await c.req.json();
    const upsert = `INSERT INTO flow_progress (id, progress) VALUES (?, ?) ON CONFLICT DO UPDATE SET progress = excluded.progress`;
    await c.env.DB.prepare(upsert).bind(c.req.param("id"), progress).run();
    return c.json({ cancel: false });
  })
  .post("/flow/jobs/:id/webhook", async (c) => {
    const instance = await c.env.FLOW.get(c.req.param("id"));
    await instance.sendEvent({ type: "rendered", payload: await c.req.json() });
    return c.json({ received: true });
  })
  .get("/flow/jobs/:id", async (c) => {
    const instance = await c.env.FLOW.get(c.req.param("id"));
    const { status } = await instance.status();
    return c.json({
      id: c.req.param("id"),
      status: statuses[status] ?? (status === "running" || status === "waiting" ? "processing" : status),
    });
  });
