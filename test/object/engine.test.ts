import { describe, expect, it } from "vitest";
import type { JobState } from "../../src/core/job-state.ts";
import type { RunReport, Signal } from "../../src/core/signals.ts";
import { Engine } from "../../src/object/engine.ts";
import { JobShell } from "../../src/object/job-shell.ts";
import type { JobStorage, Ports, Wake } from "../../src/object/ports.ts";
import { output, Play, timers } from "../core/play.ts";

const completed: RunReport = { word: "completed", delayMs: null, executionMs: 1 };

/** Ports to a world that notes the order of what it is asked to do. */
function newWorld(storage: Partial<JobStorage> = {}) {
  const play = new Play().open().accept().upkeep();
  const order: string[] = [];
  const wakes: Wake[] = [];
  const note = (what: string) => void order.push(what);
  const held = (job: JobState) => ({ job, savedVersion: job.version, reserved: job.version });
  const ports: Ports = {
    ...{ now: () => play.now, timers, endpointId: "e", newNonce: () => "n" },
    storage: {
      load: () => held(play.job),
      save: (job) => note(`save ${job.status}`),
      wake: (wake) => void wakes.push(wake),
      getAlarm: async () => null,
      listEvents: () => [],
      forget: async () => {},
      ...storage,
    },
    sockets: {
      isWatched: () => false,
      broadcast: ({ type }) => note(`tell ${type}`),
      keep: () => false,
      tellProgress: () => {},
    },
    provider: {
      submitRun: async () => ({ kind: "maybe_bought", message: "" }),
      askStatus: async () => {
        note("ask RunPod");
        return { kind: "ok", value: completed };
      },
      cancelRun: async () => ({ kind: "ok", value: null }),
      takeTurn: async () => 0,
      noteOutcome: async () => note("tell the gate"),
    },
    stores: {
      findOutput: async () => {
        note("look into R2");
        return output;
      },
      deleteOutput: async () => {},
      writeRow: async (_row, { usage }) => {
        note(`write the row, with usage of ${usage.length}`);
        return false;
      },
      reopenRow: async () => true,
      deleteRow: async () => "deleted",
      notify: async () => note("notify"),
      dropMessages: async () => {},
      tellDeleted: async () => {},
    },
    background: () => {},
    later: () => {},
    warn: note,
    fail: (during) => note(`failed: ${during}`),
  };
  return { ports, order, wakes, play };
}

const ring = { kind: "doorbell", attempt: 1, nonce: "nonce-1", runId: null } as const;

describe("a ring", () => {
  it("is asked about before it is saved, and leads to the end with one save and one write to D1", async () => {
    const { ports, order } = newWorld();
    const engine = new Engine(ports);
    engine.ring(ring);
    expect(order).toEqual(["ask RunPod", "look into R2", "save processing"]);
    await engine.advance();
    expect(order.slice(3)).toEqual([
      // The output's artifact.
      ...["look into R2", "save complete", "tell status", "tell complete"],
      // Its input's size was not noted at the creation.
      ...["look into R2", "write the row, with usage of 1", "save complete"],
    ]);
    expect(engine.isAtRest()).toBe(true);
  });

  it("that cannot be saved has not been heard: what it asked leads to nothing", async () => {
    const full = () => {
      throw new Error("disk full");
    };
    const { ports, order } = newWorld({ save: full });
    const engine = new Engine(ports);
    expect(() => engine.ring(ring)).toThrow("disk full");
    await engine.advance();
    expect(engine.job?.status).toBe("processing");
    expect(order).toEqual(["ask RunPod", "look into R2", "look into R2"]);
  });

  it("of an attempt that is not there asks nobody", () => {
    const { ports, order } = newWorld();
    new Engine(ports).ring({ ...ring, nonce: "forged" });
    expect(order).toEqual([]);
  });
});

describe("a write to D1", () => {
  it("settles no job whose next attempt ended while figures were asked for: its usage comes with another write", async () => {
    const refused = { kind: "not_bought", message: "away" } as const;
    const play = new Play().open();
    play.answer(1, refused);
    play.tell({ kind: "cancel_requested" });
    const { version } = play.job;
    const { ports } = newWorld({ load: () => ({ job: play.job, savedVersion: version, reserved: version }) });
    const meanwhile: Signal[] = [
      { kind: "retry_requested" },
      { kind: "attempt_opened", nonce: "nonce-2", endpointId: "e", outputKey: "output/t/j/2.mp4" },
      { kind: "run_answered", attempt: 2, answer: refused },
      { kind: "cancel_requested" },
    ];
    const written: [attempts: number[], isSettled: boolean][] = [];
    const stores: Ports["stores"] = {
      ...ports.stores,
      findOutput: async () => {
        engine.apply(...meanwhile.splice(0));
        return output;
      },
      writeRow: async ({ settledAt }, { usage }) => {
        written.push([usage.map(({ attempt }) => attempt), settledAt !== null]);
        return false;
      },
    };
    const engine = new Engine({ ...ports, stores });
    await engine.writeRow();
    await engine.writeRow();
    expect(written).toEqual([
      [[1], false],
      [[2], true],
    ]);
  });
});

describe("an object that holds the state of a later release", () => {
  it("begins nothing, tells the operator at its alarm and sets the next, and never throws", async () => {
    const { ports, order, wakes, play } = newWorld({ load: () => "unreadable" });
    const shell = new JobShell(ports);
    expect(shell.guard.isNeeded).toBe(true);
    await shell.guard.find();
    shell.start(play.job.spec);
    shell.ring({ attempt: 1, nonce: "nonce-1" }, null);
    expect([shell.read("t"), shell.cancel(play.job.spec, true), order]).toEqual([null, "unavailable", []]);
    const labels = { labels: { a: 1 }, acknowledged: null, knownVersions: null };
    const answers = await Promise.all([
      shell.amend(play.job.spec, labels, { isNew: true, metadata: {} }),
      shell.retry("t"),
      shell.remove(play.job.spec, { isNew: true, attempts: 1 }),
    ]);
    expect(answers).toEqual(["unavailable", "unavailable", "unavailable"]);
    await shell.guard.run();
    expect(order).toEqual(["The job was saved by a later release."]);
    expect(wakes.at(-1)).toEqual({ at: play.now + timers.pollMaxMs });
  });
});

describe("an alarm", () => {
  it("is set once per wake", async () => {
    const { ports, order, wakes, play } = newWorld();
    const queued: RunReport = { ...completed, word: "queued" };
    const provider: Ports["provider"] = {
      ...ports.provider,
      askStatus: async () => ({ kind: "ok", value: queued }),
    };
    const shell = new JobShell({ ...ports, provider });
    await shell.guard.find();
    play.wait();
    await shell.guard.run();
    expect([order, wakes.length]).toEqual([[], 1]);
  });

  it("that got lost is set again by whoever comes next", async () => {
    const { ports, wakes, play } = newWorld();
    const shell = new JobShell(ports);
    await shell.guard.find();
    shell.read("t");
    shell.read("t");
    expect(wakes).toEqual([{ at: play.now }]);
  });
});

describe("a removal", () => {
  it("sets an alarm though one is known: the sweep sees no job whose row is gone", async () => {
    const wakes: Wake[] = [];
    const { ports, play } = newWorld({
      getAlarm: async () => play.now + 1,
      save: (_job, _events, wake) => void wakes.push(wake),
    });
    play.tell({ kind: "cancel_requested" });
    const shell = new JobShell(ports);
    await shell.guard.find();
    expect(await shell.remove(play.job.spec, { isNew: false, attempts: 1 })).toBe("removed");
    expect(wakes[0]).toEqual({ at: play.now + timers.runTimeoutMs + timers.statusTimeoutMs });
  });
});

describe("trouble of the provider", () => {
  it("is told to its gate; a good day tells it nothing", async () => {
    const { ports, order, play } = newWorld();
    play.now += timers.pollMaxMs;
    await new Engine(ports).advance();
    expect(order).not.toContain("tell the gate");
    const silent: Ports["provider"] = {
      ...ports.provider,
      askStatus: async () => ({ kind: "maybe_bought", message: "no answer" }),
    };
    await new Engine({ ...ports, provider: silent }).advance();
    expect(order).toContain("tell the gate");
  });
});
