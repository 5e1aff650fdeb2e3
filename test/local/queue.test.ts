import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { findPort } from "../../local/processes.ts";
import { limits, RunQueue } from "../../local/runpod/queue.ts";
import { apiKey, run, start, waitFor } from "./endpoint.ts";

/** A receiver of webhooks that answers 500 to the first `failures`. */
async function startReceiver(failures: number): Promise<{ url: string; bodies: unknown[] }> {
  const bodies: unknown[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) {
      text += chunk;
    }
    bodies.push(JSON.parse(text));
    response.writeHead(bodies.length <= failures ? 500 : 200).end();
  });
  const port = await findPort();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
  });
  return { url: `http://127.0.0.1:${port}/hook`, bodies };
}

describe("the RunPod endpoint of this machine", () => {
  it("runs a handler by RunPod's worker protocol and tells progress, result and times", async () => {
    const { url, bodies } = await startReceiver(2);
    const endpoint = await start(async (input, { reportProgress }) => {
      reportProgress({ progress: 50 });
      await sleep(50);
      return { echo: input };
    });
    const id = await run(endpoint, { input: { a: 1 }, webhook: url });
    expect(await waitFor(endpoint, id, "IN_PROGRESS")).toMatchObject({
      id,
      delayTime: expect.any(Number),
      workerId: "w1",
    });
    const body = await waitFor(endpoint, id, "COMPLETED");
    expect(body).toMatchObject({ output: { echo: { a: 1 } }, executionTime: expect.any(Number) });
    await expect.poll(() => bodies.length).toBe(3);
    expect(bodies[2]).toEqual({ ...body, input: { a: 1 }, webhook: url });
  });

  it("reports a handler's error and its exception as RunPod does", async () => {
    const endpoint = await start(async (input) => {
      if (JSON.stringify(input).includes("throw")) {
        throw new TypeError("broken");
      }
      return { error: "invalid_params: no" };
    });
    const refused = await run(endpoint, { input: { do: "refuse" } });
    expect(await waitFor(endpoint, refused, "FAILED")).toMatchObject({ error: "invalid_params: no" });
    const thrown = await run(endpoint, { input: { do: "throw" } });
    const { error } = z.object({ error: z.string() }).parse(await waitFor(endpoint, thrown, "FAILED"));
    expect(JSON.parse(error)).toMatchObject({ error_type: "TypeError", error_message: "broken" });
  });

  it("stops a run that is cancelled", async () => {
    let stopped = false;
    const endpoint = await start(async (_input, { signal }) => {
      await once(signal, "abort");
      stopped = true;
      return {};
    });
    const id = await run(endpoint, { input: {} });
    await waitFor(endpoint, id, "IN_PROGRESS");
    const answer = await endpoint.call(`cancel/${id}`, { method: "POST" });
    expect(await answer.json()).toMatchObject({ id, status: "CANCELLED" });
    await expect.poll(() => stopped).toBe(true);
  });

  it("serves a worker that talks as RunPod's Python SDK does", async () => {
    const endpoint = await start();
    const id = await run(endpoint, { input: { a: 1 } });
    const sdk = (path: string, body?: object) =>
      fetch(`${endpoint.url}/e/${path}`, {
        method: body ? "POST" : "GET",
        headers: { authorization: apiKey, "content-type": "application/x-www-form-urlencoded" },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
    const taken = await sdk("job-take/mine?gpu=local&job_in_progress=0");
    expect([taken.status, await taken.json()]).toEqual([200, { id, input: { a: 1 } }]);
    expect((await sdk(`ping/mine?job_id=${id}&runpod_version=1`)).status).toBe(200);
    await sdk(`job-done/mine/${id}?gpu=local&isStream=false`, { status: "IN_PROGRESS", output: { progress: 40 } });
    expect(await (await endpoint.call(`status/${id}`)).json()).toMatchObject({
      status: "IN_PROGRESS",
      output: { progress: 40 },
    });
    await sdk(`job-done/mine/${id}?gpu=local&isStream=false`, { output: {}, error: "invalid_params: no" });
    expect(await (await endpoint.call(`status/${id}`)).json()).toMatchObject({
      status: "FAILED",
      error: "invalid_params: no",
    });
    const other = await run(endpoint, { input: {} });
    await sdk("job-take/mine?gpu=local&job_in_progress=0");
    await sdk(`job-done/mine/${other}?gpu=local&isStream=false`, {});
    const ended = await (await endpoint.call(`status/${other}`)).json();
    expect(ended).toMatchObject({ status: "COMPLETED" });
    expect(ended).not.toHaveProperty("output");
    const several = [await run(endpoint, { input: { n: 1 } }), await run(endpoint, { input: { n: 2 } })];
    const batch = await sdk("job-take-batch/mine?gpu=local&batch_size=3&job_in_progress=0");
    expect(await batch.json()).toEqual(several.map((id, index) => ({ id, input: { n: index + 1 } })));
  });

  it("asks for its key, and knows what it does not know", async () => {
    const endpoint = await start();
    expect((await fetch(`${endpoint.url}/e/health`)).status).toBe(401);
    expect((await fetch(`${endpoint.url}/e/health`, { headers: { authorization: "Bearer no" } })).status).toBe(401);
    expect((await endpoint.call("status/none")).status).toBe(404);
    expect((await endpoint.call("run", { method: "POST", body: "{" })).status).toBe(400);
    await run(endpoint, { input: {} });
    expect(await (await endpoint.call("health")).json()).toMatchObject({ jobs: { inQueue: 1 }, workers: { ready: 1 } });
  });
});

describe("RunQueue's rules of time", () => {
  let now = 0;
  const newQueue = () => {
    now = 0;
    const ended: string[] = [];
    return {
      queue: new RunQueue(
        ({ status }) => ended.push(status),
        () => now,
      ),
      ended,
    };
  };

  it("ends a run at its executionTimeout", () => {
    const { queue, ended } = newQueue();
    const { id } = queue.submit({ input: {}, policy: { executionTimeout: 5_000 } });
    queue.take("w");
    now = 5_000;
    queue.sweep();
    expect(queue.find(id)).toMatchObject({ status: "FAILED", error: "executionTimeout exceeded" });
    expect([ended, queue.takeStops("w")]).toEqual([["FAILED"], [id]]);
  });

  it("forgets a run at its ttl, even a running one, and an ended one after half an hour", () => {
    const { queue } = newQueue();
    const running = queue.submit({ input: {}, policy: { ttl: 10_000, executionTimeout: 60_000 } });
    queue.take("w");
    const done = queue.submit({ input: {} });
    queue.take("w");
    queue.finish(done.id, { output: {} });
    now = 10_000;
    queue.sweep();
    expect([queue.find(running.id), queue.find(done.id)?.status]).toEqual([undefined, "COMPLETED"]);
    now = limits.retentionMs;
    queue.sweep();
    expect(queue.find(done.id)).toBeUndefined();
  });

  it("starts the run of a lost worker once more, and then gives up", () => {
    const { queue } = newQueue();
    const { id } = queue.submit({ input: {} });
    queue.take("w1");
    now += limits.workerLostMs;
    queue.sweep();
    expect(queue.find(id)).toMatchObject({ status: "IN_QUEUE", restarts: 1 });
    queue.take("w2");
    now += limits.workerLostMs;
    queue.sweep();
    expect(queue.find(id)).toMatchObject({ status: "FAILED", error: "job timed out after 1 retries" });
  });
});
