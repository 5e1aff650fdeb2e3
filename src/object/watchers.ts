import type { JobEvent } from "../contract/event.ts";
import { isFinal } from "../core/job-state.ts";
import { Paced } from "./paced.ts";
import type { ProjectRelay } from "./project-relay.ts";
import { TaggedSockets } from "./tagged-sockets.ts";

/** WebSocket close code for "the job is over, there is nothing more to come". */
export const normalClosure = 1000;

/** At most four frames of progress a second. */
const progressPauseMs = 250;

/** More watchers of one job than any app has; each gets every frame. */
export const maxWatchers = 1_000;

/** Adds to an event what only a live stream carries: the signed link to a finished output. */
export type Decorate = (event: JobEvent) => Promise<JobEvent>;

/**
 * The sockets that watch one job. They hibernate: the object may leave memory while they stay open, so the runtime is
 * the only list of them.
 */
export class Watchers {
  readonly #sockets: TaggedSockets;
  readonly #relay: ProjectRelay;
  readonly #decorate: Decorate;
  readonly #progress = new Paced<JobEvent>((event) => this.#sendProgress(event));

  constructor(context: DurableObjectState, relay: ProjectRelay, decorate: Decorate) {
    this.#sockets = new TaggedSockets(context, "watcher");
    this.#relay = relay;
    this.#decorate = decorate;
    // Answered by the runtime without waking the object.
    context.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  get count(): number {
    return this.#sockets.list().length;
  }

  /** A socket has gone. */
  forget(): void {
    this.#sockets.forget();
  }

  /** Takes in a watcher, with what it is told first; null when it is one too many. */
  async accept(frames: readonly JobEvent[], isOver: boolean): Promise<WebSocket | null> {
    if (this.count >= maxWatchers) {
      return null;
    }
    // What waits for its turn is older than what a new watcher is told first: it would come after it.
    this.#progress.flush();
    const { 0: client, 1: server } = new WebSocketPair();
    // Only the link of a finished output takes a moment to sign. For a job that goes on nothing may come between its
    // state and its place among the watchers, or an event would be lost to it.
    const told = isOver ? await Promise.all(frames.map(this.#decorate)) : frames;
    this.#sockets.accept(server);
    for (const frame of told) {
      server.send(JSON.stringify(frame));
    }
    if (isOver) {
      server.close(normalClosure, "final");
    }
    return client;
  }

  /** Tells every watcher: progress in its pace, a finished output as soon as its link is signed, the rest at once. */
  broadcast(event: JobEvent): void {
    if (event.type === "progress") {
      this.#relay.tell(event);
      if (this.count > 0) {
        this.#progress.offer(event);
      }
      return;
    }
    // What was held back is older than this event, which tells its progress too.
    this.#progress.drop();
    if (event.type !== "complete") {
      this.#tell(event);
      return;
    }
    // Without its link the frame still tells what matters.
    const decorated = this.#decorate(event).catch(() => event);
    void decorated.then((frame) => this.#tell(frame));
  }

  #tell(event: JobEvent): void {
    this.#relay.tell(event);
    this.#send(event);
  }

  #sendProgress(event: JobEvent): void {
    this.#progress.pause(progressPauseMs);
    this.#send(event);
  }

  #send(event: JobEvent): void {
    const sockets = this.#sockets.list();
    const frame = sockets.length === 0 ? "" : JSON.stringify(event);
    for (const socket of sockets) {
      try {
        socket.send(frame);
        if (isFinal(event.status)) {
          socket.close(normalClosure, "final");
        }
      } catch {
        // The watcher has gone; the runtime drops its socket.
      }
    }
  }
}

/** Answers a watcher's goodbye. 1005 and 1006 only report that no code came; they must not be sent. */
export function closeBack(socket: WebSocket, code: number): void {
  socket.close(code === 1005 || code === 1006 ? normalClosure : code);
}
