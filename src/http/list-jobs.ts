import type { JobPage, ListJobs } from "../contract/list-jobs.ts";
import { firstIdAt, isId } from "../core/ids.ts";
import { isSignedBy, sign } from "../core/signing.ts";
import type { Settings } from "../env.ts";
import { openDatabase } from "../store/database.ts";
import { listJobs } from "../store/jobs.ts";
import type { AppContext } from "./app-env.ts";
import { toJob } from "./job-view.ts";
import { AppError } from "./problem.ts";

/** One page of a tenant's jobs, and the way to the next in `next_cursor` and the Link header. */
export async function listPage(c: AppContext, tenantId: string, query: ListJobs): Promise<JobPage> {
  const settings = c.get("settings");
  const before = query.cursor === undefined ? null : await readCursor(settings, tenantId, query.cursor);
  const rows = await listJobs(openDatabase(c.env.DB), {
    tenantId,
    projectId: query.project_id,
    userId: query.user_id,
    type: query.type,
    statuses: query.status,
    afterId: query.created_after && firstIdAt(Date.parse(query.created_after) + 1),
    beforeIds: [query.created_before && firstIdAt(Date.parse(query.created_before)), before].flatMap((id) => id ?? []),
    limit: query.limit + 1,
  });
  const shown = rows.slice(0, query.limit);
  const last = rows.length > query.limit ? shown.at(-1) : undefined;
  const nextCursor = last ? await newCursor(settings, tenantId, last.id) : null;
  if (nextCursor !== null) {
    c.header("Link", `<${nextUrl(c, settings, nextCursor)}>; rel="next"`);
  }
  const now = Date.now();
  return { data: await Promise.all(shown.map((row) => toJob(row, settings, now))), next_cursor: nextCursor };
}

async function newCursor({ signingKeys }: Settings, tenantId: string, id: string): Promise<string> {
  return `${id}.${await sign(signingKeys, "cursor", `${tenantId}.${id}`)}`;
}

async function readCursor({ signingKeys }: Settings, tenantId: string, cursor: string): Promise<string> {
  const [id = "", ...signature] = cursor.split(".");
  const genuine = isId(id) && (await isSignedBy(signingKeys, "cursor", `${tenantId}.${id}`, signature.join(".")));
  if (!genuine) {
    throw new AppError("invalid_cursor");
  }
  return id;
}

function nextUrl(c: AppContext, { publicBaseUrl }: Settings, cursor: string): string {
  const query = new URL(c.req.url).searchParams;
  query.set("cursor", cursor);
  return `${publicBaseUrl}/api/jobs?${query.toString()}`;
}
