import { describe, expect, it } from "vitest";
import type { RunReport } from "../../src/core/signals.ts";
import { Engine } from "../../src/object/engine.ts";
import type { Ports } from "../../src/object/ports.ts";
import { output, Play, timers } from "../core/play.ts";

const completed: RunReport = { word: "completed", delayMs: null, executionMs: 1 };

/** An engine over a world that notes the order of what it is asked to do. */
function newEngine(broken: Partial<Ports> = {}) {
  const play = new Play().open().accept().upkeep();
  const order: string[] = [];
  const note = (what: string) => void order.push(what);
  const ports: Ports = {
    ...{ now: () => play.now, timers, endpointId: "e", newNonce: () => "n", keep: () => false },
    load: () => ({ job: play.job, savedVersion: play.job.version }),
    save: (job) => note(`save ${job.status}`),
    wake: () => {},
    submitRun: async () => ({ kind: "unconfirmed" }),
    askStatus: async () => {
      note("ask RunPod");
      return completed;
    },
    cancelRun: async () => true,
    findOutput: async () => {
      note("look into R2");
      return output;
    },
    project: async (_job, { usage }) => {
      note(`project, with usage of ${usage.length}`);
      return false;
    },
    deleteOutput: async () => {},
    notify: async () => note("notify"),
    broadcast: ({ type }) => note(`tell ${type}`),
    isWatched: () => false,
    warn: note,
    ...broken,
  };
  return { engine: new Engine(ports), order };
}

const ring = { kind: "doorbell", attempt: 1, nonce: "nonce-1", runId: null } as const;

describe("a ring", () => {
  it("is asked about before it is saved, and leads to the end with one save and one write to D1", async () => {
    const { engine, order } = newEngine();
    engine.ring(ring);
    expect(order).toEqual(["ask RunPod", "look into R2", "save processing"]);
    await engine.advance();
    expect(order.slice(3)).toEqual([
      ...["save complete", "tell status", "tell complete"],
      // Its input's size was not noted at the creation.
      ...["look into R2", "project, with usage of 1", "save complete"],
    ]);
    expect(engine.isAtRest()).toBe(true);
  });

  it("that cannot be saved has not been heard: what it asked leads to nothing", async () => {
    const full = () => {
      throw new Error("disk full");
    };
    const { engine, order } = newEngine({ save: full });
    expect(() => engine.ring(ring)).toThrow("disk full");
    await engine.advance();
    expect(engine.job?.status).toBe("processing");
    expect(order).toEqual(["ask RunPod", "look into R2"]);
  });

  it("of an attempt that is not there asks nobody", () => {
    const { engine, order } = newEngine();
    expect(engine.ring({ ...ring, nonce: "forged" })).toBe(false);
    expect(order).toEqual([]);
  });
});
