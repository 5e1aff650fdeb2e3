import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { newId } from "../../src/core/ids.ts";
import { removeOrphans } from "../../src/tasks/orphans.ts";
import { withBucket } from "../setup/bucket.ts";
import { meterBinding } from "../setup/d1-meter.ts";
import { insertRow, storeInput } from "../setup/rows.ts";

const dayMs = 24 * 3_600_000;
const later = Date.now() + dayMs + 60_000;
const isThere = async (key: string) => (await env.VIDEOS.head(key)) !== null;

async function storeOrphan(tenantId = "t"): Promise<string> {
  const key = `input/${tenantId}/${newId()}/a.mp4`;
  await env.VIDEOS.put(key, "a video");
  return key;
}

it("removes nothing while there is no upload at all: then it is the rows that are missing", async () => {
  const key = await storeOrphan();
  expect([await removeOrphans(env, later), await isThere(key)]).toEqual([0, true]);
});

it("removes inputs that no row names, and no others", async () => {
  const kept = [
    await storeInput("t"),
    `output/t/${newId()}/1.mp4`,
    (await insertRow({ inputVideoKey: `input/t/${newId()}/a.mp4` })).inputVideoKey ?? "",
  ];
  await Promise.all(kept.slice(1).map((key) => env.VIDEOS.put(key, "a video")));
  const nobodys = [await storeOrphan(), await storeOrphan("other"), kept[0]?.replace("a.mp4", "b.mp4") ?? ""];
  await env.VIDEOS.put(nobodys[2] ?? "", "a video");
  expect(await removeOrphans(env, Date.now() + dayMs - 60_000)).toBe(0);
  expect(await removeOrphans(env, later)).toBeGreaterThanOrEqual(nobodys.length);
  expect(await Promise.all(kept.map(isThere))).toEqual([true, true, true]);
  expect(await Promise.all(nobodys.map(isThere))).toEqual([false, false, false]);
});

it("goes on where the run before ended, within few calls, and begins again behind the last", async () => {
  await storeInput("t");
  const orphans = (await Promise.all(Array.from({ length: 30 }, () => storeOrphan("many")))).sort();
  const { binding, meter } = meterBinding();
  const settings = { ...env, DB: binding };
  const removed: number[] = [];
  for (let run = 0; run < 40 && (await isThere(orphans.at(-1) ?? "")); run++) {
    meter.statements.length = 0;
    removed.push(await removeOrphans(settings, later, { pageSize: 4, maxPages: 2 }));
    expect(meter.statements.length).toBeLessThanOrEqual(5);
  }
  expect(removed.length).toBeGreaterThan(3);
  expect(Math.max(...removed)).toBeLessThanOrEqual(8);
  expect(await Promise.all(orphans.map(isThere))).toEqual(orphans.map(() => false));
});

it("does not stay at what cannot be removed", async () => {
  await storeInput("t");
  const keys = [await storeOrphan("a"), await storeOrphan("b")];
  const stuck = withBucket((bucket) => ({
    delete: async (names: string | string[]) => {
      if ([names].flat().some((name) => name === keys[0])) {
        throw new Error("struck");
      }
      await bucket.delete(names);
    },
  }));
  const limits = { pageSize: 1, maxPages: 1 };
  for (let run = 0; run < 60 && (await isThere(keys[1] ?? "")); run++) {
    await removeOrphans(stuck, later, limits).catch(() => undefined);
  }
  expect(await Promise.all(keys.map(isThere))).toEqual([true, false]);
});
