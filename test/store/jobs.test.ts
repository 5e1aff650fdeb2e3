import { env } from "cloudflare:workers";
import { getTableConfig } from "drizzle-orm/sqlite-core";
import { describe, expect, it } from "vitest";
import { newId } from "../../src/core/ids.ts";
import { toTimestamp } from "../../src/core/time.ts";
import { openDatabase } from "../../src/store/database.ts";
import { findJob, insertJob, type JobProjection, listJobs, projectJob } from "../../src/store/jobs.ts";
import { exportJobs, type NewExportJobRow, sweepCursor, usage } from "../../src/store/schema.ts";
import { countUsage } from "../../src/store/usage.ts";

const db = openDatabase(env.DB);

function newRow(extra: Partial<NewExportJobRow> = {}): NewExportJobRow {
  const now = toTimestamp(Date.now());
  return {
    id: newId(),
    tenantId: "t",
    projectId: 1,
    type: "overlay",
    params: { include_audio: true, highlight_regions: [], effect_type: "blur" },
    inputVideoKey: "input/t/u/a.mp4",
    maxRetries: 3,
    createdAt: now,
    updatedAt: now,
    ...extra,
  };
}

function newProjection(id: string, version: number, extra: Partial<JobProjection> = {}): JobProjection {
  return {
    id,
    version,
    reopened: false,
    status: "processing",
    stage: "rendering",
    progress: 40,
    message: null,
    outputVideoKey: null,
    outputSize: null,
    outputEtag: null,
    errorCode: null,
    errorMessage: null,
    attempt: 1,
    runpodJobId: "r-e1",
    startedAt: null,
    completedAt: null,
    updatedAt: toTimestamp(Date.now()),
    settledAt: null,
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

  it.each([usage, sweepCursor].map(getTableConfig))(
    "have the same columns in $name",
    async ({ name, columns, primaryKeys }) => {
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
    },
  );

  it("have the same columns, types, defaults and keys", async () => {
    const { results } = await env.DB.prepare("PRAGMA table_info(export_jobs)").all();
    const inSql = results.map(({ name, type, notnull, pk }) => ({ name, type, notnull, pk }));
    const inSchema = config.columns.map((column) => ({
      name: column.name,
      type: column.getSQLType().toUpperCase(),
      notnull: Number(column.notNull),
      pk: Number(column.primary),
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
    await expect(insert("'framing'", "'trim'")).rejects.toThrow(/CHECK/);
    await expect(insert("'{}'", "'{'")).rejects.toThrow(/CHECK/);
    await expect(insert("'t', 1,", "'t', '12abc',")).rejects.toThrow(/INTEGER/);
    await expect(insert("", "")).resolves.toMatchObject({ success: true });
  });
});

describe("insertJob", () => {
  it("writes one row per idempotency key of a tenant", async () => {
    const idempotencyKey = newId();
    expect(await insertJob(db, newRow({ idempotencyKey }))).not.toBeNull();
    expect(await insertJob(db, newRow({ idempotencyKey }))).toBeNull();
    expect(await insertJob(db, newRow({ idempotencyKey, tenantId: "other" }))).not.toBeNull();
  });
});

describe("findJob", () => {
  it("finds a job for its tenant only", async () => {
    const row = await insertJob(db, newRow());
    expect(await findJob(db, "t", row?.id ?? "")).toEqual(row);
    expect(await findJob(db, "other", row?.id ?? "")).toBeNull();
  });
});

describe("projectJob", () => {
  it("takes newer versions only, and the settling of the same one once", async () => {
    const row = await insertJob(db, newRow());
    const id = row?.id ?? "";
    await projectJob(db, newProjection(id, 5, { progress: 50 }));
    await projectJob(db, newProjection(id, 4, { progress: 99 }));
    expect(await findJob(db, "t", id)).toMatchObject({ version: 5, progress: 50, settledAt: null });
    await projectJob(db, newProjection(id, 5, { progress: 50, completedAt: "now", settledAt: "now" }));
    await projectJob(db, newProjection(id, 5, { progress: 50, completedAt: "later" }));
    expect(await findJob(db, "t", id)).toMatchObject({ version: 5, completedAt: "now", settledAt: "now" });
    await projectJob(db, newProjection(id, 6, { status: "pending", reopened: true }));
    expect(await findJob(db, "t", id)).toMatchObject({ version: 6, completedAt: null, settledAt: null });
  });
});

describe("the plan of every list", () => {
  /** Every statement that listJobs makes, explained by SQLite itself. */
  async function explain(filter: Omit<Parameters<typeof listJobs>[1], "tenantId" | "limit">): Promise<string> {
    const statements: string[] = [];
    const spy = {
      prepare(sql: string) {
        statements.push(sql);
        return env.DB.prepare(sql);
      },
    };
    const spied = openDatabase(
      new Proxy(env.DB, { get: (target, name) => (name === "prepare" ? spy.prepare : Reflect.get(target, name)) }),
    );
    await listJobs(spied, { tenantId: "t", limit: 21, ...filter });
    const plain = (statements[0] ?? "").replace(/\?/g, "'x'");
    const { results } = await env.DB.prepare(`EXPLAIN QUERY PLAN ${plain}`).all<{ detail: string }>();
    return results.map(({ detail }) => detail).join("; ");
  }

  it.each([
    ["a project", { projectId: 1 }, "export_jobs_by_project"],
    ["a page of a project", { projectId: 1, beforeIds: ["x"] }, "export_jobs_by_project"],
    ["a project's active jobs", { projectId: 1, statuses: ["pending", "processing"] as const }, "export_jobs_active"],
    ["a user", { userId: "u" }, "export_jobs_by_user"],
  ])("%s is a search in reading order", async (_name, filter, index) => {
    const plan = await explain(filter);
    expect(plan).toContain(`SEARCH export_jobs USING INDEX ${index}`);
    expect(plan).not.toMatch(/SCAN|TEMP B-TREE/);
  });
});

describe("the rows that a job's life writes", () => {
  it("are few, and so are those it reads: the insert, processing, progress, usage, and the end with its settling", async () => {
    const row = newRow();
    const [written, read]: [number[], number[]] = [[], []];
    const counting = openDatabase(
      new Proxy(env.DB, {
        get: (target, name) =>
          name === "prepare"
            ? (sql: string) => countRows(target.prepare(sql), written, read)
            : Reflect.get(target, name),
      }),
    );
    await insertJob(counting, row);
    await projectJob(counting, newProjection(row.id, 4));
    await projectJob(counting, newProjection(row.id, 8, { progress: 70 }));
    const final = { status: "complete", stage: "done", progress: 100, completedAt: "now", settledAt: "now" } as const;
    await countUsage(counting, {
      tenantId: "t",
      day: "2026-11-20",
      projectId: 1,
      jobId: row.id,
      attempt: 1,
      type: "overlay",
      outcome: "complete",
      gpuMs: 1,
      queueMs: 1,
      bytesIn: 1,
      bytesOut: 1,
    });
    await projectJob(counting, newProjection(row.id, 9, final));
    expect(written).toEqual([4, 1, 1, 1, 1]);
    expect(read).toEqual([3, 2, 2, 0, 2]);
  });
});

/** Notes D1's own `meta.rows_written` and `meta.rows_read` of whatever is run on the statement. */
function countRows(statement: D1PreparedStatement, written: number[], read: number[]): D1PreparedStatement {
  const count = <Result extends { meta: { rows_written: number; rows_read: number } }>(result: Result) => {
    written.push(result.meta.rows_written);
    read.push(result.meta.rows_read);
    return result;
  };
  return new Proxy(statement, {
    get(target, name) {
      if (name === "bind") {
        return (...values: unknown[]) => countRows(target.bind(...values), written, read);
      }
      if (name === "run") {
        return async () => count(await target.run());
      }
      if (name === "all") {
        return async () => count(await target.all());
      }
      if (name === "raw") {
        return async () => {
          const { results, meta } = await target.all<Record<string, unknown>>();
          written.push(meta.rows_written);
          read.push(meta.rows_read);
          return results.map((result) => Object.values(result));
        };
      }
      return Reflect.get(target, name);
    },
  });
}
