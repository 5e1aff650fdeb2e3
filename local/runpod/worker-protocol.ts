import { Hono } from "hono";
import { z } from "zod";
import type { Faults } from "./faults.ts";
import type { RunQueue } from "./queue.ts";

const longPollMs = 20_000;

/** A worker's report: progress, a streamed output, a result, an error, or nothing at all. */
const WorkerReport = z.object({
  status: z.string().optional(),
  output: z.unknown().optional(),
  error: z.unknown().optional(),
});
type WorkerReport = z.infer<typeof WorkerReport>;

/** What RunPod's workers speak: take a run, stop it, report on it. */
export function workerProtocol(queue: RunQueue, faults: Faults, closing: AbortSignal): Hono {
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
  protocol.post("/job-stream/:worker/:id", async (c) => {
    const report = await readReport(c.req);
    queue.seen(c.req.param("worker"));
    if (!report) {
      return c.json({ error: "bad report" }, 400);
    }
    queue.stream(c.req.param("id"), report.output);
    return c.json({ status: "ok" });
  });
  protocol.post("/job-done/:worker/:id", async (c) => {
    const report = await readReport(c.req);
    queue.seen(c.req.param("worker"));
    if (!report) {
      return c.json({ error: "bad report" }, 400);
    }
    takeReport(queue, faults, c.req.param("id"), report);
    return c.json({ status: "ok" });
  });
  return protocol;
}

/** The SDK labels the body as a form; it is JSON. */
async function readReport(request: { text(): Promise<string> }): Promise<WorkerReport | null> {
  try {
    return WorkerReport.parse(JSON.parse((await request.text()) || "{}"));
  } catch {
    return null;
  }
}

function takeReport(queue: RunQueue, faults: Faults, id: string, { status, output, error }: WorkerReport): void {
  if (status === "IN_PROGRESS") {
    queue.progress(id, output);
  } else if (faults.strikes("handler_fails")) {
    queue.finish(id, { error: "a fault made on purpose" });
  } else if (!faults.strikes("result_lost")) {
    queue.finish(id, error ? { error } : { output });
  }
}
