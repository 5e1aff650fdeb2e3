import { DurableObject } from "cloudflare:workers";
import type { JobEvent } from "../contract/event.ts";
import { closeBack, maxWatchers } from "./watchers.ts";

/** An event on its way to those who watch a project, with the user who may see it. */
export type ProjectEvent = Readonly<{ user_id: string | null; event: JobEvent }>;

/** The object of a tenant's project. A tenant's name holds no slash. */
export function projectStreamOf(env: Env, tenantId: string, projectId: number) {
  return env.PROJECT_STREAM.get(env.PROJECT_STREAM.idFromName(`${tenantId}/${projectId}`));
}

/** Those who watch all jobs of a project. It keeps nothing: what was, the jobs' own objects know. */
export class ProjectStream extends DurableObject<Env> {
  /** @returns whether anybody watches */
  tell(envelope: ProjectEvent): boolean {
    const sockets = this.ctx.getWebSockets();
    const frame = JSON.stringify(envelope);
    for (const socket of sockets) {
      try {
        socket.send(frame);
      } catch {
        // The watcher has gone; the runtime drops its socket.
      }
    }
    return sockets.length > 0;
  }

  override fetch(): Response {
    if (this.ctx.getWebSockets().length >= maxWatchers) {
      return new Response(null, { status: 429 });
    }
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    closeBack(socket, code);
  }
}
