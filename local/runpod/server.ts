import { createHash, timingSafeEqual } from "node:crypto";
import { serve } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { z } from "zod";
import { RunQueue, toStatusBody } from "./queue.ts";
import { sendWebhook } from "./webhook.ts";

export type EndpointOptions = {
  port: number;
  endpointId: string;
  apiKey: string;
  /** Pause between the tries of a webhook; RunPod's is 10 s. */
  webhookPauseMs?: number;
  /** Drops every webhook, as if the network had lost it. */
  dropWebhooks?: boolean;
};

export type Endpoint = { url: string; queue: RunQueue; close(): Promise<void> };

const longPollMs = 20_000;
const sweepEveryMs = 500;

const RunBody = z.object({
  input: z.record(z.string(), z.unknown()),
  webhook: z.url().optional(),
  policy: z
    .object({ executionTimeout: z.number().min(5_000).optional(), ttl: z.number().min(10_000).optional() })
    .optional(),
});

/** A worker's report: progress, a result, an error, or nothing at all. */
const WorkerReport = z.object({
  status: z.string().optional(),
  output: z.unknown().optional(),
  error: z.unknown().optional(),
});

/** The server side of RunPod Serverless for this machine: its public API, and the protocol its workers speak. */
export async function startEndpoint(options: EndpointOptions): Promise<Endpoint> {
  const closing = new AbortController();
  const queue = new RunQueue((run) => {
    if (run.status !== "CANCELLED" && !options.dropWebhooks) {
      void sendWebhook(run, options.webhookPauseMs ?? 10_000, closing.signal);
    }
  });
  const app = new Hono();
  app.use("*", async (c, next) => (isKey(c, options.apiKey) ? next() : c.json({ error: "Unauthorized" }, 401)));
  const base = `/v2/${options.endpointId}`;
  app.route(base, publicApi(queue));
  app.route(base, workerProtocol(queue, closing.signal));
  const timer = setInterval(() => queue.sweep(), sweepEveryMs);
  const server = serve({ fetch: app.fetch, port: options.port, hostname: "127.0.0.1" });
  await new Promise<void>((resolve, reject) => server.once("listening", resolve).once("error", reject));
  return {
    url: `http://127.0.0.1:${options.port}/v2`,
    queue,
    close: () => {
      clearInterval(timer);
      closing.abort();
      return new Promise((resolve) => {
        server.close(() => resolve());
        if ("closeAllConnections" in server) {
          server.closeAllConnections();
        }
      });
    },
  };
}

/** RunPod's clients send `Bearer <key>`, its Python worker the bare key. */
function isKey(c: Context, apiKey: string): boolean {
  const given = (c.req.header("authorization") ?? "").replace(/^Bearer +/i, "");
  const [a, b] = [given, apiKey].map((text) => createHash("sha256").update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}

function publicApi(queue: RunQueue): Hono {
  const api = new Hono();
  api.post("/run", async (c) => {
    const order = RunBody.safeParse(await c.req.json().catch(() => null));
    if (!order.success) {
      return c.json({ error: z.prettifyError(order.error) }, 400);
    }
    const { id, status } = queue.submit(order.data);
    return c.json({ id, status }, 200);
  });
  api.get("/status/:id", (c) => {
    const run = queue.find(c.req.param("id"));
    return run ? c.json(toStatusBody(run), 200) : c.json({ error: "job not found" }, 404);
  });
  api.post("/cancel/:id", (c) => {
    const run = queue.cancel(c.req.param("id"));
    return run ? c.json(toStatusBody(run), 200) : c.json({ error: "job not found" }, 404);
  });
  api.get("/health", (c) => {
    const jobs = queue.count();
    const workers = { idle: 0, initializing: 0, ready: 1, running: jobs.inProgress, throttled: 0, unhealthy: 0 };
    return c.json({ jobs, workers });
  });
  return api;
}

function workerProtocol(queue: RunQueue, closing: AbortSignal): Hono {
  const protocol = new Hono();
  protocol.get("/job-take/:worker", async (c) => {
    // `wait_ms` is this endpoint's own: a worker that cannot wait must not be given a run after it has left.
    const until = Date.now() + Math.min(longPollMs, Number(c.req.query("wait_ms") ?? longPollMs));
    do {
      const run = queue.take(c.req.param("worker"));
      if (run) {
        return c.json({ id: run.id, input: run.order.input });
      }
      await queue.changed(until - Date.now());
    } while (Date.now() < until && !closing.aborted && !c.req.raw.signal.aborted);
    return c.body(null, 204);
  });
  protocol.get("/job-stop/:worker", async (c) => {
    const until = Date.now() + longPollMs;
    while (Date.now() < until && !closing.aborted && !c.req.raw.signal.aborted) {
      const jobsToStop = queue.takeStops(c.req.param("worker"));
      if (jobsToStop.length > 0) {
        return c.json({ jobsToStop });
      }
      await queue.changed(until - Date.now());
    }
    return c.body(null, 204);
  });
  protocol.get("/ping/:worker", (c) => {
    queue.seen(c.req.param("worker"));
    return c.json({ status: "ok" });
  });
  protocol.post("/job-done/:worker/:id", async (c) => {
    // The SDK labels the body as a form; it is JSON.
    const report = WorkerReport.safeParse(JSON.parse((await c.req.text()) || "{}"));
    queue.seen(c.req.param("worker"));
    if (!report.success) {
      return c.json({ error: "bad report" }, 400);
    }
    const { status, output, error } = report.data;
    if (status === "IN_PROGRESS") {
      queue.progress(c.req.param("id"), output);
    } else {
      queue.finish(c.req.param("id"), error ? { error: String(error) } : { output });
    }
    return c.json({ status: "ok" });
  });
  return protocol;
}
