import { Random } from "../../local/random.ts";
import { type Attempt, openRunsOf, runOf } from "../../src/core/attempt.ts";
import { isFinal, type JobState } from "../../src/core/job-state.ts";
import type { transition } from "../../src/core/machine.ts";
import type { DecisionContext, Signal } from "../../src/core/signals.ts";
import { auditState } from "./audit-state.ts";
import { auditStep } from "./audit-step.ts";

const probability = 0.15;

/**
 * Tells a job, of each state that a day brings it to, one more thing that could be told it there, and throws away what
 * becomes of it: what is rare in a day is tried in every state all the same.
 */
export class Probe {
  readonly #random = new Random(1);
  readonly #transition: typeof transition;

  constructor(rule: typeof transition) {
    this.#transition = rule;
  }

  /** @returns what is wrong */
  try(job: JobState, context: DecisionContext): string[] {
    if (!this.#random.chance(probability)) {
      return [];
    }
    const signal = this.#pick(job, context.now);
    const change = this.#transition(job, signal, context);
    const after = change?.job ?? job;
    const wrong = auditStep({ before: job, signal, context, change, after });
    return [...wrong, ...(change ? auditState(after) : [])].map((rule) => `${rule} (a probe by ${signal.kind})`);
  }

  #pick(job: JobState, now: number): Signal {
    const attempt = job.attempts.length === 0 ? null : this.#random.pick(job.attempts);
    const choices = [
      () => this.#byOwner(job),
      () => this.#byUpkeep(job, now),
      ...(attempt ? [() => this.#byPeer(attempt), () => this.#byLook(job, attempt)] : []),
    ];
    return this.#random.pick(choices)();
  }

  #byOwner(job: JobState): Signal {
    const isRemovable = isFinal(job.status);
    const acknowledged = this.#random.pick([null, true, false]);
    const metadata = this.#random.pick([null, { label: "9" }]);
    return this.#random.pick<Signal>([
      { kind: "cancel_requested" },
      { kind: "retry_requested" },
      { kind: "amended", metadata, acknowledged },
      ...(isRemovable ? [{ kind: "remove_requested" } as const] : []),
    ]);
  }

  /** D1 answers to a write of now or of a while ago, and duties come to their ends. */
  #byUpkeep(job: JobState, now: number): Signal {
    const { version, progress, duties, attempts } = job;
    const isWhole = this.#random.chance(0.5);
    const owed = duties.flatMap(({ duty, of }) => (duty === "count_usage" ? [Number(of)] : []));
    const counted = isWhole ? owed : owed.filter(() => this.#random.chance(0.5));
    const isOpen = attempts.some(({ phase }) => phase !== "closed");
    const settled = isFinal(job.status) && !isOpen && this.#random.chance(0.5);
    const written = { version: isWhole ? version : this.#random.between(1, version), progress, settled, counted };
    const answer = this.#random.pick(["failed" as const, { isHeard: true }, { isHeard: false }]);
    const errands = duties.filter(({ duty }) => !["write_row", "count_usage", "forget"].includes(duty));
    const tried = errands.map(({ duty, of }): Signal => {
      const outcomes = duty === "delete_row" ? (["done", "failed", "lent"] as const) : (["done", "failed"] as const);
      return { kind: "duty_tried", key: { duty, of }, outcome: this.#random.pick(outcomes) };
    });
    return this.#random.pick<Signal>([
      { kind: "row_written", written, answer },
      { kind: "row_written", written, answer },
      { kind: "d1_seen", version: this.#random.between(1, version) },
      ...(now > 0 ? [{ kind: "clock" } as const] : []),
      ...tried,
    ]);
  }

  /** Its handler or RunPod's webhook speaks, or somebody who has neither's token. */
  #byPeer(attempt: Attempt): Signal {
    const { number, strays } = attempt;
    const nonce = this.#random.chance(0.8) ? attempt.nonce : "forged";
    const known = [runOf(attempt)?.id ?? null, ...strays, ...openRunsOf(attempt)];
    const report = { progress: this.#random.between(0, 100), stage: null, message: `by attempt ${number}` };
    return this.#random.pick<Signal>([
      { kind: "doorbell", attempt: number, nonce, runId: this.#random.pick([...known, "run-of-nobody", null]) },
      { kind: "progress", attempt: number, nonce, report },
    ]);
  }

  #byLook({ spec }: JobState, attempt: Attempt): Signal {
    const { number, outputKey } = attempt;
    const output = { key: outputKey, size: 7, etag: `probe of ${spec.id}` };
    return this.#random.pick<Signal>([
      { kind: "output_found", attempt: number, output },
      { kind: "output_absent", attempt: number },
      { kind: "output_unknown", attempt: number },
    ]);
  }
}
