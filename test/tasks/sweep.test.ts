import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { getSettings } from "../../src/env.ts";
import { rpcVersion } from "../../src/object/rpc.ts";
import { openDatabase } from "../../src/store/database.ts";
import { readTaskCursor } from "../../src/store/task-cursors.ts";
import { sweep } from "../../src/tasks/sweep.ts";
import { withStrike } from "../setup/broken-objects.ts";
import { insertRow } from "../setup/rows.ts";

const db = openDatabase(env.DB);
const later = () => Date.now() + getSettings(env).sweepAfterMs + 20_000;
/** Jobs that got further than pending, whose objects are gone: to be woken is all that can happen to them. */
const lost = { tenantId: "sweep", status: "processing" } as const;

const insertLost = (count: number) => Promise.all(Array.from({ length: count }, () => insertRow(lost)));

/** A sweep that notes whom it wakes, after something has happened to each. */
async function watchSweep(limits: object, strike: (id: string) => unknown = () => undefined) {
  const woken: string[] = [];
  const watched = withStrike("wake", (id) => {
    woken.push(id);
    return strike(id);
  });
  return { count: await sweep(watched, later(), limits), woken };
}

beforeEach(async () => {
  await env.DB.exec("DELETE FROM export_jobs");
  await env.DB.exec("DELETE FROM task_cursors");
});

describe("the sweep", () => {
  it("has its cursor ahead of the jobs that it wakes", async () => {
    const rows = await insertLost(4);
    const seen: [string, string][] = [];
    await watchSweep({ pageSize: 2, maxPages: 1 }, async (id) => {
      seen.push([id, await readTaskCursor(db, "sweep")]);
    });
    expect(seen).toHaveLength(2);
    expect(seen.every(([, cursor]) => cursor === rows[1]?.id)).toBe(true);
  });

  it("goes on behind where a run broke off, and begins anew at the end", async () => {
    const ids = (await insertLost(5)).map(({ id }) => id);
    const runs = [];
    for (let run = 0; run < 4; run++) {
      runs.push((await watchSweep({ pageSize: 2, maxPages: 1 })).woken.sort());
    }
    expect(runs).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4), ids.slice(0, 2)]);
  });

  it("is not held up by an object that hangs, nor by one that throws", async () => {
    const [hung, broken, ...others] = await insertLost(6);
    const begun = Date.now();
    const { count, woken } = await watchSweep({ pageSize: 3, patienceMs: 50 }, (id) => {
      if (id === broken?.id) {
        throw new Error("struck");
      }
      return id === hung?.id ? new Promise(() => undefined) : undefined;
    });
    expect(Date.now() - begun).toBeLessThan(2_000);
    expect([count, new Set(woken).size]).toEqual([6, 2 + others.length]);
  });

  it("does not wait for the work of those that it wakes", async () => {
    const { id } = await insertRow({ tenantId: "default", inputVideoKey: "input/default/none/a.mp4" });
    const begun = Date.now();
    expect(await sweep(env, later())).toBe(1);
    expect(Date.now() - begun).toBeLessThan(1_000);
    const object = env.EXPORT_JOB.get(env.EXPORT_JOB.idFromName(id));
    expect(await object.read(rpcVersion, "default")).not.toBeNull();
  });

  it("leaves a job alone until it has been silent for longer than it said", async () => {
    const quietUntil = new Date(Date.now() + 3_600_000).toISOString();
    const [loud] = [await insertRow(lost), await insertRow({ ...lost, quietUntil })];
    expect((await watchSweep({})).woken).toEqual([loud?.id]);
  });

  it("looks at a bounded number of rows, and finds a silent job behind many healthy ones in later runs", async () => {
    const healthy = { ...lost, updatedAt: new Date(Date.now() + 3_600_000).toISOString() };
    await Promise.all(Array.from({ length: 25 }, () => insertRow(healthy)));
    const { id } = await insertRow(lost);
    const limits = { maxLooked: 10, maxPages: 1 };
    const runs = [];
    for (let run = 0; run < 3; run++) {
      runs.push((await watchSweep(limits)).woken);
    }
    expect(runs).toEqual([[], [], [id]]);
  });
});
