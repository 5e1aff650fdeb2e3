import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { ProjectId } from "../contract/common.ts";
import type { JobEvent } from "../contract/event.ts";
import { activeStatuses } from "../contract/job.ts";
import { type Caller, callerUser, mayUseProject } from "../core/access.ts";
import { toTimestamp } from "../core/time.ts";
import { mayBegin, toJobSpec } from "../object/job-spec.ts";
import { projectStreamOf } from "../object/project-stream.ts";
import { rpcVersion } from "../object/rpc.ts";
import { openDatabase } from "../store/database.ts";
import { listJobs } from "../store/list-jobs.ts";
import type { ExportJobRow } from "../store/schema.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { jobObject } from "./job-object.ts";
import { guard, guardedAnswers, headerParameters } from "./openapi.ts";
import { AppError } from "./problem.ts";
import { toProjectEventStream } from "./sse.ts";
import { validationHook } from "./validation.ts";

/** So many active jobs a watcher is told of at first; more are told of as they change. */
const maxGreeted = 1_000;

/** What came to an end shortly before the last event that a watcher saw may have been told after it. In milliseconds. */
const replayMarginMs = 60_000;

const projectEventsRoute = createRoute({
  method: "get",
  path: "/api/projects/{project_id}/events",
  operationId: "watchProject",
  tags: ["live"],
  summary: "The live events of all jobs of a project",
  description:
    "A stream of server-sent events that does not end: first each active job as a `status` event, then every change, " +
    "new jobs included. `data:` is a JobEvent, to be told apart by `job_id` and `seq`. With `Last-Event-ID` jobs that " +
    "have ended since are told of too. A user's token is shown the user's own jobs.",
  ...guard({ scope: "jobs:read" }),
  parameters: headerParameters("last-event-id"),
  request: {
    params: z.object({ project_id: z.string().meta({ param: { name: "project_id", in: "path" } }) }),
  },
  responses: {
    200: { description: "The stream.", content: { "text/event-stream": { schema: z.string() } } },
    ...guardedAnswers("not_found"),
  },
});

/** @throws AppError `not_found` for what is no project, or none of the caller's */
function requireProject(caller: Caller, text: string): number {
  const projectId = ProjectId.safeParse(/^\d{1,16}$/.test(text) ? Number(text) : null);
  if (!projectId.success || !mayUseProject(caller, projectId.data)) {
    throw new AppError("not_found");
  }
  return projectId.data;
}

/** The jobs that a watcher must be told of at first: the active ones, and those that ended while it was away. */
async function listGreeted(c: AppContext, projectId: number): Promise<ExportJobRow[]> {
  const db = openDatabase(c.env.DB);
  const caller = c.get("caller");
  const visible = { tenantId: caller.tenantId, projectId, userId: callerUser(caller) ?? undefined, limit: maxGreeted };
  const { rows: active } = await listJobs(db, { ...visible, statuses: activeStatuses });
  const lastSeen = /^(\d{13})\./.exec(c.req.header("last-event-id") ?? "")?.[1];
  if (lastSeen === undefined) {
    return active;
  }
  const completedAfter = toTimestamp(Number(lastSeen) - replayMarginMs);
  const { rows: ended } = await listJobs(db, { ...visible, completedAfter });
  return [...ended, ...active];
}

async function greet(c: AppContext, projectId: number): Promise<JobEvent[]> {
  const rows = await listGreeted(c, projectId);
  const events = await Promise.all(
    rows.map((row) => jobObject(c.env, row.id).follow(rpcVersion, toJobSpec(row), mayBegin(row))),
  );
  return events.flatMap((event) => event ?? []);
}

export const projectEventRoutes = new OpenAPIHono<AppEnv>({ defaultHook: validationHook });

projectEventRoutes.openapi(projectEventsRoute, async (c) => {
  const caller = c.get("caller");
  const projectId = requireProject(caller, c.req.valid("param").project_id);
  const stream = projectStreamOf(c.env, caller.tenantId, projectId);
  // Before the jobs are asked: what changes meanwhile is told after the greeting, and nothing is lost between the two.
  const { webSocket } = await stream.fetch("https://project-stream/watch", { headers: { upgrade: "websocket" } });
  if (!webSocket) {
    throw new AppError("rate_limited", { detail: "As many watch this project as may." });
  }
  const user = callerUser(caller);
  const body = toProjectEventStream(
    webSocket,
    () => greet(c, projectId),
    ({ user_id }) => user === null || user === user_id,
  );
  return new Response(body, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
});
