import { expect } from "vitest";
import { isSettleable, type JobSpec, type JobState, newJobState, uncountedAttempts } from "../../src/core/job-state.ts";
import { transition } from "../../src/core/machine.ts";
import { nextAction } from "../../src/core/next-action.ts";
import type { ProjectionAnswer, Signal } from "../../src/core/signals.ts";
import type { Timers } from "../../src/core/timers.ts";

export const timers: Timers = {
  runTimeoutMs: 15_000,
  runGraceMs: 60_000,
  statusTimeoutMs: 5_000,
  pollMinMs: 5_000,
  pollMaxMs: 60_000,
  executionTimeoutMs: 600_000,
  queueTimeoutMs: 1_800_000,
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
    expect(this.tell({ kind: "run_accepted", attempt, runId: `run-${attempt}` })).toBe(true);
    return this;
  }

  /** What the job needs next; notices are sent on the way. */
  get action() {
    let action = nextAction(this.job, this.now, timers);
    while (action.do === "notify") {
      this.tell({ kind: "duty_tried", duty: "notify", attempt: action.attempt, done: true });
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
  project(answer: ProjectionAnswer = { isHeard: false }): this {
    const { version, progress } = this.job;
    const counted = uncountedAttempts(this.job).map(({ number }) => number);
    const projected = { version, progress, settled: isSettleable(this.job), counted };
    this.tell({ kind: "projected", projected, answer });
    return this;
  }

  /** D1 and R2 do whatever they are asked to: projections, usage, deletions. */
  upkeep(): this {
    for (let step = 0; step < 20; step++) {
      const { action } = this;
      if (action.do === "project") {
        this.project();
      } else if (action.do === "delete_output") {
        this.tell({ kind: "duty_tried", duty: action.do, attempt: action.attempt, done: true });
      } else {
        break;
      }
    }
    return this;
  }

  /** Goes on until there is something to do for a run. */
  waitForWork(): this {
    for (let step = 0; step < 10 && this.upkeep().action.do === "wait"; step++) {
      this.wait();
    }
    return this;
  }
}
