import { describe, expect, it } from "vitest";
import { JobEvent } from "../../src/contract/event.ts";
import { bearer, newJwt, newKey } from "../setup/callers.ts";
import {
  api,
  call,
  completeRun,
  createJob,
  expectProblem,
  openSocket,
  ring,
  takeRun,
  waitForJob,
} from "../setup/job.ts";
import { until, watchProject } from "../setup/streams.ts";

async function finish(id: string): Promise<void> {
  const run = await takeRun(id);
  await call(run.input.progress_url, { method: "POST", body: '{"progress": 40, "stage": "rendering"}' });
  await completeRun(run);
  await ring(run);
  await waitForJob(id, ({ status }) => status === "complete");
}

describe("GET /api/projects/:project_id/events", () => {
  it("tells of the active jobs first, then of every change and of new jobs, each once and in order", async () => {
    const early = await createJob({ project_id: 501 });
    const other = await createJob({ project_id: 502 });
    await takeRun(early.id);
    const { told, close } = await watchProject(501);
    await until(() => told.length > 0);
    expect(told[0]).toMatchObject({ type: "status", event: { job_id: early.id, status: "processing" } });
    const late = await createJob({ project_id: 501 });
    await finish(late.id);
    await api(`/api/jobs/${early.id}/cancel`, { method: "POST" });
    const ends = () =>
      told.filter(({ type }) => ["complete", "cancelled"].includes(type)).map(({ event }) => event.job_id);
    await until(() => ends().length === 2);
    expect(ends().sort()).toEqual([early.id, late.id].sort());
    for (const id of [early.id, late.id]) {
      const seqs = told.filter(({ event }) => event.job_id === id).map(({ event }) => event.seq);
      expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    }
    const stages = told.filter(({ event }) => event.job_id === late.id).map(({ event }) => event.stage);
    expect(stages).toEqual(expect.arrayContaining(["waiting_for_gpu", "rendering", "verifying", "done"]));
    expect(told.find(({ type }) => type === "complete")?.event.output_url).toContain(late.id);
    expect(told.some(({ event }) => event.job_id === other.id)).toBe(false);
    await close();
    await api(`/api/jobs/${other.id}/cancel`, { method: "POST" });
  });

  it("tells who comes back of what ended meanwhile", async () => {
    const job = await createJob({ project_id: 503 });
    const first = await watchProject(503);
    await until(() => first.told.length > 0);
    await first.close();
    await finish(job.id);
    const again = await watchProject(503, { headers: { "last-event-id": first.told.at(-1)?.id ?? "" } });
    await until(() => again.told.length > 0);
    expect(again.told[0]).toMatchObject({ type: "complete", event: { job_id: job.id, progress: 100 } });
    await again.close();
    const anew = await watchProject(503);
    await scheduler.wait(100);
    expect(anew.told).toEqual([]);
    await anew.close();
  });

  it("shows a user their own jobs, a tenant its own, and a key its projects", async () => {
    const mine = await createJob({ project_id: 504, user_id: "mia" });
    const theirs = await createJob({ project_id: 504, user_id: "noah" });
    const user = await watchProject(504, { headers: bearer(await newJwt({ sub: "mia" })) });
    const rival = await watchProject(504, { headers: bearer(await newKey({ tenantId: "rival" })) });
    // A job that begins now is told of to all who watch the project.
    const later = await createJob({ project_id: 504, user_id: "noah" });
    for (const { id } of [later, theirs, mine]) {
      await api(`/api/jobs/${id}/cancel`, { method: "POST" });
    }
    await until(() => user.told.some(({ type }) => type === "cancelled"));
    await scheduler.wait(50);
    expect(new Set(user.told.map(({ event }) => event.job_id))).toEqual(new Set([mine.id]));
    expect(rival.told).toEqual([]);
    await Promise.all([user.close(), rival.close()]);
    const elsewhere = bearer(await newKey({ projectIds: [1] }));
    await expectProblem(await call("/api/projects/504/events", { headers: elsewhere }), 404, "not_found");
  });
});

describe("progress on a live stream", () => {
  it("comes four times a second at most, and the last of it always", async () => {
    const job = await createJob({ project_id: 505 });
    const run = await takeRun(job.id);
    const { told, close } = await watchProject(505);
    await until(() => told.length > 0);
    for (let progress = 1; progress <= 60; progress++) {
      await call(run.input.progress_url, { method: "POST", body: JSON.stringify({ progress, stage: "rendering" }) });
    }
    await until(() => told.at(-1)?.event.progress === 60);
    const frames = told.filter(({ type }) => type === "progress");
    const seconds = (Date.parse(frames.at(-1)?.event.at ?? "") - Date.parse(frames[0]?.event.at ?? "")) / 1000;
    expect(frames.length).toBeLessThanOrEqual(4 * seconds + 2);
    await close();
    await api(`/api/jobs/${job.id}/cancel`, { method: "POST" });
  });

  it("is told once to one who comes while it waits for its turn", async () => {
    const job = await createJob();
    const run = await takeRun(job.id);
    const path = `/api/jobs/${job.id}/ws?token=${job.client_token}`;
    const early = await openSocket(path);
    for (const progress of [10, 20, 30]) {
      await call(run.input.progress_url, { method: "POST", body: JSON.stringify({ progress, stage: "rendering" }) });
    }
    const late = await openSocket(path);
    await scheduler.wait(400);
    await api(`/api/jobs/${job.id}/cancel`, { method: "POST" });
    await Promise.all([early.closed, late.closed]);
    for (const { messages } of [early, late]) {
      const seqs = messages.map((text) => JobEvent.parse(JSON.parse(text)).seq);
      expect(seqs).toEqual([...new Set(seqs)]);
    }
    expect(late.messages).toHaveLength(2);
  });
});
