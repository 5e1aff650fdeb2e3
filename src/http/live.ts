import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { inText } from "../contract/common.ts";
import { JobEvent, JobHistory } from "../contract/event.ts";
import { mayBegin, toJobSpec } from "../object/job-spec.ts";
import { rpcVersion } from "../object/rpc.ts";
import type { AppContext, AppEnv } from "./app-env.ts";
import { JobPath, requireRow } from "./find-job.ts";
import { jobObject } from "./job-object.ts";
import { openSocket } from "./job-socket.ts";
import { guard, guardedAnswers, headerParameters } from "./openapi.ts";
import { AppError } from "./problem.ts";
import { SseStream, streamHeaders, toFrame } from "./sse.ts";
import { streamLifeOf } from "./stream-life.ts";
import { validationHook } from "./validation.ts";

const tokenQuery = z.object({
  token: z.string().optional().meta({ description: "A client_token, where a browser cannot set headers." }),
});

const eventsRoute = createRoute({
  method: "get",
  path: "/api/jobs/{id}/events",
  operationId: "watchJob",
  tags: ["live"],
  summary: "A job's history, or its live events",
  description:
    "With `Accept: text/event-stream` a live stream: `id:` is the event's seq, `event:` its type, `data:` a JobEvent. " +
    "It resumes after `Last-Event-ID`, sends a comment every 15 s and ends after the final event.",
  ...guard({ scope: "jobs:read", watcher: true }),
  parameters: headerParameters("last-event-id"),
  request: { params: JobPath, query: tokenQuery },
  responses: {
    200: {
      description: "The history, or the stream.",
      content: { "application/json": { schema: JobHistory }, "text/event-stream": { schema: z.string() } },
    },
    204: { description: "Nothing follows the event in Last-Event-ID: the job is over. Stops a browser's EventSource." },
    ...guardedAnswers("not_found", "validation_failed"),
  },
});

const wsRoute = createRoute({
  method: "get",
  path: "/api/jobs/{id}/ws",
  operationId: "watchJobBySocket",
  tags: ["live"],
  summary: "A job's live events by WebSocket",
  description:
    "Each text message is a JobEvent; the first is the job's state. `?after=` resumes after the event with that seq. " +
    "`ping` is answered with `pong`. Closed with 1000 after the final event.",
  ...guard({ scope: "jobs:read", watcher: true }),
  request: { params: JobPath, query: tokenQuery.extend({ after: inText(z.int().min(0)).optional() }) },
  responses: {
    101: { description: "The WebSocket." },
    ...guardedAnswers("malformed_request", "forbidden_origin", "not_found", "validation_failed"),
  },
});

async function streamEvents(c: AppContext, id: string): Promise<Response> {
  const row = await requireRow(c, id);
  if (c.req.method === "HEAD") {
    return new Response(null, { headers: streamHeaders });
  }
  const lastSeen = /^\d{1,15}$/.exec(c.req.header("last-event-id") ?? "")?.[0];
  const after = lastSeen === undefined ? null : Number(lastSeen);
  const { webSocket } = await openSocket(c, row, { after, moreOnly: true });
  return webSocket
    ? new Response(toEventStream(c, webSocket), { headers: streamHeaders })
    : new Response(null, { status: 204 });
}

/** One job's events, each once; `id:` is the event's seq. */
function toEventStream(c: AppContext, socket: WebSocket): ReadableStream<Uint8Array> {
  const { until, isLet } = streamLifeOf(c);
  let last = 0;
  const stream = new SseStream<JobEvent>(socket, false, {
    until,
    onLook: isLet,
    onMessage: (data) => {
      const event = JobEvent.parse(JSON.parse(data));
      stream.put(event.job_id, event, event.type === "progress");
    },
    toText: (event) => {
      const { seq, type } = event;
      const isNews = seq > last;
      last = Math.max(last, seq);
      return isNews ? toFrame({ id: seq, event: type, data: JSON.stringify(event) }) : null;
    },
  });
  return stream.body;
}

export const liveRoutes = new OpenAPIHono<AppEnv>({ defaultHook: validationHook });

liveRoutes.openapi(eventsRoute, async (c) => {
  const { id } = c.req.valid("param");
  if (c.req.header("accept")?.includes("text/event-stream")) {
    return streamEvents(c, id);
  }
  const row = await requireRow(c, id);
  return c.json({ data: await jobObject(c.env, row.id).history(rpcVersion, toJobSpec(row), mayBegin(row)) }, 200);
});

liveRoutes.openapi(wsRoute, async (c) => {
  const row = await requireRow(c, c.req.valid("param").id);
  if (c.req.method !== "GET" || c.req.header("upgrade")?.toLowerCase() !== "websocket") {
    throw new AppError("malformed_request", { detail: "Connect with a WebSocket client." });
  }
  return openSocket(c, row, { after: c.req.valid("query").after ?? null, moreOnly: false });
});
