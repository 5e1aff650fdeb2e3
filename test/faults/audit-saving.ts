import { type Attempt, runOf } from "../../src/core/attempt.ts";
import { isFinal, type JobState } from "../../src/core/job-state.ts";
import { nextAction } from "../../src/core/next-action.ts";
import type { Timers } from "../../src/core/timers.ts";
import type { Wake } from "../../src/object/ports.ts";

type Saving = Readonly<{ before: JobState | null; after: JobState; reservedBefore: number; reserved: number }>;

/** An alarm may be late by so much. */
const lateMs = 1_000;

/** What one life of an object writes: each row and each alarm is billed. */
export class SaveAudit {
  readonly #timers: Timers;
  readonly #onWrong: (wrong: string) => void;
  /** When progress alone was saved on a call, and when by a timer. */
  readonly #called = { at: Number.NEGATIVE_INFINITY };
  readonly #timed = { at: Number.NEGATIVE_INFINITY };
  /** When an alarm was found lacking, which is once in a life. */
  #calledAt: number | null = null;
  /** The alarm that this life has set, or looked for. */
  #known: number | null = null;

  constructor(timers: Timers, onWrong: (wrong: string) => void) {
    this.#timers = timers;
    this.#onWrong = onWrong;
  }

  /** Progress alone is saved seldom, and what a crash may take back is not saved for itself. */
  saves({ before, after, reservedBefore, reserved }: Saving, now: number, isTimed: boolean): void {
    if (isFinal(after.status)) {
      // An end gives the reserved versions back: another try of the job has to reserve them anew.
      this.#called.at = Number.NEGATIVE_INFINITY;
      if (reserved !== after.version) {
        this.#onWrong(`versions up to ${reserved} were reserved for a job that is over`);
      }
    }
    if (before === null || !isSameButFigures(before, after)) {
      return;
    }
    if (after.version > before.version) {
      this.#savesProgress(now, isTimed ? this.#timed : this.#called);
    } else if (reserved >= reservedBefore && JSON.stringify(before) !== JSON.stringify(after)) {
      this.#onWrong("figures that nobody sees were saved alone");
    }
  }

  #savesProgress(now: number, last: { at: number }): void {
    if (now - last.at < this.#timers.progressFlushMs) {
      this.#onWrong(`progress alone was saved ${now - last.at} ms after progress`);
    }
    last.at = now;
  }

  /** Without a call, only what a lost memory would not come back with is saved. */
  savesUncalled({ before, after, reservedBefore }: Saving): void {
    if (after.version === reservedBefore && JSON.stringify(before) === JSON.stringify(after)) {
      this.#onWrong("what was saved already was saved again");
    }
  }

  /** More of a handler's progress will come: it finds versions that are reserved. */
  savesReport({ before, after, reserved }: Saving): void {
    const isNews = before?.message !== after.message || before.progress !== after.progress;
    if (isNews && !isFinal(after.status) && reserved === after.version) {
      this.#onWrong("a handler reported, and its next figure has to be saved at once");
    }
  }

  /** A socket closes, and what it kept is saved at once. */
  forgetsProgress(): void {
    this.#called.at = Number.NEGATIVE_INFINITY;
  }

  /** An alarm that comes soon enough is not set again, and one that should have come is not waited for. */
  wakes(alarmAt: number | null, wake: Wake, now: number): void {
    const isKnown = alarmAt !== null && alarmAt === this.#known;
    if (typeof wake === "object" && isKnown && alarmAt > now && wake.at >= alarmAt) {
      this.#onWrong(`an alarm was set at ${wake.at - now} ms, though one comes at ${alarmAt - now} ms`);
    }
    if (typeof wake === "object" && wake.at <= now) {
      this.#callsAtOnce(now);
    }
    if (wake === "as-is" && alarmAt === null && this.#known !== null && this.#known < now - lateMs) {
      this.#onWrong(`an alarm that should have come ${now - this.#known} ms ago was waited for`);
    }
    if (wake !== "as-is") {
      this.#known = wake === "never" ? null : Math.round(wake.at);
    }
  }

  #callsAtOnce(now: number): void {
    if (this.#calledAt !== null) {
      this.#onWrong(`an alarm was set for at once, again after ${now - this.#calledAt} ms`);
    }
    this.#calledAt = now;
  }

  finds(alarmAt: number | null): void {
    this.#known = alarmAt;
  }
}

function isSameButFigures(before: JobState, after: JobState): boolean {
  return JSON.stringify(withoutFigures(before)) === JSON.stringify(withoutFigures(after));
}

function withoutFigures(job: JobState): unknown {
  const figures = { version: 0, lastSeq: 0, progress: 0, stage: "", message: null, updatedAt: 0, startBy: null };
  return { ...job, ...figures, spec: null, attempts: job.attempts.map(toAnchor) };
}

function toAnchor(attempt: Attempt): unknown {
  const run = runOf(attempt);
  const isRung = attempt.phase === "running" && attempt.rung;
  const heard = "heardAt" in attempt && attempt.heardAt !== null;
  const lookAt = "lookAt" in attempt ? attempt.lookAt : null;
  const { phase, rungAt, hint, strays } = attempt;
  const trouble = attempt.phase === "running" ? [attempt.silences, attempt.gone?.times ?? 0] : [];
  return { phase, rungAt, hint, strays, id: run?.id, startedAt: run?.startedAt, isRung, heard, lookAt, trouble };
}

/** Whether an object has something to do now. */
export function isDue(job: JobState, now: number, timers: Timers): boolean {
  return !["wait", "rest"].includes(nextAction(job, now, timers).do);
}

/** Whether an object has something to do, now or later. */
export function needsAlarm(job: JobState, now: number, timers: Timers): boolean {
  return nextAction(job, now, timers).do !== "rest";
}

/** Whether an alarm comes when the next work is due; only a job that rests has none. */
export function isAlarmRight(job: JobState, alarmAt: number | null, now: number, timers: Timers): boolean {
  const action = nextAction(job, now, timers);
  switch (action.do) {
    case "wait":
      return alarmAt !== null && alarmAt <= Math.ceil(action.until) + 1;
    case "rest":
      return alarmAt === null;
    default:
      return true;
  }
}
