import { describe, expect, it } from "vitest";
import { transition } from "../../src/core/machine.ts";
import type { ProviderAnswer } from "../../src/core/provider-answer.ts";
import type { RunReport, Signal } from "../../src/core/signals.ts";
import { output, Play, report, timers } from "./play.ts";

const trouble = {
  not_bought: { kind: "not_bought", message: "refused" },
  misconfigured: { kind: "misconfigured", message: "HTTP 401" },
  busy: { kind: "busy", afterMs: null, message: "HTTP 429" },
} as const;
const gone = { ...report, word: "gone" } as const;
const queued = { ...report, word: "queued" } as const;
const failed = { ...report, word: "failed", code: "invalid_params", message: "no" } as const;
const progress = (value: number): Signal => ({
  kind: "progress",
  attempt: 1,
  nonce: "nonce-1",
  report: { progress: value, stage: null, message: null },
});

/** When the job goes on by itself. */
function nextAt(play: Play): number {
  return play.upkeep().wait().now;
}

describe("a run that surely was not bought", () => {
  it.each(Object.values(trouble))("($kind) is tried again as the same attempt, and says that it waits", (answer) => {
    const play = new Play({ maxRetries: 0 }).open();
    for (let tries = 1; tries <= 20; tries++) {
      play.answer(1, answer);
      expect(play.job).toMatchObject({ status: "pending", stage: "waiting_for_provider" });
      nextAt(play);
      expect(play.action).toEqual({ do: "submit" });
      play.open("unused");
    }
    play.accept();
    expect(play.job.attempts).toMatchObject([{ number: 1, nonce: "nonce-1", phase: "running" }]);
    expect(play.now).toBeGreaterThan(3_600_000);
  });

  it.each([
    ["not_bought", "provider_unavailable"],
    ["misconfigured", "provider_rejected"],
    ["busy", "queue_timeout"],
  ] as const)("(%s) is waited for until the job's own time is over, or PROVIDER_PATIENCE_MS: %s", (kind, code) => {
    const patient = new Play().open();
    const hasty = new Play({ startWithinMs: 10_000 }).open();
    for (const [play, until] of [
      [patient, timers.providerPatienceMs],
      [hasty, 10_000],
    ] as const) {
      play.answer(1, trouble[kind]);
      play.now = until - 1;
      expect(play.tell({ kind: "clock" })).toBe(false);
      play.now = until;
      expect(play.upkeep().action).toEqual({ do: "clock" });
      play.tell({ kind: "clock" });
      expect(play.job).toMatchObject({ status: "error", error: { code, attempt: 1 } });
    }
  });

  it.each([0, null, 1_000, 9e9])("asked to wait %s ms, it waits as long as it should and no longer", (afterMs) => {
    const play = new Play().open();
    play.answer(1, { ...trouble.busy, afterMs });
    const pause = nextAt(play);
    expect(pause).toBeGreaterThanOrEqual(timers.retryBackoffMs * 0.75);
    expect(pause).toBeGreaterThanOrEqual(Math.min(afterMs ?? 0, 3_600_000));
    expect(pause).toBeLessThanOrEqual(3_600_000 * 1.25);
  });

  it("waits for its turn where the endpoint is in trouble", () => {
    const play = new Play().open();
    play.answer(1, trouble.not_bought);
    play.upkeep();
    play.tell({ kind: "turn_delayed", attempt: 1, at: 77_000 });
    expect(nextAt(play)).toBe(77_000);
  });
});

describe("a run that may have been bought", () => {
  it("uses up no retry: the job goes on after each grace, as long as it may wait", () => {
    const play = new Play({ maxRetries: 0 });
    for (let number = 1; number <= 10; number++) {
      play.open().lose(number);
      play.now += timers.runGraceMs;
      play.miss(number);
      expect(play.job).toMatchObject({ status: "pending", verdict: null });
      play.now = play.job.nextAttemptAt ?? expect.fail("no next attempt");
    }
    play.open().accept(11);
    expect(play.job.status).toBe("processing");
  });
});

describe("a job in RunPod's queue", () => {
  it("is left there, however long it takes", () => {
    const play = new Play({ maxRetries: 0 }).open().accept();
    for (let hour = 0; hour < 23; hour++) {
      play.now += 3_600_000;
      play.tell({ kind: "clock" });
      play.hear(1, queued);
      expect(play.job).toMatchObject({ status: "processing", stage: "waiting_for_gpu" });
    }
    expect(play.job.attempts).toHaveLength(1);
    expect(play.duty("cancel")).toBeUndefined();
  });
});

describe("a 404 of /status", () => {
  it("alone means nothing, however often: any other word starts the count anew", () => {
    const play = new Play().open().accept();
    for (let times = 0; times < 10; times++) {
      play.now += 1_000_000;
      play.hear(1, gone);
      play.miss();
      play.hear(1, queued);
    }
    expect(play.attempt()).toMatchObject({ phase: "running", gone: null });
  });

  it("means nothing within minutes, or while the handler reports", () => {
    const play = new Play().open().accept();
    for (let times = 0; times < 5; times++) {
      play.now += 1_000;
      play.hear(1, gone);
      play.miss();
    }
    expect(play.attempt().phase).toBe("running");
    for (let times = 0; times < 10; times++) {
      play.now += timers.pollMaxMs;
      play.hear(1, gone);
      play.miss();
      play.tell(progress(times));
    }
    expect(play.attempt().phase).toBe("running");
  });
});

describe("the id that a webhook names where the answer was lost", () => {
  it("is a hint: unknown to RunPod, it is forgotten, and no second run is bought before the grace is over", () => {
    const play = new Play().open().lose();
    play.ring(1, "wrong");
    expect(play.runIdOf(1)).toBe("wrong");
    play.hear(1, gone);
    expect(play.attempt()).toMatchObject({ phase: "unconfirmed", lookAt: timers.runGraceMs });
    play.now += 1_500;
    play.ring(1, "right");
    play.hear(1, queued);
    expect([play.runIdOf(1), play.job.status]).toEqual(["right", "processing"]);
    play.tell({ kind: "cancel_requested" });
    expect(play.job.duties).toContainEqual(expect.objectContaining({ duty: "cancel", of: "right" }));
  });

  it("gives way to a later one; both are cancelled when the job is", () => {
    const play = new Play().open().lose();
    play.ring(1, "one");
    play.ring(1, "other");
    expect(play.runIdOf(1)).toBe("other");
    play.tell({ kind: "cancel_requested" });
    const cancels = play.job.duties.flatMap(({ duty, of }) => (duty === "cancel" ? [of] : []));
    expect(cancels.toSorted()).toEqual(["one", "other"]);
  });

  it("can fail the attempt only when the grace is over", () => {
    const play = new Play().open().lose();
    play.ring(1, "hint");
    play.hear(1, failed);
    expect(play.job.verdict).toBeNull();
    play.now = timers.runGraceMs;
    play.miss();
    play.miss();
    expect(play.job).toMatchObject({ status: "error", error: { code: "invalid_params" } });
  });

  it("counts no more once RunPod's own answer comes", () => {
    const play = new Play().open();
    play.ring(1, "hint");
    play.accept();
    expect(play.attempt()).toMatchObject({ phase: "running", run: { id: "run-1", toldBy: "answer" } });
  });
});

describe("webhooks that name runs", () => {
  it("cannot make up more than a few, nor have more than one asked about a second", () => {
    const play = new Play().open().lose();
    for (let ring = 0; ring < 100; ring++) {
      play.ring(1, `made-up-${ring}`);
    }
    expect(play.attempt().strays.length).toBeLessThanOrEqual(8);
    expect(play.attempt()).toMatchObject({ phase: "running", pollAt: expect.any(Number) });
    expect(play.upkeep().action.do).toBe("wait");
  });

  it("bring back no run that was cancelled", () => {
    const play = new Play({ maxRetries: 0 }).open().lose();
    play.ring(1, "given-up");
    play.hear(1, gone);
    play.now = timers.runGraceMs;
    play.miss();
    play.tried("cancel");
    play.now += 1_000;
    play.ring(1, "given-up");
    play.miss();
    expect([play.attempt().phase, play.job.status]).toEqual(["closed", "processing"]);
    expect(play.job.nextAttemptAt).not.toBeNull();
  });
});

describe("polls", () => {
  const pollAt = (play: Play) => {
    const attempt = play.attempt();
    return attempt.phase === "running" ? attempt.pollAt - play.now : expect.fail(attempt.phase);
  };

  it("slow down by themselves, and stay quick for a watcher and near the end, each a little different", () => {
    const play = new Play().open().accept().upkeep();
    const pauses = Array.from({ length: 12 }, () => {
      play.hear(1, queued);
      const pause = pollAt(play);
      play.now += pause;
      return pause;
    });
    expect(pauses[0]).toBeLessThan(timers.pollMinMs * 2);
    expect(pauses.at(-1)).toBeGreaterThanOrEqual(timers.pollMaxMs * 0.8);
    expect(new Set(pauses).size).toBeGreaterThan(10);
    play.hear(1, queued, true);
    expect(pollAt(play)).toBeLessThanOrEqual(timers.pollMinMs * 1.2);
    play.tell(progress(95));
    play.hear(1, { ...report, word: "running", progress: null });
    expect(pollAt(play)).toBeLessThanOrEqual(timers.pollMinMs * 1.2);
  });

  it("slow down when RunPod says nothing, even while somebody watches", () => {
    const play = new Play().open().accept();
    const pauses = Array.from({ length: 8 }, () => {
      play.hearNothing(1, true);
      return pollAt(play);
    });
    expect(pauses).toEqual(pauses.toSorted((a, b) => a - b));
    expect(pauses.at(-1)).toBeGreaterThan(100_000);
  });

  it("that hear of trouble are saved: an object may sleep before the next one, and on a good day nothing is", () => {
    const play = new Play().open().accept().upkeep();
    const hear = (answer: ProviderAnswer<RunReport>) => {
      const signal = { kind: "status_answered", attempt: 1, runId: "run-1", answer } as const;
      const change = transition(play.job, signal, { now: play.now, timers, watched: false });
      play.job = change?.job ?? play.job;
      return change?.durable;
    };
    const gone = { kind: "ok", value: { ...report, word: "gone" } } as const;
    const silent = { kind: "maybe_bought", message: "no answer" } as const;
    const waiting = { kind: "ok", value: queued } as const;
    expect([gone, gone, waiting, silent, waiting, waiting].map(hear)).toEqual([true, true, true, true, true, false]);
  });

  it("rest while the handler speaks", () => {
    const play = new Play().open().accept().upkeep();
    for (let value = 1; value <= 80; value++) {
      play.now += 5_000;
      play.tell(progress(value));
      expect(play.upkeep().action.do).toBe("wait");
    }
  });

  it("find an output that nobody told of, when RunPod says nothing", () => {
    const play = new Play().open().accept();
    play.hearNothing();
    expect(play.tell({ kind: "output_found", attempt: 1, output })).toBe(true);
    expect(play.job.status).toBe("complete");
  });
});

describe("a webhook that rings again and again", () => {
  it("has RunPod asked once a second", () => {
    const play = new Play().open().accept().upkeep();
    let asked = 0;
    for (let ring = 0; ring < 100; ring++) {
      play.ring();
      play.now += 50;
      if (play.upkeep().action.do === "ask") {
        asked++;
        play.hear(1, { ...report, word: "running", progress: null });
        play.miss();
      }
    }
    expect(asked).toBeGreaterThan(3);
    expect(asked).toBeLessThanOrEqual(6);
  });
});
