import { z } from "zod";
import { inText } from "../../contract/common.ts";
import { JobEvent, JobHistory } from "../../contract/event.ts";
import { mayBegin, toJobSpec } from "../../object/job-spec.ts";
import { rpcVersion } from "../../object/rpc.ts";
import type { ExportJobRow } from "../../store/schema.ts";
import type { AppContext } from "../edge/app-env.ts";
import { AppError } from "../edge/problem.ts";
import { relaySocket } from "../edge/socket-relay.ts";
import { SseStream, streamHeaders, toFrame } from "../edge/sse.ts";
import { type StreamLife, streamLifeOf } from "../edge/stream-life.ts";
import { jobRoute } from "./find-job.ts";
import { jobObject } from "./job-object.ts";
import { openSocket } from "./job-socket.ts";

const TokenQuery = z.object({
  token: z.string().optional().meta({ description: "A client_token, where a browser cannot set headers." }),
});
const SocketQuery = TokenQuery.extend({ after: inText(z.int().min(0)).optional() });

async function streamEvents(c: AppContext, row: ExportJobRow): Promise<Response> {
  if (c.req.method === "HEAD") {
    return new Response(null, { headers: streamHeaders });
  }
  const lastSeen = /^\d{1,15}$/.exec(c.req.header("last-event-id") ?? "")?.[0];
  const after = lastSeen === undefined ? null : Number(lastSeen);
  const { webSocket } = await openSocket(c.env, row, { after, moreOnly: true });
  return webSocket
    ? new Response(toEventStream(webSocket, streamLifeOf(c)), { headers: streamHeaders })
    : new Response(null, { status: 204 });
}

/** One job's events, each once; `id:` is the event's seq. */
function toEventStream(socket: WebSocket, { until, isLet }: StreamLife): ReadableStream<Uint8Array> {
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

export const liveRoutes = [
  jobRoute(
    "GET /api/jobs/{id}/events",
    {
      id: "watchJob",
      tag: "live",
      summary: "A job's history, or its live events",
      description:
        "With `Accept: text/event-stream` a live stream: `id:` is the event's seq, `event:` its type, `data:` a JobEvent. " +
        "It resumes after `Last-Event-ID`, sends a comment every 15 s and ends after the final event.",
      headers: ["last-event-id"],
      query: TokenQuery,
      answer: [200, "The history, or the stream.", JobHistory],
      answers: {
        200: { content: { "application/json": { schema: JobHistory }, "text/event-stream": { schema: z.string() } } },
        204: {
          description: "Nothing follows the event in Last-Event-ID: the job is over. Stops a browser's EventSource.",
        },
      },
    },
    async (c, row) => {
      if (c.req.header("accept")?.includes("text/event-stream")) {
        return streamEvents(c, row);
      }
      return { data: await jobObject(c.env, row.id).history(rpcVersion, toJobSpec(row), mayBegin(row)) };
    },
  ),

  jobRoute(
    "GET /api/jobs/{id}/ws",
    {
      id: "watchJobBySocket",
      tag: "live",
      summary: "A job's live events by WebSocket",
      description:
        "Each text message is a JobEvent; the first is the job's state. `?after=` resumes after the event with that seq. " +
        "`ping` is answered with `pong`. Closed with 1000 after the final event, with 1001 after 15 minutes or when its " +
        "credential ends, and with 1008 when that was revoked.",
      query: SocketQuery,
      answer: [101, "The WebSocket."],
      problems: ["malformed_request", "forbidden_origin"],
    },
    async (c, row, { after = null }) => {
      if (c.req.method !== "GET" || c.req.header("upgrade")?.toLowerCase() !== "websocket") {
        throw new AppError("malformed_request", { detail: "Connect with a WebSocket client." });
      }
      const answer = await openSocket(c.env, row, { after, moreOnly: false });
      return answer.webSocket ? relaySocket(answer.webSocket, streamLifeOf(c)) : answer;
    },
  ),
];
