import { DurableObject } from "cloudflare:workers";
import type { Metadata } from "../contract/common.ts";
import type { JobEvent } from "../contract/event.ts";
import type { Amendment } from "../core/amendment.ts";
import type { JobSpec } from "../core/job-state.ts";
import type { AttemptRef } from "../core/tokens.ts";
import { getSettings } from "../env.ts";
import type { JobProjection } from "../store/jobs.ts";
import { newCloudflarePorts } from "./cloudflare-ports.ts";
import { handlerPath, toAttemptKey } from "./handler-sockets.ts";
import { JobShell, type Removed, type RowFacts } from "./job-shell.ts";
import { Journal } from "./journal.ts";
import { Listeners } from "./listeners.ts";
import type { Ports } from "./ports.ts";
import { closeBack } from "./watchers.ts";

/**
 * The object of one export job, the single writer of its state: Cloudflare's events, and nothing else. What they mean is
 * in {@link JobShell}. The first argument of each method is the version of this interface (`src/object/rpc.ts`).
 */
export class ExportJob extends DurableObject<Env> {
  readonly #listeners: Listeners;
  readonly #shell: JobShell;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    const settings = getSettings(env);
    this.#listeners = new Listeners(env, context, settings, () => this.#shell.job);
    const journal = new Journal(context.storage, (attempt) => this.#listeners.handlers.findKept(attempt));
    const world = { env, context, settings, journal, listeners: this.#listeners };
    this.#shell = new JobShell(this.adaptPorts(newCloudflarePorts(world)));
    if (this.#shell.guard.isNeeded) {
      void context.blockConcurrencyWhile(() => this.#shell.guard.find());
    }
  }

  /** The seam at which a test breaks the world; here it is whole. */
  protected adaptPorts(ports: Ports): Ports {
    return ports;
  }

  start(_v: number, spec: JobSpec): void {
    this.#shell.start(spec);
  }

  read(_v: number, tenantId: string): JobProjection | null {
    return this.#shell.read(tenantId);
  }

  ring(_v: number, ref: AttemptRef, runId: string | null): void {
    this.#shell.ring(ref, runId);
  }

  /** Part by part: an object's field names would travel too. @returns whether the handler is to stop */
  progress(
    _v: number,
    attempt: number,
    nonce: string,
    progress: number,
    stage: string | null,
    message: string | null,
  ): boolean {
    return this.#shell.progress({ attempt, nonce }, { progress, stage, message });
  }

  takesOutput(_v: number, key: string): "yes" | "over" | "gone" {
    return this.#shell.takesOutput(key);
  }

  cancel(_v: number, spec: JobSpec, isNew: boolean): ReturnType<JobShell["cancel"]> {
    return this.#shell.cancel(spec, isNew);
  }

  amend(
    _v: number,
    spec: JobSpec,
    change: Amendment,
    row: { isNew: boolean; metadata: Metadata },
  ): ReturnType<JobShell["amend"]> {
    return this.#shell.amend(spec, change, row);
  }

  retry(_v: number, tenantId: string): ReturnType<JobShell["retry"]> {
    return this.#shell.retry(tenantId);
  }

  wake(_v: number, spec: JobSpec, row: { isNew: boolean; version: number }): void {
    this.#shell.wake(spec, row);
  }

  remove(_v: number, spec: JobSpec, row: RowFacts): Promise<Removed> {
    return this.#shell.remove(spec, row);
  }

  /** Someone watches the job's project: from now on it is told of the job. @returns the job as it is now */
  async announce(_v: number, tenantId: string): Promise<JobEvent | null> {
    const event = this.#shell.toEvent(tenantId);
    if (event) {
      this.#listeners.relay.announce();
    }
    return event && this.#listeners.decorate(event);
  }

  history(_v: number, spec: JobSpec, isNew: boolean): JobEvent[] {
    return this.#shell.history(spec, isNew);
  }

  /** Only for WebSocket upgrades, which RPC cannot carry: a handler's, or a watcher's of the tenant that it names (I13). */
  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams: query } = new URL(request.url);
    if (pathname === handlerPath) {
      const ref = toAttemptKey(query);
      return this.#listeners.handlers.accept(ref, this.#shell.isWanted(ref));
    }
    const after = query.get("after");
    const resume = { after: after === null ? null : Number(after), moreOnly: query.get("more") === "only" };
    const greeting = this.#shell.attach(query.get("tenant") ?? "", resume);
    if (typeof greeting === "string") {
      return new Response(null, { status: greeting === "unknown" ? 404 : 204 });
    }
    const webSocket = await this.#listeners.watchers.accept(greeting.frames, greeting.isOver);
    return webSocket ? new Response(null, { status: 101, webSocket }) : new Response(null, { status: 429 });
  }

  /** Only handlers have something to say. */
  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    this.#listeners.handlers.receive(socket, message, (ref, report) => this.#shell.progress(ref, report));
  }

  override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
    this.#forgetSocket(socket);
    closeBack(socket, code);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    this.#forgetSocket(socket);
  }

  #forgetSocket(socket: WebSocket): void {
    const left = this.#listeners.forget(socket);
    if (left) {
      this.#shell.detach(left);
    }
  }

  override alarm(): Promise<void> {
    return this.#shell.guard.run();
  }
}
