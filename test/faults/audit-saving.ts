import { type Attempt, runOf } from "../../src/core/attempt.ts";
import type { JobState } from "../../src/core/job-state.ts";
import { nextAction } from "../../src/core/next-action.ts";
import type { Timers } from "../../src/core/timers.ts";
import type { Wake } from "../../src/object/ports.ts";

type Saving = Readonly<{ before: JobState | null; after: JobState; reserved: number }>;

/** What one life of an object writes: each row and each alarm is billed. */
export class SaveAudit {
  readonly #timers: Timers;
  readonly #onWrong: (wrong: string) => void;
  #progressSavedAt = 0;
  /** The alarm that this life has set, or looked for. */
  #known: number | null = null;

  constructor(timers: Timers, onWrong: (wrong: string) => void) {
    this.#timers = timers;
    this.#onWrong = onWrong;
  }

  /** Progress alone is saved seldom. */
  saves({ before, after, reserved }: Saving, now: number): void {
    if (before === null || after.version <= before.version || !isSameButFigures(before, after)) {
      return;
    }
    const pausedMs = now - this.#progressSavedAt;
    if (after.version <= reserved && pausedMs < this.#timers.progressFlushMs) {
      this.#onWrong(`progress alone was saved ${pausedMs} ms after progress`);
    }
    this.#progressSavedAt = now;
  }

  /** An alarm that comes soon enough is not set again. */
  wakes(alarmAt: number | null, wake: Wake, now: number): void {
    const isKnown = alarmAt !== null && alarmAt === this.#known;
    if (typeof wake === "object" && isKnown && alarmAt > now && wake.at >= alarmAt) {
      this.#onWrong(`an alarm was set at ${wake.at - now} ms, though one comes at ${alarmAt - now} ms`);
    }
    this.#known = typeof wake === "object" ? Math.round(wake.at) : null;
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
  return { phase, rungAt, hint, strays, id: run?.id, startedAt: run?.startedAt, isRung, heard, lookAt };
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
