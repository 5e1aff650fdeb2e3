import { describe, expect, it } from "vitest";
import { Random } from "../../local/random.ts";
import { ample } from "./days.ts";
import { plainSpec, quickTimers } from "./fixtures.ts";
import type { RunpodOptions, Trouble } from "./runs.ts";
import { sweepEveryMs, World } from "./world.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const timers = { ...quickTimers, providerPatienceMs: dayMs, executionTimeoutMs: hourMs };

type Story = Partial<RunpodOptions> & { renderMs?: [number, number]; trouble?: Partial<Trouble> & { lastsMs: number } };

/** A world without faults but those that the story names. */
function newWorld({ renderMs = [10_000, 60_000], trouble, ...runpod }: Story): World {
  return new World(new Random(1), (now) => {
    const { lastsMs = 0, ...kind } = trouble ?? {};
    const troubles: Trouble[] = trouble
      ? [
          {
            from: now,
            until: now + lastsMs,
            kind: "not_bought",
            calls: ["run", "status", "cancel"],
            afterMs: null,
            ...kind,
          },
        ]
      : [];
    const options = { limits: ample, gpus: 1_000, coldStartMs: [100, 2_000] as const, troubles, ...runpod };
    return { timers, renderMs, maxActive: 1_000, hasFaults: false, isPrompt: false, runpod: options };
  });
}

function addJobs(world: World, count: number, spec: { startWithinMs?: number } = {}): void {
  for (let index = 1; index <= count; index++) {
    world.create({ ...plainSpec(index, world.clock.now), ...spec });
  }
}

async function pass(world: World, ms: number): Promise<void> {
  const end = world.clock.now + ms;
  const sweep = () => {
    world.sweep();
    world.clock.after(sweepEveryMs, sweep);
  };
  world.clock.after(sweepEveryMs, sweep);
  while (await world.clock.step(end)) {
    // Until the time has passed.
  }
}

function tally(world: World): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { object } of world.jobs.values()) {
    const status = object.job?.status ?? "none";
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

describe("RunPod away for an hour, with 200 active jobs", () => {
  it("connections refused: all complete, and each is bought once", async () => {
    const world = newWorld({ trouble: { lastsMs: hourMs } });
    addJobs(world, 200);
    await pass(world, 3 * hourMs);
    expect(tally(world)).toEqual({ complete: 200 });
    expect(world.runpod.runs).toHaveLength(200);
  }, 60_000);

  it("calls time out: all complete", async () => {
    const world = newWorld({ trouble: { lastsMs: hourMs, kind: "maybe_bought" } });
    addJobs(world, 200);
    await pass(world, 4 * hourMs);
    expect(tally(world)).toEqual({ complete: 200 });
    expect(world.runpod.runs).toHaveLength(200);
  }, 60_000);
});

describe("other days of RunPod", () => {
  it("a day of 401 ends no job whose patience is longer", async () => {
    const world = newWorld({ trouble: { lastsMs: dayMs - hourMs, kind: "misconfigured" } });
    addJobs(world, 5);
    await pass(world, dayMs + 3 * hourMs);
    expect(tally(world)).toEqual({ complete: 5 });
  }, 60_000);

  it("a queue of three hours is waited out: 200 complete, none is cancelled or bought twice", async () => {
    const world = newWorld({ gpus: 10, renderMs: [9 * minuteMs, 9 * minuteMs] });
    addJobs(world, 200);
    await pass(world, 6 * hourMs);
    expect(tally(world)).toEqual({ complete: 200 });
    expect(world.runpod.runs).toHaveLength(200);
    expect(world.runpod.runs.filter(({ state }) => state === "cancelled")).toEqual([]);
  }, 60_000);

  it("a cancel that is answered 401 for ever ends with the run, and the job settles", async () => {
    const world = newWorld({
      renderMs: [50 * minuteMs, 50 * minuteMs],
      trouble: { lastsMs: 30 * dayMs, kind: "misconfigured", calls: ["cancel"] },
    });
    addJobs(world, 1);
    await pass(world, 5 * minuteMs);
    const [job] = world.jobs.values();
    await Promise.all([job && world.clients.cancel(job), pass(world, minuteMs)]);
    await pass(world, 2 * dayMs);
    expect(job?.object.job).toMatchObject({ status: "cancelled", duties: [] });
    expect(job?.object.job?.settledAt).not.toBeNull();
  }, 60_000);

  it("a Retry-After of an hour does not outlive a job that must start within ten seconds", async () => {
    const world = newWorld({ trouble: { lastsMs: dayMs, kind: "busy", afterMs: hourMs } });
    addJobs(world, 1, { startWithinMs: 10_000 });
    await pass(world, 2 * minuteMs);
    expect(tally(world)).toEqual({ error: 1 });
  });

  it("jobs that were made together do not ask in the same millisecond", async () => {
    const world = newWorld({ renderMs: [5 * minuteMs, 5 * minuteMs], coldStartMs: [1_000, 1_000] });
    addJobs(world, 50);
    await pass(world, 2 * minuteMs);
    const instants = [...world.jobs.values()].flatMap(({ object }) =>
      (object.job?.attempts ?? []).flatMap((attempt) => (attempt.phase === "running" ? [attempt.pollAt] : [])),
    );
    expect(instants).toHaveLength(50);
    const mostAtOnce = Math.max(...instants.map((at) => instants.filter((other) => other === at).length));
    expect(mostAtOnce).toBeLessThanOrEqual(3);
  });
});
