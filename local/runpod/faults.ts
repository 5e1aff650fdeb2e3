import { Random } from "../random.ts";

/** What the endpoint can do wrong, and what that is to its client. */
export const faultKinds = {
  away: "the connection of any call breaks, and nothing happens",
  unavailable: "any call answers 503",
  busy: "any call answers 429 with Retry-After: 2",
  misconfigured: "any call answers 401",
  run_refused: "POST /run answers 500 and takes nothing",
  run_throttled: "POST /run answers 429 with Retry-After: 1",
  run_reset_before: "the connection breaks before POST /run took the run",
  run_reset_after: "the connection breaks after POST /run took the run",
  run_error_after: "POST /run takes the run and answers 504",
  run_garbage: "POST /run takes the run and answers a page of HTML",
  status_error: "GET /status answers 500",
  status_gone: "GET /status answers 404 for a run that is there",
  status_stale: "GET /status says IN_PROGRESS of a run that has ended",
  status_foreign: "GET /status answers with another run's id",
  cancel_error: "POST /cancel answers 500 and cancels nothing",
  result_lost: "a worker's result is lost, the run hangs",
  handler_fails: "a worker's result becomes an error",
  hook_dropped: "the webhook is not sent",
  hook_doubled: "the webhook is sent twice",
  hook_late: "the webhook comes up to 20 s late",
  hook_early: "a webhook that says COMPLETED comes while the run has just begun",
} as const;
export type FaultKind = keyof typeof faultKinds;

function isFaultKind(name: string): name is FaultKind {
  return name in faultKinds;
}

/** A bad day: each kind with its rate, every choice from one seed. */
export class Faults {
  readonly random: Random;
  readonly #rates: Map<FaultKind, number>;

  constructor(rates: ReadonlyMap<FaultKind, number> = new Map(), seed = 1) {
    this.#rates = new Map(rates);
    this.random = new Random(seed);
  }

  /** Begins a trouble, or ends it with a rate of 0. */
  set(kind: FaultKind, rate: number): void {
    this.#rates.set(kind, rate);
  }

  strikes(kind: FaultKind): boolean {
    const rate = this.#rates.get(kind) ?? 0;
    return rate > 0 && this.random.chance(rate);
  }
}

/**
 * Reads `kind=rate,…`, or `all=rate`.
 * @throws Error that names what cannot be read
 */
export function parseFaults(text: string): Map<FaultKind, number> {
  const rates = new Map<FaultKind, number>();
  for (const entry of text.split(",").filter(Boolean)) {
    const [name = "", value = ""] = entry.split("=");
    const rate = Number(value);
    const kinds = name === "all" ? Object.keys(faultKinds).filter(isFaultKind) : [name].filter(isFaultKind);
    if (kinds.length === 0 || value === "" || !(rate >= 0 && rate <= 1)) {
      const known = ["all", ...Object.keys(faultKinds)].join(", ");
      throw new Error(`--faults: ${entry} is not kind=rate with a rate from 0 to 1 and a kind of: ${known}`);
    }
    for (const kind of kinds) {
      rates.set(kind, rate);
    }
  }
  return rates;
}
