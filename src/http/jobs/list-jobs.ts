import type { JobPage, ListJobs } from "../../contract/list-jobs.ts";
import type { Caller } from "../../core/access.ts";
import { firstIdAt, isId } from "../../core/ids.ts";
import { isSignedBy, sign } from "../../core/signing.ts";
import type { Settings } from "../../env.ts";
import { openDatabase } from "../../store/database.ts";
import { type JobFilter, listJobs } from "../../store/list-jobs.ts";
import type { Call } from "../edge/call.ts";
import { AppError } from "../edge/problem.ts";
import { toJobNow } from "./find-job.ts";

type Listed = Readonly<{ page: JobPage; next: string | null }>;

/** One page of the jobs that the caller sees, with the address of the next. @param url the request's own */
export async function listPage(call: Call, query: ListJobs, url: string): Promise<Listed> {
  const { env, settings, caller } = call;
  const { tenantId } = caller;
  const before = query.cursor === undefined ? null : await readCursor(settings, tenantId, query.cursor);
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
  const cursor = last === null ? null : await newCursor(settings, tenantId, last);
  const data = await Promise.all(shown.map((row) => toJobNow(call, row)));
  return { page: { data, next_cursor: cursor }, next: cursor === null ? null : nextUrl(url, settings, cursor) };
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

function nextUrl(url: string, { publicBaseUrl }: Settings, cursor: string): string {
  const query = new URL(url).searchParams;
  query.set("cursor", cursor);
  return `${publicBaseUrl}/api/jobs?${query.toString()}`;
}
