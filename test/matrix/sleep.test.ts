import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { api, call, createJob, getJob, openSocket, takeRun, waitForJob } from "../setup/job.ts";

const objectOf = (id: string) => env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(id));

/** The first figure is saved with the begin of rendering; what follows only memory knows. */
async function begin(report: (progress: number) => unknown, id: string): Promise<number> {
  for (const progress of [10, 20, 24]) {
    await report(progress);
  }
  return (await waitForJob(id, ({ progress }) => progress === 24)).version;
}

describe("an object that leaves memory between a handler's updates (I4, I16)", () => {
  it("wakes with the handler's socket, the last figure and its version", async () => {
    const { id } = await createJob();
    const { input } = await takeRun(id);
    const { socket } = await openSocket(input.progress_url);
    const report = (progress: number) => socket.send(JSON.stringify({ progress }));
    const version = await begin(report, id);
    await evictDurableObject(objectOf(id));
    expect(await getJob(id)).toMatchObject({ progress: 24, version });
    report(12);
    report(31);
    const job = await waitForJob(id, ({ progress }) => progress !== 24);
    expect(job).toMatchObject({ progress: 31, version: version + 1 });
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
  });

  it("has saved the last figure when the handler's socket closes", async () => {
    const { id } = await createJob();
    const { input } = await takeRun(id);
    const { socket, closed } = await openSocket(input.progress_url);
    const version = await begin((progress) => socket.send(JSON.stringify({ progress })), id);
    socket.close(1000);
    await closed;
    await evictDurableObject(objectOf(id));
    const { progress, ...job } = await getJob(id);
    expect([progress, job.version >= version]).toEqual([24, true]);
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
  });

  it("has saved a posted figure when the one before was saved PROGRESS_FLUSH_MS ago", async () => {
    const { id } = await createJob();
    const { input } = await takeRun(id);
    const report = (progress: number) =>
      call(input.progress_url, { method: "POST", body: JSON.stringify({ progress }) });
    await begin(report, id);
    await scheduler.wait(60);
    await report(30);
    await evictDurableObject(objectOf(id));
    expect((await getJob(id)).progress).toBe(30);
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
  });
});
