import { afterEach, describe, expect, it, vi } from "vitest";
import { api, completeRun, createJob, ring, runpod, waitForJob } from "../setup/job.ts";
import { takeOwnRun } from "../setup/own-run.ts";
import { interceptProvider } from "../setup/provider.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** The endpoint takes the run, but its answer has no id. */
async function begin(named: string | null) {
  const provider = interceptProvider();
  provider.script(({ op, pass }) => (op === "run" ? pass().then(() => Response.json({ status: "IN_QUEUE" })) : null));
  const { id } = await createJob();
  const taken = await takeOwnRun(id);
  provider.script(() => null);
  const run = { ...taken, webhook: taken.input.progress_url.replace(/\/progress$/, "") };
  if (named !== null) {
    await ring(run, { id: named, status: "IN_PROGRESS" });
  }
  return { provider, id, run };
}

async function expectCancelled(runId: string): Promise<void> {
  const word = async () => (await runpod(`status/${runId}`)).json();
  await vi.waitFor(async () => expect(await word()).toMatchObject({ status: "CANCELLED" }), { timeout: 3_000 });
}

describe("a webhook that names another run, after an answer that could not be read", () => {
  it("is no more than a hint: the right id is believed later, and no second run is bought", async () => {
    const { provider, id, run } = await begin("someone-elses-e1");
    await scheduler.wait(30);
    await ring(run, { id: run.id, status: "IN_PROGRESS" });
    const job = await waitForJob(id, ({ runpod_job_id: known, attempt }) => known === run.id || attempt > 1);
    expect(job).toMatchObject({ runpod_job_id: run.id, attempt: 1 });
    await completeRun(run);
    await ring(run, { id: run.id, status: "COMPLETED" });
    expect(await waitForJob(id, ({ completed_at }) => completed_at !== null)).toMatchObject({ status: "complete" });
    expect(provider.bought(id)).toEqual([run.id]);
  });

  it("does not keep the true run from being cancelled", async () => {
    const { id, run } = await begin("someone-elses-e1");
    await ring(run, { id: run.id, status: "IN_PROGRESS" });
    await scheduler.wait(50);
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
    await expectCancelled(run.id);
  });
});

describe("a webhook that names the run only after the job was cancelled", () => {
  it("has the run cancelled", async () => {
    const { id, run } = await begin(null);
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
    await ring(run, { id: run.id, status: "IN_PROGRESS" });
    await expectCancelled(run.id);
  });
});
