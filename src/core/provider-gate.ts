import type { ProviderAnswerKind, ProviderCall } from "./provider-answer.ts";
import type { Timers } from "./timers.ts";

/** What came of a call; each `ProviderAnswer` is one. */
export type ProviderOutcome = Readonly<
  { kind: Exclude<ProviderAnswerKind, "busy"> } | { kind: "busy"; afterMs: number | null }
>;

/**
 * - `closed`: calls pass, at the rate.
 * - `open`: no call passes before `until`; the first asker after it is the probe.
 * - `probing`: one call is under way, the others wait for what it says, until `until` at most.
 */
export type Circuit = Readonly<{ state: "closed" } | { state: "open" | "probing"; until: number; failures: number }>;

type Lane = Readonly<{
  circuit: Circuit;
  /** When the turns handed out so far are paid for, each with `gapMs`. */
  paidAt: number;
  /** When the last of those who wait comes back. */
  lineEndsAt: number;
}>;

/** The health of one RunPod endpoint, each kind of call for itself. */
export type ProviderGate = Readonly<Record<ProviderCall, Lane>>;

type Rate = Readonly<{ gapMs: number; burst: number }>;

/**
 * A turn each `gapMs`, and `burst` of them saved up at most: in any ten seconds at most 80 % of RunPod's 1000, 2000 and
 * 100, because jobs without trouble do not ask. RunPod takes 20 cancels at once.
 */
const rates: Readonly<Record<ProviderCall, Rate>> = {
  run: { gapMs: 14, burst: 80 },
  status: { gapMs: 7, burst: 160 },
  cancel: { gapMs: 140, burst: 8 },
};

/**
 * How long the gate stays shut. The first time is short, so that the time-out of a single job holds nobody up for long; it
 * doubles with each failed probe.
 */
export type GatePace = Readonly<{ firstOpenMs: number; maxOpenMs: number }>;

/** In step with the pace of polls: a second at first and a minute at most, as that is set by default. */
export function newGatePace({ pollMinMs, pollMaxMs }: Timers): GatePace {
  return { firstOpenMs: pollMinMs / 5, maxOpenMs: pollMaxMs };
}

const maxBusyMs = 300_000;
/** Longer than any call takes (RUN_TIMEOUT_MS): a probe that has not reported by then is lost. */
export const probeMs = 30_000;
/** How soon those who wait for a probe ask whether it has come back. */
const probeCheckMs = 1_000;

/** Earlier than the `now` of any caller, whose clock may be a little behind. */
const atOnce = 0;

export function newProviderGate(): ProviderGate {
  const lane: Lane = { circuit: { state: "closed" }, paidAt: 0, lineEndsAt: 0 };
  return { run: lane, status: lane, cancel: lane };
}

/**
 * Asks for leave to make one call.
 * @returns `at`: not later than now, the call may be made; else nothing is promised, and the asker asks again then
 */
export function takeTurn(gate: ProviderGate, call: ProviderCall, now: number): { gate: ProviderGate; at: number } {
  const lane = gate[call];
  const { circuit, paidAt } = lane;
  const { gapMs, burst } = rates[call];
  const paid: Lane = { ...lane, paidAt: Math.max(paidAt, now) + gapMs };
  if (circuit.state === "closed") {
    return paid.paidAt - now <= burst * gapMs
      ? { gate: { ...gate, [call]: paid }, at: atOnce }
      : joinLine(gate, call, now);
  }
  if (now < circuit.until) {
    const { state, until } = circuit;
    return joinLine(gate, call, state === "open" ? until : Math.min(until, now + probeCheckMs));
  }
  const probing: Circuit = { ...circuit, state: "probing", until: now + probeMs };
  return { gate: { ...gate, [call]: { ...paid, circuit: probing } }, at: atOnce };
}

/** One behind the other at the pace of the rate: who comes back finds a turn, and however many wait, never a crowd. */
function joinLine(gate: ProviderGate, call: ProviderCall, from: number): { gate: ProviderGate; at: number } {
  const at = Math.max(gate[call].lineEndsAt, from) + rates[call].gapMs;
  return { gate: { ...gate, [call]: { ...gate[call], lineEndsAt: at } }, at };
}

/** Takes in what came of a call, whether it was made with a turn or, by a job without trouble so far, without. */
export function noteOutcome(
  gate: ProviderGate,
  call: ProviderCall,
  outcome: ProviderOutcome,
  now: number,
  pace: GatePace,
): ProviderGate {
  return { ...gate, [call]: { ...gate[call], circuit: nextCircuit(gate[call].circuit, outcome, now, pace) } };
}

function nextCircuit(circuit: Circuit, outcome: ProviderOutcome, now: number, pace: GatePace): Circuit {
  if (outcome.kind === "ok" || outcome.kind === "job_fault") {
    return { state: "closed" };
  }
  const notBefore = outcome.kind === "busy" ? now + Math.min(outcome.afterMs ?? 0, maxBusyMs) : now;
  if (circuit.state === "open") {
    // Many tell of the same trouble: it counts once, and after it only the probe's word does.
    return { ...circuit, until: Math.max(circuit.until, notBefore) };
  }
  const failures = circuit.state === "probing" ? circuit.failures + 1 : 1;
  const openMs = Math.min(pace.maxOpenMs, pace.firstOpenMs * 2 ** Math.min(20, failures - 1));
  return { state: "open", until: Math.max(now + openMs, notBefore), failures };
}
