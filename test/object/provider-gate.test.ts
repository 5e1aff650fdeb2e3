import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { newGatePace } from "../../src/core/provider-gate.ts";
import { getSettings } from "../../src/env.ts";
import { providerGateOf } from "../../src/object/provider-gate.ts";

/** An endpoint of its own for each test. */
function newGate() {
  return providerGateOf(env, crypto.randomUUID());
}

async function isFree(gate: ReturnType<typeof newGate>, call: "run" | "status" | "cancel"): Promise<boolean> {
  return (await gate.takeTurn(1, call)).at <= Date.now();
}

describe("the gate of an endpoint", () => {
  it("holds back all who ask after one has told of trouble, until one tells of a good answer", async () => {
    const gate = newGate();
    expect(await isFree(gate, "run")).toBe(true);
    const { firstOpenMs } = newGatePace(getSettings(env).timers);
    const before = Date.now();
    await gate.noteOutcome(1, "run", "not_bought", null);
    const { at } = await gate.takeTurn(1, "run");
    expect(at).toBeGreaterThan(before + firstOpenMs);
    expect(at).toBeLessThan(Date.now() + firstOpenMs + 100);
    expect(await isFree(gate, "status")).toBe(true);
    await gate.noteOutcome(1, "run", "ok", null);
    expect(await isFree(gate, "run")).toBe(true);
  });

  it("waits as long as RunPod asked for", async () => {
    const gate = newGate();
    const before = Date.now();
    await gate.noteOutcome(1, "status", "busy", 20_000);
    expect((await gate.takeTurn(1, "status")).at).toBeGreaterThan(before + 20_000);
  });

  it("is one per endpoint: the trouble of one holds up no other", async () => {
    const name = crypto.randomUUID();
    await providerGateOf(env, name).noteOutcome(1, "run", "misconfigured", null);
    expect(await isFree(providerGateOf(env, name), "run")).toBe(false);
    expect(await isFree(newGate(), "run")).toBe(true);
  });

  it("gives a crowd that asks at once turns at the rate, and each of the others a time of its own", async () => {
    const gate = newGate();
    const began = Date.now();
    const answers = await Promise.all(Array.from({ length: 100 }, () => gate.takeTurn(1, "cancel")));
    const later = answers.map(({ at }) => at).filter((at) => at > began);
    // Eight at once, and one more each 140 ms that the asking took.
    expect(100 - later.length).toBeLessThanOrEqual(9 + (Date.now() - began) / 140);
    expect(new Set(later).size).toBe(later.length);
  });

  it("lets calls pass again once it has left memory", async () => {
    const gate = newGate();
    await gate.noteOutcome(1, "run", "busy", 300_000);
    expect(await isFree(gate, "run")).toBe(false);
    await evictDurableObject(gate);
    expect(await isFree(gate, "run")).toBe(true);
  });
});
