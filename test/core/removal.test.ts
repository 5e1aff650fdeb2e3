import { describe, expect, it } from "vitest";
import { canReopen, newRemovedState, takesOutput } from "../../src/core/job-state.ts";
import { quietUntil } from "../../src/core/pace.ts";
import { output, Play, report, timers } from "./play.ts";

const completed = { ...report, word: "completed" } as const;
const dayMs = 24 * 3_600_000;

function newComplete(): Play {
  const play = new Play().open().accept();
  play.hear(1, completed);
  play.find();
  return play.upkeep();
}

const dutiesOf = ({ job }: Play) => job.duties.map(({ duty }) => duty).toSorted();

describe("a job that is removed", () => {
  it("is a state from its first save on: nothing of it begins, and nobody changes it", () => {
    const play = newComplete();
    expect(play.tell({ kind: "remove_requested" })).toBe(true);
    expect(canReopen(play.job)).toBe(false);
    for (const kind of ["retry_requested", "cancel_requested", "remove_requested"] as const) {
      expect([kind, play.tell({ kind })]).toEqual([kind, false]);
    }
    expect(play.tell({ kind: "amended", metadata: { a: 1 }, acknowledged: null })).toBe(false);
    expect(takesOutput(play.job, "output/t/j/1.mp4")).toBe("gone");
    expect(play.action).toEqual({ do: "carry_out", key: { duty: "delete_row", of: play.job.spec.id } });
  });

  it("is not one that goes on", () => {
    expect(new Play().open().accept().tell({ kind: "remove_requested" })).toBe(false);
  });

  it("keeps nothing of its owner's once its row is gone, and is forgotten last of all", () => {
    const play = newComplete();
    play.tell({ kind: "remove_requested" });
    play.tried("delete_row");
    expect(play.job).toMatchObject({ removal: { rowGone: true }, metadata: null, spec: { params: null } });
    expect(dutiesOf(play)).toEqual(["delete_output", "forget", "tell_deleted"]);
    expect(play.duty("delete_output")).toMatchObject({ dueAt: play.now });
    expect(play.duty("tell_deleted")).toMatchObject({ dueAt: play.now });
    play.tried("delete_output");
    play.tried("tell_deleted");
    // Should D1 be set back to before the removal, the sweep must not overlook the row for a month.
    expect(quietUntil(play.job, timers, play.now)).toBeLessThan(30 * dayMs);
    expect(play.duty("delete_output")?.dueAt).toBeGreaterThan(timers.executionTimeoutMs);
    for (let step = 0; step < 5 && play.action.do === "wait"; step++) {
      play.wait().upkeep();
    }
    expect(play.action).toEqual({ do: "forget" });
    expect(play.now).toBeGreaterThanOrEqual(30 * dayMs);
  });

  it("is none after all while other jobs show its output", () => {
    const play = newComplete();
    play.tell({ kind: "remove_requested" });
    play.tried("delete_row", "lent");
    expect(play.job).toMatchObject({ removal: null, output });
    expect(play.duty("delete_output")).toBeUndefined();
    expect(play.waitForWork().action).toEqual({ do: "rest" });
  });

  it("is gone when its row is, though another call was told that it is lent", () => {
    const play = newComplete();
    play.tell({ kind: "remove_requested" });
    const key = { duty: "delete_row", of: play.job.spec.id } as const;
    play.tell({ kind: "duty_tried", key, outcome: "lent" });
    play.tell({ kind: "duty_tried", key, outcome: "done" });
    expect(play.job.removal).toMatchObject({ rowGone: true });
    expect(play.duty("forget")).toBeDefined();
  });

  it("still cancels the run of an answer that comes after it", () => {
    const play = new Play().open();
    play.tell({ kind: "cancel_requested" });
    play.tell({ kind: "remove_requested" });
    play.tried("delete_row");
    play.accept();
    expect(play.job.duties).toContainEqual(expect.objectContaining({ duty: "cancel", of: "run-1" }));
  });

  it("has its row deleted again where a restored D1 shows one", () => {
    const play = newComplete();
    play.tell({ kind: "remove_requested" });
    play.tried("delete_row");
    play.upkeep();
    expect(play.tell({ kind: "d1_seen", version: 1 })).toBe(true);
    expect(play.duty("delete_row")).toBeDefined();
    expect(play.job.nextAttemptAt).toBeNull();
  });

  it("is known as such where its object is empty though its row is not", () => {
    const play = new Play();
    play.job = newRemovedState(play.job.spec, 1, 5);
    expect(play.tell({ kind: "retry_requested" })).toBe(false);
    play.tried("delete_row");
    expect(play.duty("delete_output")).toMatchObject({ of: expect.stringContaining("/1."), dueAt: play.now });
  });

  it("keeps its output where its object is empty, and another job shows what its row shows", () => {
    const play = new Play();
    play.job = newRemovedState(play.job.spec, 1, 5);
    play.tried("delete_row", "lent");
    expect(canReopen(play.job)).toBe(false);
    expect(dutiesOf(play)).toEqual(["forget"]);
    expect(play.action).toEqual({ do: "forget" });
  });
});

describe("a job that failed", () => {
  it("may be tried again until its attempts fill what is saved", () => {
    const play = new Play().open().accept();
    play.tell({ kind: "cancel_requested" });
    const [attempt] = play.job.attempts;
    const withAttempts = (count: number) => ({ ...play.job, attempts: attempt ? Array(count).fill(attempt) : [] });
    expect([canReopen(withAttempts(499)), canReopen(withAttempts(500))]).toEqual([true, false]);
  });

  it("leaves no older attempt open, and rests", () => {
    const play = new Play({ maxRetries: 0 }).open().lose();
    play.now = timers.runGraceMs;
    play.miss();
    play.now = play.job.nextAttemptAt ?? 0;
    play.open().accept(2);
    play.ring(1, "late");
    play.tell({ kind: "output_unknown", attempt: 1 });
    play.hear(2, { ...report, word: "failed", code: "invalid_params", message: "no" });
    play.miss(1);
    play.miss(2);
    expect(play.job).toMatchObject({ status: "error", attempts: [{ phase: "closed" }, { phase: "closed" }] });
  });

  it("does not write to D1 again and again while that is away", () => {
    const play = new Play().open().accept();
    play.hear(1, { ...report, word: "completed" });
    play.find();
    play.write("failed");
    expect(play.action.do).toBe("wait");
  });
});

describe("what is owed at the end", () => {
  it("is every output but the winner's, again when its link has ended", () => {
    const play = new Play().open().accept().fail(1).open().accept(2);
    play.hear(2, completed);
    play.tell({ kind: "output_found", attempt: 2, output: { ...output, key: "output/t/j/2.mp4" } });
    const deletions = play.job.duties.filter(({ duty }) => duty === "delete_output");
    expect(deletions).toMatchObject([{ of: "output/t/j/1.mp4", dueAt: play.now + timers.outputWindowMs }]);
    play.now += timers.outputWindowMs;
    play.tried("delete_output");
    const last = play.duty("delete_output")?.dueAt ?? 0;
    expect(last).toBeGreaterThan(play.attempt().openedAt + play.attempt().policy.ttlMs);
    play.now = last;
    play.tried("delete_output");
    expect(play.duty("delete_output")).toBeUndefined();
  });

  it("is nothing once the owner asks for another try", () => {
    const play = new Play().open().accept();
    play.tell({ kind: "cancel_requested" });
    expect(play.duty("delete_output")).toBeDefined();
    play.tell({ kind: "retry_requested" });
    expect(play.duty("delete_output")).toBeUndefined();
  });

  it("is no cancel any more when RunPod has dropped the run by itself", () => {
    const play = new Play().open().accept();
    play.tell({ kind: "cancel_requested" });
    let tries = 0;
    while (play.duty("cancel")) {
      play.now = Math.max(play.now, play.duty("cancel")?.dueAt ?? 0);
      play.tried("cancel", "failed");
      tries++;
    }
    expect(tries).toBeGreaterThan(10);
    expect(play.now).toBeLessThanOrEqual(play.attempt().policy.ttlMs);
  });
});
