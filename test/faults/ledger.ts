import type { JobEvent } from "../../src/contract/event.ts";

/** One violated invariant. */
export type Violation = { invariant: string; detail: string };

/** One `POST /run` that reached RunPod; `knownAt` is null when its answer got lost. */
export type Submission = {
  attempt: number;
  at: number;
  knownAt: number | null;
  accepted: boolean;
};

/** What happened to one job, for the audit. */
export class JobFacts {
  /** What watchers were told, and after how many mishaps: a crash loses progress that only memory held, a failed save its event. */
  readonly events: { event: JobEvent; life: number }[] = [];
  readonly submissions: Submission[] = [];
  /** When the owner asked for another try, whether or not there was an answer. */
  readonly retriesAsked: number[] = [];
  /** What was answered with success, in order. */
  readonly answered: { what: "cancel" | "retry" | "remove"; at: number; version: number; attempt: number }[] = [];
  /** When a cancel or a removal was asked for, answered or not. */
  readonly cancelsAsked: number[] = [];
  readonly removalsAsked: number[] = [];
  /** The versions that the job had when those who asked for webhooks were told of it. */
  readonly notices: number[] = [];
  areMessagesDropped = false;
  /** How the project's watchers were told of its removal. */
  readonly deletions: { userId: string | null }[] = [];
  /** Notices that got through without our knowing, and whatever else may repeat one. */
  mishaps = 0;
  savesFailed = 0;
  /** How often RunPod was asked, and how often by the last save. */
  polls = 0;
  pollsAtSave = 0;
  readonly pollsByHour = new Map<number, number>();
  jobFaults = 0;
  races = 0;
  /** How often those were told who asked for its progress, and how often its project was to be told of it. */
  progressTold = 0;
  /** What D1 said to the last reopening. */
  isReopened = false;
  /** The owner changes labels: of a final job nobody but its alarm would bring them to D1. */
  isAmended = false;
  /** The newest label that an answer confirmed. */
  label = 0;
  /** What readers saw of each version. */
  readonly shown = new Map<number, string>();
}

/** The timeline for the reader, and what was violated. */
export class Ledger {
  readonly timeline: string[] = [];
  readonly violations: Violation[] = [];
  readonly #startedAt: number;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
    this.#startedAt = now();
  }

  note(text: string): void {
    const seconds = ((this.#now() - this.#startedAt) / 1000).toFixed(3).padStart(10);
    this.timeline.push(`${seconds} s  ${text}`);
  }

  violate(invariant: string, detail: string): void {
    this.note(`VIOLATED ${invariant}: ${detail}`);
    this.violations.push({ invariant, detail });
  }
}
