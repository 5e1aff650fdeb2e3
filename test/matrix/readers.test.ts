import { evictDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { JobHistory } from "../../src/contract/event.ts";
import { api, call, createJob, getJob, openSocket, takeRun, waitForJob } from "../setup/job.ts";
import { objectOf } from "../setup/storage.ts";

/** Longer than PROGRESS_FLUSH_MS of this project. */
const flushMs = 150;

const cancel = (id: string) => api(`/api/jobs/${id}/cancel`, { method: "POST" });

const poster = (url: string) => async (progress: number) => {
  const response = await call(url, { method: "POST", body: JSON.stringify({ progress }) });
  await response.body?.cancel();
};

/** What a reader saw last, after a burst of updates that came faster than they are saved. */
async function afterBurst(id: string, report: (progress: number) => unknown) {
  for (const progress of [10, 20, 24]) {
    await report(progress);
  }
  return waitForJob(id, ({ progress }) => progress === 24);
}

describe("what a reader saw does not step back", () => {
  it("when the object leaves memory some time after posted figures", async () => {
    const { id } = await createJob();
    const { input } = await takeRun(id);
    const seen = await afterBurst(id, poster(input.progress_url));
    await scheduler.wait(flushMs);
    await evictDurableObject(objectOf(id));
    const { progress, version } = await getJob(id);
    expect([progress, version >= seen.version]).toEqual([24, true]);
    await cancel(id);
  });

  it("when the handler's socket closes while the object is out of memory", async () => {
    const { id } = await createJob();
    const { input } = await takeRun(id);
    const { socket } = await openSocket(input.progress_url);
    const seen = await afterBurst(id, (progress) => socket.send(JSON.stringify({ progress })));
    await evictDurableObject(objectOf(id));
    socket.close(1000);
    await scheduler.wait(50);
    const { progress, version } = await getJob(id);
    expect([progress, version >= seen.version]).toEqual([24, true]);
    await cancel(id);
  });
});

describe("a job's history", () => {
  it("does not grow with the progress that is saved now and then", async () => {
    const { id } = await createJob();
    const { input } = await takeRun(id);
    const report = poster(input.progress_url);
    const count = async () => JobHistory.parse(await (await api(`/api/jobs/${id}/events`)).json()).data.length;
    await report(1);
    const before = await count();
    for (let progress = 2; progress <= 6; progress++) {
      await scheduler.wait(60);
      await report(progress);
    }
    expect(await count()).toBe(before);
    await cancel(id);
  });
});
