import { env } from "cloudflare:workers";

/** What the database holds: rows of each table, and every job's version. */
export async function readLedger(): Promise<Record<string, unknown>> {
  const counts = await env.DB.batch<{ count: number }>(
    ["export_jobs", "usage", "api_keys", "uploads", "stored_bytes", "document_versions", "document_schemas"].map(
      (table) => env.DB.prepare(`SELECT count(*) AS count FROM ${table}`),
    ),
  );
  const { results: jobs } = await env.DB.prepare("SELECT id, status, version FROM export_jobs ORDER BY id").all();
  return { counts: counts.map(({ results }) => results[0]?.count), jobs };
}
