import { describe, expect, it, vi } from "vitest";
import type { JobEvent } from "../../src/contract/event.ts";
import { Outbox } from "../../src/core/outbox.ts";
import { readEventId, replayFrom, toEventId } from "../../src/core/resume.ts";
import { spreadLate, Tellers } from "../../src/core/stream-pace.ts";
import { ToldJobs } from "../../src/core/told-jobs.ts";
import { Paced } from "../../src/object/paced.ts";

const at = "2026-11-20T17:30:00.000Z";

function event(seq: number, more: Partial<JobEvent> = {}): JobEvent {
  const state = { attempt: 1, status: "processing", stage: "rendering", progress: 1, message: null } as const;
  return { seq, type: "status", at, job_id: "a", ...state, error: null, output_video_key: null, ...more };
}

const ended = (seq: number, more: Partial<JobEvent> = {}) => event(seq, { type: "error", status: "error", ...more });

describe("the outbox of a slow reader", () => {
  const takeAll = (outbox: Outbox<string>) => {
    const taken: string[] = [];
    for (let item = outbox.take(); item !== null; item = outbox.take()) {
      taken.push(item);
    }
    return taken;
  };

  it("keeps the order, of each job the newest progress, and none from before its end", () => {
    const outbox = new Outbox<string>();
    for (const item of ["a 1", "b 1", "a 2", "c 1"]) {
      outbox.put(item.charAt(0), item, true);
    }
    outbox.put("b", "b ends", false);
    expect(takeAll(outbox)).toEqual(["a 2", "c 1", "b ends"]);
    expect(outbox.isEmpty).toBe(true);
  });

  it("has room for what must not be lost where progress is", () => {
    const outbox = new Outbox<string>(2);
    outbox.put("a", "a ends", false);
    outbox.put("b", "b 1", true);
    expect([outbox.put("c", "c ends", false), outbox.put("d", "d ends", false)]).toEqual([true, false]);
    expect(takeAll(outbox)).toEqual(["a ends", "c ends"]);
  });

  it("says when there is no room for what must not be lost; progress just gets lost", () => {
    const outbox = new Outbox<string>(2);
    expect(["a", "b"].map((job) => outbox.put(job, `${job} ends`, false))).toEqual([true, true]);
    expect(outbox.put("c", "c 1", true)).toBe(true);
    expect(outbox.put("c", "c ends", false)).toBe(false);
    expect(takeAll(outbox)).toEqual(["a ends", "b ends"]);
  });
});

describe("what a watcher was told", () => {
  it("is each event once, and no step back", () => {
    const told = new ToldJobs();
    const news = [event(2), event(2), event(1), event(3), ended(4), event(3)].map((one) => told.admit(one)?.seq);
    expect(news).toEqual([2, undefined, undefined, 3, 4, undefined]);
  });

  it("is one end, though its row's version rises; but each end of a job that was tried again", () => {
    const told = new ToldJobs();
    const later = "2026-11-20T17:31:00.000Z";
    expect(told.admit(ended(4))).not.toBeNull();
    expect(told.admit(ended(5))).toBeNull();
    expect(told.admit(ended(9, { at: later }))).not.toBeNull();
  });

  it("ends with a job's deletion, whose seq is above all others", () => {
    const told = new ToldJobs();
    told.admit(ended(7));
    const deleted = { type: "deleted", job_id: "a", seq: 2, at } as const;
    expect(told.admit(deleted)?.seq).toBe(8);
    expect([told.admit(deleted), told.admit(event(20)), told.missing(new Set())]).toEqual([null, null, []]);
  });

  it("begins with the event that a watcher saw last", () => {
    const told = new ToldJobs({ jobId: "a", seq: 4 });
    expect([told.admit(ended(4)), told.missing(new Set())]).toEqual([null, []]);
    expect(told.admit(event(5))).not.toBeNull();
  });

  it("misses the active jobs that are active no more", () => {
    const told = new ToldJobs();
    for (const one of [event(2), event(3, { job_id: "b" }), ended(4, { job_id: "c" })]) {
      told.admit(one);
    }
    expect(told.missing(new Set(["b"]))).toEqual([{ id: "a", seq: 2 }]);
  });
});

/** The most calls in one second, and those of a usual one, of jobs that tell progress as soon as they may. */
function measure(jobs: number, startsAt: (job: number) => number, watchers = 1): { most: number; usual: number } {
  const tellers = new Tellers();
  const states = Array.from({ length: jobs }, (_, job) => ({ job, freeAt: startsAt(job), pauseMs: 0 }));
  const perSecond = Array.from({ length: 180 }, () => 0);
  for (let now = 0; now < 1000 * perSecond.length; now += 50) {
    for (const state of states) {
      if (state.freeAt <= now) {
        state.pauseMs = tellers.note(`job ${state.job}`, false, watchers, now);
        state.freeAt = now + state.pauseMs;
        const second = Math.floor(now / 1000);
        perSecond[second] = (perSecond[second] ?? 0) + 1;
      }
    }
  }
  const later = perSecond.slice(60);
  return { most: Math.max(...later), usual: later.reduce((sum, count) => sum + count, 0) / later.length };
}

describe("the pace of a project's jobs", () => {
  it("is about 80 calls a second, however many jobs there are, and whether or not they began at once", () => {
    for (const startsAt of [() => 0, (job: number) => 20 * job]) {
      expect(measure(1, startsAt)).toEqual({ most: 4, usual: 4 });
      const { most, usual } = measure(2_000, startsAt);
      expect(most).toBeLessThanOrEqual(120);
      expect(usual).toBeGreaterThan(60);
    }
  });

  it("counts no job that is over or silent", () => {
    const tellers = new Tellers();
    for (let job = 0; job < 1_000; job++) {
      tellers.note(`job ${job}`, false, 1, 0);
    }
    expect(tellers.note("one more", false, 1, 30_000)).toBe(12_513);
    for (let job = 0; job < 900; job++) {
      tellers.note(`job ${job}`, true, 1, 40_000);
    }
    expect(tellers.note("one more", false, 1, 59_000)).toBe(1_263);
    expect(tellers.note("one more", false, 1, 61_000)).toBe(250);
  });

  it("is slower for many watchers: each of them is sent a frame", () => {
    const tellers = new Tellers();
    const pauses = [1, 50, 1_000].map((watchers) => {
      Array.from({ length: 100 }, (_, job) => tellers.note(`job ${job}`, false, watchers, 0));
      return tellers.note("job 0", false, watchers, 0);
    });
    expect(pauses).toEqual([1_250, 1_250, 25_000]);
    const { usual } = measure(1_000, (job) => 10 * job, 500);
    expect(500 * usual).toBeLessThan(4_500);
  });

  it("is kept by those who come late, too", () => {
    expect([spreadLate(1_000, 500, 900), spreadLate(1_000, 500, 1_500)]).toEqual([1_000, 1_000]);
    expect([0, 0.5].map((chance) => spreadLate(1_000, 500, 1_501, chance))).toEqual([1_501, 1_751]);
  });
});

describe("a job that reports less often than it may", () => {
  it("waits for a part of the pause once, and is heard then", () => {
    vi.useFakeTimers({ now: 0 });
    const heard: number[] = [];
    const paced = new Paced<number>(
      (value) => heard.push(value),
      (freeAt, pauseMs, now) => spreadLate(freeAt, pauseMs, now, 0.9),
    );
    paced.pause(25_000);
    for (let report = 1; report <= 3; report++) {
      vi.advanceTimersByTime(60_000);
      paced.offer(report);
    }
    vi.useRealTimers();
    expect(heard).toEqual([2, 3]);
  });
});

describe("an event's id", () => {
  it("says until when a watcher knows all, and what it saw last", () => {
    const event = { job_id: "0199-a", seq: 7 };
    const id = toEventId(1_795_798_327_721, event, null);
    expect(readEventId(id)).toEqual({ ms: 1_795_798_327_721, jobId: "0199-a", seq: 7 });
    const greeted = toEventId(1_795_798_327_721, event, 1_795_798_400_000);
    expect([greeted === id, readEventId(greeted)]).toEqual([false, readEventId(id)]);
    expect(["", "7", `${id}x`, `1${id}`].map(readEventId)).toEqual([null, null, null, null]);
  });

  it("leads back a day at most", () => {
    const day = 24 * 3_600_000;
    expect([replayFrom(10 * day, 10 * day + 5), replayFrom(10 * day, 12 * day)]).toEqual([
      10 * day - 120_000,
      11 * day - 120_000,
    ]);
  });
});
