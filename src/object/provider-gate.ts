import { DurableObject } from "cloudflare:workers";
import type { ProviderAnswerKind, ProviderCall } from "../core/provider-answer.ts";
import { type GatePace, newGatePace, newProviderGate, noteOutcome, takeTurn } from "../core/provider-gate.ts";
import { getSettings } from "../env.ts";

/** The object of a RunPod endpoint. */
export function providerGateOf(env: Env, endpointId: string) {
  return env.PROVIDER_GATE.get(env.PROVIDER_GATE.idFromName(endpointId));
}

/**
 * The health of one RunPod endpoint, told and asked by jobs that have had trouble with it: on a good day it does not
 * exist. Each RPC has the version of its arguments first; arguments are only appended.
 */
export class ProviderGate extends DurableObject<Env> {
  // In memory only. After an eviction calls pass again, at the rate, and the first that fails closes the way to all:
  // each job keeps its own pauses, so what is lost is a few calls, never a limit or a job.
  #gate = newProviderGate();
  readonly #pace: GatePace;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    this.#pace = newGatePace(getSettings(env).timers);
  }

  /** @returns `at`: not later than now, the call may be made; else the job asks again then */
  takeTurn(_v: number, call: ProviderCall): { at: number } {
    const { gate, at } = takeTurn(this.#gate, call, Date.now());
    this.#gate = gate;
    return { at };
  }

  noteOutcome(_v: number, call: ProviderCall, kind: ProviderAnswerKind, afterMs: number | null): void {
    const outcome = kind === "busy" ? { kind, afterMs } : { kind };
    this.#gate = noteOutcome(this.#gate, call, outcome, Date.now(), this.#pace);
  }
}
