import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { askStatus, cancelRun, type RunpodAccess, submitRun } from "../../src/runpod/client.ts";

const access: RunpodAccess = {
  baseUrl: env.RUNPOD_BASE_URL,
  apiKey: env.RUNPOD_API_KEY,
  runTimeoutMs: 2_000,
  statusTimeoutMs: 2_000,
};
const order = { input: {}, webhook: "https://exports.test/hook", policy: { executionTimeout: 5_000, ttl: 10_000 } };

async function ask(somewhere: RunpodAccess, endpointId = "test") {
  const answers = [
    submitRun(somewhere, endpointId, order),
    askStatus(somewhere, endpointId, "none-e1"),
    cancelRun(somewhere, endpointId, "none-e1"),
  ];
  const [run, status, cancel] = (await Promise.all(answers)).map(({ kind }) => kind);
  return { run, status, cancel };
}

describe("RunPod, called from workerd", () => {
  it("takes a run, tells its status, cancels it", async () => {
    const bought = await submitRun(access, "test", order);
    const runId = bought.kind === "ok" ? bought.value.runId : "";
    expect(await askStatus(access, "test", runId)).toMatchObject({ kind: "ok", value: { word: "queued" } });
    expect(await cancelRun(access, "test", runId)).toEqual({ kind: "ok", value: null });
    expect(await askStatus(access, "test", runId)).toMatchObject({ value: { code: "cancelled_by_provider" } });
  });

  it("does not know a run, an endpoint, a key", async () => {
    expect(await ask({ ...access, apiKey: "old" })).toEqual({
      run: "misconfigured",
      status: "misconfigured",
      cancel: "misconfigured",
    });
    expect(await ask(access, "gone")).toEqual({ run: "misconfigured", status: "ok", cancel: "ok" });
    expect(await ask({ ...access, apiKey: "a\nb" })).toEqual({
      run: "misconfigured",
      status: "misconfigured",
      cancel: "misconfigured",
    });
  });

  it.each([
    ["a port that nobody listens on", "http://127.0.0.1:1/v2"],
    ["a name that nobody has", "http://no-such-host.invalid/v2"],
    ["a server that speaks no TLS", env.RUNPOD_BASE_URL.replace("http:", "https:")],
  ])("%s: workerd's errors do not say whether the request was sent", async (_name, baseUrl) => {
    expect(await ask({ ...access, baseUrl })).toEqual({
      run: "maybe_bought",
      status: "maybe_bought",
      cancel: "maybe_bought",
    });
  });
});
