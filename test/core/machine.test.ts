import { describe, expect, it } from "vitest";
import { output, Play, report, timers } from "./play.ts";

describe("a notice to those who asked for webhooks", () => {
  const noticesOf = ({ job }: Play) => job.duties.filter(({ duty }) => duty === "notify");
  const webhook = { url: "https://example.com", events: ["job.complete"] } as const;

  it("is owed by a job with an address of its own at once, by any other when D1 says that its tenant asked", () => {
    expect(noticesOf(new Play({ webhook }).open().accept())).toHaveLength(1);
    const play = new Play().open().accept();
    const { version } = play.job;
    expect([noticesOf(play), play.job.audience.untold]).toEqual([[], version]);
    play.write("failed");
    expect(play.job.audience.untold).toBe(version);
    play.write({ isHeard: true });
    expect([noticesOf(play), play.job.audience]).toMatchObject([[{ of: version }], { isThere: true, untold: null }]);
    play.tell({ kind: "cancel_requested" });
    expect(noticesOf(play)).toMatchObject([{ of: version + 1 }]);
  });

  it("is not owed where nobody asked, and keeps a job from settling where somebody did", () => {
    const play = new Play().open();
    play.answer(1, { kind: "job_fault", message: "no" });
    const { job } = play;
    play.write({ isHeard: false });
    expect([noticesOf(play), play.job.audience]).toEqual([[], { isThere: false, untold: null }]);
    expect(play.job.settledAt).not.toBeNull();
    play.job = job;
    play.write({ isHeard: true });
    expect([noticesOf(play).length, play.job.settledAt]).toEqual([1, null]);
  });

  it("is decided by the answer to a write that told D1 of the change, not by an older one", () => {
    const play = new Play().open().accept();
    const { version, progress } = play.job;
    play.tell({ kind: "cancel_requested" });
    const written = { version, progress, settled: false, counted: [] };
    play.tell({ kind: "row_written", written, answer: { isHeard: false } });
    expect(play.job.audience.untold).toBe(version + 1);
    play.write({ isHeard: true });
    expect(noticesOf(play)).toHaveLength(1);
  });

  it("is owed for each change of status, for the newest only, and until it is taken", () => {
    const play = new Play({ webhook }).open().accept();
    const owed = () => noticesOf(play);
    expect(owed()).toMatchObject([{ of: play.job.version, tries: 0 }]);
    const [processing] = owed();
    play.tell({ kind: "cancel_requested" });
    expect(owed()).toMatchObject([{ of: play.job.version }]);
    // The one that was under way meanwhile takes nothing off the newer one.
    const key = { duty: "notify", of: processing?.of ?? 0 } as const;
    expect(play.tell({ kind: "duty_tried", key, outcome: "done" })).toBe(false);
    const [cancelled] = owed();
    play.tried("notify", "failed");
    expect(owed()).toMatchObject([{ tries: 1, of: cancelled?.of }]);
    play.tried("notify");
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
    expect(play.action).toEqual({ do: "write_row" });
    play.upkeep().wait();
    expect(play.action).toEqual({ do: "ask", attempt: 1 });
    play.hear(1, { ...report, word: "completed" });
    expect(play.job.stage).toBe("verifying");
    expect(play.action).toEqual({ do: "look", attempt: 1 });
    play.find(1);
    expect(play.job).toMatchObject({ status: "complete", progress: 100, output });
    expect(play.action).toEqual({ do: "write_row" });
    play.write("failed");
    expect([play.job.settledAt, play.duty("count_usage")]).toMatchObject([null, { of: 1 }]);
    play.waitForWork();
    expect(play.duty("count_usage")).toBeUndefined();
    expect(play.action).toEqual({ do: "rest" });
  });

  it("raises the version with every visible change, and never otherwise", () => {
    const play = new Play().open().accept();
    const { version } = play.job;
    play.hear(1, { ...report, word: "queued" });
    expect(play.job.version).toBe(version);
    play.hear(1, { ...report, word: "running", progress: null });
    expect(play.job).toMatchObject({ version: version + 1, stage: "rendering" });
  });
});

describe("a webhook", () => {
  it("leads to a question, then to a look into R2, and only that completes the job", () => {
    const play = new Play().open().accept().upkeep();
    expect(play.ring(1, null)).toBe(true);
    expect(play.job.status).toBe("processing");
    expect(play.action).toEqual({ do: "ask", attempt: 1 });
    play.hear(1, { ...report, word: "running", progress: null });
    play.miss(1);
    expect(play.job.status).toBe("processing");
    expect(play.attempt()).toMatchObject({ phase: "running", rung: false });
    expect(play.upkeep().action.do).toBe("wait");
  });

  it("with another nonce, of no attempt, or doubled is nothing", () => {
    const play = new Play().open().accept();
    expect(play.tell({ kind: "doorbell", attempt: 1, nonce: "other", runId: null })).toBe(false);
    expect(play.tell({ kind: "doorbell", attempt: 2, nonce: "nonce-1", runId: null })).toBe(false);
    expect(play.ring(1, null)).toBe(true);
    expect(play.ring(1, null)).toBe(false);
  });

  it("is needed, or RunPod's word is, for an output in R2 to count", () => {
    const play = new Play().open().accept();
    expect(play.find(1)).toBe(false);
    play.ring(1, null);
    expect(play.tell({ kind: "output_found", attempt: 1, output: { ...output, size: 0 } })).toBe(false);
    expect(play.find(1)).toBe(true);
  });

  it("before the answer to /run is kept until the run is known", () => {
    const play = new Play().open();
    play.ring(1, null);
    play.accept().upkeep();
    expect(play.action).toEqual({ do: "ask", attempt: 1 });
  });

  it("names the run whose answer was lost", () => {
    const play = new Play().open();
    play.lose(1);
    play.ring(1, "run-1");
    expect(play.job).toMatchObject({
      status: "processing",
      attempts: [{ phase: "running", run: { id: "run-1", toldBy: "webhook" } }],
    });
  });
});

describe("POST /run", () => {
  it("ambiguous: nothing is sent before the grace is over and R2 was looked into", () => {
    const play = new Play().open();
    play.lose(1);
    play.waitForWork();
    expect(play.now).toBe(timers.runGraceMs);
    expect(play.action).toEqual({ do: "look", attempt: 1 });
    play.miss(1);
    play.waitForWork();
    expect(play.action).toEqual({ do: "submit" });
    expect(play.open().job.attempts).toHaveLength(2);
  });

  it("ambiguous, but the output is there after the grace: complete without a second run", () => {
    const play = new Play().open();
    play.lose(1);
    play.now = timers.runGraceMs;
    play.find(1);
    expect(play.job).toMatchObject({ status: "complete", attempts: [{ outcome: "complete" }] });
  });

  it("ambiguous, but its handler is heard of: no second run is bought", () => {
    const play = new Play().open();
    play.lose(1);
    play.tell({ kind: "progress", attempt: 1, nonce: "nonce-1", report: { progress: 5, stage: null, message: null } });
    play.now = timers.runGraceMs;
    play.miss(1);
    expect(play.job).toMatchObject({ status: "processing", nextAttemptAt: null, attempts: [{ phase: "unconfirmed" }] });
    play.now = timers.executionTimeoutMs + timers.pollMaxMs;
    play.miss(1);
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
    play.lose(1);
    play.now = timers.runGraceMs;
    play.miss(1);
    play.now += 60_000;
    play.open().accept(2);
    expect(play.ring(1, "run-1")).toBe(true);
    play.find(1);
    expect(play.job).toMatchObject({
      status: "complete",
      output,
      duties: expect.arrayContaining([expect.objectContaining({ duty: "cancel", of: "run-2" })]),
    });
  });

  it("superseded, then heard of after all: its usage is counted when it is over, not before", () => {
    const play = new Play().open();
    play.lose(1);
    play.now = timers.runGraceMs;
    play.miss(1);
    play.tell({ kind: "cancel_requested" });
    expect(play.duty("count_usage")).toMatchObject({ of: 1 });
    play.tell({ kind: "retry_requested" });
    expect(play.ring(1, "run-1")).toBe(true);
    expect(play.duty("count_usage")).toBeUndefined();
    play.find(1);
    expect(play.duty("count_usage")).toMatchObject({ of: 1 });
  });

  it("superseded, then heard of under another id: the run that was named before is known", () => {
    const play = new Play().open();
    play.lose(1);
    play.ring(1, "run-1");
    play.hear(1, { ...report, word: "gone" });
    play.now = timers.runGraceMs;
    play.miss(1);
    play.open().accept(2);
    const closed = play.attempt();
    expect(closed).toMatchObject({ phase: "closed", run: null });
    play.ring(1, "run-1");
    play.miss(1);
    play.now += 2_000;
    play.ring(1, "made-up");
    expect(play.attempt()).toMatchObject({ phase: "verifying", run: { id: "made-up" }, strays: ["run-1"] });
  });

  it("that RunPod calls faulty ends the job at once, loudly", () => {
    const play = new Play().open();
    play.answer(1, { kind: "job_fault", message: "RunPod refused the run with HTTP 400." });
    expect(play.job).toMatchObject({ status: "error", error: { code: "provider_rejected", retryable: false } });
  });

  it("whose input is gone buys nothing", () => {
    const play = new Play().open();
    play.tell({ kind: "input_missing", attempt: 1 });
    expect(play.job).toMatchObject({ status: "error", error: { code: "input_not_found", retryable: false } });
  });
});
