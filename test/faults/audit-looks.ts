import type { AttemptIn } from "../../src/core/attempt.ts";
import type { SignalOf } from "../../src/core/signals.ts";
import type { Step } from "./audit-step.ts";

/** Where RunPod has lost a run, or says nothing of it, its output is looked for in the same step. */
export class LookAudit {
  /** The attempt of each job that is to be looked for next. */
  readonly #needs = new Map<string, number>();

  /** @returns what is wrong */
  note({ signal, before }: Step): string[] {
    const { id } = before.spec;
    const needed = this.#needs.get(id);
    this.#needs.delete(id);
    const attempt = "attempt" in signal ? before.attempts[signal.attempt - 1] : undefined;
    if (signal.kind === "status_answered" && attempt?.phase === "running" && isLost(attempt, signal)) {
      this.#needs.set(id, attempt.number);
    }
    const isLook = signal.kind.startsWith("output_") && attempt?.number === needed;
    return needed === undefined || isLook
      ? []
      : ["RunPod has lost a run, or is silent, and nobody looked for its output"];
  }
}

function isLost({ run }: AttemptIn<"running">, { runId, answer }: SignalOf<"status_answered">): boolean {
  return run.id === runId && (answer.kind === "ok" ? answer.value.word === "gone" : answer.kind !== "busy");
}
