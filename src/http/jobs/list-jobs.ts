import type { Job } from "../../contract/job.ts";
import type { ListJobs } from "../../contract/list-jobs.ts";
import type { Caller } from "../../core/access.ts";
import { firstIdAt, isId } from "../../core/ids.ts";
import { openDatabase } from "../../store/database.ts";
import { type JobFilter, listJobs } from "../../store/list-jobs.ts";
import type { ExportJobRow } from "../../store/schema.ts";
import type { Call } from "../edge/call.ts";
import { readCursor } from "../edge/page.ts";
import { toJobNow } from "./find-job.ts";

/** @param last the id behind which the next page begins; null when this is the last one */
type Listed = Readonly<{ data: Job[]; last: string | null }>;

/** One page of the jobs that the caller sees. */
export async function listPage(call: Call, query: ListJobs): Promise<Listed> {
  const { rows, last } = await listRows(call, query, await readCursor(call, query.cursor, isId));
  return { data: await Promise.all(rows.map((row) => toJobNow(call, row))), last };
}

type Page = Readonly<{ rows: ExportJobRow[]; last: string | null }>;

/** Their rows. @param before the id behind which the page begins */
export async function listRows(
  { env, caller }: Call,
  query: Omit<ListJobs, "cursor">,
  before: string | null,
): Promise<Page> {
  const { rows, lastSeenId } = await listJobs(openDatabase(env.DB), {
    ...visibleTo(caller, query),
    type: query.type,
    statuses: query.status,
    metadata: query.metadata,
    afterId: query.created_after && firstIdAt(Date.parse(query.created_after) + 1),
    beforeIds: [query.created_before && firstIdAt(Date.parse(query.created_before)), before].flatMap((id) => id ?? []),
    limit: query.limit + 1,
  });
  const shown = rows.slice(0, query.limit);
  const last = rows.length > query.limit ? (shown.at(-1)?.id ?? null) : lastSeenId;
  return { rows: shown, last };
}

type Visible = Pick<JobFilter, "tenantId" | "projectId" | "projectIds" | "userId">;

/** The filters of the query within what the caller sees: what is not theirs is left out, not refused (I13). */
function visibleTo(caller: Caller, { project_id: projectId, user_id: userId }: ListJobs): Visible {
  const { tenantId } = caller;
  if (caller.kind === "watcher") {
    return { tenantId, projectIds: [] };
  }
  const isForeign = caller.kind === "user" && userId !== undefined && userId !== caller.userId;
  const projectIds = isForeign ? [] : (caller.projectIds ?? undefined);
  return { tenantId, projectId, userId: caller.kind === "user" ? caller.userId : userId, projectIds };
}
