import type { ProviderAnswerKind, ProviderCall } from "../../src/core/provider-answer.ts";
import { newGatePace, newProviderGate, noteOutcome, takeTurn } from "../../src/core/provider-gate.ts";
import type { Surroundings } from "./surroundings.ts";

/** The endpoint's own object, which all jobs share: the real policy, sometimes out of reach or forgetful. */
export class GateModel {
  #gate = newProviderGate();
  readonly #world: Surroundings;

  constructor(world: Surroundings) {
    this.#world = world;
  }

  async takeTurn(call: ProviderCall): Promise<number> {
    await this.#reach();
    const { gate, at } = takeTurn(this.#gate, call, this.#world.clock.now);
    this.#gate = gate;
    return at;
  }

  async noteOutcome(call: ProviderCall, kind: ProviderAnswerKind, afterMs: number | null): Promise<void> {
    await this.#reach();
    const outcome = kind === "busy" ? { kind, afterMs } : { kind };
    this.#gate = noteOutcome(this.#gate, call, outcome, this.#world.clock.now, newGatePace(this.#world.timers));
  }

  async #reach(): Promise<void> {
    const { clock, random, faults } = this.#world;
    await clock.sleep(random.between(1, 30));
    if (faults.strikes("gate_silent")) {
      if (random.chance(0.2)) {
        this.#gate = newProviderGate();
      }
      throw new Error("the gate is out of reach");
    }
  }
}
