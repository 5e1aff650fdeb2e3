import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JobStatus } from "../../src/contract/job.ts";
import { allowedEdges, isFinal, isSettleable, type JobState, newJobState } from "../../src/core/job-state.ts";
import { transition } from "../../src/core/machine.ts";
import { nextAction } from "../../src/core/next-action.ts";
import type { Signal } from "../../src/core/signals.ts";
import { auditChange } from "../faults/audit-change.ts";
import { auditState } from "../faults/audit-state.ts";
import { auditTries } from "../faults/audit-tries.ts";
import { output, Play, report, timers } from "./play.ts";

/** Any signal, about any of the first attempts, true or not. */
const attempt = fc.integer({ min: 1, max: 4 });
const nonce = fc.constantFrom("nonce-1", "nonce-2", "nonce-3", "forged");
const progress = fc.record({
  progress: fc.integer({ min: 0, max: 100 }),
  stage: fc.constantFrom(null, "rendering"),
  message: fc.constantFrom(null, "hello"),
});
const word = fc.oneof(
  fc.constantFrom("queued", "completed", "gone").map((word) => ({ ...report, word }) as const),
  progress.map((update) => ({ ...report, word: "running", progress: update }) as const),
  fc
    .constantFrom("handler_failed", "invalid_params", "handler_timeout", "cancelled_by_provider")
    .map((code) => ({ ...report, word: "failed", code, message: "no" }) as const),
);
const trouble = fc.oneof(
  fc.constantFrom("not_bought", "maybe_bought", "misconfigured").map((kind) => ({ kind, message: "no" }) as const),
  fc.constantFrom(null, 0, 7_000).map((afterMs) => ({ kind: "busy", afterMs, message: "no" }) as const),
);
const signal: fc.Arbitrary<Signal> = fc.oneof(
  nonce.map((text): Signal => ({ kind: "attempt_opened", nonce: text, endpointId: "e", outputKey: "k" })),
  fc.tuple(attempt, trouble).map(([number, answer]): Signal => ({ kind: "run_answered", attempt: number, answer })),
  attempt.map((number): Signal => {
    const answer = { kind: "ok", value: { runId: `run-${number}` } } as const;
    return { kind: "run_answered", attempt: number, answer };
  }),
  attempt.map((number): Signal => ({ kind: "input_missing", attempt: number })),
  attempt.map((number): Signal => ({ kind: "turn_delayed", attempt: number, at: 1 })),
  fc
    .tuple(attempt, nonce, fc.constantFrom(null, "run-x"))
    .map(([number, text, runId]): Signal => ({ kind: "doorbell", attempt: number, nonce: text, runId })),
  fc
    .tuple(attempt, nonce, progress)
    .map(([number, text, update]): Signal => ({ kind: "progress", attempt: number, nonce: text, report: update })),
  fc.tuple(attempt, word).map(([number, value]): Signal => {
    return { kind: "status_answered", attempt: number, runId: `run-${number}`, answer: { kind: "ok", value } };
  }),
  fc.tuple(attempt, trouble).map(([number, answer]): Signal => {
    return { kind: "status_answered", attempt: number, runId: `run-${number}`, answer };
  }),
  attempt.map(
    (number): Signal => ({ kind: "output_found", attempt: number, output: { ...output, key: `output/${number}` } }),
  ),
  attempt.map((number): Signal => ({ kind: "output_absent", attempt: number })),
  attempt.map((number): Signal => ({ kind: "output_unknown", attempt: number })),
  fc.constant<Signal>({ kind: "cancel_requested" }),
  fc.constant<Signal>({ kind: "retry_requested" }),
  fc.constant<Signal>({ kind: "remove_requested" }),
  fc.constant<Signal>({ kind: "clock" }),
);
const step = fc.oneof(
  { weight: 4, arbitrary: signal.map((told) => ({ told })) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 700_000 }).map((pauseMs) => ({ pauseMs })) },
);

/** The small model: all that a reader may count on, whatever the order of signals. */
class Reader {
  status: JobStatus = "pending";
  version = 1;
  progress = 0;
  attempt = 0;

  sees(job: JobState, told: Signal): void {
    if (isFinal(this.status) && told.kind !== "retry_requested") {
      expect([job.status, job.version]).toEqual([this.status, this.version]);
    }
    if (job.status !== this.status) {
      expect(allowedEdges[this.status]).toContain(job.status);
      expect(job.version).toBeGreaterThan(this.version);
    }
    expect(job.version).toBeGreaterThanOrEqual(this.version);
    if (job.attempts.length === this.attempt) {
      expect(job.progress).toBeGreaterThanOrEqual(this.progress);
    }
    expect(job.status === "complete").toBe(job.output !== null);
    expect(job.status === "error").toBe(job.error !== null);
    expect(isFinal(job.status)).toBe(job.completedAt !== null);
    expect(isFinal(job.status) || job.removal === null).toBe(true);
    this.status = job.status;
    this.version = job.version;
    this.progress = job.progress;
    this.attempt = job.attempts.length;
  }
}

function play(steps: readonly ({ told: Signal } | { pauseMs: number })[]): Play {
  const theatre = new Play({ maxRetries: 2 });
  const reader = new Reader();
  for (const each of steps) {
    if ("pauseMs" in each) {
      theatre.now += each.pauseMs;
    } else {
      const before = theatre.job;
      theatre.tell(each.told);
      reader.sees(theatre.job, each.told);
      expect([...auditState(theatre.job), ...auditTries(theatre.job), ...auditChange(before, theatre.job)]).toEqual([]);
    }
  }
  return theatre;
}

describe("any order of signals", () => {
  it("keeps what a reader may count on", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => void play(steps)),
      { numRuns: 2_000 },
    );
  });

  it("leaves a job that knows what it needs: only one with nothing left to do may rest", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { job, now } = play(steps);
        const action = nextAction(job, now, timers);
        expect(action.do === "rest").toBe(isSettleable(job) && job.settledAt !== null);
      }),
      { numRuns: 1_000 },
    );
  });

  it("fails no more attempts than it may", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const withoutRetries = steps.filter((each) => !("told" in each) || each.told.kind !== "retry_requested");
        const { attempts } = play(withoutRetries).job;
        const givenUp = attempts.filter((each) => each.phase === "closed" && each.outcome === "superseded");
        expect(attempts.length - givenUp.length).toBeLessThanOrEqual(3);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("every status and every signal", () => {
  it("lie inside the table, or nothing happens", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...JobStatus.options),
        signal,
        fc.integer({ min: 0, max: 1e7 }),
        (status, told, now) => {
          const over = isFinal(status) ? { completedAt: 0, nextAttemptAt: null } : {};
          const job = { ...newJobState({ ...new Play().job.spec }), status, ...over };
          const after = transition(job, told, { now, timers, watched: false })?.job ?? job;
          expect([status, ...allowedEdges[status]]).toContain(after.status);
        },
      ),
      { numRuns: 3_000 },
    );
  });
});
