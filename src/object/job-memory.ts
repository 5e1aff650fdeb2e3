import type { JobEvent } from "../contract/event.ts";
import { isFinal, type JobState } from "../core/job-state.ts";
import { type KeptProgress, withLateProgress } from "../core/kept-progress.ts";
import type { Change } from "../core/machine.ts";
import type { Action } from "../core/next-action.ts";
import type { Ports, Wake } from "./ports.ts";

/** So many versions of unsaved progress one save allows for: a crash may take them, and none is given twice. */
const reservedVersions = 1_000;

/** An alarm that is late by less is on its way; one that is set anew would be later still. */
const lateAlarmMs = 1_000;

/** The job in memory, and what of it the storage holds: decides what is saved when, and when the object is woken. */
export class JobMemory {
  readonly #ports: Ports;
  readonly #toNext: (job: JobState) => Action;
  #job: JobState | null = null;
  #isUnreadable = false;
  #savedVersion = 0;
  #reserved = 0;
  #isFlushing = false;
  #wakesAt: number | null = null;
  /** How often that has changed. */
  #alarmTurns = 0;

  /** @param toNext what the job needs next: it decides the alarm that a save sets */
  constructor(ports: Ports, toNext: (job: JobState) => Action) {
    this.#ports = ports;
    this.#toNext = toNext;
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
    this.#wakesAt = null;
  }

  /** Takes in a change: saved at once, or soon where it may wait. @param isProgress a handler reported it */
  take({ job, events, durable }: Change, isProgress: boolean): void {
    // A version that is not reserved is saved before anybody sees it: memory may be lost.
    if (durable || (events.length > 0 && job.version > this.#reserved)) {
      const reserved = isProgress || !durable ? job.version + reservedVersions : Math.max(this.#reserved, job.version);
      this.save(job, events, isFinal(job.status) ? job.version : reserved);
    } else {
      this.#job = job;
    }
    if (this.#isAtRisk() && !this.#keep()) {
      this.#flushLater();
    }
  }

  #keep(): boolean {
    return this.#job !== null && this.#ports.sockets.keep(this.#job);
  }

  #flushLater(): void {
    if (!this.#isFlushing) {
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
      this.save(this.#job, [], this.#job.version + reservedVersions);
      this.#flushLater();
    } else {
      this.checkpoint();
    }
  }

  #isAtRisk(): boolean {
    return this.#job !== null && (this.#job.version > this.#savedVersion || this.#reserved > this.#job.version);
  }

  /** Saves the progress that only memory held; from here on no version is at risk. */
  checkpoint(): void {
    if (this.#job && this.#isAtRisk()) {
      this.save(this.#job, []);
    }
  }

  /** Takes in progress that a socket kept, and lets go of now that it closes. */
  recover(kept: KeptProgress): void {
    this.#job = this.#job && withLateProgress(this.#job, kept);
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
    const [shown, savedBefore] = [this.#job?.version ?? 0, this.#savedVersion];
    this.load();
    if (this.#job && this.#job.version < shown) {
      this.#job = { ...this.#job, version: this.#reserved, lastSeq: this.#reserved };
      // What a handler's socket keeps would bring a lower one back when the object leaves memory.
      this.#keep();
    }
    return this.#savedVersion === version && version > savedBefore;
  }

  /** Leaves nothing, in memory and out of it. */
  async forget(): Promise<void> {
    await this.#ports.storage.forget();
    this.load();
  }

  /** The alarm that the storage holds; one that is set while it is looked for is known better. */
  async findAlarm(): Promise<number | null> {
    const turns = this.#alarmTurns;
    const at = await this.#ports.storage.getAlarm();
    if (turns === this.#alarmTurns) {
      this.#wakesAt = at;
    }
    return at;
  }

  /** The alarm has come, and is no more. */
  alarmCame(): void {
    this.#noteWake("never");
  }

  wakeFor(action: Action): void {
    const wake = this.#toWake(action);
    this.#ports.storage.wake(wake);
    this.#noteWake(wake);
  }

  #noteWake(wake: Wake): void {
    if (wake !== "as-is") {
      this.#alarmTurns++;
      this.#wakesAt = wake === "never" ? null : wake.at;
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
    const isGuarded = this.#wakesAt !== null && this.#wakesAt > now() - lateAlarmMs && this.#wakesAt <= at;
    return isGuarded ? "as-is" : { at };
  }
}
