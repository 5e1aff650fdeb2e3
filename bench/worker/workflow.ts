import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import { Hono } from "hono";
import type { BenchEnv } from "./env.ts";
import { submitRun } from "./submit-run.ts";

export type FlowParams = { type: string; input_video_key: string; params: unknown };

/** The same job as a Cloudflare Workflow: a step that submits, and a wait for the event that the webhook sends. */
export class ExportFlow extends WorkflowEntrypoint<BenchEnv, FlowParams> {
  override async run(event: WorkflowEvent<FlowParams>, step: WorkflowStep) {
    const runId = await step.do("submit", () => {
      const id = event.instanceId;
      return submitRun(this.env, `/flow/jobs/${id}`, { ...event.payload, job_id: id });
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
