import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished } from "vitest";
import { z } from "zod";
import { findPort } from "../../local/processes.ts";
import type { Faults } from "../../local/runpod/faults.ts";
import { type Endpoint, startEndpoint } from "../../local/runpod/server.ts";
import { toWorkerVariables } from "../../local/runpod/worker-process.ts";
import { newLog } from "../../renderer/log.ts";
import { type Handler, runWorker } from "../../renderer/runpod/run-worker.ts";
import { readSettings } from "../../renderer/runpod/settings.ts";

export const apiKey = "test-key";

/** An endpoint `e` for the running test, with a worker when there is a handler. */
export async function start(
  handler?: Handler,
  faults?: Faults,
): Promise<Endpoint & { call(path: string, init?: RequestInit): Promise<Response> }> {
  const endpoint = await startEndpoint({
    port: await findPort(),
    endpointId: "e",
    apiKey,
    webhookPauseMs: 20,
    ...(faults && { faults }),
  });
  onTestFinished(() => endpoint.close());
  const endpointUrl = `${endpoint.url}/e`;
  if (handler) {
    const stopping = new AbortController();
    const settings = readSettings({ ...toWorkerVariables(endpointUrl, apiKey, "w1"), STOP_WITHIN_MS: "0" });
    const worker = runWorker({ settings, handler, log: newLog(() => {}), stop: stopping.signal });
    onTestFinished(async () => {
      stopping.abort();
      await worker;
    });
  }
  const call = (path: string, init: RequestInit = {}) =>
    fetch(`${endpointUrl}/${path}`, { ...init, headers: { authorization: `Bearer ${apiKey}` } });
  return { ...endpoint, call };
}

/** Sends a run. @returns its id */
export async function run(endpoint: Awaited<ReturnType<typeof start>>, order: object): Promise<string> {
  const response = await endpoint.call("run", { method: "POST", body: JSON.stringify(order) });
  const { id, status } = z.object({ id: z.string(), status: z.string() }).parse(await response.json());
  expect([response.status, status]).toEqual([200, "IN_QUEUE"]);
  return id;
}

/** Asks until the run has this status. @returns its status body */
export async function waitFor(
  endpoint: Awaited<ReturnType<typeof start>>,
  id: string,
  status: string,
): Promise<object> {
  for (;;) {
    const body = z.looseObject({ status: z.string() }).parse(await (await endpoint.call(`status/${id}`)).json());
    if (body.status === status) {
      return body;
    }
    await sleep(10);
  }
}
