import fc from "fast-check";
import type { ProviderCall } from "../../src/core/provider-answer.ts";
import {
  newGatePace,
  newProviderGate,
  noteOutcome,
  type ProviderOutcome,
  takeTurn,
} from "../../src/core/provider-gate.ts";
import { timers } from "./play.ts";

export const start = 1_800_000_000_000;
export const calls = ["run", "status", "cancel"] as const;
export const windowMs = 10_000;
/** 80 % of what RunPod takes in ten seconds. */
export const limits = { run: 800, status: 1600, cancel: 80 };

/** More than any test has use for. */
const maxAsks = 1_000_000;

/** A gate with its own clock, and all turns that it gave. */
export class Door {
  gate = newProviderGate();
  now = start;
  readonly turns: number[] = [];
  #asks = 0;
  readonly call: ProviderCall;

  constructor(call: ProviderCall) {
    this.call = call;
  }

  get circuit() {
    return this.gate[this.call].circuit;
  }

  /** @returns the wait, 0 for a turn */
  ask(): number {
    if (++this.#asks > maxAsks) {
      throw new Error("asked without end");
    }
    const { gate, at } = takeTurn(this.gate, this.call, this.now);
    this.gate = gate;
    if (at <= this.now) {
      this.turns.push(this.now);
      return 0;
    }
    return at - this.now;
  }

  tell(outcome: ProviderOutcome): void {
    this.gate = noteOutcome(this.gate, this.call, outcome, this.now, newGatePace(timers));
  }

  /** How long the circuit is open from now on; 0 unless it is. */
  get openMs(): number {
    return this.circuit.state === "open" ? this.circuit.until - this.now : 0;
  }
}

type Event = Readonly<{ at: number; act: () => void }>;

/** Runs events in the order of their instants, each may add more. */
export class Agenda {
  readonly #events: Event[] = [];
  #done = 0;

  add(event: Event): void {
    let low = this.#done;
    for (let high = this.#events.length; low < high; ) {
      const middle = (low + high) >> 1;
      [low, high] = (this.#events[middle]?.at ?? Infinity) <= event.at ? [middle + 1, high] : [low, middle];
    }
    this.#events.splice(low, 0, event);
  }

  run(door: Door): void {
    for (let event = this.#events[this.#done++]; event; event = this.#events[this.#done++]) {
      door.now = event.at;
      event.act();
    }
  }
}

/** The most turns in any ten seconds, both ends included. */
export function mostInWindow(turns: readonly number[]): number {
  let first = 0;
  let most = 0;
  for (const [index, at] of turns.entries()) {
    while (at - (turns[first] ?? at) > windowMs) {
      first++;
    }
    most = Math.max(most, index - first + 1);
  }
  return most;
}

/** Lets `count` askers come at once and ask again, up to `lateMs` late, until each has had its turn. */
export function admit(door: Door, count: number, lateMs: number): { tookMs: number; mostAsks: number } {
  const agenda = new Agenda();
  const began = door.now;
  let mostAsks = 0;
  for (let index = 0; index < count; index++) {
    let asks = 0;
    const act = () => {
      mostAsks = Math.max(mostAsks, ++asks);
      const waitMs = door.ask();
      if (waitMs > 0) {
        agenda.add({ at: door.now + waitMs + ((index * 7919 + asks * 104_729) % (lateMs + 1)), act });
      }
    };
    agenda.add({ at: door.now, act });
  }
  agenda.run(door);
  return { tookMs: door.now - began, mostAsks };
}

const outcomes = fc.oneof(
  fc.constantFrom<ProviderOutcome>(
    { kind: "ok" },
    { kind: "job_fault" },
    { kind: "not_bought" },
    { kind: "maybe_bought" },
    { kind: "misconfigured" },
  ),
  fc.record({ kind: fc.constant("busy" as const), afterMs: fc.option(fc.integer({ min: 0, max: 1e9 })) }),
);
/** What askers and those who tell may do, in any order. */
export const steps = fc.array(
  fc.record({
    pauseMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 40_000 })),
    asks: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 2_000 })),
    outcome: fc.option(outcomes, { freq: 2 }),
  }),
  { maxLength: 60 },
);
