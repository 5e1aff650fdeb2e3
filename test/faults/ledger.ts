import type { JobEvent } from "../../src/contract/event.ts";

/** One violated invariant. */
export type Violation = { invariant: string; detail: string };

/** What happened, as it happened: the timeline for the reader, the facts for the audit. */
export class Ledger {
  readonly timeline: string[] = [];
  /** What watchers were told, and by which life of the object: a crash may lose progress that only memory held. */
  readonly events: { event: JobEvent; life: number }[] = [];
  readonly violations: Violation[] = [];
  /** Every `POST /run` that reached RunPod. */
  readonly submissions: { attempt: number; at: number; knownAt: number | null; accepted: boolean }[] = [];
  /** When the owner asked for another try. */
  readonly retries: number[] = [];
  /** The versions that the job had when those who asked for webhooks were told of it. */
  readonly notices: number[] = [];
  /** When the tenant asked for webhooks. */
  listensAt = Infinity;
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
