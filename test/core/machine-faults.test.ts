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
      play.tell({ kind: "run_reported", attempt, report: failed });
      play.now = play.job.nextAttemptAt ?? play.now;
    }
    expect(play.job).toMatchObject({ status: "processing", stage: "verifying", pendingError: { attempt: 3 } });
    for (const attempt of [1, 2, 3]) {
      expect(play.job.status).toBe("processing");
      play.tell({ kind: "output_absent", attempt });
    }
    expect(play.job).toMatchObject({ status: "error", error: { code: "handler_failed", attempt: 3, retryable: true } });
    expect(play.job.attempts).toHaveLength(3);
  });

  it("of an old attempt cannot fail a newer one", () => {
    const play = new Play().open().accept();
    play.tell({ kind: "run_reported", attempt: 1, report: failed });
    play.now = play.job.nextAttemptAt ?? 0;
    play.open().accept(2);
    const before = play.job;
    expect(play.tell({ kind: "run_reported", attempt: 1, report: failed })).toBe(false);
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
        play.tell({ kind: "run_reported", attempt: number, report: failed });
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
  it("404 is asked three times before the run is called lost", () => {
    const play = new Play({ maxRetries: 0 }).open().accept();
    for (const look of [1, 2, 3]) {
      expect(play.tell({ kind: "run_reported", attempt: 1, report: { ...report, word: "gone" } })).toBe(true);
      expect(play.job.status).toBe("processing");
      play.tell({ kind: "output_absent", attempt: 1 });
      play.now += timers.pollMinMs;
      expect(play.job.pendingError === null).toBe(look < 3);
    }
    play.tell({ kind: "output_absent", attempt: 1 });
    expect(play.job.error).toMatchObject({ code: "output_missing" });
  });

  it("completed without an output gets its window", () => {
    const play = new Play({ maxRetries: 0 }).open().accept();
    play.tell({ kind: "run_reported", attempt: 1, report: { ...report, word: "completed" } });
    play.tell({ kind: "output_absent", attempt: 1 });
    play.upkeep();
    expect(play.wait().now).toBe(5_000);
    play.now = timers.outputWindowMs;
    play.tell({ kind: "output_absent", attempt: 1 });
    expect(play.job.pendingError).toMatchObject({ code: "output_missing" });
  });

  it("an answer of R2 that does not come decides nothing", () => {
    const play = new Play().open().accept();
    play.tell({ kind: "run_reported", attempt: 1, report: { ...report, word: "completed" } });
    play.now = timers.outputWindowMs * 2;
    play.tell({ kind: "output_unknown", attempt: 1 });
    expect(play.job).toMatchObject({ status: "processing", pendingError: null });
  });

  it.each([
    ["a run that never starts", false, timers.queueTimeoutMs, "queue_timeout"],
    ["a run that never ends", true, timers.executionTimeoutMs + timers.pollMaxMs, "deadline_exceeded"],
  ])("%s is given up, after a look into R2, and cancelled", (_name, running, deadline, code) => {
    const play = new Play({ maxRetries: 0 }).open().accept();
    if (running) {
      play.tell({ kind: "run_reported", attempt: 1, report: { ...report, word: "running", progress: null } });
    }
    play.now = deadline;
    play.tell({ kind: "clock" });
    play.tell({ kind: "output_absent", attempt: 1 });
    play.tell({ kind: "output_absent", attempt: 1 });
    expect(play.job).toMatchObject({
      status: "error",
      error: { code },
      obligations: expect.arrayContaining([expect.objectContaining({ duty: "cancel", attempt: 1 })]),
    });
    expect(play.action).toEqual({ do: "cancel", attempt: 1 });
    play.tell({ kind: "duty_tried", duty: "cancel", attempt: 1, done: false });
    expect(play.upkeep().action.do).toBe("wait");
    play.wait().tell({ kind: "duty_tried", duty: "cancel", attempt: 1, done: true });
    expect(play.action).toEqual({ do: "project", settled: true });
  });

  it("start_within_seconds is over for good: no retry", () => {
    const play = new Play({ startWithinMs: 60_000 }).open().accept();
    play.now = 60_000;
    play.tell({ kind: "clock" });
    play.tell({ kind: "output_absent", attempt: 1 });
    play.tell({ kind: "output_absent", attempt: 1 });
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
      if (play.action.do === "project") {
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
    play.tell({ kind: "run_reported", attempt: 1, report: stale });
    expect(play.job).toMatchObject({ progress: 30, stage: "rendering" });
  });

  it("starts again at 0 with a new attempt", () => {
    const play = new Play().open().accept();
    play.tell(progress(80));
    play.tell({
      kind: "run_reported",
      attempt: 1,
      report: { ...report, word: "failed", code: "handler_failed", message: "no" },
    });
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
    play.tell({ kind: "run_reported", attempt: 1, report: running });
    expect(play.job).toMatchObject({ progress: 33, stage: "encoding", message: "x" });
  });
});

describe("the pace of polls", () => {
  it("slows down by itself, and stays quick for a watcher and near the end", () => {
    const play = new Play().open().accept().upkeep();
    const pauses: number[] = [];
    const poll = (watched: boolean) => {
      play.tell({ kind: "run_reported", attempt: 1, report: { ...report, word: "queued" } }, watched);
      return (play.job.attempts[0]?.check?.at ?? 0) - play.now;
    };
    for (let count = 0; count < 10; count++) {
      pauses.push(poll(false));
    }
    expect(pauses).toEqual([...pauses].sort((a, b) => a - b));
    expect(pauses.at(-1)).toBe(timers.pollMaxMs);
    expect(poll(true)).toBe(timers.pollMinMs);
    play.tell({ kind: "progress", attempt: 1, nonce: "nonce-1", report: { progress: 95, stage: null, message: null } });
    expect(poll(false)).toBe(timers.pollMinMs);
  });
});

describe("cancel", () => {
  it("during POST /run: final at once, and the run is cancelled as soon as its id is known", () => {
    const play = new Play().open();
    play.tell({ kind: "cancel_requested" });
    expect(play.job).toMatchObject({ status: "cancelled" });
    expect(play.upkeep().action.do).toBe("wait");
    play.accept();
    expect(play.action).toEqual({ do: "cancel", attempt: 1 });
    play.tell({ kind: "duty_tried", duty: "cancel", attempt: 1, done: true });
    expect(play.waitForWork().action).toEqual({ do: "rest" });
  });

  it("of a job whose run was never confirmed waits for that run's ttl before it settles", () => {
    const play = new Play().open();
    play.tell({ kind: "run_unconfirmed", attempt: 1 });
    play.tell({ kind: "cancel_requested" });
    play.waitForWork();
    expect(play.now).toBeGreaterThan(timers.queueTimeoutMs);
    play.tell({ kind: "clock" });
    expect(play.job.attempts[0]?.phase).toBe("closed");
    expect(play.waitForWork().action).toEqual({ do: "rest" });
  });
});

describe("the owner's retry", () => {
  const failed = { ...report, word: "failed", code: "invalid_params", message: "no" } as const;

  it("reopens a failed job with its retries anew, and clears the end in D1", () => {
    const play = new Play({ maxRetries: 0 }).open().accept();
    play.tell({ kind: "run_reported", attempt: 1, report: failed });
    play.tell({ kind: "output_absent", attempt: 1 });
    play.waitForWork();
    expect([play.job.status, play.action.do]).toEqual(["error", "rest"]);
    const { version } = play.job;
    expect(play.tell({ kind: "retry_requested" })).toBe(true);
    expect(play.job).toMatchObject({ status: "pending", error: null, completedAt: null, settledAt: null, progress: 0 });
    expect(play.job.projection.reopenedVersion).toBe(version + 1);
    play.open().accept(2);
    play.tell({ kind: "run_reported", attempt: 2, report: { ...report, word: "completed" } });
    play.tell({ kind: "output_found", attempt: 2, output });
    expect(play.job).toMatchObject({
      status: "complete",
      attempts: [{ outcome: "invalid_params" }, { outcome: "complete" }],
    });
    expect(play.waitForWork().action).toEqual({ do: "rest" });
  });

  it("is nothing for a job that is under way or complete", () => {
    const play = new Play().open().accept();
    expect(play.tell({ kind: "retry_requested" })).toBe(false);
    play.tell({ kind: "run_reported", attempt: 1, report: { ...report, word: "completed" } });
    play.tell({ kind: "output_found", attempt: 1, output });
    expect(play.tell({ kind: "retry_requested" })).toBe(false);
  });
});

describe("a D1 that lost what it had taken", () => {
  it("is written again", () => {
    const play = new Play().open().accept().upkeep();
    const { version } = play.job;
    expect(play.tell({ kind: "d1_seen", version })).toBe(false);
    expect(play.tell({ kind: "d1_seen", version: 1 })).toBe(true);
    expect(play.action).toEqual({ do: "project", settled: false });
  });
});

describe("a final job", () => {
  it("that was cancelled stays so when the output turns up", () => {
    const play = new Play().open();
    play.tell({ kind: "run_unconfirmed", attempt: 1 });
    play.tell({ kind: "cancel_requested" });
    expect(play.tell({ kind: "output_found", attempt: 1, output })).toBe(false);
    expect(play.job.status).toBe("cancelled");
  });

  it("is changed by no signal", () => {
    const play = new Play().open().accept();
    play.tell({ kind: "run_reported", attempt: 1, report: { ...report, word: "completed" } });
    play.tell({ kind: "output_found", attempt: 1, output });
    const { status, version } = play.job;
    const signals: Signal[] = [
      { kind: "attempt_opened", nonce: "n", endpointId: "e", outputKey: "k" },
      { kind: "run_accepted", attempt: 1, runId: "other" },
      { kind: "run_refused", attempt: 1, code: "provider_rejected", message: "" },
      { kind: "run_throttled", attempt: 1, retryAfterMs: null },
      { kind: "run_unconfirmed", attempt: 1 },
      { kind: "doorbell", attempt: 1, nonce: "nonce-1", runId: null },
      { kind: "progress", attempt: 1, nonce: "nonce-1", report: { progress: 1, stage: null, message: null } },
      { kind: "run_reported", attempt: 1, report: { ...report, word: "failed", code: "handler_failed", message: "" } },
      { kind: "status_unavailable", attempt: 1 },
      { kind: "output_found", attempt: 1, output },
      { kind: "output_absent", attempt: 1 },
      { kind: "output_unknown", attempt: 1 },
      { kind: "cancel_requested" },
      { kind: "duty_tried", duty: "cancel", attempt: 1, done: true },
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
    play.tell({ kind: "duty_tried", duty: "cancel", attempt: 1, done: true });
    play.tell({ kind: "retry_requested" });
    play.open().accept(2);
    const failed = { ...report, word: "failed", code: "handler_failed", message: "no" } as const;
    play.tell({ kind: "run_reported", attempt: 2, report: failed });
    play.tell({ kind: "output_found", attempt: 1, output });
    expect(play.job).toMatchObject({ status: "complete", output });
    expect(play.job.obligations.filter(({ duty }) => duty === "delete_output")).toEqual([]);
  });
});
