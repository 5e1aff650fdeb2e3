import type { Random } from "../../local/random.ts";
import { quickTimers } from "./fixtures.ts";
import type { RunpodOptions, Trouble } from "./runs.ts";
import type { WorldOptions } from "./world.ts";

const hourMs = 3_600_000;

/** A bad day: how long RunPod is in trouble, how much of it there is, and what the jobs' patience is. */
export function planDay(random: Random, now: number): WorldOptions {
  const isLong = random.chance(0.03);
  const hasTrouble = isLong || random.chance(0.2);
  const isPrompt = !isLong && random.chance(0.25);
  const trouble = hasTrouble
    ? [planTrouble(random, now, isLong ? 24 * hourMs : random.between(60_000, hourMs), isPrompt)]
    : [];
  const isLimited = random.chance(0.15);
  return {
    timers: { ...quickTimers, providerPatienceMs: (isLong ? 48 : 3) * hourMs },
    runpod: { ...planCapacity(random), limits: isLimited ? tight : ample, troubles: trouble },
    renderMs: random.pick([
      [500, 120_000],
      [500, 120_000],
      [200, 4_000],
    ] as const),
    maxActive: random.pick([1, 3, 10]),
    hasFaults: true,
    isPrompt,
  };
}

/** What is answered at once. */
const quickTroubles: readonly Trouble["kind"][] = ["not_bought", "busy", "misconfigured"];

const tight = { run: 2, status: 4, cancel: 1 };
export const ample = { run: 1_000, status: 2_000, cancel: 100 };

function planCapacity(random: Random): Pick<RunpodOptions, "gpus" | "coldStartMs"> {
  return { gpus: random.pick([1, 2, 100]), coldStartMs: [100, random.pick([5_000, 60_000])] };
}

function planTrouble(random: Random, now: number, lengthMs: number, isPrompt: boolean): Trouble {
  const from = now + random.between(0, 600_000);
  return {
    from,
    until: from + lengthMs,
    kind: random.pick(isPrompt ? quickTroubles : [...quickTroubles, "maybe_bought"]),
    calls: random.pick([["run", "status", "cancel"], ["run"], ["status"], ["cancel"], ["status", "cancel"]]),
    afterMs: random.pick([null, 0, 1_000, 60_000, hourMs, 1e12]),
  };
}
