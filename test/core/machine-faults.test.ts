import { describe, expect, it } from "vitest";
import { transition } from "../../src/core/machine.ts";
import type { Signal } from "../../src/core/signals.ts";
import { output, Play, report, timers } from "./play.ts";

describe("a failed run", () => {
  const failed = { ...report, word: "failed", code: "handler_failed", message: "no" } as const;

  it("is followed by at most max_retries more, then by a last look and the error", () => {
    const play = new Play({ maxRetries: 2 });
    for (const attempt of [1, 2, 3]) {
      play.open().accept(attempt);
      play.now += timers.pollMinMs;
      play.fail(attempt);
    }
    expect(play.job).toMatchObject({ status: "processing", stage: "verifying", verdict: { error: { attempt: 3 } } });
    for (const attempt of [1, 2, 3]) {
      expect(play.job.status).toBe("processing");
      play.tell({ kind: "output_absent", attempt });
    }
    expect(play.job).toMatchObject({ status: "error", error: { code: "handler_failed", attempt: 3, retryable: true } });
    expect(play.job.attempts).toHaveLength(3);
  });

  it("of an old attempt cannot fail a newer one", () => {
    const play = new Play().open().accept();
    play.hear(1, failed);
    play.now = play.job.nextAttemptAt ?? 0;
    play.open().accept(2);
    const before = play.job;
    expect(play.hear(1, failed)).toBe(false);
    expect(
      play.tell({
        kind: "progress",
        attempt: 1,
        nonce: "nonce-1",
        report: { progress: 99, stage: null, message: null },
      }),
    ).toBe(false);
    expect(play.job).toBe(before);
  });

  it("waits longer before each retry, within five minutes, never the same twice", () => {
    const pauses = [1, 2, 3].map((attempt) => {
      const play = new Play({ maxRetries: 10 });
      for (let number = 1; number <= attempt; number++) {
        play.open().accept(number);
        play.hear(number, failed);
        play.now = number < attempt ? (play.job.nextAttemptAt ?? 0) : play.now;
      }
      return (play.job.nextAttemptAt ?? 0) - play.now;
    });
    const [first = 0, second = 0, third = 0] = pauses;
    expect(first).toBeGreaterThanOrEqual(3_750);
    expect(first).toBeLessThanOrEqual(6_250);
    expect(second).toBeGreaterThan(first);
    expect(third).toBeGreaterThan(second);
  });
});

describe("what RunPod forgets or never ends", () => {
  it("404 is heard three times in a row, over minutes, before the run is called lost", () => {
    const play = new Play({ maxRetries: 0 }).open().accept();
    for (const look of [1, 2, 3]) {
      play.now += timers.pollMaxMs;
      expect(play.hear(1, { ...report, word: "gone" })).toBe(true);
      expect(play.job.status).toBe("processing");
      play.miss(1);
      expect(play.job.verdict === null).toBe(look < 3);
    }
    play.miss(1);
    expect(play.job.error).toMatchObject({ code: "output_missing" });
  });

  it("completed without an output gets its window", () => {
    const play = new Play({ maxRetries: 0 }).open().accept();
    play.hear(1, { ...report, word: "completed" });
    play.miss(1);
    play.upkeep();
    expect(play.wait().now).toBe(5_000);
    play.now = timers.outputWindowMs;
    play.miss(1);
    expect(play.job.verdict).toMatchObject({ error: { code: "output_missing" } });
  });

  it("an answer of R2 that does not come decides nothing", () => {
    const play = new Play().open().accept();
    play.hear(1, { ...report, word: "completed" });
    play.now = timers.outputWindowMs * 2;
    play.tell({ kind: "output_unknown", attempt: 1 });
    expect(play.job).toMatchObject({ status: "processing", verdict: null });
  });

  it.each([
    ["a run that never starts", false, timers.providerPatienceMs, "queue_timeout"],
    ["a run that never ends", true, timers.executionTimeoutMs + timers.pollMaxMs, "deadline_exceeded"],
  ])("%s is given up, after a look into R2, and cancelled", (_name, running, deadline, code) => {
    const play = new Play({ maxRetries: 0 }).open().accept();
    if (running) {
      play.hear(1, { ...report, word: "running", progress: null });
    }
    play.now = deadline;
    play.tell({ kind: "clock" });
    play.miss(1);
    play.miss(1);
    expect(play.job).toMatchObject({
      status: "error",
      error: { code },
      duties: expect.arrayContaining([expect.objectContaining({ duty: "cancel", of: "run-1" })]),
    });
    expect(play.action).toEqual({ do: "carry_out", key: { duty: "cancel", of: "run-1" } });
    play.tried("cancel", "failed");
    expect(play.upkeep().action.do).toBe("wait");
    play.tried("cancel");
    expect(play.waitForWork().action).toEqual({ do: "rest" });
    expect(play.job.settledAt).not.toBeNull();
  });

  it("start_within_seconds is over for good: no retry", () => {
    const play = new Play({ startWithinMs: 60_000 }).open().accept();
    play.now = 60_000;
    play.tell({ kind: "clock" });
    play.miss(1);
    play.miss(1);
    expect(play.job).toMatchObject({ status: "error", error: { code: "queue_timeout" }, attempts: [{ number: 1 }] });
  });
});

describe("progress", () => {
  const progress = (value: number, nonce = "nonce-1"): Signal => ({
    kind: "progress",
    attempt: 1,
    nonce,
    report: { progress: value, stage: "rendering", message: null },
  });

  it("never falls, and waits for its checkpoint", () => {
    const play = new Play().open().accept();
    play.tell(progress(10));
    const change = transition(play.job, progress(20), { now: 0, timers, watched: false });
    expect(change).toMatchObject({ durable: false, events: [{ type: "progress", progress: 20 }] });
    play.tell(progress(20));
    expect(play.tell(progress(19))).toBe(false);
    expect(play.job.progress).toBe(20);
  });

  it.each([10, 1_000, 60_000])("of 100 updates, one every %i ms, costs D1 three rows at most", (pauseMs) => {
    const play = new Play({ maxRunMs: 86_400_000 }).open().accept().upkeep();
    let [projections, saves] = [0, 0];
    for (let value = 1; value <= 100; value++) {
      play.now += pauseMs;
      const change = transition(play.job, progress(value), { now: play.now, timers, watched: false });
      saves += change?.durable ? 1 : 0;
      play.tell(progress(value));
      if (play.action.do === "write_row") {
        projections++;
        play.upkeep();
      }
    }
    expect(projections).toBeLessThanOrEqual(3);
    expect(saves + projections).toBeLessThanOrEqual(5);
  });

  it("with another nonce, or lower in RunPod's status, changes nothing that a reader sees", () => {
    const play = new Play().open().accept();
    play.tell(progress(30));
    expect(play.tell(progress(50, "other"))).toBe(false);
    const stale = { ...report, word: "running", progress: { progress: 5, stage: "old", message: null } } as const;
    play.hear(1, stale);
    expect(play.job).toMatchObject({ progress: 30, stage: "rendering" });
  });

  it("starts again at 0 with a new attempt", () => {
    const play = new Play().open().accept();
    play.tell(progress(80));
    play.hear(1, { ...report, word: "failed", code: "handler_failed", message: "no" });
    play.now = play.job.nextAttemptAt ?? 0;
    expect(play.open().job).toMatchObject({ progress: 0, stage: "dispatching" });
  });

  it("comes from RunPod's status too", () => {
    const play = new Play().open().accept();
    const running = {
      ...report,
      word: "running",
      progress: { progress: 33.4, stage: "encoding", message: "x" },
    } as const;
    play.hear(1, running);
    expect(play.job).toMatchObject({ progress: 33, stage: "encoding", message: "x" });
  });
});

describe("cancel", () => {
  it("during POST /run: final at once, and the run is cancelled as soon as its id is known", () => {
    const play = new Play().open();
    play.tell({ kind: "cancel_requested" });
    expect(play.job).toMatchObject({ status: "cancelled" });
    expect(play.upkeep().action.do).toBe("wait");
    play.accept();
    expect(play.action).toEqual({ do: "carry_out", key: { duty: "cancel", of: "run-1" } });
    play.tried("cancel");
    expect(play.waitForWork().action).toEqual({ do: "rest" });
  });

  it("of a job whose run was never confirmed still cancels it when a webhook names it later", () => {
    const play = new Play().open().lose();
    play.tell({ kind: "cancel_requested" });
    play.upkeep();
    expect(play.duty("cancel")).toBeUndefined();
    expect(play.ring(1, "run-x")).toBe(true);
    expect(play.duty("cancel")).toMatchObject({ of: "run-x" });
    play.tried("cancel");
    expect(play.waitForWork().action).toEqual({ do: "rest" });
  });
});

describe("the owner's retry", () => {
  const failed = { ...report, word: "failed", code: "invalid_params", message: "no" } as const;

  it("reopens a failed job with its retries anew, and clears the end in D1", () => {
    const play = new Play({ maxRetries: 0 }).open().accept();
    play.hear(1, failed);
    play.miss(1);
    play.waitForWork();
    expect([play.job.status, play.action.do]).toEqual(["error", "rest"]);
    const { version } = play.job;
    expect(play.tell({ kind: "retry_requested" })).toBe(true);
    expect(play.job).toMatchObject({ status: "pending", error: null, completedAt: null, settledAt: null });
    expect(play.job.row.reopenedVersion).toBe(version + 2);
    play.open().accept(2);
    play.hear(2, { ...report, word: "completed" });
    play.find(2);
    expect(play.job).toMatchObject({
      status: "complete",
      attempts: [{ outcome: "invalid_params" }, { outcome: "complete" }],
    });
    expect(play.waitForWork().action).toEqual({ do: "rest" });
  });

  it("is nothing for a job that is under way or complete", () => {
    const play = new Play().open().accept();
    expect(play.tell({ kind: "retry_requested" })).toBe(false);
    play.hear(1, { ...report, word: "completed" });
    play.find(1);
    expect(play.tell({ kind: "retry_requested" })).toBe(false);
  });
});

describe("a D1 that lost what it had taken", () => {
  it("is written again", () => {
    const play = new Play().open().accept().upkeep();
    const { version } = play.job;
    expect(play.job.row.version).toBe(version);
    expect(play.tell({ kind: "d1_seen", version: 1 })).toBe(true);
    expect(play.job.row.version).toBe(1);
    expect(play.action).toEqual({ do: "write_row" });
  });
});

describe("a final job", () => {
  const failed = { ...report, word: "failed", code: "handler_failed", message: "" } as const;

  it("that was cancelled stays so when the output turns up", () => {
    const play = new Play().open();
    play.lose(1);
    play.tell({ kind: "cancel_requested" });
    expect(play.find(1)).toBe(false);
    expect(play.job.status).toBe("cancelled");
  });

  it("is changed by no signal", () => {
    const play = new Play().open().accept();
    play.hear(1, { ...report, word: "completed" });
    play.find(1);
    const { status, version } = play.job;
    const signals: Signal[] = [
      { kind: "attempt_opened", nonce: "n", endpointId: "e", outputKey: "k" },
      { kind: "run_answered", attempt: 1, answer: { kind: "job_fault", message: "" } },
      { kind: "run_answered", attempt: 1, answer: { kind: "busy", afterMs: null, message: "" } },
      { kind: "run_answered", attempt: 1, answer: { kind: "maybe_bought", message: "" } },
      { kind: "input_missing", attempt: 1 },
      { kind: "turn_delayed", attempt: 1, at: 9 },
      { kind: "doorbell", attempt: 1, nonce: "nonce-1", runId: null },
      { kind: "progress", attempt: 1, nonce: "nonce-1", report: { progress: 1, stage: null, message: null } },
      { kind: "status_answered", attempt: 1, runId: "run-1", answer: { kind: "ok", value: failed } },
      { kind: "output_found", attempt: 1, output },
      { kind: "output_absent", attempt: 1 },
      { kind: "output_unknown", attempt: 1 },
      { kind: "cancel_requested" },
      { kind: "duty_tried", key: { duty: "cancel", of: "run-1" }, outcome: "done" },
      { kind: "clock" },
    ];
    for (const signal of signals) {
      expect([signal.kind, play.tell(signal)]).toEqual([signal.kind, false]);
    }
    expect(play.job).toMatchObject({ status, version });
  });
});

describe("an output that was to be deleted", () => {
  it("stays once the job is complete by it", () => {
    const play = new Play({ maxRetries: 0 }).open().accept();
    play.tell({ kind: "cancel_requested" });
    play.tried("cancel");
    play.tell({ kind: "retry_requested" });
    play.open().accept(2);
    const failed = { ...report, word: "failed", code: "handler_failed", message: "no" } as const;
    play.hear(2, failed);
    play.find(1);
    expect(play.job).toMatchObject({ status: "complete", output });
    expect(play.job.duties).not.toContainEqual(expect.objectContaining({ of: output.key }));
  });
});
