import type { AttemptIn } from "../../src/core/attempt.ts";
import type { SignalOf } from "../../src/core/signals.ts";
import type { Step } from "./audit-step.ts";

type Word = Readonly<{ attempt: number; at: number; needs: "look" | "no look" | null }>;

/** A look at R2 is paid for: RunPod's word comes with one where it has lost the run or says nothing, and else without. */
export class LookAudit {
  readonly #words = new Map<string, Word>();

  /** @returns what is wrong */
  note({ signal, before, context }: Step): string[] {
    const { id } = before.spec;
    const word = this.#words.get(id);
    this.#words.delete(id);
    const attempt = "attempt" in signal ? before.attempts[signal.attempt - 1] : undefined;
    if (signal.kind === "status_answered" && attempt?.phase === "running" && attempt.run.id === signal.runId) {
      this.#words.set(id, { attempt: attempt.number, at: context.now, needs: needOf(attempt, signal, context.now) });
    }
    const isLook = signal.kind.startsWith("output_") && attempt?.number === word?.attempt;
    if (word?.needs === "look" && !isLook) {
      return ["RunPod has lost a run, or says nothing, and nobody looked for its output"];
    }
    const isForIt = isLook && attempt?.phase === "running" && word?.at === context.now;
    return isForIt && word.needs === "no look" ? ["an output was looked for without a reason"] : [];
  }
}

/** The question may have been asked on the ground of a ring that is answered by now. */
const questionMs = 60_000;

function needOf(attempt: AttemptIn<"running">, { answer }: SignalOf<"status_answered">, now: number): Word["needs"] {
  const isRecent = attempt.rungAt !== null && now < attempt.rungAt + questionMs;
  const isDoubtful =
    isRecent || attempt.rung || attempt.gone !== null || attempt.silences > 0 || attempt.run.toldBy === "webhook";
  if (isDoubtful) {
    return null;
  }
  if (answer.kind !== "ok") {
    return answer.kind === "busy" ? "no look" : "look";
  }
  return answer.value.word === "gone" ? "look" : answer.value.word === "queued" ? "no look" : null;
}
