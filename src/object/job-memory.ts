import type { JobEvent } from "../contract/event.ts";
import { isFinal, type JobState } from "../core/job-state.ts";
import type { Change } from "../core/machine.ts";
import type { Action } from "../core/next-action.ts";
import type { Ports, Wake } from "./ports.ts";

/** So many versions of unsaved progress one save allows for: a crash may take them, and none is given twice. */
const reservedVersions = 1_000;

/** Before any time. */
const never = Number.NEGATIVE_INFINITY;

/** An alarm that is late by less is on its way; one that is set anew would be later still. */
const lateAlarmMs = 1_000;

/** The job in memory, and what of it the storage holds: decides what is saved when, and when the object is woken. */
export class JobMemory {
  readonly #ports: Ports;
  readonly #toNext: (job: JobState) => Action;
  readonly #onFlush: () => void;
  #job: JobState | null = null;
  #isUnreadable = false;
  #savedVersion = 0;
  #reserved = 0;
  #isFlushing = false;
  #wakesAt = never;

  /**
   * @param toNext what the job needs next: it decides the alarm that a save sets
   * @param onFlush something may be due by the time that progress is saved
   */
  constructor(ports: Ports, toNext: (job: JobState) => Action, onFlush: () => void) {
    this.#ports = ports;
    this.#toNext = toNext;
    this.#onFlush = onFlush;
    this.load();
  }

  get job(): JobState | null {
    return this.#job;
  }

  /** What is held here was saved by a later release: this one does nothing with it. */
  get isUnreadable(): boolean {
    return this.#isUnreadable;
  }

  load(): void {
    const held = this.#ports.storage.load();
    const isJob = typeof held !== "string";
    this.#job = isJob ? held.job : null;
    this.#savedVersion = isJob ? held.savedVersion : 0;
    this.#reserved = isJob ? held.reserved : 0;
    this.#isUnreadable = held === "unreadable";
    this.#wakesAt = never;
  }

  /** Takes in a change: saved at once, or soon where it may wait. @param isProgress a handler reported it */
  take({ job, events, durable }: Change, isProgress: boolean): void {
    // A version that is not reserved is saved before anybody sees it; the last one is what a lost memory goes on with.
    if (durable || (events.length > 0 && job.version >= this.#reserved)) {
      this.save(job, events, this.#toReserve(job, isProgress || !durable));
    } else {
      this.#job = job;
    }
    this.#guard();
  }

  /** While progress comes, room for more; after the end there is none. */
  #toReserve({ version, status }: JobState, isLive: boolean): number {
    if (isFinal(status)) {
      return version;
    }
    return isLive ? version + reservedVersions : Math.max(this.#reserved, version);
  }

  /** What memory alone holds is kept by a handler's socket, or saved soon. */
  #guard(): void {
    const isKept = !this.#job || !this.#isAtRisk(this.#job) || this.#ports.sockets.keep(this.#job);
    if (!isKept && !this.#isFlushing) {
      this.#isFlushing = true;
      this.#ports.later(this.#ports.timers.progressFlushMs, () => this.#flush());
    }
  }

  /**
   * Saves what only memory held: while progress comes, once in a while and with room for more; when none came, to give
   * back the versions that were reserved. An object that falls silent leaves memory some seconds later.
   */
  #flush(): void {
    this.#isFlushing = false;
    if (this.#job && this.#job.version > this.#savedVersion) {
      this.save(this.#job, [], this.#toReserve(this.#job, true));
      this.#guard();
    } else {
      this.checkpoint();
    }
    this.#onFlush();
  }

  /** Whether a lost memory would show: the job would come back with the last version that is reserved. */
  #isAtRisk({ version }: JobState): boolean {
    return version !== this.#reserved;
  }

  /** Saves the progress that only memory held, or a closing socket; from here on no version is at risk. */
  checkpoint(job = this.#job): void {
    if (job && this.#isAtRisk(job)) {
      this.save(job, []);
    }
  }

  /** @param reserved versions up to this may be shown before the next save */
  save(job: JobState, events: readonly JobEvent[], reserved = job.version): void {
    const wake = this.#toWake(this.#toNext(job));
    // Progress is no history: a long run would fill it.
    const lasting = events.filter(({ type }) => type !== "progress");
    try {
      this.#ports.storage.save(job, lasting, wake, reserved);
    } catch (error) {
      if (!this.#goBackToSaved(job)) {
        throw error;
      }
      return;
    }
    this.#noteWake(wake);
    this.#job = job;
    this.#savedVersion = job.version;
    this.#reserved = reserved;
  }

  /**
   * Nobody knows on which side of the commit a save broke: what was saved is the truth, above all versions ever shown.
   * @returns whether it is the new version
   */
  #goBackToSaved({ version }: JobState): boolean {
    const savedBefore = this.#savedVersion;
    this.load();
    return this.#savedVersion === version && version > savedBefore;
  }

  /** Leaves nothing, in memory and out of it. */
  async forget(): Promise<void> {
    await this.#ports.storage.forget();
    this.load();
  }

  /** Finds the alarm that the storage holds. @returns whether there is one */
  async findAlarm(): Promise<boolean> {
    const at = await this.#ports.storage.getAlarm();
    this.#wakesAt = at ?? never;
    return at !== null;
  }

  /** The next save sets the alarm, whatever is known of one. */
  doubtAlarm(): void {
    this.#wakesAt = never;
  }

  wakeFor(action: Action): void {
    const wake = this.#toWake(action);
    this.#ports.storage.wake(wake);
    this.#noteWake(wake);
  }

  #noteWake(wake: Wake): void {
    if (wake !== "as-is") {
      this.#wakesAt = wake === "never" ? never : wake.at;
    }
  }

  /**
   * The alarm that guards what comes next: while an action is under way, one soon after it should have ended. An alarm
   * that is set earlier stays, because setting one is a billed write and waking early only asks again.
   */
  #toWake(action: Action): Wake {
    const { now, timers } = this.#ports;
    if (action.do === "rest") {
      return "never";
    }
    const at = action.do === "wait" ? action.until : now() + timers.runTimeoutMs + timers.statusTimeoutMs;
    const isGuarded = this.#wakesAt > now() - lateAlarmMs && this.#wakesAt <= at;
    return isGuarded ? "as-is" : { at };
  }
}
