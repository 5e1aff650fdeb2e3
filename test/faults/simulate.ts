import { auditEnd, auditMoment } from "./audit.ts";
import type { Violation } from "./ledger.ts";
import { type Breakage, World } from "./world.ts";

/** Faults strike for so long, then the world is quiet until everything must have come to rest. Virtual milliseconds. */
const stormMs = 20 * 60_000;
const quietMs = 5 * 3_600_000;
const maxEvents = 20_000;

export type Simulation = { violations: Violation[]; timeline: string[]; faults: string; events: number };

/** Runs one seed to its end. The same seed always tells the same story. */
export async function simulate(seed: number, breakage: Breakage = {}): Promise<Simulation> {
  const world = new World(seed, breakage);
  const { clock, faults, ledger } = world;
  const end = clock.now + stormMs + quietMs;
  clock.after(stormMs, () => {
    ledger.note("the world is quiet from here");
    faults.calm();
  });
  const description = faults.describe();
  world.begin();
  let events = 0;
  while (events < maxEvents && (await clock.step(end)) && ledger.violations.length === 0) {
    events++;
    auditMoment(world);
    const settledAt = world.job?.settledAt ?? null;
    if (settledAt !== null && !world.d1.row.unsettled && clock.now > settledAt + stormMs + 3_600_000) {
      break;
    }
  }
  if (events >= maxEvents) {
    ledger.violate("I1", `no rest after ${events} events`);
  }
  if (ledger.violations.length === 0) {
    auditEnd(world);
  }
  return { violations: ledger.violations, timeline: ledger.timeline, faults: description, events };
}
