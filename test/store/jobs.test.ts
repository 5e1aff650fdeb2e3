import { env } from "cloudflare:workers";
import { getTableConfig } from "drizzle-orm/sqlite-core";
import { describe, expect, it } from "vitest";
import { newId } from "../../src/core/ids.ts";
import { toTimestamp } from "../../src/core/time.ts";
import { openDatabase } from "../../src/store/database.ts";
import { findFinishedTwin, findJob, insertJob, type JobProjection, projectJob } from "../../src/store/jobs.ts";
import { joinTwin } from "../../src/store/joined-keys.ts";
import {
  apiKeys,
  exportJobs,
  queueSnapshots,
  storedBytes,
  taskCursors,
  type UsageRow,
  uploads,
  usage,
  userStoredBytes,
  webhookTenants,
} from "../../src/store/schema.ts";
import { addWebhookTenant } from "../../src/store/webhook-tenants.ts";
import { openMeteredDatabase } from "../setup/d1-meter.ts";
import { insertRow, newRow } from "../setup/rows.ts";

const db = openDatabase(env.DB);
/** Of active jobs; none of these tests comes near it. */
const quota = 1000;

const plain = { usage: [], settlesUnlessHeard: false };

function newUsage(jobId: string): UsageRow {
  const which = { tenantId: "t", day: "2026-11-20", projectId: 1, jobId, attempt: 1, type: "overlay" } as const;
  return { ...which, outcome: "complete", gpuMs: 1, queueMs: 1, bytesIn: 1, bytesOut: 1 };
}

function newProjection(id: string, version: number, extra: Partial<JobProjection> = {}): JobProjection {
  return {
    id,
    tenantId: "t",
    version,
    reopened: false,
    status: "processing",
    stage: "rendering",
    progress: 40,
    message: null,
    outputVideoKey: null,
    outputSize: null,
    outputEtag: null,
    artifacts: null,
    result: null,
    counters: null,
    errorCode: null,
    errorMessage: null,
    attempt: 1,
    runpodJobId: "r-e1",
    startedAt: null,
    completedAt: null,
    updatedAt: toTimestamp(Date.now()),
    settledAt: null,
    quietUntil: null,
    acknowledgedAt: null,
    ...extra,
  };
}

describe("the drizzle schema and the migrations", () => {
  const config = getTableConfig(exportJobs);
  const squash = (text: string) => text.replace(/\s+/g, " ").trim();

  async function readSql(type: string): Promise<string[]> {
    const query = "SELECT sql FROM sqlite_master WHERE type = ? AND tbl_name = 'export_jobs' AND sql IS NOT NULL";
    const { results } = await env.DB.prepare(query).bind(type).all<{ sql: string }>();
    return results.map(({ sql }) => squash(sql));
  }

  /** The text of a drizzle SQL fragment without parameters, its columns by their bare names. */
  function toText(fragment: { queryChunks: unknown[] } | undefined): string {
    const parts = fragment?.queryChunks.map((chunk) =>
      typeof chunk === "object" && chunk !== null && "value" in chunk ? String(chunk.value) : "?",
    );
    return squash((parts ?? []).join(""));
  }

  it.each(
    [usage, taskCursors, queueSnapshots, webhookTenants, apiKeys, uploads, storedBytes, userStoredBytes].map(
      getTableConfig,
    ),
  )("have the same columns in $name", async ({ name, columns, primaryKeys }) => {
    const { results } = await env.DB.prepare(`PRAGMA table_info(${name})`).all();
    const keys =
      primaryKeys[0]?.columns.map((column) => column.name) ??
      columns.filter(({ primary }) => primary).map((column) => column.name);
    expect(results.map(({ name, type, notnull, pk }) => ({ name, type, notnull, pk }))).toEqual(
      columns.map((column) => ({
        name: column.name,
        type: column.getSQLType().toUpperCase(),
        notnull: Number(column.notNull),
        pk: keys.indexOf(column.name) + 1,
      })),
    );
  });

  it("have the same columns, types, defaults and keys", async () => {
    const { results } = await env.DB.prepare("PRAGMA table_info(export_jobs)").all();
    const inSql = results.map(({ name, type, notnull, pk }) => ({ name, type, notnull, pk }));
    const inSchema = config.columns.map((column) => ({
      name: column.name,
      type: column.getSQLType().toUpperCase(),
      notnull: Number(column.notNull),
      pk: (config.primaryKeys[0]?.columns ?? []).indexOf(column) + 1,
    }));
    expect(inSql).toEqual(inSchema);
    const defaults = results.flatMap(({ name, dflt_value }) => (dflt_value === null ? [] : [[name, dflt_value]]));
    const schemaDefaults = config.columns.flatMap(({ name, default: value }) => {
      const text = typeof value === "object" ? JSON.stringify(value) : value;
      return value === undefined ? [] : [[name, typeof text === "string" ? `'${text}'` : String(text)]];
    });
    expect(defaults).toEqual(schemaDefaults);
  });

  it("have the same CHECKs, and the table is STRICT without rowid", async () => {
    const [table = ""] = await readSql("table");
    expect(table).toMatch(/\) STRICT, WITHOUT ROWID$/);
    const inSql = [...table.matchAll(/CHECK \((.*?)\)(?:,| STRICT|$)/g)].map(([, text = ""]) => text);
    expect(inSql.sort()).toEqual(config.checks.map(({ value }) => toText(value)).sort());
  });

  it("have the same indexes", async () => {
    const inSchema = config.indexes.map(({ config: { name, unique, columns, where } }) => {
      const names = columns.map((column) => ("name" in column ? column.name : "?")).join(", ");
      const condition = where ? ` WHERE ${toText(where)}` : "";
      return `CREATE ${unique ? "UNIQUE " : ""}INDEX ${name} ON export_jobs (${names})${condition}`;
    });
    expect((await readSql("index")).sort()).toEqual(inSchema.sort());
  });

  it("refuse what no job can be", async () => {
    const insert = (column: string, value: string | number) =>
      env.DB.prepare(
        `INSERT INTO export_jobs (id, tenant_id, project_id, type, input_video_key, params, max_retries, created_at, updated_at)
         VALUES ('${newId()}', 't', 1, 'framing', 'k', '{}', 3, 'now', 'now') RETURNING id`.replace(
          column === "" ? "never" : column,
          String(value),
        ),
      ).run();
    await expect(insert("'framing'", "'trim'")).rejects.toThrow(/FOREIGN KEY/);
    await expect(insert("'{}'", "'{'")).rejects.toThrow(/CHECK/);
    await expect(insert("'t', 1,", "'t', '12abc',")).rejects.toThrow(/INTEGER/);
    await expect(insert("", "")).resolves.toMatchObject({ success: true });
  });
});

describe("insertJob", () => {
  it("writes one row per idempotency key of a tenant", async () => {
    const idempotencyKey = newId();
    expect(await insertJob(db, newRow({ idempotencyKey }), quota)).not.toBeNull();
    expect(await insertJob(db, newRow({ idempotencyKey }), quota)).toBeNull();
    expect(await insertJob(db, newRow({ idempotencyKey, tenantId: "other" }), quota)).not.toBeNull();
  });
});

describe("findJob", () => {
  it("finds a job for its tenant only", async () => {
    const row = await insertJob(db, newRow(), quota);
    expect(await findJob(db, "t", row?.id ?? "")).toEqual(row);
    expect(await findJob(db, "other", row?.id ?? "")).toBeNull();
  });
});

describe("projectJob", () => {
  it("takes newer versions only, and the settling of the same one once", async () => {
    const row = await insertJob(db, newRow(), quota);
    const id = row?.id ?? "";
    await projectJob(db, newProjection(id, 5, { progress: 50 }), plain);
    await projectJob(db, newProjection(id, 4, { progress: 99 }), plain);
    expect(await findJob(db, "t", id)).toMatchObject({ version: 5, progress: 50, settledAt: null });
    await projectJob(db, newProjection(id, 5, { progress: 50, completedAt: "now", settledAt: "now" }), plain);
    await projectJob(db, newProjection(id, 5, { progress: 50, completedAt: "later" }), plain);
    expect(await findJob(db, "t", id)).toMatchObject({ version: 5, completedAt: "now", settledAt: "now" });
    await projectJob(db, newProjection(id, 6, { status: "pending", reopened: true }), plain);
    expect(await findJob(db, "t", id)).toMatchObject({ version: 6, completedAt: null, settledAt: null });
  });

  it("says whether the tenant asked for webhooks, and settles only a job that nobody is still to be told of", async () => {
    const end = { status: "complete", completedAt: "now", settledAt: "now" } as const;
    const ask = async (tenantId: string) => {
      const { id } = (await insertJob(db, newRow({ tenantId }), quota)) ?? { id: "" };
      const project = (extra: { settlesUnlessHeard: boolean }) =>
        projectJob(db, newProjection(id, 5, { tenantId, ...end }), { usage: [], ...extra });
      const isHeard = await project({ settlesUnlessHeard: true });
      const { settledAt } = (await findJob(db, tenantId, id)) ?? {};
      return { isHeard, settledAt, again: await project({ settlesUnlessHeard: false }) };
    };
    await addWebhookTenant(db, "listens");
    await addWebhookTenant(db, "listens");
    expect(await ask("listens")).toEqual({ isHeard: true, settledAt: null, again: true });
    expect(await ask("does-not")).toEqual({ isHeard: false, settledAt: "now", again: false });
    const { id } = (await insertJob(db, newRow({ tenantId: "listens" }), quota)) ?? { id: "" };
    await projectJob(db, newProjection(id, 5, { tenantId: "listens" }), plain);
    expect(await projectJob(db, newProjection(id, 4, { tenantId: "listens" }), plain)).toBe(true);
  });

  it("counts the usage beside it once, whether or not the job itself is news", async () => {
    const { id } = (await insertJob(db, newRow(), quota)) ?? { id: "" };
    for (const version of [5, 5, 4]) {
      await projectJob(db, newProjection(id, version), { ...plain, usage: [newUsage(id)] });
    }
    const count = env.DB.prepare("SELECT count(*) AS rows FROM usage WHERE job_id = ?").bind(id);
    expect(await count.first()).toEqual({ rows: 1 });
  });
});

describe("the quota of active jobs", () => {
  it("holds however many ask at once, and counts only what is not over", async () => {
    const tenantId = newId();
    const insert = () => insertJob(db, newRow({ tenantId }), 3);
    const rows = await Promise.all(Array.from({ length: 10 }, insert));
    expect(rows.filter((row) => row !== null)).toHaveLength(3);
    const over = rows.find((row) => row !== null);
    await projectJob(db, newProjection(over?.id ?? "", 5, { tenantId, status: "complete", completedAt: "now" }), plain);
    expect(await insert()).not.toBeNull();
    expect(await insert()).toBeNull();
  });
});

describe("the rows that a job's life writes", () => {
  it("are few, and so are those it reads: the insert, processing, progress, usage, and the end with its settling", async () => {
    const row = newRow({ tenantId: "cost" });
    const project = (version: number, extra: Partial<JobProjection> = {}, usage: UsageRow[] = []) =>
      projectJob(counting, newProjection(row.id, version, { tenantId: "cost", ...extra }), { ...plain, usage });
    const { db: counting, meter } = openMeteredDatabase();
    await insertJob(counting, row, quota);
    const quietUntil = toTimestamp(Date.now() + 60_000);
    await project(4, { quietUntil });
    await project(8, { progress: 70, quietUntil });
    const final = { status: "complete", stage: "done", progress: 100, completedAt: "now", settledAt: "now" } as const;
    await project(9, final, [newUsage(row.id)]);
    expect(meter.written).toEqual([4, 1, 1, 1, 1]);
    expect(meter.read).toEqual([3, 3, 3, 3, 0]);
  });
});

describe("a creation beside many other jobs of its tenant", () => {
  it("reads its own rows, and the twins that it looks for, not the tenant's", async () => {
    const tenantId = "crowded";
    const over = {
      tenantId,
      status: "complete",
      completedAt: "2026-01-01T00:00:00.000Z",
      settledAt: "2026-01-01T00:00:00.000Z",
    } as const;
    for (let count = 0; count < 60; count++) {
      await insertRow({ ...over, fingerprint: `work ${count}` });
    }
    const { db, meter } = openMeteredDatabase();
    await insertJob(db, newRow({ tenantId }), 1000);
    await insertJob(db, newRow({ tenantId, fingerprint: "work new" }), 1000);
    const joining = { tenantId, fingerprint: "work 7", requestHash: null };
    await joinTwin(db, { ...joining, idempotencyKey: null });
    await joinTwin(db, { ...joining, idempotencyKey: "another" });
    await findFinishedTwin(db, tenantId, "work 7");
    expect(Math.max(...meter.read)).toBeLessThan(20);
  });
});
