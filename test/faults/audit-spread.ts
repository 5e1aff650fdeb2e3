import type { Step } from "./audit-step.ts";

/** So many jobs that do the same thing at once must not do it in step. */
const enough = 5;

/** Pauses are spread: jobs that were made together do not ask together. */
export class SpreadAudit {
  readonly #pauses: number[] = [];

  /** @returns what is wrong */
  note({ signal, change, after, context }: Step): string[] {
    const attempt = "attempt" in signal ? after.attempts[signal.attempt - 1] : undefined;
    const isFirst = signal.kind === "run_answered" && change !== null && attempt?.phase === "running";
    if (!isFirst || attempt.rungAt !== null || context.watched) {
      return [];
    }
    this.#pauses.push(attempt.pollAt - context.now);
    const isSpread = this.#pauses.length < enough || new Set(this.#pauses).size > 2;
    return isSpread ? [] : [`${enough} runs are asked about after the same pause`];
  }
}
