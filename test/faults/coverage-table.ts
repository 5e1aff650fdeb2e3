import { handlers } from "../../src/core/machine.ts";
import type { Coverage, CoveredKind, CoveredPhase } from "./coverage.ts";

const phases: readonly CoveredPhase[] = [
  "job",
  "none",
  "submitting",
  "held",
  "unconfirmed",
  "running",
  "verifying",
  "abandoned",
  "closed",
];

const attemptless: ReadonlySet<CoveredKind> = new Set([
  "attempt_opened",
  "cancel_requested",
  "retry_requested",
  "remove_requested",
  "amended",
  "duty_tried",
  "row_written",
  "d1_seen",
  "clock",
]);

type Reasons = Readonly<Partial<Record<CoveredPhase, string>>>;

/** The object asks one thing at a time, and of an attempt that it has: nothing but a call of its owner comes between. */
const oneAtATime = "one at a time";
const ownQuestion = { none: "own question" };
const looked: Reasons = { ...ownQuestion, submitting: oneAtATime, held: oneAtATime, abandoned: oneAtATime };

/** The pairs that cannot occur, and why. */
const impossible: Readonly<Partial<Record<CoveredKind, Reasons>>> = {
  input_missing: {
    ...ownQuestion,
    held: oneAtATime,
    unconfirmed: oneAtATime,
    running: oneAtATime,
    verifying: oneAtATime,
    closed: oneAtATime,
  },
  run_answered: {
    ...ownQuestion,
    held: oneAtATime,
    unconfirmed: oneAtATime,
    running: oneAtATime,
    verifying: oneAtATime,
    closed: oneAtATime,
  },
  status_answered: {
    ...ownQuestion,
    submitting: oneAtATime,
    held: oneAtATime,
    unconfirmed: oneAtATime,
    verifying: oneAtATime,
    abandoned: oneAtATime,
  },
  turn_delayed: {
    ...ownQuestion,
    submitting: oneAtATime,
    unconfirmed: oneAtATime,
    verifying: oneAtATime,
    abandoned: oneAtATime,
  },
  progress: { none: "never wanted", held: "no handler", abandoned: "job is over" },
  output_found: looked,
  output_absent: looked,
  output_unknown: looked,
};

function reasonWhyNot(kind: CoveredKind, phase: CoveredPhase): string | null {
  if (attemptless.has(kind) !== (phase === "job")) {
    return attemptless.has(kind) ? "names no attempt" : "names an attempt";
  }
  return impossible[kind]?.[phase] ?? null;
}

function kinds(): CoveredKind[] {
  const isKind = (name: string): name is CoveredKind => name in handlers;
  return Object.keys(handlers).filter(isKind);
}

/** The pairs that could have occurred, and did not. */
export function listNeverStruck(coverage: Coverage): string[] {
  return kinds().flatMap((kind) =>
    phases
      .filter((phase) => reasonWhyNot(kind, phase) === null && coverage.of(kind, phase).struck === 0)
      .map((phase) => `${kind} × ${phase}`),
  );
}

/** Signals down, phases across: how often each pair was struck, and in brackets how often it changed the job. */
export function toCoverageTable(coverage: Coverage): string {
  const header = ["signal", ...phases];
  const rows = kinds().map((kind) => [kind, ...phases.map((phase) => toCell(coverage, kind, phase))]);
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)));
  return [header, ...rows]
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "))
    .join("\n");
}

function toCell(coverage: Coverage, kind: CoveredKind, phase: CoveredPhase): string {
  const { struck, changed } = coverage.of(kind, phase);
  if (struck > 0) {
    return `${struck} (${changed})`;
  }
  const reason = reasonWhyNot(kind, phase);
  return reason === null ? "0" : attemptless.has(kind) !== (phase === "job") ? "" : reason;
}
