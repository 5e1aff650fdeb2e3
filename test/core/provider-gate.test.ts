import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ProviderOutcome, probeMs, takeTurn } from "../../src/core/provider-gate.ts";
import { Agenda, admit, calls, Door, limits, mostInWindow, start, steps, windowMs } from "./provider-gate-play.ts";

const maxOpenMs = 60_000;
const failure: ProviderOutcome = { kind: "not_bought" };
describe("the rate of turns", () => {
  it.each(calls)(
    "never passes 80 %% of RunPod's limit of %s in any ten seconds, whatever is asked and told",
    (call) => {
      fc.assert(
        fc.property(steps, (taken) => {
          const door = new Door(call);
          for (const { pauseMs, asks, outcome } of taken) {
            door.now += pauseMs;
            for (let ask = 0; ask < asks; ask++) {
              door.ask();
            }
            if (outcome) {
              door.tell(outcome);
            }
          }
          expect(mostInWindow(door.turns)).toBeLessThanOrEqual(limits[call]);
        }),
      );
    },
  );

  it.each(calls)("gives 50,000 askers of %s a turn each, in the time that the rate needs", (call) => {
    const door = new Door(call);
    const { tookMs, mostAsks } = admit(door, 50_000, 0);
    expect(door.turns).toHaveLength(50_000);
    expect(mostInWindow(door.turns)).toBeLessThanOrEqual(limits[call]);
    // A tenth of the rate is what a burst may use up at any time.
    expect(tookMs).toBeLessThan((50_000 / (0.88 * limits[call])) * windowMs);
    expect(mostAsks).toBe(2);
  });

  it.each(calls)("gives each asker of %s its turn when all come back late, each by another time", (call) => {
    const door = new Door(call);
    const { tookMs } = admit(door, 5_000, 400);
    expect(door.turns).toHaveLength(5_000);
    expect(mostInWindow(door.turns)).toBeLessThanOrEqual(limits[call]);
    expect(tookMs).toBeLessThan((5_000 / (0.88 * limits[call])) * windowMs + 2_000);
  });

  it("spreads turns inside the ten seconds, and lets fewer cancels go at once than the 20 that RunPod takes", () => {
    for (const call of calls) {
      const door = new Door(call);
      admit(door, 3 * limits[call], 0);
      const counts = Map.groupBy(door.turns, (at) => Math.floor((at - start) / 1_000));
      // Of 80 cancels, 16 in a second.
      expect(Math.max(...[...counts.values()].map(({ length }) => length))).toBeLessThanOrEqual(0.2 * limits[call]);
    }
  });

  it("counts the probes too, when trouble comes and goes", () => {
    const door = new Door("cancel");
    while (door.now < start + 2 * windowMs) {
      while (door.ask() === 0) {}
      door.tell(failure);
      door.now += door.openMs;
      expect(door.ask()).toBe(0);
      door.tell({ kind: "ok" });
    }
    expect(mostInWindow(door.turns)).toBeLessThanOrEqual(limits.cancel);
  });
});

describe("the circuit", () => {
  it.each([failure, { kind: "maybe_bought" }, { kind: "misconfigured" }, { kind: "busy", afterMs: null }] as const)(
    "opens for a second at $kind, for that kind of call alone",
    (outcome) => {
      const door = new Door("status");
      door.tell(outcome);
      expect(door.openMs).toBe(1_000);
      expect(door.ask()).toBeGreaterThan(1_000);
      expect(door.ask()).toBeLessThan(1_100);
      for (const other of ["run", "cancel"] as const) {
        expect(takeTurn(door.gate, other, door.now).at).toBeLessThanOrEqual(door.now);
      }
    },
  );

  it.each(["ok", "job_fault"] as const)("closes at %s, from wherever it is, and forgets its failures", (kind) => {
    for (const isProbing of [false, true]) {
      const door = new Door("run");
      for (let times = 0; times < 4; times++) {
        door.tell(failure);
        door.now += door.openMs;
        door.ask();
      }
      if (!isProbing) {
        door.tell(failure);
      }
      door.tell({ kind });
      expect(door.ask()).toBe(0);
      door.tell(failure);
      expect(door.openMs).toBe(1_000);
    }
  });

  it("counts an outage once however many tell of it, and doubles with each failed probe up to a minute", () => {
    const door = new Door("run");
    const opened = [];
    for (let times = 0; times < 9; times++) {
      for (let job = 0; job < 1_000; job++) {
        door.tell(failure);
      }
      opened.push(door.openMs);
      door.now += door.openMs;
      expect(door.ask()).toBe(0);
    }
    expect(opened).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  it("is not opened anew by those who tell late of an outage that is over", () => {
    const door = new Door("run");
    door.tell(failure);
    door.now += 1_500;
    door.tell(failure);
    expect(door.ask()).toBe(0);
  });

  it("waits as long as RunPod asks, at least its own pause and at most five minutes", () => {
    const pauses = [0, 500, 20_000, 86_400_000].map((afterMs) => {
      const door = new Door("run");
      door.tell({ kind: "busy", afterMs });
      return door.openMs;
    });
    expect(pauses).toEqual([1_000, 1_000, 20_000, 300_000]);
  });

  it("learns while it is open that RunPod wants a longer pause, and never makes it shorter", () => {
    const door = new Door("run");
    door.tell(failure);
    door.tell({ kind: "busy", afterMs: 20_000 });
    door.tell({ kind: "busy", afterMs: 5_000 });
    expect(door.openMs).toBe(20_000);
    door.now += 20_000;
    expect(door.ask()).toBe(0);
    door.tell(failure);
    expect(door.openMs).toBe(2_000);
  });

  it.each(calls)("lets 50,000 who wait come back at the pace of the rate, none before it is over", (call) => {
    const door = new Door(call);
    door.tell(failure);
    const backAt = Array.from({ length: 50_000 }, () => door.ask());
    expect(door.turns).toEqual([]);
    expect(Math.min(...backAt)).toBeGreaterThan(1_000);
    expect(mostInWindow(backAt)).toBeLessThanOrEqual(limits[call]);
    expect(Math.max(...backAt)).toBeLessThan(1_000 + (50_000 / (0.88 * limits[call])) * windowMs);
  });
});

describe("the probe", () => {
  it.each(calls)("of %s is one at a time: no other turn before it has reported or is lost", (call) => {
    fc.assert(
      fc.property(steps, (taken) => {
        const door = new Door(call);
        let lostAt = 0;
        const ask = () => {
          const { state } = door.circuit;
          if (door.ask() === 0 && state !== "closed") {
            expect(door.now).toBeGreaterThanOrEqual(lostAt);
            lostAt = door.now + probeMs;
          }
        };
        for (const { pauseMs, asks, outcome } of taken) {
          door.now += pauseMs;
          for (let count = 0; count < asks; count++) {
            ask();
          }
          if (outcome) {
            door.tell(outcome);
            lostAt = 0;
          }
        }
      }),
    );
  });

  it("that never reports gives its place to the next asker, and those who wait look soon whether it has", () => {
    const door = new Door("run");
    door.tell(failure);
    door.now += 1_000;
    expect(door.ask()).toBe(0);
    const probedAt = door.now;
    for (let waitMs = door.ask(); waitMs > 0; waitMs = door.ask()) {
      expect(waitMs).toBeLessThan(1_100);
      door.now += waitMs;
    }
    expect(door.now - probedAt).toBeGreaterThanOrEqual(probeMs);
    expect(door.now - probedAt).toBeLessThan(probeMs + 100);
    door.tell({ kind: "ok" });
    expect(door.circuit.state).toBe("closed");
  });

  it.each(calls)("of %s finds the end of trouble within a pause and a probe, and all jobs get their call", (call) => {
    const worlds = fc.record({
      jobs: fc.integer({ min: 1, max: 200 }),
      troubleMs: fc.integer({ min: 0, max: 1_200_000 }),
      answerMs: fc.integer({ min: 1, max: probeMs / 2 }),
      bad: fc.constantFrom<ProviderOutcome>(failure, { kind: "misconfigured" }, { kind: "busy", afterMs: 30_000 }),
      /** Each how-many-th outcome is never told while the trouble lasts. */
      untold: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(worlds, ({ jobs, troubleMs, answerMs, bad, untold }) => {
        const door = new Door(call);
        const agenda = new Agenda();
        const endsAt = start + troubleMs;
        const doneAt: number[] = [];
        const ask = () => {
          const waitMs = door.ask();
          const isOver = door.now >= endsAt;
          const isTold = isOver || door.turns.length % untold > 0;
          if (waitMs > 0) {
            agenda.add({ at: door.now + waitMs, act: ask });
          } else {
            agenda.add({ at: door.now + answerMs, act: () => answer(isOver, isTold) });
          }
        };
        const answer = (isGood: boolean, isTold: boolean) => {
          if (isTold) {
            door.tell(isGood ? { kind: "ok" } : bad);
          }
          if (isGood) {
            doneAt.push(door.now);
          } else {
            ask();
          }
        };
        door.tell(bad);
        for (let job = 0; job < jobs; job++) {
          agenda.add({ at: start, act: ask });
        }
        agenda.run(door);
        const lineMs = (jobs * windowMs) / (0.88 * limits[call]) + 1_000;
        const [closedAt = Infinity] = doneAt;
        expect(doneAt).toHaveLength(jobs);
        expect(closedAt - endsAt).toBeLessThanOrEqual(maxOpenMs + probeMs + lineMs);
        expect(door.now - closedAt).toBeLessThanOrEqual(answerMs + 2 * lineMs);
        expect(mostInWindow(door.turns)).toBeLessThanOrEqual(limits[call]);
      }),
    );
  });
});
