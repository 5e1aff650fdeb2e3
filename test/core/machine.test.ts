import { describe, expect, it } from "vitest";
import { output, Play, report, timers } from "./play.ts";

describe("a notice to those who asked for webhooks", () => {
  const noticesOf = ({ job }: Play) => job.obligations.filter(({ duty }) => duty === "notify");
  const webhook = { url: "https://example.com", events: ["job.complete"] } as const;

  it("is owed by a job with an address of its own at once, by any other when D1 says that its tenant asked", () => {
    expect(noticesOf(new Play({ webhook }).open().accept())).toHaveLength(1);
    const play = new Play().open().accept();
    const { version } = play.job;
    expect([noticesOf(play), play.job.audience.untold]).toEqual([[], version]);
    play.project("failed");
    expect(play.job.audience.untold).toBe(version);
    play.project({ isHeard: true });
    expect([noticesOf(play), play.job.audience]).toMatchObject([
      [{ attempt: version }],
      { isThere: true, untold: null },
    ]);
    play.tell({ kind: "cancel_requested" });
    expect(noticesOf(play)).toMatchObject([{ attempt: version + 1 }]);
  });

  it("is not owed where nobody asked, and keeps a job from settling where somebody did", () => {
    const play = new Play().open();
    play.tell({ kind: "run_refused", attempt: 1, code: "provider_rejected", message: "no" });
    const { job } = play;
    play.project({ isHeard: false });
    expect([noticesOf(play), play.job.audience]).toEqual([[], { isThere: false, untold: null }]);
    expect(play.job.settledAt).not.toBeNull();
    play.job = job;
    play.project({ isHeard: true });
    expect([noticesOf(play).length, play.job.settledAt]).toEqual([1, null]);
  });

  it("is decided by the answer to a write that told D1 of the change, not by an older one", () => {
    const play = new Play().open().accept();
    const { version, progress } = play.job;
    play.tell({ kind: "cancel_requested" });
    const projected = { version, progress, settled: false, counted: [] };
    play.tell({ kind: "projected", projected, answer: { isHeard: false } });
    expect(play.job.audience.untold).toBe(version + 1);
    play.project({ isHeard: true });
    expect(noticesOf(play)).toHaveLength(1);
  });

  it("is owed for each change of status, for the newest only, and until it is taken", () => {
    const play = new Play({ webhook }).open().accept();
    const owed = () => noticesOf(play);
    expect(owed()).toMatchObject([{ attempt: play.job.version, tries: 0 }]);
    const [processing] = owed();
    play.tell({ kind: "cancel_requested" });
    expect(owed()).toMatchObject([{ attempt: play.job.version }]);
    // The one that was under way meanwhile takes nothing off the newer one.
    expect(play.tell({ kind: "duty_tried", duty: "notify", attempt: processing?.attempt ?? 0, done: true })).toBe(
      false,
    );
    const [cancelled] = owed();
    play.tell({ kind: "duty_tried", duty: "notify", attempt: cancelled?.attempt ?? 0, done: false });
    expect(owed()).toMatchObject([{ tries: 1, attempt: cancelled?.attempt }]);
    play.tell({ kind: "duty_tried", duty: "notify", attempt: cancelled?.attempt ?? 0, done: true });
    expect(owed()).toEqual([]);
  });
});

describe("the happy path", () => {
  it("asks for each step in turn and settles", () => {
    const play = new Play();
    expect(play.action).toEqual({ do: "submit" });
    play.open();
    expect(play.job).toMatchObject({ status: "pending", stage: "dispatching" });
    play.accept();
    expect(play.job).toMatchObject({ status: "processing", stage: "waiting_for_gpu", version: 3 });
    expect(play.action).toEqual({ do: "project", settled: false });
    play.upkeep().wait();
    expect(play.action).toEqual({ do: "verify", step: "status", attempt: 1 });
    play.tell({ kind: "run_reported", attempt: 1, report: { ...report, word: "completed" } });
    expect(play.job.stage).toBe("verifying");
    expect(play.action).toEqual({ do: "verify", step: "output", attempt: 1 });
    play.tell({ kind: "output_found", attempt: 1, output });
    expect(play.job).toMatchObject({ status: "complete", progress: 100, output });
    expect(play.action).toEqual({ do: "project", settled: true });
    play.project("failed");
    expect(play.job).toMatchObject({ settledAt: null, attempts: [{ usageCounted: false }] });
    play.waitForWork();
    expect(play.job).toMatchObject({ attempts: [{ usageCounted: true }] });
    expect(play.action).toEqual({ do: "rest" });
  });

  it("raises the version with every visible change, and never otherwise", () => {
    const play = new Play().open().accept();
    const { version } = play.job;
    play.tell({ kind: "run_reported", attempt: 1, report: { ...report, word: "queued" } });
    expect(play.job.version).toBe(version);
    play.tell({ kind: "run_reported", attempt: 1, report: { ...report, word: "running", progress: null } });
    expect(play.job).toMatchObject({ version: version + 1, stage: "rendering" });
  });

  it("lies above all versions that a crash may have lost", () => {
    const play = new Play().open().accept();
    play.job = { ...play.job, versionFloor: 1003 };
    play.tell({ kind: "cancel_requested" });
    expect(play.job.version).toBe(1004);
  });
});

describe("a webhook", () => {
  it("leads to a question, then to a look into R2, and only that completes the job", () => {
    const play = new Play().open().accept().upkeep();
    expect(play.tell({ kind: "doorbell", attempt: 1, nonce: "nonce-1", runId: null })).toBe(true);
    expect(play.job.status).toBe("processing");
    expect(play.action).toEqual({ do: "verify", step: "status", attempt: 1 });
    play.tell({ kind: "run_reported", attempt: 1, report: { ...report, word: "running", progress: null } });
    expect(play.action).toEqual({ do: "verify", step: "output", attempt: 1 });
    play.tell({ kind: "output_absent", attempt: 1 });
    expect(play.job.status).toBe("processing");
    expect(play.action).toEqual({ do: "wait", until: timers.pollMinMs });
  });

  it("with another nonce, of no attempt, or doubled is nothing", () => {
    const play = new Play().open().accept();
    expect(play.tell({ kind: "doorbell", attempt: 1, nonce: "other", runId: null })).toBe(false);
    expect(play.tell({ kind: "doorbell", attempt: 2, nonce: "nonce-1", runId: null })).toBe(false);
    expect(play.tell({ kind: "doorbell", attempt: 1, nonce: "nonce-1", runId: null })).toBe(true);
    expect(play.tell({ kind: "doorbell", attempt: 1, nonce: "nonce-1", runId: null })).toBe(false);
  });

  it("is needed, or RunPod's word is, for an output in R2 to count", () => {
    const play = new Play().open().accept();
    expect(play.tell({ kind: "output_found", attempt: 1, output })).toBe(false);
    play.tell({ kind: "doorbell", attempt: 1, nonce: "nonce-1", runId: null });
    expect(play.tell({ kind: "output_found", attempt: 1, output: { ...output, size: 0 } })).toBe(false);
    expect(play.tell({ kind: "output_found", attempt: 1, output })).toBe(true);
  });

  it("before the answer to /run is kept until the run is known", () => {
    const play = new Play().open();
    play.tell({ kind: "doorbell", attempt: 1, nonce: "nonce-1", runId: null });
    play.accept().upkeep();
    expect(play.action).toEqual({ do: "verify", step: "status", attempt: 1 });
  });

  it("names the run whose answer was lost", () => {
    const play = new Play().open();
    play.tell({ kind: "run_unconfirmed", attempt: 1 });
    play.tell({ kind: "doorbell", attempt: 1, nonce: "nonce-1", runId: "run-1" });
    expect(play.job).toMatchObject({ status: "processing", attempts: [{ phase: "running", runId: "run-1" }] });
  });
});

describe("POST /run", () => {
  it("ambiguous: nothing is sent before the grace is over and R2 was looked into", () => {
    const play = new Play().open();
    play.tell({ kind: "run_unconfirmed", attempt: 1 });
    play.waitForWork();
    expect(play.now).toBe(timers.runGraceMs);
    expect(play.action).toEqual({ do: "verify", step: "output", attempt: 1 });
    play.tell({ kind: "output_absent", attempt: 1 });
    play.waitForWork();
    expect(play.action).toEqual({ do: "submit" });
    expect(play.open().job.attempts).toHaveLength(2);
  });

  it("ambiguous, but the output is there after the grace: complete without a second run", () => {
    const play = new Play().open();
    play.tell({ kind: "run_unconfirmed", attempt: 1 });
    play.now = timers.runGraceMs;
    play.tell({ kind: "output_found", attempt: 1, output });
    expect(play.job).toMatchObject({ status: "complete", attempts: [{ outcome: "complete" }] });
  });

  it("ambiguous, but its handler is heard of: no second run is bought", () => {
    const play = new Play().open();
    play.tell({ kind: "run_unconfirmed", attempt: 1 });
    play.tell({ kind: "progress", attempt: 1, nonce: "nonce-1", report: { progress: 5, stage: null, message: null } });
    play.now = timers.runGraceMs;
    play.tell({ kind: "output_absent", attempt: 1 });
    expect(play.job).toMatchObject({ status: "processing", nextAttemptAt: null, attempts: [{ phase: "unconfirmed" }] });
    play.now = timers.executionTimeoutMs;
    play.tell({ kind: "output_absent", attempt: 1 });
    expect(play.job.nextAttemptAt).not.toBeNull();
  });

  it("without any answer, because the object died in it, is ambiguous too", () => {
    const play = new Play().open().waitForWork();
    expect(play.action).toEqual({ do: "clock" });
    play.tell({ kind: "clock" });
    expect(play.job.attempts[0]?.phase).toBe("unconfirmed");
  });

  it("superseded, then heard of after all: the late result still wins, and the newer run is cancelled", () => {
    const play = new Play().open();
    play.tell({ kind: "run_unconfirmed", attempt: 1 });
    play.now = timers.runGraceMs;
    play.tell({ kind: "output_absent", attempt: 1 });
    play.now += 60_000;
    play.open().accept(2);
    expect(play.tell({ kind: "doorbell", attempt: 1, nonce: "nonce-1", runId: "run-1" })).toBe(true);
    play.tell({ kind: "run_reported", attempt: 1, report: { ...report, word: "completed" } });
    play.tell({ kind: "output_found", attempt: 1, output });
    expect(play.job).toMatchObject({
      status: "complete",
      output,
      obligations: expect.arrayContaining([expect.objectContaining({ duty: "cancel", attempt: 2 })]),
    });
  });

  it("refused is definite: the job ends at once, loudly, without a look into R2", () => {
    const play = new Play().open();
    play.tell({ kind: "run_refused", attempt: 1, code: "provider_rejected", message: "HTTP 401" });
    expect(play.job).toMatchObject({ status: "error", error: { code: "provider_rejected", retryable: false } });
  });

  it("429 waits as told, uses up no attempt and keeps its key", () => {
    const play = new Play({ maxRetries: 0 }).open();
    play.tell({ kind: "run_throttled", attempt: 1, retryAfterMs: 7_000 });
    expect(play.job.nextAttemptAt).toBe(7_000);
    play.now = 7_000;
    play.open("unused").accept();
    expect(play.job.attempts).toMatchObject([{ number: 1, nonce: "nonce-1", phase: "running" }]);
  });

  it("429 for ever ends in queue_timeout", () => {
    const play = new Play().open();
    play.now = timers.queueTimeoutMs;
    play.tell({ kind: "run_throttled", attempt: 1, retryAfterMs: null });
    play.tell({ kind: "output_absent", attempt: 1 });
    expect(play.job).toMatchObject({ status: "error", error: { code: "queue_timeout" } });
  });
});
