import type { JobEvent } from "../contract/event.ts";
import type { JobState } from "../core/job-state.ts";
import type { Settings } from "../env.ts";
import { newOutputLink } from "../view/links.ts";
import { HandlerSockets } from "./handler-sockets.ts";
import { ProjectRelay } from "./project-relay.ts";
import { Watchers } from "./watchers.ts";
import { WebhookRelay } from "./webhook-relay.ts";

/** All who hear of a job: those who watch it or its project, its handlers, and those who asked for webhooks. */
export class Listeners {
  readonly relay: ProjectRelay;
  readonly watchers: Watchers;
  readonly handlers: HandlerSockets;
  readonly webhooks: WebhookRelay;
  readonly #settings: Settings;
  readonly #jobNow: () => JobState | null;

  constructor(env: Env, context: DurableObjectState, settings: Settings, jobNow: () => JobState | null) {
    this.#settings = settings;
    this.#jobNow = jobNow;
    this.relay = new ProjectRelay(env, context, () => jobNow()?.spec ?? null);
    this.watchers = new Watchers(context, this.relay, (event) => this.decorate(event));
    this.handlers = new HandlerSockets(context, settings.publicBaseUrl);
    this.webhooks = new WebhookRelay(env, context, settings);
  }

  /** A socket has gone. @returns what a handler's kept; null of a watcher's */
  forget(socket: WebSocket): ReturnType<HandlerSockets["forget"]> {
    this.watchers.forget();
    return this.handlers.forget(socket);
  }

  /** Adds what only a live stream carries: the signed link to a finished output. */
  async decorate(event: JobEvent): Promise<JobEvent> {
    const output = this.#jobNow()?.output;
    return event.type === "complete" && output
      ? { ...event, output_url: (await newOutputLink(this.#settings, output.key, Date.now())).url }
      : event;
  }
}
