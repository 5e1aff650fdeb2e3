import type { JobEvent } from "../contract/event.ts";
import { isWanted, type JobState } from "../core/job-state.ts";
import type { Settings } from "../env.ts";
import { HandlerSockets, handlerPath, toAttemptKey } from "./handler-sockets.ts";
import { newOutputLink } from "./links.ts";
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
    this.webhooks = new WebhookRelay(env, context);
  }

  /** The answer to one who comes with a socket: a handler, or a watcher of the tenant that its query names (I13). */
  async connect(url: URL, listEvents: (after: number) => JobEvent[]): Promise<Response> {
    const { pathname, searchParams: query } = url;
    const job = this.#jobNow();
    if (pathname === handlerPath) {
      const ref = toAttemptKey(query);
      return this.handlers.accept(ref, isWanted(job, ref));
    }
    return job && job.spec.tenantId === query.get("tenant")
      ? this.watchers.answer(job, query, listEvents)
      : new Response(null, { status: 404 });
  }

  /** A socket has gone. @returns whether it was a handler's: what it kept went with it */
  forget(socket: WebSocket): boolean {
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
