import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Job } from "../../src/contract/job.ts";
import {
  api,
  call,
  completeRun,
  createJob,
  expectProblem,
  getJob,
  openSocket,
  ring,
  type TakenRun,
  takeRun,
  waitForJob,
} from "../setup/job.ts";
import { interceptProvider, newClock, type Provider, type Script } from "../setup/provider.ts";
import { readStorage, refuseReopenings } from "../setup/storage.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const isOver = ({ status }: Job) => ["complete", "error", "cancelled"].includes(status);
const cancel = (id: string) => api(`/api/jobs/${id}/cancel`, { method: "POST" });
const gone = () => Response.json({ error: "job not found" }, { status: 404 });

/** Calls of `op` are answered so; everything else is the endpoint's. */
function on(op: "run" | "status", answer: Script): Script {
  return (made) => (made.op === op ? answer(made) : null);
}

/** Waits for so many calls, or for the end of a job that did not bear them. @returns the job after it */
async function afterCalls(provider: Provider, id: string, op: "run" | "status", count: number): Promise<Job> {
  return vi.waitFor(
    async () => {
      const job = await getJob(id);
      if (!isOver(job) && provider.count(id, op) < count) {
        throw new Error(`${provider.count(id, op)} calls of ${op}`);
      }
      return job;
    },
    { timeout: 8_000, interval: 20 },
  );
}

async function completes(id: string, given?: TakenRun): Promise<Job> {
  const run = given ?? (await takeRun(id));
  await completeRun(run);
  await ring(run);
  return waitForJob(id, isOver);
}

const answers: readonly (readonly [string, () => Response | Promise<Response>])[] = [
  ["HTTP 503", () => new Response("no healthy upstream", { status: 503 })],
  ["HTTP 530", () => new Response("origin DNS error", { status: 530 })],
  ["HTTP 401", () => new Response(null, { status: 401 })],
  ["HTTP 402", () => Response.json({ error: "no balance" }, { status: 402 })],
  ["HTTP 403", () => new Response(null, { status: 403 })],
  ["HTTP 404", () => Response.json({ error: "endpoint not found" }, { status: 404 })],
];

describe("runs that cannot be bought", () => {
  it.each(answers)("%s: the job says that it waits, and then completes in its first attempt", async (_name, answer) => {
    const provider = interceptProvider(on("run", answer));
    const { id } = await createJob({ max_retries: 1 });
    const waiting = await afterCalls(provider, id, "run", 3);
    expect(waiting).toMatchObject({ error: null, stage: "waiting_for_provider", attempt: 1, runpod_job_id: null });
    provider.script(() => null);
    expect(await completes(id)).toMatchObject({ status: "complete", attempt: 1, retry_count: 0 });
    expect(provider.bought(id)).toHaveLength(1);
  });

  it.each([
    ["time-outs", () => Promise.reject(new DOMException("The operation timed out.", "TimeoutError"))],
    // The runtime's words for a refused connection are those for a broken one: nobody can tell them apart.
    ["refused connections", () => fetch("http://127.0.0.1:1/")],
  ])("%s beyond max_retries do not end the job", async (_name, answer) => {
    const provider = interceptProvider(on("run", answer));
    const { id } = await createJob({ max_retries: 1 });
    expect(await afterCalls(provider, id, "run", 3)).toMatchObject({ error: null, completed_at: null });
    provider.script(() => null);
    expect(await completes(id)).toMatchObject({ status: "complete" });
    expect(provider.bought(id)).toHaveLength(1);
  });
});

describe("RunPod's queue", () => {
  it("is waited in for as long as RunPod says IN_QUEUE: nothing is cancelled, nothing sent again", async () => {
    const clock = newClock();
    const provider = interceptProvider(on("status", ({ runId }) => Response.json({ id: runId, status: "IN_QUEUE" })));
    const { id } = await createJob({ max_retries: 1 });
    const run = await takeRun(id);
    clock.pass(35 * 60_000);
    const looks = provider.count(id, "status");
    await afterCalls(provider, id, "status", looks + 1);
    await scheduler.wait(200);
    expect([provider.count(id, "cancel"), provider.count(id, "run")]).toEqual([0, 1]);
    expect(await getJob(id)).toMatchObject({ attempt: 1, stage: "waiting_for_gpu", error: null });
    provider.script(() => null);
    expect(await completes(id, run)).toMatchObject({ status: "complete", attempt: 1 });
  });
});

describe("404 of /status", () => {
  /** Waits until RunPod has been asked so often, or as long as many looks in a hurry would take. */
  async function afterLooks(provider: Provider, id: string, count: number): Promise<void> {
    const [enough, until] = [provider.count(id, "status") + count, performance.now() + 2_500];
    while (provider.count(id, "status") < enough && performance.now() < until) {
      await scheduler.wait(20);
    }
  }

  async function expectOneRun(provider: Provider, id: string, run: TakenRun): Promise<void> {
    await scheduler.wait(100);
    expect([provider.count(id, "cancel"), provider.count(id, "run")]).toEqual([0, 1]);
    expect(await getJob(id)).toMatchObject({ attempt: 1, error: null });
    provider.script(() => null);
    expect(await completes(id, run)).toMatchObject({ status: "complete", attempt: 1 });
  }

  it("now and then between good words does not throw a healthy run away", async () => {
    const provider = interceptProvider();
    const { id, client_token } = await createJob();
    await openSocket(`/api/jobs/${id}/ws?token=${client_token}`);
    const run = await takeRun(id);
    let looks = 0;
    provider.script(
      on("status", ({ runId }) => (looks++ % 2 === 0 ? gone() : Response.json({ id: runId, status: "IN_PROGRESS" }))),
    );
    await afterLooks(provider, id, 7);
    await expectOneRun(provider, id, run);
  });

  it("several times in a row within a short time does not either", async () => {
    const provider = interceptProvider();
    const { id } = await createJob();
    const run = await takeRun(id);
    provider.script(on("status", gone));
    await afterLooks(provider, id, 3);
    await expectOneRun(provider, id, run);
  });

  it("does not count while the handler reports", async () => {
    const provider = interceptProvider();
    const { id } = await createJob();
    const run = await takeRun(id);
    provider.script(on("status", gone));
    const enough = provider.count(id, "status") + 4;
    for (let progress = 1; progress <= 15 && provider.count(id, "status") < enough; progress++) {
      await call(run.input.progress_url, { method: "POST", body: JSON.stringify({ progress }) });
      await scheduler.wait(100);
    }
    await expectOneRun(provider, id, run);
  });
});

describe("the pace of questions", () => {
  it("falls while /status fails, though someone watches", async () => {
    const provider = interceptProvider();
    const { id, client_token } = await createJob();
    await openSocket(`/api/jobs/${id}/ws?token=${client_token}`);
    await takeRun(id);
    provider.script(on("status", () => new Response(null, { status: 500 })));
    const before = provider.calls.length;
    await afterCalls(provider, id, "status", provider.count(id, "status") + 6);
    const asked = provider.calls.slice(before).filter(({ jobId, op }) => jobId === id && op === "status");
    const pauses = asked.slice(1).map(({ at }, index) => at - (asked[index]?.at ?? at));
    const last = pauses.slice(-3).reduce((sum, pause) => sum + pause, 0) / 3;
    expect(last).toBeGreaterThan(220);
    await cancel(id);
  });

  it.each(["0", ""])("has a lower bound when a 429 says Retry-After '%s'", async (header) => {
    const busy = () => Response.json({ error: "slow down" }, { status: 429, headers: { "retry-after": header } });
    const provider = interceptProvider(on("run", busy));
    const { id } = await createJob();
    await afterCalls(provider, id, "run", 2);
    await scheduler.wait(300);
    expect(provider.count(id, "run")).toBeLessThanOrEqual(7);
    expect(await getJob(id)).toMatchObject({ attempt: 1, error: null });
    await cancel(id);
  });

  it("heeds a Retry-After that is a date", async () => {
    const date = new Date(Date.now() + 5_000).toUTCString();
    const busy = () => Response.json({}, { status: 429, headers: { "retry-after": date } });
    const provider = interceptProvider(on("run", busy));
    const { id } = await createJob();
    await afterCalls(provider, id, "run", 1);
    await scheduler.wait(300);
    expect(provider.count(id, "run")).toBe(1);
    await cancel(id);
  });

  it("is bounded by start_within_seconds, whatever Retry-After says", async () => {
    const busy = () => Response.json({}, { status: 429, headers: { "retry-after": "3600" } });
    const provider = interceptProvider(on("run", busy));
    const { id, created_at } = await createJob({ start_within_seconds: 10 });
    await afterCalls(provider, id, "run", 1);
    const object = env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(id));
    await vi.waitFor(async () => {
      const alarm = await runInDurableObject(object, (_instance, { storage }) => storage.getAlarm());
      expect((alarm ?? Infinity) - Date.parse(created_at)).toBeLessThan(11_000);
    });
    await cancel(id);
  });
});

describe("an input that is gone", () => {
  it("is found before a GPU is bought for the owner's retry", async () => {
    const provider = interceptProvider();
    const { id, input_video_key } = await createJob({ max_retries: 0 });
    await takeRun(id);
    await cancel(id);
    await env.VIDEOS.delete(input_video_key ?? "");
    expect((await api(`/api/jobs/${id}/retry`, { method: "POST" })).status).toBe(200);
    const job = await afterCalls(provider, id, "run", 2);
    expect(job).toMatchObject({ status: "error", error: { code: "input_not_found" } });
    expect(provider.count(id, "run")).toBe(1);
  });
});

describe("an object that leaves memory between its polls", () => {
  it.each([
    ["404s", () => new Response(null, { status: 404 })],
    ["silence", () => new Response(null, { status: 500 })],
  ])("comes back with what they heard: %s", async (_what, answer) => {
    let isInTrouble = false;
    const provider = interceptProvider(on("status", () => (isInTrouble ? answer() : null)));
    const { id } = await createJob();
    await waitForJob(id, ({ stage }) => stage === "waiting_for_gpu");
    isInTrouble = true;
    const before = provider.count(id, "status");
    await vi.waitFor(() => expect(provider.count(id, "status")).toBeGreaterThanOrEqual(before + 2), { timeout: 6_000 });
    await vi.waitFor(async () => expect(await readStorage(id)).toMatch(/\\*"(times|silences)\\*":[2-9]/));
    isInTrouble = false;
    await cancel(id);
  });
});

describe("while D1 is away", () => {
  it("an owner's retry is unavailable, and no fault", async () => {
    const { id } = await createJob();
    await takeRun(id);
    await cancel(id);
    await waitForJob(id, ({ status }) => status === "cancelled");
    refuseReopenings();
    await expectProblem(await api(`/api/jobs/${id}/retry`, { method: "POST" }), 503, "unavailable");
  });
});
