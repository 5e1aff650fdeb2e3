import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { deleteJobRow } from "../../src/store/jobs.ts";
import { removeOldJobs } from "../../src/tasks/retention.ts";
import { withStrike } from "../setup/broken-objects.ts";
import { insertRow } from "../setup/rows.ts";

const db = openDatabase(env.DB);
const later = () => Date.now() + 8 * 24 * 3_600_000;
const at = "2026-01-01T00:00:00.000Z";
const over = { status: "complete", completedAt: at, settledAt: at } as const;

const insertOver = (tenantId: string, count: number, extra: object = {}) =>
  Promise.all(Array.from({ length: count }, () => insertRow({ ...over, tenantId, ...extra })));

type Tried = { tenantId: string; id: string };

/**
 * A run over jobs whose objects hold nothing any more: what an object would do at the end, the strike does before it.
 * @returns which jobs were tried, in order
 */
async function run(limits: object, isStuck: (job: Tried) => boolean = () => false): Promise<Tried[]> {
  const tried: Tried[] = [];
  const strike = async (id: string) => {
    const query = env.DB.prepare("SELECT tenant_id FROM export_jobs WHERE id = ?").bind(id);
    const job = { tenantId: (await query.first<string>("tenant_id")) ?? "", id };
    tried.push(job);
    if (isStuck(job)) {
      throw new Error("struck");
    }
    await deleteJobRow(db, job);
  };
  const settings = { ...withStrike("remove", strike), RETENTION_DAYS: "7" };
  await removeOldJobs(settings, later(), limits);
  return tried;
}

async function countOf(tenantId: string): Promise<number> {
  const query = "SELECT count(*) AS count FROM export_jobs WHERE tenant_id = ?";
  return (await env.DB.prepare(query).bind(tenantId).first<number>("count")) ?? 0;
}

beforeEach(async () => {
  await env.DB.exec("DELETE FROM export_jobs");
  await env.DB.exec("DELETE FROM task_cursors");
});

describe("retention", () => {
  it("gets past jobs that are lent, and removes them once those who borrowed are gone", async () => {
    const lenders = await insertOver("lent", 20);
    await Promise.all(lenders.map(({ id }) => insertRow({ ...over, tenantId: "lent", reusedFrom: id })));
    await insertOver("lent", 10);
    expect(await run({ maxLooked: 15 })).toHaveLength(30);
    expect(await countOf("lent")).toBe(20);
    await run({ maxLooked: 15 });
    expect(await countOf("lent")).toBe(0);
  });

  it("gets past jobs that cannot be removed, in the same tenant and in others, and comes back to them", async () => {
    const stuck = new Set((await insertOver("a-stuck", 25)).map(({ id }) => id));
    await insertOver("a-stuck", 10);
    await insertOver("b-free", 15);
    for (let count = 0; count < 4; count++) {
      await run({ maxJobs: 20 }, ({ id }) => stuck.has(id));
    }
    expect([await countOf("a-stuck"), await countOf("b-free")]).toEqual([25, 0]);
    for (let count = 0; count < 3; count++) {
      await run({ maxJobs: 20 });
    }
    expect(await countOf("a-stuck")).toBe(0);
  });

  it("looks at a bounded number of rows, though it finds nothing in them", async () => {
    await Promise.all(Array.from({ length: 60 }, () => insertRow({ ...over, tenantId: "open", settledAt: null })));
    const [last] = await insertOver("open", 1);
    const limits = { maxLooked: 10, maxTurns: 2 };
    const runs = [];
    for (let count = 0; count < 4; count++) {
      runs.push((await run(limits)).map(({ id }) => id));
    }
    expect(runs).toEqual([[], [], [], [last?.id]]);
  });

  it("shares a run's budget between the tenants that have something to remove", async () => {
    await insertOver("a-big", 60);
    await insertOver("b-big", 60);
    await insertOver("c-small", 3);
    await insertRow({ tenantId: "d-active" });
    const tried = await run({ maxJobs: 43 });
    const counts = ["a-big", "b-big", "c-small", "d-active"].map(
      (id) => tried.filter(({ tenantId }) => tenantId === id).length,
    );
    expect(counts[2]).toBe(3);
    expect(counts[3]).toBe(0);
    expect(Math.abs((counts[0] ?? 0) - (counts[1] ?? 0))).toBeLessThanOrEqual(1);
    expect(tried.length).toBeGreaterThanOrEqual(42);
    expect(tried.length).toBeLessThanOrEqual(43);
  });

  it("comes round to every tenant, however few share a run", async () => {
    const tenants = Array.from({ length: 7 }, (_, index) => `round-${index}`);
    for (const tenantId of tenants) {
      await insertOver(tenantId, 4);
    }
    const seen: string[][] = [];
    for (let count = 0; count < 4; count++) {
      const tried = await run({ maxTenants: 2, maxJobs: 2 });
      seen.push(tried.map(({ tenantId }) => tenantId).sort());
    }
    expect(seen).toEqual([
      ["round-0", "round-1"],
      ["round-2", "round-3"],
      ["round-4", "round-5"],
      ["round-0", "round-6"],
    ]);
  });

  it("removes nothing that is young, active or not settled, and leaves no cursor of a tenant behind", async () => {
    await insertOver("t", 12);
    await insertRow({ tenantId: "t" });
    await insertRow({ tenantId: "t", ...over, settledAt: null });
    expect(await removeOldJobs(env, later())).toBe(0);
    const settings = { ...env, RETENTION_DAYS: "7" };
    expect(await removeOldJobs(settings, Date.now())).toBe(0);
    expect(await run({ maxJobs: 5 })).toHaveLength(5);
    expect(await run({})).toHaveLength(7);
    expect(await countOf("t")).toBe(2);
    await run({});
    const { results } = await env.DB.prepare("SELECT task FROM task_cursors WHERE task LIKE 'retention:%'").all();
    expect(results).toEqual([]);
  });
});
