import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import { api, createJob, getJob, openSocket, takeRun, waitForJob } from "../setup/job.ts";

it("an object that sleeps between a handler's updates wakes with its socket and the last figure (I16)", async () => {
  const { id } = await createJob();
  const { input } = await takeRun(id);
  const { socket } = await openSocket(input.progress_url);
  // The first figure is saved with the begin of rendering; the second only memory knows.
  socket.send('{"progress": 10}');
  socket.send('{"progress": 24}');
  await waitForJob(id, ({ progress }) => progress === 24);
  const object = env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(id));
  await vi.waitFor(async () => {
    const saved = (_: unknown, { storage }: DurableObjectState) => storage.sql.exec("SELECT state FROM job").one();
    expect(String((await runInDurableObject(object, saved))["state"])).toContain('"progress":24');
  });
  await evictDurableObject(object);
  expect((await getJob(id)).progress).toBe(24);
  socket.send('{"progress": 12}');
  socket.send('{"progress": 31}');
  await waitForJob(id, ({ progress }) => progress === 31);
  await api(`/api/jobs/${id}/cancel`, { method: "POST" });
});
