import { Random } from "../../local/random.ts";
import { type Attempt, openRunsOf, runOf } from "../../src/core/attempt.ts";
import type { DutyKey } from "../../src/core/duty.ts";
import { isFinal, type JobState } from "../../src/core/job-state.ts";
import { type KeptProgress, withKept, withLateProgress } from "../../src/core/kept-progress.ts";
import type { transition } from "../../src/core/machine.ts";
import type { DecisionContext, RunReport, Signal } from "../../src/core/signals.ts";
import { auditKept, auditLate } from "./audit-kept.ts";
import { auditState } from "./audit-state.ts";
import { auditStep } from "./audit-step.ts";

const probability = 0.12;

/** So many things in a row: the later ones meet states that a day hardly comes to. */
const maxDepth = 5;

/**
 * Tells a job, of each state that a day brings it to, a few more things that could be told it there, and throws away what
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
    return this.#random.chance(probability)
      ? [...tryKept(job, toLate(job, this.#random)), ...this.#follow(job, context, maxDepth)]
      : [];
  }

  #follow(job: JobState, context: DecisionContext, depth: number): string[] {
    if (depth === 0) {
      return [];
    }
    const signal = this.#pick(job, context.now);
    const change = this.#transition(job, signal, context);
    const after = change?.job ?? job;
    const wrong = [...auditStep({ before: job, signal, context, change, after }), ...(change ? auditState(after) : [])];
    const later = { ...context, now: context.now + this.#random.between(0, 3_000) };
    return wrong.length > 0
      ? wrong.map((rule) => `${rule} (a probe by ${signal.kind})`)
      : this.#follow(after, later, depth - 1);
  }

  #pick(job: JobState, now: number): Signal {
    const attempt = job.attempts.length === 0 ? null : this.#random.pick(job.attempts);
    const choices = [
      () => this.#byOwner(job),
      () => this.#byUpkeep(job, now),
      ...(attempt
        ? [() => this.#byPeer(attempt), () => this.#byLook(job, attempt), () => this.#byRunpod(attempt)]
        : []),
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
    const unowed = this.#random.pick<DutyKey>([
      { duty: "delete_row", of: job.spec.id },
      { duty: "notify", of: 0 },
    ]);
    const tried = errands.map(({ duty, of }): Signal => {
      const outcomes = duty === "delete_row" ? (["done", "failed", "lent"] as const) : (["done", "failed"] as const);
      return { kind: "duty_tried", key: { duty, of }, outcome: this.#random.pick(outcomes) };
    });
    return this.#random.pick<Signal>([
      { kind: "row_written", written, answer },
      { kind: "row_written", written, answer },
      { kind: "d1_seen", version: this.#random.between(1, version) },
      { kind: "duty_tried", key: unowed, outcome: "failed" },
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

  /** What the attempt waits for is answered. */
  #byRunpod(attempt: Attempt): Signal {
    const { number } = attempt;
    const random = this.#random;
    const trouble = random.pick([
      { kind: "not_bought", message: "no" } as const,
      { kind: "maybe_bought", message: "no" } as const,
      { kind: "busy", afterMs: random.pick([null, 0, 7_000]), message: "no" } as const,
      { kind: "misconfigured", message: "no" } as const,
      { kind: "job_fault", message: "no" } as const,
    ]);
    const bought = { kind: "ok", value: { runId: `run-of-probe-${number}` } } as const;
    switch (attempt.phase) {
      case "submitting":
      case "abandoned":
        return random.pick<Signal>([
          { kind: "input_missing", attempt: number },
          { kind: "run_answered", attempt: number, answer: trouble },
          { kind: "run_answered", attempt: number, answer: bought },
        ]);
      case "running":
        return random.pick<Signal>([
          { kind: "status_answered", attempt: number, runId: attempt.run.id, answer: trouble },
          {
            kind: "status_answered",
            attempt: number,
            runId: attempt.run.id,
            answer: { kind: "ok", value: this.#word() },
          },
        ]);
      default:
        return { kind: "clock" };
    }
  }

  #word(): RunReport {
    const figures = { delayMs: 5, executionMs: 7 };
    const progress = { progress: this.#random.between(0, 100), stage: null, message: "by RunPod" };
    return this.#random.pick<RunReport>([
      { ...figures, word: this.#random.pick(["queued", "completed", "gone"]) },
      { ...figures, word: "running", progress: this.#random.pick([null, progress]) },
      { ...figures, word: "failed", code: "handler_failed", message: "no" },
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

function tryKept(job: JobState, kept: KeptProgress): string[] {
  return [...auditLate(job, kept, withLateProgress(job, kept)), ...auditKept(job, kept, withKept(job, kept))];
}

/** Progress that a closing socket brings, older or newer than what is known. */
function toLate({ version, updatedAt }: JobState, random: Random): KeptProgress {
  const shown = version + random.between(-3, 3);
  const news = { progress: random.between(0, 100), stage: "encoding", message: "kept" };
  const pollAt = random.pick([null, updatedAt + 60_000]);
  return { ...news, version: shown, lastSeq: shown, updatedAt: updatedAt + random.between(-2, 2), pollAt };
}
