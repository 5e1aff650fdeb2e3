import { describe, expect, it } from "vitest";
import { z } from "zod";
import { Faults } from "../../local/runpod/faults.ts";
import { apiKey, run, start, waitFor } from "./endpoint.ts";

describe("the RunPod endpoint of this machine", () => {
  it("takes what a generator handler of the SDK yields, and its end", async () => {
    const endpoint = await start();
    const sdk = (path: string, body: object) =>
      fetch(`${endpoint.url}/e/${path}`, {
        method: "POST",
        headers: { authorization: apiKey, "content-type": "application/x-www-form-urlencoded" },
        body: JSON.stringify(body),
      });
    const take = async () => {
      const id = await run(endpoint, { input: {} });
      await fetch(`${endpoint.url}/e/job-take/mine?job_in_progress=0`, { headers: { authorization: apiKey } });
      return id;
    };
    const fetchStream = async (id: string) => (await endpoint.call(`stream/${id}`)).json();
    const id = await take();
    expect((await sdk(`job-stream/mine/${id}?gpu=local&isStream=false`, { output: { frame: 1 } })).status).toBe(200);
    await sdk(`job-stream/mine/${id}?gpu=local&isStream=false`, { output: "two" });
    expect(await fetchStream(id)).toEqual({
      status: "IN_PROGRESS",
      stream: [{ output: { frame: 1 } }, { output: "two" }],
    });
    expect(await (await endpoint.call(`status/${id}`)).json()).not.toHaveProperty("output");
    await sdk(`job-stream/mine/${id}?gpu=local&isStream=false`, { output: 3 });
    await sdk(`job-done/mine/${id}?gpu=local&isStream=true`, { output: [] });
    await sdk(`job-stream/mine/${id}?gpu=local&isStream=false`, { output: "late" });
    expect(await fetchStream(id)).toEqual({ status: "COMPLETED", stream: [{ output: 3 }] });
    expect(await (await endpoint.call(`status/${id}`)).json()).toMatchObject({ status: "COMPLETED", output: [] });
    const broken = await take();
    const error = "handler: boom \ntraceback: Traceback (most recent call last): …";
    await sdk(`job-done/mine/${broken}?gpu=local&isStream=true`, { error });
    expect(await (await endpoint.call(`status/${broken}`)).json()).toMatchObject({ status: "FAILED", error });
    expect((await endpoint.call("stream/none")).status).toBe(404);
  });

  it("passes an error on in the shape in which it came", async () => {
    const endpoint = await start(async (input) => z.record(z.string(), z.unknown()).parse(input));
    for (const error of [{ code: 7, message: "CUDA out of memory" }, ["a", "b"], "text"]) {
      const failed = await run(endpoint, { input: { error } });
      expect(await waitFor(endpoint, failed, "FAILED")).toMatchObject({ error });
    }
    const fine = await run(endpoint, { input: { error: "", a: 1 } });
    expect(await waitFor(endpoint, fine, "COMPLETED")).toMatchObject({ output: { a: 1 } });
  });

  it("can be away, unavailable, busy or misconfigured, and well again, while its workers go on", async () => {
    const faults = new Faults();
    const endpoint = await start(undefined, faults);
    const id = await run(endpoint, { input: {} });
    const calls = { run: "POST", [`status/${id}`]: "GET", [`cancel/${id}`]: "POST", health: "GET" };
    const ask = async () => {
      const answers = Object.entries(calls).map(async ([path, method]) => {
        const body = path === "run" ? { body: '{"input":{}}' } : {};
        const response = await endpoint.call(path, { method, ...body }).catch(() => null);
        return response && [response.status, response.headers.get("retry-after")];
      });
      return new Set((await Promise.all(answers)).map((answer) => JSON.stringify(answer)));
    };
    for (const [kind, answer] of [
      ["away", null],
      ["unavailable", [503, null]],
      ["busy", [429, "2"]],
      ["misconfigured", [401, null]],
    ] as const) {
      faults.set(kind, 1);
      expect(await ask()).toEqual(new Set([JSON.stringify(answer)]));
      const ping = await fetch(`${endpoint.url}/e/ping/mine`, { headers: { authorization: apiKey } });
      expect(ping.status).toBe(200);
      faults.set(kind, 0);
    }
    expect(endpoint.queue.count()).toMatchObject({ inQueue: 1 });
    expect(await ask()).toEqual(new Set(["[200,null]"]));
  });
});
