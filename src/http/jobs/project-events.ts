import { callerUser } from "../../core/access.ts";
import { readEventId, replayFrom } from "../../core/resume.ts";
import { ToldJobs } from "../../core/told-jobs.ts";
import { firstHeader, projectStreamOf } from "../../object/project-stream.ts";
import type { Watched } from "../../store/stream-rows.ts";
import type { AppContext } from "../edge/app-env.ts";
import { AppError } from "../edge/problem.ts";
import { projectRoute } from "../edge/project.ts";
import { SseStream, streamHeaders } from "../edge/sse.ts";
import { streamLifeOf } from "../edge/stream-life.ts";
import { ProjectFeed, type Told } from "./project-feed.ts";

/** @throws AppError `rate_limited` */
async function openSocket(env: Env, { tenantId, projectId, userId }: Watched, since: number | null) {
  const query = new URLSearchParams();
  if (since !== null) {
    query.set("since", String(replayFrom(since, Date.now())));
  }
  if (userId !== null) {
    query.set("user", userId);
  }
  const { webSocket, headers } = await projectStreamOf(env, tenantId, projectId).fetch(
    `https://project-stream/watch?${query.toString()}`,
    { headers: { upgrade: "websocket" } },
  );
  if (!webSocket) {
    throw new AppError("rate_limited", { detail: "As many watch as may." });
  }
  return { webSocket, isFirst: headers.get(firstHeader) !== null };
}

async function watch(c: AppContext, projectId: number, listed: string | undefined): Promise<Response> {
  if (c.req.method === "HEAD") {
    return new Response(null, { headers: streamHeaders });
  }
  const lastSeen = readEventId(c.req.header("last-event-id") ?? "");
  const known = lastSeen?.ms ?? (listed === undefined ? null : Date.parse(listed));
  const since = known === null ? null : Math.min(known, Date.now());
  const caller = c.get("caller");
  const watched = { tenantId: caller.tenantId, projectId, userId: callerUser(caller) };
  // Before the rows are read: what changes meanwhile is told after them, and nothing is lost between the two.
  const { webSocket, isFirst } = await openSocket(c.env, watched, since);
  const feed = new ProjectFeed({
    env: c.env,
    settings: c.get("settings"),
    watched,
    told: new ToldJobs(lastSeen),
    since,
    isFirst,
  });
  const { until, isLet } = streamLifeOf(c);
  const stream = new SseStream<Told>(webSocket, true, {
    until,
    onMessage: (data) => {
      const told = feed.read(data);
      if (told) {
        stream.put(told.event.job_id, told, told.event.type === "progress");
      }
    },
    toText: (told) => feed.toText(told),
    onLook: () => {
      void feed.look(stream);
      return isLet();
    },
  });
  void feed.run(stream);
  return new Response(stream.body, { headers: streamHeaders });
}

export const projectEventRoutes = [
  projectRoute("GET /api/projects/{project_id}/events", (c, projectId, { since }) => watch(c, projectId, since)),
];
