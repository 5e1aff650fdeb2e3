import type { JobEvent } from "../contract/event.ts";
import { eventTypeOf, toEvent } from "../core/events.ts";
import { isFinal, type JobState } from "../core/job-state.ts";

/** WebSocket close code for "the job is over, there is nothing more to come". */
const normalClosure = 1000;

/** Adds to an event what only a live stream carries: the signed link to a finished output. */
export type Decorate = (event: JobEvent) => Promise<JobEvent>;

/**
 * The sockets that watch one job. They hibernate: the object may leave memory while they stay open, so the runtime is
 * the only list of them.
 */
export class Watchers {
  readonly #context: DurableObjectState;
  readonly #decorate: Decorate;

  constructor(context: DurableObjectState, decorate: Decorate) {
    this.#context = context;
    this.#decorate = decorate;
    // Answered by the runtime without waking the object.
    context.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  get count(): number {
    return this.#context.getWebSockets().length;
  }

  /**
   * Takes in a watcher: what it missed after the event it saw last, or the job as it is now.
   * @param missed the logged events after the last one seen; null for a new watcher
   */
  async accept(job: JobState, missed: JobEvent[] | null): Promise<WebSocket> {
    const { 0: client, 1: server } = new WebSocketPair();
    const frames = await Promise.all(greeting(job, missed).map(this.#decorate));
    this.#context.acceptWebSocket(server);
    for (const frame of frames) {
      server.send(JSON.stringify(frame));
    }
    if (isFinal(job.status)) {
      server.close(normalClosure, "final");
    }
    return client;
  }

  /** Tells every watcher; progress in the same turn, a finished output as soon as its link is signed. */
  broadcast(event: JobEvent): void {
    if (event.type !== "complete") {
      this.#send(event);
      return;
    }
    // Without its link the frame still tells what matters.
    const decorated = this.#decorate(event).catch(() => event);
    void decorated.then((frame) => this.#send(frame));
  }

  #send(event: JobEvent): void {
    const frame = JSON.stringify(event);
    for (const socket of this.#context.getWebSockets()) {
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

/** The first frames of a watcher: always the state, and for a job that is over its final event too (I16). */
function greeting(job: JobState, missed: JobEvent[] | null): JobEvent[] {
  const over = isFinal(job.status);
  const now = toEvent(job, eventTypeOf(job, "progress"));
  if (missed) {
    const last = missed.at(-1);
    return last && last.seq >= now.seq ? missed : [...missed, now];
  }
  // One below the final event's, so that a watcher cut off between the two asks for the final one again.
  const status: JobEvent = { ...now, type: "status", seq: over ? now.seq - 1 : now.seq };
  return over ? [status, now] : [status];
}
