import { JobEvent } from "../../contract/event.ts";
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
  jobRoute("GET /api/jobs/{id}/events", async (c, row) => {
    if (c.req.header("accept")?.includes("text/event-stream")) {
      return streamEvents(c, row);
    }
    return { data: await jobObject(c.env, row.id).history(rpcVersion, toJobSpec(row), mayBegin(row)) };
  }),

  jobRoute("GET /api/jobs/{id}/ws", async (c, row, { after = null }) => {
    if (c.req.method !== "GET" || c.req.header("upgrade")?.toLowerCase() !== "websocket") {
      throw new AppError("malformed_request", { detail: "Connect with a WebSocket client." });
    }
    const answer = await openSocket(c.env, row, { after, moreOnly: false });
    return answer.webSocket ? relaySocket(answer.webSocket, streamLifeOf(c)) : answer;
  }),
];
