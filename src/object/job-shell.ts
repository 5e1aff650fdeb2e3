import type { Metadata } from "../contract/common.ts";
import type { JobEvent } from "../contract/event.ts";
import { type Amendment, type AmendmentRefusal, toAmended } from "../core/amendment.ts";
import { creationOf, eventTypeOf, toEvent } from "../core/events.ts";
import {
  canReopen,
  isFinal,
  isWanted,
  type JobSpec,
  type JobState,
  newJobState,
  newRemovedState,
  takesOutput,
} from "../core/job-state.ts";
import { type KeptProgress, withLateProgress } from "../core/kept-progress.ts";
import type { ProgressReport } from "../core/signals.ts";
import type { AttemptRef } from "../core/tokens.ts";
import type { JobProjection } from "../store/jobs.ts";
import { AlarmGuard } from "./alarm-guard.ts";
import { Engine, type Rules } from "./engine.ts";
import { type Greeting, greet, listEvents, type Resume } from "./greeting.ts";
import type { Ports } from "./ports.ts";
import { toProjection } from "./projection.ts";

/** What the caller knows of the job's row: whether it may begin a job here, and how many attempts it tells of. */
export type RowFacts = Readonly<{ isNew: boolean; attempts: number }>;
export type Removed = "removed" | "active" | "lent" | "unavailable";

/** What a handler's socket leaves behind. */
export type Left = Readonly<{ attempt: number; kept: KeptProgress | null }>;

/**
 * One export job, whatever world it lives in: all that can be asked of it, over {@link Ports}. The Durable Object runs it
 * on Cloudflare, the simulator on a clock of its own. Answers are data, because errors lose their class over RPC.
 */
export class JobShell {
  readonly #ports: Ports;
  readonly #engine: Engine;
  /** For its host: what is done when the object comes back, and when its alarm comes. */
  readonly guard: AlarmGuard;

  constructor(ports: Ports, rules?: Rules) {
    this.#ports = ports;
    this.#engine = new Engine(ports, rules, () => this.#advance());
    this.guard = new AlarmGuard(ports, this.#engine);
  }

  get job(): JobState | null {
    return this.#engine.job;
  }

  /** Begins the job of a row just written; again is harmless. Returns as soon as it is durable. */
  start(spec: JobSpec): void {
    this.guard.enter();
    if (!this.job && !this.#engine.memory.isUnreadable) {
      const job = newJobState(spec);
      this.#engine.begin(job);
      creationOf(job).forEach(this.#ports.sockets.broadcast);
    }
    this.#advance();
  }

  /** The job as it is now, ahead of D1's copy; null where there is none of this tenant (I13). */
  read(tenantId: string): JobProjection | null {
    const job = this.#jobOf(tenantId);
    return job && toProjection(job);
  }

  /** RunPod's webhook rang for an attempt; once this returns, that is durable, or is nothing new. */
  ring({ attempt, nonce }: Omit<AttemptRef, "jobId">, runId: string | null): void {
    this.guard.enter();
    this.#engine.ring({ kind: "doorbell", attempt, nonce, runId });
    this.#advance();
  }

  /** Whether a handler's work is wanted. What only a later release can read goes on as it is. */
  isWanted(ref: Omit<AttemptRef, "jobId">): boolean {
    return this.#engine.memory.isUnreadable || isWanted(this.job, ref);
  }

  /** The handler's progress. @returns whether it is to stop */
  progress({ attempt, nonce }: Omit<AttemptRef, "jobId">, report: ProgressReport): boolean {
    this.guard.enter();
    this.#engine.apply({ kind: "progress", attempt, nonce, report });
    this.#advance();
    if (!this.isWanted({ attempt, nonce })) {
      return true;
    }
    if (this.job) {
      this.#ports.sockets.tellProgress(this.job);
    }
    return false;
  }

  /** Whether an output may be written under this key. */
  takesOutput(key: string): ReturnType<typeof takesOutput> {
    this.guard.enter();
    return this.#engine.memory.isUnreadable ? "yes" : takesOutput(this.job, key);
  }

  /**
   * Ends the job for its user; one that never started is begun first.
   * @returns the job as it is then, whether or not it was this call that ended it; null where there is none
   */
  cancel(spec: JobSpec, isNew: boolean): JobProjection | "unavailable" | null {
    if (this.#begin(spec, isNew)) {
      this.#engine.apply({ kind: "cancel_requested" });
      this.#advance();
    }
    return this.#engine.memory.isUnreadable ? "unavailable" : this.read(spec.tenantId);
  }

  /**
   * Changes what belongs to the owner; a job that never started is begun first.
   * @param row whether the job may be begun, and the labels that it was created with
   */
  async amend(
    spec: JobSpec,
    change: Amendment,
    row: { isNew: boolean; metadata: Metadata },
  ): Promise<JobProjection | AmendmentRefusal | "unavailable"> {
    const job = this.#begin(spec, row.isNew);
    if (this.#engine.memory.isUnreadable) {
      return "unavailable";
    }
    const signal = toAmended(job, change, row.metadata);
    if (typeof signal === "string") {
      return signal;
    }
    this.#engine.apply(signal);
    const { version = 0 } = this.job ?? {};
    await this.#engine.writeRow();
    if (this.job && isFinal(this.job.status) && this.job.row.version < version) {
      // A read of a final job asks D1 alone: until that knows, nothing has changed for its readers.
      return "unavailable";
    }
    return this.read(spec.tenantId) ?? "gone";
  }

  /** Starts another try of a job that failed or was cancelled. */
  async retry(tenantId: string): Promise<JobProjection | "refused" | "over_quota" | "unavailable"> {
    const job = this.#jobOf(tenantId);
    if (this.#engine.memory.isUnreadable) {
      return "unavailable";
    }
    if (!job || !canReopen(job)) {
      return "refused";
    }
    const isReopened = await this.#ports.stores.reopenRow(job).catch(() => null);
    if (isReopened !== true) {
      return isReopened === null ? "unavailable" : "over_quota";
    }
    if (!this.#engine.apply({ kind: "retry_requested" })) {
      return "refused";
    }
    // A read of a final job asks D1 alone, so D1 must know before the owner does.
    await this.#engine.writeRow();
    this.#advance();
    return this.read(tenantId) ?? "refused";
  }

  /**
   * The sweep calls: begins a job that never started, and makes one that did do what is due, behind this call.
   * @param row what D1 has: whether it is still to be begun, and its version, which is behind ours after a lost write
   */
  wake(spec: JobSpec, row: { isNew: boolean; version: number }): void {
    this.#begin(spec, row.isNew);
    this.#engine.apply({ kind: "d1_seen", version: row.version });
    this.#advance();
  }

  /**
   * Removes the job for good: from the first save on nothing of it begins, and what is left to do is owed.
   * @returns `removed` once its row is gone; `unavailable` when D1 did not answer, and the removal goes on behind
   */
  async remove(spec: JobSpec, row: RowFacts): Promise<Removed> {
    this.#begin(spec, row.isNew);
    if (this.#engine.memory.isUnreadable) {
      return "unavailable";
    }
    if (!this.job) {
      this.#engine.begin(newRemovedState(spec, row.attempts, this.#ports.now()));
    }
    if (this.job?.spec.tenantId !== spec.tenantId || !isFinal(this.job.status)) {
      return "active";
    }
    if (!this.job.removal) {
      // The sweep sees no job whose row is gone: only the alarm is left, so it must not be taken for granted.
      this.#engine.memory.doubtAlarm();
    }
    this.#engine.apply({ kind: "remove_requested" });
    await this.#engine.doNow({ do: "carry_out", key: { duty: "delete_row", of: spec.id } });
    this.#advance();
    const { removal = null, duties = [] } = this.job ?? {};
    if (duties.some(({ duty }) => duty === "delete_row")) {
      return "unavailable";
    }
    return removal?.rowGone ? "removed" : "lent";
  }

  /** The job as it is now, as an event. */
  toEvent(tenantId: string): JobEvent | null {
    const job = this.#jobOf(tenantId);
    return job && toEvent(job, eventTypeOf(job, "status"));
  }

  /** What was told to watchers since the job began, but for its progress. */
  history(spec: JobSpec, isNew: boolean): JobEvent[] {
    const job = this.#begin(spec, isNew);
    return job ? listEvents(job, this.#ports.storage, 0) : [];
  }

  /** Someone wants to watch the job. */
  attach(tenantId: string, resume: Resume): Greeting {
    return greet(this.#jobOf(tenantId), this.#ports.storage, resume);
  }

  /** A handler's socket has gone, and with it what it kept. */
  detach({ attempt, kept }: Left): void {
    this.guard.enter();
    const { job } = this;
    const isOfNow = kept !== null && job?.attempts.length === attempt;
    this.#engine.memory.checkpoint(isOfNow ? withLateProgress(job, kept) : job);
    this.#advance();
  }

  #begin(spec: JobSpec, isNew: boolean): JobState | null {
    if (isNew) {
      this.start(spec);
    }
    return this.#jobOf(spec.tenantId);
  }

  /** What readers and owners may know of: a removed job is none. */
  #jobOf(tenantId: string): JobState | null {
    this.guard.enter();
    const { job } = this;
    return job && job.spec.tenantId === tenantId && !job.removal?.rowGone ? job : null;
  }

  /** Works on behind the answer. If the object dies meanwhile, the alarm saved with the last state takes over. */
  #advance(): void {
    if (this.#engine.isDue()) {
      this.#ports.background(this.guard.advance().catch((error: unknown) => this.#ports.fail("alarm", error)));
    }
  }
}
