import type { Attempt } from "../../src/core/attempt.ts";
import type { Duty, DutyName } from "../../src/core/duty.ts";
import type { JobState } from "../../src/core/job-state.ts";
import type { Change } from "../../src/core/machine.ts";
import type { DecisionContext, Signal, SignalOf } from "../../src/core/signals.ts";
import { rulesOfChanges } from "./audit-step-changes.ts";
import { rulesOfDebts } from "./audit-step-debts.ts";
import { rulesOfOutput } from "./audit-step-output.ts";
import { rulesOfOwner } from "./audit-step-owner.ts";
import { rulesOfProgress } from "./audit-step-progress.ts";
import { rulesOfRing } from "./audit-step-ring.ts";
import { rulesOfRun } from "./audit-step-run.ts";
import { rulesOfUpkeep } from "./audit-step-upkeep.ts";
import { rulesOfWord } from "./audit-step-word.ts";

export type Rule = readonly [rule: string, holds: boolean];

/** One fact that a job was told of, and what became of it. */
export type Step<Told extends Signal = Signal> = Readonly<{
  before: JobState;
  signal: Told;
  context: DecisionContext;
  /** Null where nothing came of it. */
  change: Change | null;
  after: JobState;
}>;
export type StepOf<Kind extends Signal["kind"]> = Step<SignalOf<Kind>>;

/** What is wrong with what became of a fact: what users, the operator and the bill may count on. */
export function auditStep(step: Step): string[] {
  const rules = [...rulesOfChanges(step), ...rulesOfDebts(step), ...rulesOfKind(step)];
  return rules.filter(([, holds]) => !holds).map(([rule]) => `${step.signal.kind}: ${rule}`);
}

function rulesOfKind(step: Step): Rule[] {
  const { signal } = step;
  switch (signal.kind) {
    case "attempt_opened":
    case "input_missing":
    case "run_answered":
    case "turn_delayed":
      return rulesOfRun({ ...step, signal });
    case "status_answered":
      return rulesOfWord({ ...step, signal });
    case "progress":
      return rulesOfProgress({ ...step, signal });
    case "doorbell":
      return rulesOfRing({ ...step, signal });
    case "output_found":
    case "output_absent":
    case "output_unknown":
      return rulesOfOutput({ ...step, signal });
    case "cancel_requested":
    case "retry_requested":
    case "remove_requested":
    case "amended":
      return rulesOfOwner({ ...step, signal });
    case "duty_tried":
    case "row_written":
    case "d1_seen":
    case "clock":
      return rulesOfUpkeep({ ...step, signal });
  }
}

/** Whether something has these fields, with these values. */
export function has(actual: object | null | undefined, expected: object): boolean {
  const found = new Map<string, unknown>(Object.entries(actual ?? {}));
  return Object.entries(expected).every(([name, value]) => isEqual(found.get(name), value));
}

export function isEqual(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

/** An attempt before and after. */
export function attemptIn(job: JobState, number: number): Attempt | undefined {
  return job.attempts.find((attempt) => attempt.number === number);
}

export function dutyIn(job: JobState, duty: DutyName, of?: string | number): Duty | undefined {
  return job.duties.find((owed) => owed.duty === duty && (of === undefined || owed.of === of));
}

/** An instant not sooner and not later than so long from now. */
export function isWithin(at: number | null | undefined, now: number, least: number, most: number): boolean {
  return at !== null && at !== undefined && at >= Math.floor(now + least) && at <= Math.ceil(now + most);
}

const longestBackoffMs = 300_000;

/** A pause that doubles with each try, five minutes at most, a quarter more or less. */
export function isBackoff(at: number | null | undefined, now: number, baseMs: number, tries: number): boolean {
  const pauseMs = Math.min(longestBackoffMs, baseMs * 2 ** (tries - 1));
  return isWithin(at, now, 0.75 * pauseMs, 1.25 * pauseMs);
}

/** When its owner, or the service, has waited long enough for a job to begin. */
export function patienceEnd({ startBy, waitingSince }: JobState, { timers }: DecisionContext): number {
  return Math.min(startBy ?? Infinity, waitingSince + timers.providerPatienceMs);
}
