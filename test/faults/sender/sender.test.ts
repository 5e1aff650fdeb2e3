import { describe, expect, it } from "vitest";
import { noFaults, type Story, tellStory } from "./sender-story.ts";
import type { SenderFaults } from "./sender-world.ts";

const seeds = 10;
/** Ten tries, and one more for each crash, failure of ours or resend. */
const maxTries = 10;

function isGone({ gone }: Story, { jobId, id }: { jobId: string; id: string }): boolean {
  return gone.has(jobId) || [...gone].some((endpoint) => id.endsWith(endpoint));
}

/** Every message that is no progress has arrived where it was to go, under one id and with one body. */
function auditArrivals(story: Story): void {
  const { world, told } = story;
  const taken = new Map(world.receivers.received.filter((one) => one.taken).map((one) => [one.id, one]));
  const lost = told.filter((one) => one.type !== "job.progress" && !taken.has(one.id) && !isGone(story, one));
  expect(lost).toEqual([]);
  const ids = new Map<string, Set<string>>();
  for (const { id, url, body } of world.receivers.received) {
    const key = `${url.replace(/\?.*/, "")} ${body} ${id.split("_").at(-1)}`;
    ids.set(key, (ids.get(key) ?? new Set()).add(id));
  }
  expect([...ids.values()].filter((same) => same.size > 1)).toEqual([]);
  expect(world.quietly(() => world.log.listWaiting())).toEqual([]);
}

/** Nothing is sent on and on: not after a success that was heard, and not more often than the schedule has it. */
function auditRepeats({ world, again }: Story): void {
  const counts = new Map<string, number>();
  for (const { id, at } of world.receivers.received) {
    counts.set(id, (counts.get(id) ?? 0) + 1);
    const heardAt = world.heardAt.get(id) ?? Infinity;
    // A message whose success was not noted is claimed for a minute, then sent again.
    expect(at <= heardAt || again.has(id) || world.crashes > 0 || world.failures.length > 0, `${id} again`).toBe(true);
  }
  for (const [id, count] of counts) {
    expect(count, id).toBeLessThanOrEqual(
      maxTries * (1 + (again.get(id) ?? 0) * 2) + world.crashes + world.failures.length,
    );
  }
}

async function play(faults: SenderFaults, audit: (story: Story) => void): Promise<void> {
  for (let seed = 1; seed <= seeds; seed++) {
    const story = await tellStory(seed, faults);
    try {
      audit(story);
    } catch (error) {
      throw new Error(`seed ${seed} of ${JSON.stringify(faults)}`, { cause: error });
    }
  }
}

describe("a tenant's sender", () => {
  it("brings every message to receivers that stumble, once", async () => {
    await play(noFaults, (story) => {
      auditArrivals(story);
      auditRepeats(story);
      expect(story.world.failures).toEqual([]);
      expect(story.world.receivers.mostOpen).toBeLessThanOrEqual(3);
    });
  });

  it("lets nobody wait for a dead neighbour", async () => {
    await play(noFaults, ({ world, told }) => {
      const firstAt = new Map<string, number>();
      for (const { id, at } of world.receivers.received) {
        firstAt.set(id, Math.min(firstAt.get(id) ?? Infinity, at));
      }
      const ends = told.filter(({ url, type }) => url.endsWith("/0") && type !== "job.progress");
      for (const { id, at } of ends) {
        expect((firstAt.get(id) ?? Infinity) - at, id).toBeLessThanOrEqual(2_000);
      }
    });
  });

  it.each([
    ["crashes around every wait", { ...noFaults, crash: 0.1 }],
    ["loses alarms", { ...noFaults, alarmLost: 0.5 }],
    ["finds D1 away", { ...noFaults, d1Away: 0.9 }],
    ["fails by itself", { ...noFaults, ours: 0.5 }],
    ["finds its storage failing", { ...noFaults, sqlFails: 0.03 }],
    ["has the worst of days", { crash: 0.05, alarmLost: 0.3, ours: 0.2, d1Away: 0.5, sqlFails: 0.003 }],
  ])("loses nothing and doubles nothing when it %s", async (_name, faults) => {
    await play(faults, (story) => {
      auditArrivals(story);
      auditRepeats(story);
    });
  });

  it("does not spin while D1 or the poster is away", async () => {
    await play({ ...noFaults, d1Away: 1, ours: 1 }, ({ world }) => {
      const hours = 22;
      expect(world.alarms / hours).toBeLessThanOrEqual(200);
      expect(world.failures.length).toBeLessThanOrEqual(20_000);
    });
  });
});
