import { createHash, timingSafeEqual } from "node:crypto";
import { type HttpBindings, serve } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { z } from "zod";
import { Faults } from "./faults.ts";
import { type Run, RunQueue, toStatusBody } from "./queue.ts";
import { sendWebhook } from "./webhook.ts";
import { workerProtocol } from "./worker-protocol.ts";

export type EndpointOptions = {
  port: number;
  endpointId: string;
  apiKey: string;
  /** Pause between the tries of a webhook; RunPod's is 10 s. */
  webhookPauseMs?: number;
  /** What goes wrong on purpose. */
  faults?: Faults;
};

export type Endpoint = { url: string; queue: RunQueue; close(): Promise<void> };

const sweepEveryMs = 500;

const RunBody = z.object({
  input: z.record(z.string(), z.unknown()),
  webhook: z.url().optional(),
  policy: z
    .object({ executionTimeout: z.number().min(5_000).optional(), ttl: z.number().min(10_000).optional() })
    .optional(),
});

/** The server side of RunPod Serverless for this machine: its public API, and the protocol its workers speak. */
export async function startEndpoint(options: EndpointOptions): Promise<Endpoint> {
  const closing = new AbortController();
  const faults = options.faults ?? new Faults();
  const pauseMs = options.webhookPauseMs ?? 10_000;
  const queue = new RunQueue((run) => {
    if (run.status !== "CANCELLED") {
      ringBadly(run, pauseMs, faults, closing.signal);
    }
  });
  const app = new Hono();
  app.use("*", async (c, next) => (isKey(c, options.apiKey) ? next() : c.json({ error: "Unauthorized" }, 401)));
  const base = `/v2/${options.endpointId}`;
  const ringEarly = (run: Run) => void sendWebhook({ ...run, status: "COMPLETED" }, pauseMs, closing.signal);
  app.route(base, publicApi(queue, faults, ringEarly));
  app.route(base, workerProtocol(queue, faults, closing.signal));
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

/** The webhook of a run that has ended: as RunPod sends it, unless a fault strikes. */
function ringBadly(run: Run, pauseMs: number, faults: Faults, signal: AbortSignal): void {
  const times = (faults.strikes("hook_dropped") ? 0 : 1) + (faults.strikes("hook_doubled") ? 1 : 0);
  for (let count = 0; count < times; count++) {
    const late = faults.strikes("hook_late") ? faults.random.between(1, 20_000) : 0;
    setTimeout(() => void sendWebhook(run, pauseMs, signal), late).unref();
  }
}

/** Breaks the connection instead of answering. */
function reset(c: RunContext): Response {
  c.env.incoming.socket.destroy();
  return c.body(null);
}

function publicApi(queue: RunQueue, faults: Faults, ringEarly: (run: Run) => void) {
  const api = new Hono<{ Bindings: HttpBindings }>();
  for (const path of ["/run", "/status/*", "/stream/*", "/cancel/*", "/health"]) {
    api.use(path, async (c, next) => troubleOf(c, faults) ?? next());
  }
  api.post("/run", async (c) => {
    const order = RunBody.safeParse(await c.req.json().catch(() => null));
    if (!order.success) {
      return c.json({ error: z.prettifyError(order.error) }, 400);
    }
    return runBadBefore(c, faults) ?? runBadAfter(c, faults, queue.submit(order.data), ringEarly);
  });
  api.get("/status/:id", (c) => {
    const run = queue.find(c.req.param("id"));
    if (faults.strikes("status_error")) {
      return c.json({ error: "internal" }, 500);
    }
    if (!run || faults.strikes("status_gone")) {
      return c.json({ error: "job not found" }, 404);
    }
    const body = toStatusBody(run);
    if (faults.strikes("status_stale")) {
      return c.json({ id: run.id, status: "IN_PROGRESS" });
    }
    return c.json(faults.strikes("status_foreign") ? { ...body, id: "another-e1" } : body, 200);
  });
  api.get("/stream/:id", (c) => {
    const run = queue.find(c.req.param("id"));
    const stream = run && queue.takeStreamed(run).map((output) => ({ output }));
    return run ? c.json({ status: run.status, stream }) : c.json({ error: "job not found" }, 404);
  });
  api.post("/cancel/:id", (c) => {
    if (faults.strikes("cancel_error")) {
      return c.json({ error: "internal" }, 500);
    }
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

type RunContext = Context<{ Bindings: HttpBindings }>;

/** The trouble of the whole endpoint, whatever is asked of it; its workers do not see it. */
function troubleOf(c: RunContext, faults: Faults): Response | null {
  if (faults.strikes("away")) {
    return reset(c);
  }
  if (faults.strikes("unavailable")) {
    return c.json({ error: "service unavailable" }, 503);
  }
  if (faults.strikes("busy")) {
    return c.json({ error: "too many requests" }, 429, { "retry-after": "2" });
  }
  return faults.strikes("misconfigured") ? c.json({ error: "Unauthorized" }, 401) : null;
}

/** The faults of `POST /run` that take nothing. */
function runBadBefore(c: RunContext, faults: Faults): Response | null {
  if (faults.strikes("run_refused")) {
    return c.json({ error: "internal" }, 500);
  }
  if (faults.strikes("run_throttled")) {
    return c.json({ error: "too many requests" }, 429, { "retry-after": "1" });
  }
  return faults.strikes("run_reset_before") ? reset(c) : null;
}

/** The answer to `POST /run` once the run is taken, good or bad. */
function runBadAfter(c: RunContext, faults: Faults, run: Run, ringEarly: (run: Run) => void): Response {
  if (faults.strikes("hook_early")) {
    ringEarly(run);
  }
  if (faults.strikes("run_reset_after")) {
    return reset(c);
  }
  if (faults.strikes("run_error_after")) {
    return c.json({ error: "gateway timeout" }, 504);
  }
  return faults.strikes("run_garbage")
    ? c.html("<h1>Just a moment ...</h1>")
    : c.json({ id: run.id, status: run.status }, 200);
}
