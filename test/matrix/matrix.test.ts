import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { HandlerInput } from "../../src/contract/handler-input.ts";
import { isFinal } from "../../src/core/job-state.ts";
import { sweep } from "../../src/tasks/sweep.ts";
import { api, createJob, getJob, put, ring, runpod, waitForJob } from "../setup/job.ts";
import {
  abruptKinds,
  arm,
  commitPoints,
  type EffectPoint,
  effectKinds,
  effectPoints,
  type FaultKind,
  type FaultPoint,
  hasStruck,
} from "./fault-points.ts";

const Taken = z.object({ id: z.string(), input: HandlerInput });
const onCancel: ReadonlySet<FaultPoint> = new Set<EffectPoint>(["cancel", "deletion"]);
const onRemoval: ReadonlySet<FaultPoint> = new Set<FaultPoint>(["delete_row", "removal.afterCommit"]);
const taken = new Map<string, string[]>();

/** A RunPod worker that serves whatever run there is: by default to its end, with a webhook. */
async function serveOne(finish: boolean): Promise<void> {
  const response = await runpod("job-take/matrix?gpu=none&wait_ms=20");
  if (response.status !== 200) {
    return;
  }
  const { id, input } = Taken.parse(await response.json());
  taken.set(input.job_id, [...(taken.get(input.job_id) ?? []), id]);
  if (!finish) {
    return;
  }
  await put(input.output_url, "a rendered video", input.output_headers).then((answer) => answer.body?.cancel());
  await runpod(`job-done/matrix/${id}`, { method: "POST", body: '{"output":{}}' }).then((answer) =>
    answer.body?.cancel(),
  );
  const run = { id, input, webhook: input.progress_url.replace(/\/progress$/, "") };
  await ring(run, { id })
    .then((answer) => answer.body?.cancel())
    .catch(() => {});
}

/**
 * Lets the job live its life, with a worker and the cron beside it, until D1 has its end. A job with more than one attempt,
 * or none that won, settles when the links to its outputs have ended, which no test waits for.
 */
async function live(id: string, finish: boolean): Promise<Record<string, unknown>> {
  for (;;) {
    await serveOne(finish);
    await sweep(env, Date.now() + 1_000);
    const row = await env.DB.prepare("SELECT * FROM export_jobs WHERE id = ?").bind(id).first();
    const isOver = row?.["completed_at"] && (await countUsage(id)) === row["attempt"] && (await areRunsOver(id));
    const hasLosers = row?.["status"] !== "complete" || row["attempt"] !== 1;
    if (row && isOver && (row["settled_at"] || hasLosers)) {
      return row;
    }
  }
}

async function audit(id: string, row: Record<string, unknown>): Promise<void> {
  const job = await getJob(id);
  expect(isFinal(job.status)).toBe(true);
  expect(row).toMatchObject({ status: job.status, version: job.version, attempt: job.attempt });
  if (job.status === "complete") {
    expect((await env.VIDEOS.head(job.output_video_key ?? ""))?.size).toBeGreaterThan(0);
  }
  expect(await countUsage(id)).toBe(job.attempt);
  expect(await areRunsOver(id)).toBe(true);
}

async function countUsage(id: string): Promise<unknown> {
  return (await env.DB.prepare("SELECT count(*) AS rows FROM usage WHERE job_id = ?").bind(id).first())?.["rows"];
}

async function areRunsOver(id: string): Promise<boolean> {
  const statuses = (taken.get(id) ?? []).map(async (runId) => {
    const { status } = z.object({ status: z.string() }).parse(await (await runpod(`status/${runId}`)).json());
    return ["COMPLETED", "CANCELLED", "FAILED"].includes(status);
  });
  return (await Promise.all(statuses)).every((isOver) => isOver);
}

/** A job that is removed in the middle of a fault: its owner asks until it is gone, and nothing of it stays. */
async function removeThrough(point: FaultPoint, kind: FaultKind): Promise<void> {
  const { id } = await createJob();
  await live(id, true);
  const { output_video_key } = await getJob(id);
  arm(point, kind);
  const path = `/api/jobs/${id}`;
  await vi.waitFor(async () => expect([204, 404]).toContain((await api(path, { method: "DELETE" })).status));
  // Its outputs go behind the answer.
  await vi.waitFor(() => expect([point, kind, hasStruck()]).toEqual([point, kind, true]));
  expect((await api(path)).status).toBe(404);
  await vi.waitFor(async () => expect(await env.VIDEOS.head(output_video_key ?? "")).toBeNull());
}

/** A job's whole life with one fault in it. */
async function liveThrough(point: FaultPoint, kind: FaultKind): Promise<void> {
  arm(point, kind);
  const { id } = await createJob();
  const cancels = onCancel.has(point);
  if (cancels) {
    await waitForJob(id, ({ runpod_job_id }) => runpod_job_id !== null);
    await serveOne(false);
    // A call that dies with the object has changed nothing: its client asks again.
    await vi.waitFor(async () => expect((await api(`/api/jobs/${id}/cancel`, { method: "POST" })).status).toBe(200));
  }
  await audit(id, await live(id, !cancels));
  // The output of a cancelled attempt goes a moment after its end.
  await vi.waitFor(() => expect([point, kind, hasStruck()]).toEqual([point, kind, true]));
  expect((await getJob(id)).status).toBe(cancels ? "cancelled" : "complete");
}

afterEach(() => vi.restoreAllMocks());

const effects = Object.keys(effectPoints).filter(
  (name): name is EffectPoint => name in effectPoints && name !== "delete_row",
);

describe.each(effects)("%s", (point) => {
  it.each(effectKinds)("%s: the job ends as it should, D1 agrees, no GPU is left", (kind) => liveThrough(point, kind));
});

describe.each([...commitPoints, "create.afterD1" as const])("%s", (point) => {
  it.each(abruptKinds)("%s: the job ends as it should, D1 agrees, no GPU is left", (kind) => liveThrough(point, kind));
});

describe.each([...onRemoval])("%s", (point) => {
  const kinds = point === "delete_row" ? effectKinds : abruptKinds;
  it.each(kinds)("%s: the job is gone, and so is its output", (kind) => removeThrough(point, kind));
});

describe("sweep.afterRead", () => {
  it.each(abruptKinds)("%s: the next sweep comes back to the job", async (kind) => {
    arm("create.afterD1", "abort after");
    const { id } = await createJob();
    arm("sweep.afterRead", kind);
    await sweep(env, Date.now() + 1_000);
    expect(hasStruck()).toBe(true);
    await audit(id, await live(id, true));
  });
});
