import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { newId } from "../../src/core/ids.ts";
import { openDatabase } from "../../src/store/database.ts";
import { countUsage } from "../../src/store/usage.ts";
import { api, completeRun, createJob, getJob, ring, takeRun, waitForJob } from "../setup/job.ts";

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
  const position = async (id: string) => (await getJob(id)).queue_position ?? -1;
  await scheduler.wait(2_100);
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
