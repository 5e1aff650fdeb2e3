import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { JobType } from "../../src/contract/types/index.ts";

const rows = 10_000;
const name = "0013_open_job_types.sql";

/** A database of the version before: nothing in it but what its migrations make, and many jobs of every kind. */
async function makeVersionBefore(): Promise<void> {
  const { results } = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'",
  ).all<{ name: string }>();
  // What refers to others goes first.
  for (const { name: table } of results.sort((a, b) =>
    a.name === "job_types" ? 1 : b.name === "job_types" ? -1 : 0,
  )) {
    await env.DB.prepare(`DROP TABLE IF EXISTS "${table}"`).run();
  }
  const before = env.TEST_MIGRATIONS.findIndex((migration) => migration.name === name);
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS.slice(0, before));
  await env.DB.prepare(`
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    INSERT INTO export_jobs (id, tenant_id, project_id, user_id, type, status, input_video_key, params, metadata, max_retries,
      idempotency_key, fingerprint, created_at, updated_at, completed_at, settled_at, output_size, reused_from)
    SELECT printf('%08d', i), 'tenant-' || (i % 7), i % 13, iif(i % 3, 'user-' || i, NULL),
      json_extract('["framing","overlay","annotate"]', '$[' || (i % 3) || ']'), iif(i % 2, 'complete', 'pending'),
      'input/' || i, json_object('i', i, 'text', 'ü"' || i), '{"a":1}', 3, 'key-' || i, iif(i % 5, NULL, 'work-' || i),
      'created', 'updated', iif(i % 2, 'completed', NULL), iif(i % 4 = 1, 'settled', NULL), i * 1000000, iif(i % 11, NULL, 'lent')
    FROM n`).run();
}

const columns = async () =>
  (await env.DB.prepare("SELECT name FROM pragma_table_info('export_jobs')").all<{ name: string }>()).results.map(
    (column) => column.name,
  );
const indexes = async () =>
  (
    await env.DB.prepare(
      "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'export_jobs' AND sql NOT NULL ORDER BY name",
    ).all<{ sql: string }>()
  ).results.map(({ sql }) => sql.replaceAll('"', ""));

it(`${name} keeps every job of ${rows} as it was, with its indexes, and takes what the release before writes`, async () => {
  await makeVersionBefore();
  const known = await columns();
  const read = async () =>
    (await env.DB.prepare(`SELECT ${known.join(", ")} FROM export_jobs ORDER BY tenant_id, id`).raw()).map((row) =>
      JSON.stringify(row),
    );
  const [jobs, before] = [await read(), await indexes()];
  expect(jobs).toHaveLength(rows);
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);
  expect(await read()).toEqual(jobs);
  expect(await indexes()).toEqual(before);
  const { results } = await env.DB.prepare("SELECT type FROM job_types").all<{ type: string }>();
  expect(results.map(({ type }) => type).sort()).toEqual(JobType.options.toSorted());
  const insert = `INSERT INTO export_jobs (${known.join(", ")}) SELECT ${known.map((column) => (column === "id" ? "'new'" : column === "idempotency_key" ? "NULL" : column)).join(", ")} FROM export_jobs LIMIT 1`;
  expect((await env.DB.prepare(insert).run()).success).toBe(true);
  await expect(env.DB.prepare("UPDATE export_jobs SET type = 'none' WHERE id = 'new'").run()).rejects.toThrow(
    /FOREIGN KEY/,
  );
  const { results: broken } = await env.DB.prepare("PRAGMA foreign_key_check").all();
  expect(broken).toEqual([]);
}, 60_000);
