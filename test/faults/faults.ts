import type { Random } from "../../local/random.ts";

/** Everything that can go wrong, by name. */
export const faultKinds = [
  "crash",
  "evict",
  "start_lost",
  "create_repeated",
  "alarm_lost",
  "alarm_late",
  "alarm_doubled",
  "save_fails_before",
  "save_fails_after",
  "commit_slow",
  "d1_fails_before",
  "d1_fails_after",
  "d1_stalls",
  "d1_late",
  "d1_forgets",
  "d1_restored",
  "r2_silent",
  "r2_delete_fails",
  "notify_fails",
  "notify_unheard",
  "gate_silent",
  "run_faulty",
  "run_refused",
  "run_busy",
  "run_reset_before",
  "run_reset_after",
  "run_slow",
  "run_never_starts",
  "run_never_ends",
  "handler_fails",
  "handler_refuses",
  "handler_socket",
  "socket_closes",
  "hook_dropped",
  "hook_doubled",
  "hook_late",
  "hook_lies",
  "hook_forged",
  "status_stale",
  "status_gone",
  "status_silent",
  "status_busy",
  "output_missing",
  "output_late",
  "output_empty",
  "output_twice",
  "output_then_fails",
  "output_bypasses",
  "input_gone",
  "cancel_fails",
  "client_cancels",
  "client_retries",
  "client_removes",
  "client_amends",
  "client_reads",
  "client_watches",
  "client_listens",
  "call_races",
  "status_tells",
  "hook_of_none",
  "hook_wordless",
  "client_strange",
  "object_empty",
  "rolled_back",
  "progress_late",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** What keeps an answer waiting, or an object from its work. */
const slowKinds: ReadonlySet<FaultKind> = new Set([
  "crash",
  "evict",
  "start_lost",
  "alarm_lost",
  "alarm_late",
  "save_fails_before",
  "save_fails_after",
  "d1_fails_before",
  "d1_fails_after",
  "d1_stalls",
  "d1_late",
  "d1_forgets",
  "r2_silent",
  "run_slow",
  "status_silent",
  "rolled_back",
]);

/** Swarm testing: each kind is on or off for a whole seed, so that rare kinds meet in all combinations. */
export class Faults {
  readonly #rates = new Map<FaultKind, number>();
  readonly #random: Random;
  #isQuiet = false;

  constructor(random: Random, isOn: boolean, isPrompt: boolean) {
    this.#random = random;
    for (const kind of isOn ? faultKinds : []) {
      if (random.chance(0.3) && !(isPrompt && slowKinds.has(kind))) {
        this.#rates.set(kind, random.pick([0.05, 0.2, 0.5, 0.9]));
      }
    }
    if (isOn && !isPrompt && random.chance(0.5)) {
      // As the runtime does it: whoever is silent leaves memory.
      this.#rates.set("evict", 1);
    }
  }

  /** Whether this one goes wrong, here and now. */
  strikes(kind: FaultKind): boolean {
    const rate = this.#rates.get(kind);
    return rate !== undefined && !this.#isQuiet && this.#random.chance(rate);
  }

  /** From now on the world behaves. */
  calm(): void {
    this.#isQuiet = true;
  }

  describe(): string {
    return [...this.#rates].map(([kind, rate]) => `${kind} ${rate}`).join(", ") || "none";
  }
}
