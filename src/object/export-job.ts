import { DurableObject } from "cloudflare:workers";
import type { Metadata } from "../contract/common.ts";
import type { JobEvent } from "../contract/event.ts";
import { type Amendment, type AmendmentRefusal, toAmended } from "../core/amendment.ts";
import { eventTypeOf, toEvent } from "../core/events.ts";
import { canReopen, isFinal, isWanted, type JobSpec, type JobState } from "../core/job-state.ts";
import type { AttemptRef } from "../core/tokens.ts";
import { getSettings, type Settings } from "../env.ts";
import { logFailure } from "../log.ts";
import { openDatabase } from "../store/database.ts";
import { type JobProjection, unsettleJob } from "../store/jobs.ts";
import { newCloudflarePorts } from "./cloudflare-ports.ts";
import { Engine } from "./engine.ts";
import { Journal } from "./journal.ts";
import { Listeners } from "./listeners.ts";
import type { Ports } from "./ports.ts";
import { toProjection } from "./projection.ts";
import { removeJob } from "./removal.ts";
import { closeBack } from "./watchers.ts";

/**
 * One export job: the single writer of its state. This class only joins the engine to Cloudflare's events; every
 * decision is in core, every effect in the ports. Methods return data, because errors lose their class over RPC.
 */
export class ExportJob extends DurableObject<Env> {
  readonly #settings: Settings;
  readonly #journal: Journal;
  readonly #listeners: Listeners;
  readonly #engine: Engine;
  /** The job was removed: a start that was under way meanwhile must not bring it back, and buy a run. */
  #isRemoved = false;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    this.#settings = getSettings(env);
    this.#journal = new Journal(context.storage);
    this.#listeners = new Listeners(env, context, this.#settings, () => this.#engine.job);
    const ports = newCloudflarePorts(env, this.#settings, this.#journal, this.#listeners);
    this.#engine = new Engine(this.adaptPorts(ports));
    if (!this.#engine.isAtRest()) {
      void context.blockConcurrencyWhile(() => this.#repairAlarm());
    }
  }

  /** The seam at which a test breaks the world; here it is whole. */
  protected adaptPorts(ports: Ports): Ports {
    return ports;
  }

  /** Alarms have been reported lost: an object that comes back without the one it needs sets it again (I11). */
  async #repairAlarm(): Promise<void> {
    const alarm = await this.#journal.getAlarm();
    if (alarm === null) {
      this.#journal.wake({ at: Date.now() });
    }
    this.#engine.alarmIsAt(alarm ?? Date.now());
  }

  /** Begins the job of a row just written; again is harmless. Returns as soon as it is durable. */
  start(spec: JobSpec): void {
    if (this.#isRemoved) {
      return;
    }
    if (!this.#engine.job) {
      this.#journal.create();
      const job = this.#engine.start(spec);
      this.#listeners.relay.tell(toEvent(job, eventTypeOf(job, "status")));
    }
    this.#advance();
  }

  /** The job as it is now, ahead of D1's copy; null in an object that holds no job of this tenant (I13). */
  read(tenantId: string): JobProjection | null {
    const job = this.#jobOf(tenantId);
    return job && toProjection(job);
  }

  /** RunPod's webhook rang for an attempt; true once that is durable, or is nothing new. */
  ring({ attempt, nonce }: AttemptRef, runId: string | null): boolean {
    if (!this.#engine.job) {
      return false;
    }
    this.#engine.ring({ kind: "doorbell", attempt, nonce, runId });
    this.#advance();
    return true;
  }

  /** The handler's progress, part by part: an object's field names would travel too. @returns whether it is to stop */
  progress(attempt: number, nonce: string, progress: number, stage: string | null, message: string | null): boolean {
    if (!isWanted(this.#engine.job, { attempt, nonce })) {
      return true;
    }
    this.#engine.apply({ kind: "progress", attempt, nonce, report: { progress, stage, message } });
    this.#advance();
    this.#listeners.webhooks.tellProgress(this.#engine.job);
    return false;
  }

  /**
   * Ends the job for its user; one that never started is begun first.
   * @returns the job as it is then, whether or not it was this call that ended it
   */
  cancel(spec: JobSpec, isNew: boolean): JobProjection | null {
    if (this.#begin(spec, isNew)) {
      this.#engine.apply({ kind: "cancel_requested" });
      this.#advance();
    }
    return this.read(spec.tenantId);
  }

  /**
   * Changes what belongs to the owner; a job that never started is begun first.
   * @param row whether the job may be begun, and the labels that it was created with
   */
  async amend(
    spec: JobSpec,
    change: Amendment,
    row: { isNew: boolean; metadata: Metadata },
  ): Promise<JobProjection | AmendmentRefusal> {
    const signal = toAmended(this.#begin(spec, row.isNew), change, row.metadata);
    if (typeof signal === "string") {
      return signal;
    }
    this.#engine.apply(signal);
    // A read of a final job asks D1 alone.
    await this.#engine.project();
    this.#advance();
    return this.read(spec.tenantId) ?? "gone";
  }

  /** Starts another try of a job that failed or was cancelled. @returns null when it did neither */
  async retry(tenantId: string): Promise<JobProjection | null> {
    const job = this.#jobOf(tenantId);
    if (!job || !canReopen(job.status)) {
      return null;
    }
    await unsettleJob(openDatabase(this.env.DB), job.spec, job.version);
    if (!this.#engine.apply({ kind: "retry_requested" })) {
      return null;
    }
    // A read of a final job asks D1 alone, so D1 must know before the owner does.
    await this.#engine.project();
    this.#advance();
    return this.read(tenantId);
  }

  /**
   * The sweep calls: begins a job that never started, and makes one that did do what is due.
   * @param row what D1 has: whether it is still to be begun, and its version, which is behind ours after a lost write
   */
  async wake(spec: JobSpec, row: { isNew: boolean; version: number }): Promise<void> {
    this.#begin(spec, row.isNew);
    this.#engine.apply({ kind: "d1_seen", version: row.version });
    await this.#engine.advance();
  }

  /**
   * Removes the job for good: outputs, row, state, in an order that can be repeated after a crash.
   * @returns false while the job is not over, still owes a cancel at RunPod, or lends its output to other jobs
   */
  async destroy(tenantId: string): Promise<boolean> {
    await this.#engine.advance();
    const job = this.#jobOf(tenantId);
    if (!job || !isFinal(job.status) || job.obligations.some(({ duty }) => duty === "cancel")) {
      return false;
    }
    if (!(await removeJob(this.env, job))) {
      return false;
    }
    this.#isRemoved = true;
    this.#engine.forget();
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
    return true;
  }

  /** Someone watches the job's project: from now on it is told of the job. @returns the job as it is now */
  async follow(spec: JobSpec, isNew: boolean): Promise<JobEvent | null> {
    const job = this.#begin(spec, isNew);
    this.#listeners.relay.follow();
    return job && this.#listeners.decorate(toEvent(job, eventTypeOf(job, "status")));
  }

  /** What was told to watchers since the job began. */
  history(spec: JobSpec, isNew: boolean): JobEvent[] {
    return this.#begin(spec, isNew) ? this.#journal.listEvents(0) : [];
  }

  /** Only for WebSocket upgrades, which RPC cannot carry. */
  override async fetch(request: Request): Promise<Response> {
    return this.#listeners.connect(new URL(request.url), (after) => this.#journal.listEvents(after));
  }

  /** Only handlers have something to say. */
  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    this.#listeners.handlers.receive(socket, message, (ref, report) =>
      this.progress(ref.attempt, ref.nonce, report.progress, report.stage, report.message),
    );
  }

  override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
    this.#forgetSocket(socket);
    closeBack(socket, code);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    this.#forgetSocket(socket);
  }

  #forgetSocket(socket: WebSocket): void {
    if (this.#listeners.forget(socket)) {
      this.#engine.checkpoint();
    }
  }

  /** Must not throw: the runtime gives up on an alarm after six failures. So it sets the next one first. */
  override async alarm(): Promise<void> {
    if (this.#engine.isAtRest()) {
      return;
    }
    try {
      const next = Date.now() + this.#settings.timers.pollMaxMs;
      this.#journal.wake({ at: next });
      this.#engine.alarmIsAt(next);
      await this.#engine.advance();
    } catch (error) {
      logFailure("alarm", error);
    }
  }

  #begin(spec: JobSpec, isNew: boolean): JobState | null {
    if (isNew) {
      this.start(spec);
    }
    return this.#jobOf(spec.tenantId);
  }

  #jobOf(tenantId: string): JobState | null {
    const { job } = this.#engine;
    return job?.spec.tenantId === tenantId ? job : null;
  }

  /** Works on behind the answer. If the object dies meanwhile, the alarm saved with the last state takes over. */
  #advance(): void {
    if (this.#engine.isDue()) {
      this.ctx.waitUntil(this.#engine.advance().catch((error: unknown) => logFailure("advance", error)));
    }
  }
}
