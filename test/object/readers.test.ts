import { abortAllDurableObjects } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { JobEvent, JobHistory } from "../../src/contract/event.ts";
import { Job } from "../../src/contract/job.ts";
import { api, call, createJob, getJob, openSocket, ring, runpod, takeRun, waitForJob } from "../setup/job.ts";
import { interceptProvider } from "../setup/provider.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const cancel = (id: string) => api(`/api/jobs/${id}/cancel`, { method: "POST" });

/** A job that waits for its GPU, shown under its newest version. */
async function waitingJob(): Promise<{ job: Job; token: string }> {
  const { id, client_token: token } = await createJob();
  return { job: await waitForJob(id, ({ stage }) => stage === "waiting_for_gpu"), token };
}

describe("a reader who resumes", () => {
  it("a stream is not told the event again that it names", async () => {
    const { job } = await waitingJob();
    const headers = { accept: "text/event-stream", "last-event-id": String(job.version) };
    const stream = await api(`/api/jobs/${job.id}/events`, { headers });
    await cancel(job.id);
    const told = [...(await stream.text()).matchAll(/^id: (\d+)$/gm)].map(([, seq]) => Number(seq));
    expect(told.filter((seq) => seq <= job.version)).toEqual([]);
    expect(told.length).toBeGreaterThan(0);
  });

  it("a WebSocket is not told the event again that it names", async () => {
    const { job, token } = await waitingJob();
    const { messages, closed } = await openSocket(`/api/jobs/${job.id}/ws?token=${token}&after=${job.version}`);
    await cancel(job.id);
    await closed;
    const told = messages.map((text) => JobEvent.parse(JSON.parse(text)).seq);
    expect(told.filter((seq) => seq <= job.version)).toEqual([]);
    expect(told.length).toBeGreaterThan(0);
  });
});

describe("progress", () => {
  it("does not fall within the attempt that is shown, by a retry either", async () => {
    const { id } = await createJob();
    const { input } = await takeRun(id);
    await call(input.progress_url, { method: "POST", body: JSON.stringify({ progress: 57 }) });
    await cancel(id);
    const retried = Job.parse(await (await api(`/api/jobs/${id}/retry`, { method: "POST" })).json());
    await waitForJob(id, ({ attempt }) => attempt === 2);
    const { data } = JobHistory.parse(await (await api(`/api/jobs/${id}/events`)).json());
    const since = data.slice(data.findIndex(({ status }) => status === "cancelled"));
    const late = [...since, retried].filter(({ attempt }) => attempt === 1);
    expect(late.map(({ progress }) => progress)).toEqual(late.map(() => 57));
    await cancel(id);
  });
});

describe("a version", () => {
  it("does not step back when the object is lost at once; progress comes back with the next update", async () => {
    const { id } = await createJob();
    const { input } = await takeRun(id);
    const report = (progress: number) =>
      call(input.progress_url, { method: "POST", body: JSON.stringify({ progress }) });
    for (const progress of [10, 20, 24]) {
      await report(progress);
    }
    const seen = await waitForJob(id, ({ progress }) => progress === 24);
    await abortAllDurableObjects();
    expect((await getJob(id)).version).toBeGreaterThanOrEqual(seen.version);
    await report(30);
    const { progress, version } = await getJob(id);
    expect([progress, version > seen.version]).toEqual([30, true]);
    await cancel(id);
  });

  it("shows the same for ever, though the run's id comes only after the cancel", async () => {
    const provider = interceptProvider(({ op, pass }) =>
      op === "run"
        ? pass().then(async (response) => {
            await scheduler.wait(200);
            return response;
          })
        : null,
    );
    const { id } = await createJob();
    await vi.waitFor(() => expect(provider.bought(id)).toHaveLength(1));
    await cancel(id);
    const views = new Map<number, Set<string>>();
    const look = async () => {
      const { version, runpod_job_id, updated_at, stage, status } = await getJob(id);
      const seen = views.get(version) ?? new Set();
      views.set(version, seen.add(JSON.stringify({ runpod_job_id, updated_at, stage, status })));
    };
    const [runId] = provider.bought(id);
    await vi.waitFor(async () => {
      await look();
      expect(await (await runpod(`status/${runId}`)).json()).toMatchObject({ status: "CANCELLED" });
    });
    for (let count = 0; count < 20; count++) {
      await look();
      await scheduler.wait(20);
    }
    expect([...views.values()].map((seen) => [...seen]).filter((seen) => seen.length > 1)).toEqual([]);
  });
});

describe("RunPod's webhook", () => {
  it("rung many times in a row makes few questions of an active job", async () => {
    const provider = interceptProvider();
    const { id } = await createJob();
    const run = await takeRun(id);
    const before = provider.count(id, "status");
    const begun = performance.now();
    for (let count = 0; count < 20; count++) {
      await ring(run);
      await scheduler.wait(10);
    }
    const ownPolls = (performance.now() - begun) / 100;
    expect(provider.count(id, "status") - before).toBeLessThanOrEqual(3 + ownPolls);
    await cancel(id);
  });
});
