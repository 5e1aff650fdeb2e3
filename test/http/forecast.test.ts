import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { newId } from "../../src/core/ids.ts";
import { forecast } from "../../src/http/jobs/forecast.ts";
import { openDatabase } from "../../src/store/database.ts";
import { findJob } from "../../src/store/jobs.ts";
import { readQueue } from "../../src/store/queue.ts";
import { countUsage } from "../../src/store/usage.ts";
import { takeQueueCount } from "../../src/tasks/queue.ts";
import { meterBinding } from "../setup/d1-meter.ts";
import { api, completeRun, createJob, getJob, ring, takeRun, tenantId, waitForJob } from "../setup/job.ts";
import { insertRow } from "../setup/rows.ts";

const clips = (seconds: number) => ({ clips: [{ start_time: 0, end_time: seconds }] });

it("a job shows what is before it and when it will be over, from what others took, and null without ground", async () => {
  const lonely = await createJob({ type: "overlay", params: { highlight_regions: [], effect_type: "blur" } });
  expect(await getJob(lonely.id)).toMatchObject({ eta: null, eta_range: null, queue_position: expect.any(Number) });
  for (let seconds = 1; seconds <= 9; seconds++) {
    await countUsage(openDatabase(env.DB), {
      ...{ tenantId: "default", day: "2026-11-20", projectId: 1, jobId: newId(), attempt: 1, type: "annotate" },
      ...{
        outcome: "complete",
        gpuMs: seconds * 2_000,
        queueMs: 3_000,
        bytesIn: 5,
        bytesOut: 5,
        outputMs: seconds * 1_000,
      },
    });
  }
  const [first, second] = [
    await createJob({ type: "annotate", params: clips(100) }),
    await createJob({ type: "annotate", params: clips(100) }),
  ];
  const waiting = await getJob(second.id);
  const expected = Date.parse(waiting.created_at) + 203_000;
  expect(Math.abs(Date.parse(waiting.eta ?? "") - expected)).toBeLessThan(2_000);
  expect(waiting.eta_range?.[0]?.localeCompare(waiting.eta_range[1] ?? "")).toBeLessThanOrEqual(0);
  // A minute later the cron has counted, and what an isolate remembers is forgotten.
  const later = Date.now() + 60_000;
  await takeQueueCount(env, later);
  const position = async (id: string) => {
    const row = await findJob(openDatabase(env.DB), tenantId, id);
    return (await forecast(env, row ?? expect.fail("no row"), later)).queue_position ?? -1;
  };
  expect((await position(second.id)) - (await position(first.id))).toBe(1);
  const run = await takeRun(first.id);
  await completeRun(run);
  await ring(run);
  expect(await waitForJob(first.id, ({ status }) => status === "complete")).toMatchObject({
    eta: null,
    queue_position: null,
  });
  for (const { id } of [lonely, second]) {
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
  }
});

it("a place in the queue costs its readers one row, and a count only where the last is missing or old", async () => {
  const running = { tenantId: "busy", status: "processing", stage: "rendering", progress: 10 } as const;
  await Promise.all(Array.from({ length: 300 }, () => insertRow(running)));
  const waiting = await insertRow({ tenantId: "busy" });
  const minuteMs = 60_000;
  const begin = Date.now() + 60 * minuteMs;
  await takeQueueCount(env, begin);
  const ask = async (minutes: number) => {
    const { binding, meter } = meterBinding();
    const { queue_position } = await forecast({ ...env, DB: binding }, waiting, begin + minutes * minuteMs);
    return { queue_position, read: meter.read.reduce((sum, rows) => sum + rows, 0), written: meter.written };
  };
  expect(await ask(1)).toMatchObject({ read: 1, queue_position: expect.any(Number) });
  expect(await ask(2)).toMatchObject({ read: 1 });
  const stale = await ask(10);
  expect(stale.read).toBeGreaterThan(300);
  expect(stale.written).toContain(1);
  expect((await readQueue(openDatabase(env.DB)))?.takenAt).toBe(begin + 10 * minuteMs);
  expect((await ask(11)).read).toBe(1);
});
