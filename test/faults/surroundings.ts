import type { Random } from "../../local/random.ts";
import type { Timers } from "../../src/core/timers.ts";
import type { VirtualClock } from "./clock.ts";
import type { Faults } from "./faults.ts";
import type { Ledger } from "./ledger.ts";

/** What every model of a platform shares with the others. */
export type Surroundings = Readonly<{
  clock: VirtualClock;
  random: Random;
  faults: Faults;
  ledger: Ledger;
  timers: Timers;
}>;
