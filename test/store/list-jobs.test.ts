import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { type JobFilter, listJobs, scanBudget } from "../../src/store/list-jobs.ts";
import { openMeteredDatabase } from "../setup/d1-meter.ts";
import { insertRow } from "../setup/rows.ts";

const sizes = [10_000, 100_000];
const tenantOf = (size: number) => `grown-${size}`;
const limit = 21;

/**
 * So many jobs, one a millisecond: a tenth in project 7, a hundredth of user u7, 30 active, one in a thousand in error,
 * and one in 5,000 with a label.
 */
async function grow(size: number): Promise<void> {
  const statement = `
    INSERT INTO export_jobs (id, tenant_id, project_id, user_id, type, status, input_video_key, params, metadata,
      max_retries, created_at, updated_at, completed_at, settled_at)
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)
    SELECT printf('%08x-%04x-7000-8000-%012x', i / 65536, i % 65536, i), ?2, i % 10, 'u' || (i % 100), 'framing',
      CASE WHEN i >= ?1 - 300 AND i % 10 = 7 THEN 'pending' WHEN i % 1000 = 7 THEN 'error' ELSE 'complete' END,
      'input/t/u/a.mp4', '{}', CASE WHEN i % 5000 = 7 THEN '{"game":"final","round":3,"live":true}' ELSE '{}' END, 3, 'x', 'x',
      CASE WHEN i >= ?1 - 300 AND i % 10 = 7 THEN NULL ELSE 'x' END, 'x' FROM n`;
  await env.DB.prepare(statement).bind(size, tenantOf(size)).run();
}

beforeAll(async () => {
  for (const size of sizes) {
    await grow(size);
  }
});

type Query = Omit<JobFilter, "tenantId" | "limit">;

const active = ["pending", "processing"] as const;
const middle = (size: number) =>
  `${Math.floor(size / 2 / 65_536)
    .toString(16)
    .padStart(8, "0")}-8000-7000-8000-000000000000`;

/** Each query that the API offers: the index that serves it, and the most rows that a page may read. */
const queries: [string, (size: number) => Query, string, number][] = [
  ["all of a tenant", () => ({}), "PRIMARY KEY", 2 * limit],
  ["a later page", (size) => ({ beforeIds: [middle(size)] }), "PRIMARY KEY", 2 * limit],
  [
    "created after and before",
    (size) => ({ afterId: "00000000-0001", beforeIds: [middle(size)] }),
    "PRIMARY KEY",
    2 * limit,
  ],
  ["a project", () => ({ projectId: 7 }), "INDEX export_jobs_by_project", 2 * limit],
  [
    "a later page of a project",
    (size) => ({ projectId: 7, beforeIds: [middle(size)] }),
    "INDEX export_jobs_by_project",
    2 * limit,
  ],
  ["a project's active jobs", () => ({ projectId: 7, statuses: active }), "INDEX export_jobs_active", 3 * limit],
  ["a user's recent jobs", () => ({ userId: "u7" }), "INDEX export_jobs_by_user", 2 * limit],
  ["a user's jobs of a project", () => ({ userId: "u7", projectId: 7 }), "INDEX export_jobs_by_user", 3 * limit],
  [
    "a user's active jobs of a project",
    () => ({ userId: "u7", projectId: 7, statuses: active }),
    "INDEX export_jobs_active",
    5 * limit,
  ],
  ["all active", () => ({ statuses: active }), "PRIMARY KEY", 4 * scanBudget],
  ["of a type", () => ({ type: "framing" }), "PRIMARY KEY", 3 * limit],
  ["failed", () => ({ statuses: ["error"] }), "PRIMARY KEY", 4 * scanBudget],
  [
    "failed in a project",
    () => ({ projectId: 7, statuses: ["error"] }),
    "INDEX export_jobs_by_project",
    4 * scanBudget,
  ],
  ["with a label", () => ({ metadata: { game: "final" } }), "PRIMARY KEY", 4 * scanBudget],
  ["of some projects", () => ({ projectIds: [7, 8] }), "PRIMARY KEY", 8 * limit],
];

describe("every list", () => {
  it.each(queries)(
    "%s: is read in its own order, and a page costs the same however much there is",
    async (_name, query, index, most) => {
      const reads: number[] = [];
      for (const size of sizes) {
        const { db, meter } = openMeteredDatabase();
        await listJobs(db, { tenantId: tenantOf(size), limit, ...query(size) });
        const plain = (meter.statements[0] ?? "").replace(/\?/g, "'x'");
        const { results } = await env.DB.prepare(`EXPLAIN QUERY PLAN ${plain}`).all<{ detail: string }>();
        const plan = results.map(({ detail }) => detail).join("; ");
        expect(plan).toContain(`SEARCH export_jobs USING ${index}`);
        // What scans is the outer query over the page's own candidates.
        expect(plan.replace(/; SCAN (export_jobs|label)\b/g, "")).not.toMatch(/SCAN/);
        expect(plan).not.toContain("TEMP B-TREE");
        reads.push(meter.read.reduce((sum, rows) => sum + rows, 0));
      }
      console.info(
        `rows read by a page of ${limit}, ${_name}: ${sizes.map((size, i) => `${reads[i]} of ${size}`).join(", ")}`,
      );
      expect(Math.max(...reads)).toBeLessThanOrEqual(most);
      if (most < scanBudget) {
        expect(reads[1]).toBeLessThanOrEqual((reads[0] ?? 0) * 1.1);
      }
    },
  );
});

/** Follows a list to its end, two jobs at a time. */
async function follow(query: Query): Promise<string[]> {
  const found: string[] = [];
  let before: string | null | undefined;
  do {
    const beforeIds = before ? [before] : [];
    const filter = { tenantId: tenantOf(10_000), limit: 2, beforeIds, ...query };
    const { rows, lastSeenId } = await listJobs(openDatabase(env.DB), filter);
    found.push(...rows.map(({ id }) => id));
    before = rows.length === 2 ? rows.at(-1)?.id : lastSeenId;
  } while (before);
  return found;
}

describe("filters that no index serves", () => {
  it.each([
    ["by label", { metadata: { game: "final" } }, 2],
    ["by status", { statuses: ["error"] as const, projectId: 7 }, 10],
  ])("find everything %s, page by page, in order and once", async (_name, query, count) => {
    const found = await follow(query);
    expect(found).toHaveLength(count);
    expect(found).toEqual([...new Set(found)].sort().reverse());
  });

  it("compare labels by what they are in JSON, and names by every character", async () => {
    const tenantId = "labels";
    const metadata = { text: "a'b", number: 7.5, yes: true, 'od"d.[0]$': "x", one: 1 };
    const { id } = await insertRow({ tenantId, metadata });
    const idsOf = async (labels: Record<string, string>) =>
      (await listJobs(openDatabase(env.DB), { tenantId, limit, metadata: labels })).rows.map((row) => row.id);
    for (const [name, value] of Object.entries({ ...metadata, number: "7.5", yes: "true", one: "1" })) {
      expect(await idsOf({ [name]: value })).toEqual([id]);
      expect(await idsOf({ [name]: `${value}x` })).toEqual([]);
    }
    expect(await idsOf({ yes: "1" })).toEqual([]);
    expect(await idsOf({ text: "a'b", yes: "false" })).toEqual([]);
  });
});
