import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { newId } from "../../src/core/ids.ts";
import { toTimestamp } from "../../src/core/time.ts";
import { openDatabase } from "../../src/store/database.ts";
import { findRemovableJobs, findSilentJobs, listTenantsAfter } from "../../src/store/job-walks.ts";
import { findJobs } from "../../src/store/jobs.ts";
import { openMeteredDatabase } from "../setup/d1-meter.ts";
import { insertRow } from "../setup/rows.ts";

const db = openDatabase(env.DB);
const minutes = (count: number) => toTimestamp(Date.UTC(2026, 0, 1) + count * 60_000);
const over = { status: "complete", completedAt: minutes(0), settledAt: minutes(0) } as const;

describe("findSilentJobs", () => {
  const size = { maxLooked: 100, limit: 100 };

  it("finds those that are not settled and have said nothing for longer than they said they would", async () => {
    const begin = newId();
    const rows = {
      silent: await insertRow({ updatedAt: minutes(0) }),
      overdue: await insertRow({ updatedAt: minutes(0), quietUntil: minutes(9) }),
      quiet: await insertRow({ updatedAt: minutes(0), quietUntil: minutes(11) }),
      late: await insertRow({ updatedAt: minutes(11), quietUntil: minutes(5) }),
      settled: await insertRow({ ...over, updatedAt: minutes(0) }),
      borrowed: await insertRow({ ...over, settledAt: null, updatedAt: minutes(0), reusedFrom: null }),
    };
    const { keys, lastId } = await findSilentJobs(db, minutes(10), begin, size);
    expect(keys.map(({ id }) => id)).toEqual([rows.silent.id, rows.overdue.id, rows.borrowed.id]);
    expect(lastId).toBeNull();
  });

  it("looks at so many rows and finds so many jobs, and says where to go on", async () => {
    const begin = newId();
    const ids: string[] = [];
    for (let count = 0; count < 60; count++) {
      const { id } = await insertRow({ updatedAt: minutes(count % 3 === 0 ? 0 : 20) });
      ids.push(id);
    }
    const { db: counting, meter } = openMeteredDatabase();
    const first = await findSilentJobs(counting, minutes(10), begin, { maxLooked: 10, limit: 100 });
    expect([first.keys.length, first.lastId]).toEqual([4, ids[9]]);
    expect(meter.read[0]).toBeLessThanOrEqual(20);
    const second = await findSilentJobs(db, minutes(10), first.lastId ?? "", { maxLooked: 60, limit: 5 });
    expect(second.keys.map(({ id }) => ids.indexOf(id))).toEqual([12, 15, 18, 21, 24]);
    expect(second.lastId).toBe(ids[24]);
    const rest = await findSilentJobs(db, minutes(10), second.lastId ?? "", { maxLooked: 60, limit: 100 });
    expect([rest.keys.length, rest.lastId]).toEqual([11, null]);
    const rows = await findJobs(counting, rest.keys);
    expect(rows.map(({ id }) => id)).toEqual(rest.keys.map(({ id }) => id));
    expect(meter.read.at(-1)).toBeLessThanOrEqual(rest.keys.length * 3);
  });
});

describe("findRemovableJobs", () => {
  it("finds a tenant's settled jobs that are old enough and lend nothing, at the cost of what it looks at", async () => {
    const tenantId = newId();
    const lender = await insertRow({ ...over, tenantId });
    const free = await insertRow({ ...over, tenantId });
    await insertRow({ tenantId });
    const borrower = await insertRow({ ...over, tenantId, reusedFrom: lender.id });
    const beforeId = newId();
    for (let count = 0; count < 50; count++) {
      await insertRow({ ...over, tenantId });
    }
    const { db: counting, meter } = openMeteredDatabase();
    const find = (afterId: string, maxLooked: number) =>
      findRemovableJobs(counting, tenantId, { afterId, beforeId }, { maxLooked, limit: 10 });
    expect(await find("", 100)).toEqual({
      keys: [free, borrower].map(({ id }) => ({ tenantId, id })),
      lastId: null,
    });
    expect(meter.read[0]).toBeLessThan(20);
    expect(await find("", 1)).toEqual({ keys: [], lastId: lender.id });
    expect((await find(lender.id, 1)).keys).toEqual([{ tenantId, id: free.id }]);
  });
});

describe("listTenantsAfter", () => {
  it("goes from tenant to tenant, however many jobs each has", async () => {
    const tenants = ["walk-a", "walk-b", "walk-c"];
    const first: string[] = [];
    for (const tenantId of tenants) {
      for (let count = 0; count < 20; count++) {
        const { id } = await insertRow({ tenantId });
        first.push(...(count === 0 ? [id] : []));
      }
    }
    const { db: counting, meter } = openMeteredDatabase();
    const walk = await listTenantsAfter(counting, "walk-", 3);
    expect(walk).toEqual(tenants.map((tenantId, index) => ({ tenantId, oldestId: first[index] })));
    expect((await listTenantsAfter(counting, "walk-a", 1)).map(({ tenantId }) => tenantId)).toEqual(["walk-b"]);
    expect(await listTenantsAfter(counting, "zzz", 10)).toEqual([]);
    expect(meter.read[0]).toBeLessThan(20);
  });
});
