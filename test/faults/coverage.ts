import type { Attempt } from "../../src/core/attempt.ts";
import { findAttempt, type JobState } from "../../src/core/job-state.ts";
import { type handlers, transition } from "../../src/core/machine.ts";
import { nextAction } from "../../src/core/next-action.ts";
import type { Signal } from "../../src/core/signals.ts";
import type { Rules } from "../../src/object/engine.ts";
import { auditAction } from "./audit-action.ts";
import { LookAudit } from "./audit-looks.ts";
import { SpreadAudit } from "./audit-spread.ts";
import { auditStep } from "./audit-step.ts";
import { Probe } from "./probe.ts";

export type CoveredKind = keyof typeof handlers;
/** The phase of the attempt that a signal names; `none` where there is no such attempt, `job` where it names none. */
export type CoveredPhase = Attempt["phase"] | "none" | "job";

/** How often each signal met each phase, and how often it changed something there. */
export class Coverage {
  readonly #pairs = new Map<string, { struck: number; changed: number }>();

  note(kind: CoveredKind, phase: CoveredPhase, struck: number, changed: number): void {
    const key = `${kind} ${phase}`;
    const pair = this.#pairs.get(key) ?? { struck: 0, changed: 0 };
    this.#pairs.set(key, pair);
    pair.struck += struck;
    pair.changed += changed;
  }

  of(kind: CoveredKind, phase: CoveredPhase): { struck: number; changed: number } {
    return this.#pairs.get(`${kind} ${phase}`) ?? { struck: 0, changed: 0 };
  }

  /** Adds what another world saw. */
  add(other: Coverage): void {
    for (const [key, { struck, changed }] of other.#pairs) {
      const pair = this.#pairs.get(key) ?? { struck: 0, changed: 0 };
      this.#pairs.set(key, { struck: pair.struck + struck, changed: pair.changed + changed });
    }
  }

  toJSON(): Record<string, { struck: number; changed: number }> {
    return Object.fromEntries(this.#pairs);
  }
}

function phaseOf(job: JobState, signal: Signal): CoveredPhase {
  return "attempt" in signal ? (findAttempt(job, signal.attempt)?.phase ?? "none") : "job";
}

/**
 * The service's own two pure functions, a note of what they met, and an audit of each decision.
 * @param isSteady whether no save of a job has failed: one that did took back what was asked on its ground
 */
export function watchedRules(
  coverage: Coverage,
  isSteady: (id: string) => boolean,
  onWrong: (wrong: string) => void,
): Rules {
  const spread = new SpreadAudit();
  const looks = new LookAudit();
  const probe = new Probe(transition);
  return {
    transition: (job, signal, context) => {
      const phase = phaseOf(job, signal);
      const change = transition(job, signal, context);
      coverage.note(signal.kind, phase, 1, change === null ? 0 : 1);
      const step = { before: job, signal, context, change, after: change?.job ?? job };
      [...auditStep(step), ...spread.note(step), ...(isSteady(job.spec.id) ? looks.note(step) : [])].forEach(onWrong);
      probe.try(step.after, context).forEach(onWrong);
      return change;
    },
    nextAction: (job, now, timers) => {
      const action = nextAction(job, now, timers);
      auditAction(job, action, now, timers).forEach(onWrong);
      return action;
    },
  };
}
