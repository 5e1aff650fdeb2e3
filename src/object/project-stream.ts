import { DurableObject } from "cloudflare:workers";
import type { ProjectEvent } from "../contract/event.ts";
import { isFinal } from "../core/job-state.ts";
import { Tellers } from "../core/stream-pace.ts";
import { DeletedJobs } from "./deleted-jobs.ts";
import { closeBack, maxWatchers } from "./watchers.ts";

/** An event on its way to those who watch a project, with the user who may see it. */
export type ProjectEnvelope = Readonly<{ user_id: string | null; event: ProjectEvent }>;

/** What a job learns when it tells something: "nobody watches" may be believed for a while, and progress has a pause. */
export type StreamAnswer = Readonly<{ isWatched: boolean; forMs: number; pauseMs: number }>;

/** So long a job may take it that nobody watches. */
const unwatchedForMs = 10_000;

/** In the answer to a watcher: no other sees the same, so its jobs may believe that nobody watches. */
export const firstHeader = "x-first-watcher";

/** One user leaves room for the others. */
const maxWatchersOfUser = 100;

/** The object of a tenant's project. A tenant's name holds no slash. */
export function projectStreamOf(env: Env, tenantId: string, projectId: number) {
  return env.PROJECT_STREAM.get(env.PROJECT_STREAM.idFromName(`${tenantId}/${projectId}`));
}

/** Those who watch all jobs of a project. What was told it does not keep, but for what is told nowhere else. */
export class ProjectStream extends DurableObject<Env> {
  readonly #deleted: DeletedJobs;
  readonly #tellers = new Tellers();

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    this.#deleted = new DeletedJobs(context.storage);
  }

  tell(_v: number, envelope: ProjectEnvelope): StreamAnswer {
    const now = Date.now();
    const sockets = this.ctx.getWebSockets();
    const frame = JSON.stringify(envelope);
    if (envelope.event.type === "deleted") {
      this.#deleted.note(envelope, frame, now);
    }
    for (const socket of sockets) {
      send(socket, frame);
    }
    const { event } = envelope;
    const isOver = event.type === "deleted" || isFinal(event.status);
    const pauseMs = this.#tellers.note(event.job_id, isOver, sockets.length, now);
    return { isWatched: sockets.length > 0, forMs: unwatchedForMs, pauseMs };
  }

  /** A watcher, of all or of one `?user=`; with `?since=` it is told first of the jobs that were deleted since that instant. */
  override fetch(request: Request): Response {
    const { searchParams } = new URL(request.url);
    const [since, user] = [searchParams.get("since"), searchParams.get("user")];
    const users = this.ctx.getWebSockets().map((socket): unknown => socket.deserializeAttachment());
    const alike = users.filter((one) => one === user).length;
    if (users.length >= maxWatchers || (user !== null && alike >= maxWatchersOfUser)) {
      return new Response(null, { status: 429 });
    }
    const { 0: client, 1: server } = new WebSocketPair();
    server.serializeAttachment(user);
    this.ctx.acceptWebSocket(server);
    for (const frame of since === null ? [] : this.#deleted.list(Number(since))) {
      send(server, frame);
    }
    return new Response(null, { status: 101, webSocket: client, headers: alike === 0 ? { [firstHeader]: "1" } : {} });
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    closeBack(socket, code);
  }
}

function send(socket: WebSocket, frame: string): void {
  try {
    socket.send(frame);
  } catch {
    // The watcher has gone; the runtime drops its socket.
  }
}
