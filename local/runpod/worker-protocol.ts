import { type Context, Hono } from "hono";
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
  const poll = async <Found>(c: Context, find: () => Found[], ms = longPollMs): Promise<Found[]> => {
    const until = Date.now() + ms;
    let found = find();
    while (found.length === 0 && Date.now() < until && !closing.aborted && !c.req.raw.signal.aborted) {
      await queue.changed(until - Date.now());
      // Nothing may be given to a worker that has left.
      found = c.req.raw.signal.aborted ? [] : find();
    }
    return found;
  };
  const take = (worker: string, most: number) =>
    Array.from({ length: most }, () => queue.take(worker)).flatMap((run) =>
      run ? [{ id: run.id, input: run.order.input }] : [],
    );
  protocol.get("/job-take/:worker", async (c) => {
    // `wait_ms` is this endpoint's own: for a worker that cannot wait.
    const waitMs = Math.min(longPollMs, Number(c.req.query("wait_ms") ?? longPollMs));
    const [run] = await poll(c, () => take(c.req.param("worker"), 1), waitMs);
    return run ? c.json(run) : c.body(null, 204);
  });
  // What the SDK asks for when it may run several at once.
  protocol.get("/job-take-batch/:worker", async (c) => {
    const runs = await poll(c, () => take(c.req.param("worker"), Number(c.req.query("batch_size") ?? 1)));
    return runs.length > 0 ? c.json(runs) : c.body(null, 204);
  });
  protocol.get("/job-stop/:worker", async (c) => {
    const jobsToStop = await poll(c, () => queue.takeStops(c.req.param("worker")));
    return jobsToStop.length > 0 ? c.json({ jobsToStop }) : c.body(null, 204);
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
