import { expect } from "vitest";
import type { Attempt } from "../../src/core/attempt.ts";
import type { Duty, DutyKey } from "../../src/core/duty.ts";
import { isSettleable, type JobSpec, type JobState, newJobState } from "../../src/core/job-state.ts";
import { transition } from "../../src/core/machine.ts";
import { nextAction } from "../../src/core/next-action.ts";
import type { ProviderAnswer } from "../../src/core/provider-answer.ts";
import type { DutyOutcome, RowAnswer, RunReport, Signal } from "../../src/core/signals.ts";
import type { Timers } from "../../src/core/timers.ts";

export const timers: Timers = {
  runTimeoutMs: 15_000,
  runGraceMs: 60_000,
  statusTimeoutMs: 5_000,
  pollMinMs: 5_000,
  pollMaxMs: 60_000,
  executionTimeoutMs: 600_000,
  queueTimeoutMs: 1_800_000,
  providerPatienceMs: 86_400_000,
  outputWindowMs: 30_000,
  retryBackoffMs: 5_000,
  progressFlushMs: 5_000,
};

const spec: JobSpec = {
  id: "01990000-0000-7000-8000-000000000001",
  tenantId: "t",
  projectId: 1,
  userId: null,
  type: "overlay",
  params: { include_audio: true, highlight_regions: [], effect_type: "blur" },
  inputVideoKey: "input/t/u/a.mp4",
  inputSize: null,
  maxRetries: 3,
  startWithinMs: null,
  maxRunMs: null,
  createdAt: 0,
  reused: null,
  webhook: null,
};

export const report = { delayMs: null, executionMs: null };
export const output = { key: "output/t/j/1.mp4", size: 9, etag: "e" };

/** A job under a clock of its own; signals go in, the state comes out. */
export class Play {
  job: JobState;
  now = 0;

  constructor(extra: Partial<JobSpec> = {}) {
    this.job = newJobState({ ...spec, ...extra });
  }

  /** @returns whether the signal changed anything */
  tell(signal: Signal, watched = false): boolean {
    const change = transition(this.job, signal, { now: this.now, timers, watched });
    this.job = change?.job ?? this.job;
    return change !== null;
  }

  open(nonce = `nonce-${this.job.attempts.length + 1}`): this {
    const outputKey = `output/t/j/${this.job.attempts.length + 1}.mp4`;
    expect(this.tell({ kind: "attempt_opened", nonce, endpointId: "e", outputKey })).toBe(true);
    return this;
  }

  accept(attempt = 1): this {
    expect(this.answer(attempt, { kind: "ok", value: { runId: `run-${attempt}` } })).toBe(true);
    return this;
  }

  /** RunPod's answer to `/run`. */
  answer(attempt: number, answer: ProviderAnswer<{ runId: string }>): boolean {
    return this.tell({ kind: "run_answered", attempt, answer });
  }

  /** The answer to `/run` is lost. */
  lose(attempt = 1): this {
    expect(this.answer(attempt, { kind: "maybe_bought", message: "no answer" })).toBe(true);
    return this;
  }

  /** RunPod's word about the run that the attempt has. */
  hear(attempt: number, value: RunReport, watched = false): boolean {
    const answer = { kind: "ok", value } as const;
    return this.tell({ kind: "status_answered", attempt, runId: this.runIdOf(attempt), answer }, watched);
  }

  /** RunPod gives no word. */
  hearNothing(attempt = 1, watched = false): boolean {
    const answer = { kind: "maybe_bought", message: "no answer" } as const;
    return this.tell({ kind: "status_answered", attempt, runId: this.runIdOf(attempt), answer }, watched);
  }

  runIdOf(number: number): string {
    const attempt = this.attempt(number);
    return "run" in attempt ? (attempt.run?.id ?? "none") : "none";
  }

  ring(attempt = 1, runId: string | null = null): boolean {
    return this.tell({ kind: "doorbell", attempt, nonce: `nonce-${attempt}`, runId });
  }

  find(attempt = 1): boolean {
    return this.tell({ kind: "output_found", attempt, output });
  }

  miss(attempt = 1): boolean {
    return this.tell({ kind: "output_absent", attempt });
  }

  /** Its attempt fails by RunPod's word, and the next begins when it is due. */
  fail(attempt: number, code: "handler_failed" | "invalid_params" = "handler_failed"): this {
    expect(this.hear(attempt, { ...report, word: "failed", code, message: "no" })).toBe(true);
    this.now = this.job.nextAttemptAt ?? this.now;
    return this;
  }

  attempt(number = 1): Attempt {
    return this.job.attempts[number - 1] ?? expect.fail(`no attempt ${number}`);
  }

  duty(name: Duty["duty"]): Duty | undefined {
    return this.job.duties.find(({ duty }) => duty === name);
  }

  /** A duty that is owed was tried. */
  tried(name: Duty["duty"], outcome: DutyOutcome = "done"): boolean {
    const key: DutyKey = this.duty(name) ?? { duty: name, of: "nothing" };
    return this.tell({ kind: "duty_tried", key, outcome });
  }

  /** What the job needs next; notices are sent on the way. */
  get action() {
    let action = nextAction(this.job, this.now, timers);
    while (action.do === "carry_out" && action.key.duty === "notify") {
      this.tell({ kind: "duty_tried", key: action.key, outcome: "done" });
      action = nextAction(this.job, this.now, timers);
    }
    return action;
  }

  /** Goes to the instant that the job waits for. */
  wait(): this {
    const { action } = this;
    expect(action.do).toBe("wait");
    this.now = action.do === "wait" ? action.until : this.now;
    return this;
  }

  /** D1 takes the job as it is now, or fails. */
  write(answer: RowAnswer = { isHeard: false }): this {
    const { version, progress } = this.job;
    const counted = this.job.duties.flatMap(({ duty, of }) => (duty === "count_usage" ? [Number(of)] : []));
    const written = { version, progress, settled: isSettleable(this.job), counted };
    this.tell({ kind: "row_written", written, answer });
    return this;
  }

  /** D1 and R2 do whatever they are asked to. */
  upkeep(): this {
    for (let step = 0; step < 20; step++) {
      const { action } = this;
      if (action.do === "write_row") {
        this.write();
      } else if (action.do === "carry_out" && action.key.duty !== "cancel") {
        this.tell({ kind: "duty_tried", key: action.key, outcome: "done" });
      } else {
        break;
      }
    }
    return this;
  }

  /** Goes on until there is something to do for a run. */
  waitForWork(): this {
    for (let step = 0; step < 20 && this.upkeep().action.do === "wait"; step++) {
      this.wait();
    }
    return this;
  }
}
