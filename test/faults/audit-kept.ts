import { isFinal, type JobState } from "../../src/core/job-state.ts";
import type { KeptProgress } from "../../src/core/kept-progress.ts";
import type { Held } from "../../src/object/ports.ts";
import { isEqual } from "./audit-step.ts";

type Saved = Readonly<{ job: JobState; reserved: number }>;

/** What an object that comes back knows: no version is given twice, and what a socket kept is there (I4, E1). */
export function auditLoad({ job: saved, reserved }: Saved, kept: KeptProgress | null, held: Held): string[] {
  if (typeof held === "string") {
    return [];
  }
  const { job } = held;
  const isNews = kept !== null && kept.version > saved.version && !isFinal(saved.status);
  const shown = isNews ? kept : saved;
  const version = isNews ? kept.version : kept && kept.version >= saved.version ? saved.version : reserved;
  const isShown = (["progress", "stage", "message", "updatedAt"] as const).every(
    (field) => job[field] === shown[field],
  );
  const isSame = held.savedVersion === saved.version && held.reserved === reserved && job.status === saved.status;
  const rules: [string, boolean][] = [
    ["what readers saw is there again", isShown],
    ["no version is given twice", job.version === Math.max(version, saved.version)],
    ["the last event has its version", job.version === saved.version || job.lastSeq === job.version],
    ["what was saved is known", isSame],
  ];
  return rules.filter(([, holds]) => !holds).map(([rule]) => rule);
}

/** What a closing socket brings is taken over where it is news, above all that was ever shown. */
export function auditLate(before: JobState, kept: KeptProgress, after: JobState): string[] {
  if (kept.updatedAt <= before.updatedAt || isFinal(before.status)) {
    return after === before ? [] : ["what is no news changes nothing"];
  }
  const version = Math.max(before.version, kept.version) + 1;
  return auditKept(before, { ...kept, version, lastSeq: version }, after);
}

/** What a socket kept is shown again, and RunPod left alone while the handler speaks, unless a webhook has rung since. */
export function auditKept(before: JobState, { pollAt, ...shown }: KeptProgress, after: JobState): string[] {
  const isRest = pollAt !== null && shown.version > before.version;
  const attempts = before.attempts.map((attempt) =>
    isRest && attempt.number === before.attempts.length && attempt.phase === "running" && !attempt.rung
      ? { ...attempt, pollAt }
      : attempt,
  );
  return isEqual(after, { ...before, ...shown, attempts })
    ? []
    : ["what a socket kept is taken over, and nothing else"];
}

type Left = Readonly<{ attempt: number; kept: KeptProgress | null }>;

/** What a socket kept is saved when it closes, and no version steps back. */
export function auditDetach(
  before: JobState,
  after: JobState | null,
  saved: Saved | null,
  { attempt, kept }: Left,
): string[] {
  const isNews = kept !== null && attempt === before.attempts.length && kept.updatedAt > before.updatedAt;
  const isTaken = isNews && !isFinal(before.status);
  const version = isTaken ? Math.max(before.version, kept.version) + 1 : before.version;
  const shown = isTaken ? kept : before;
  if (after && after.version > version) {
    // What was due by then has been done in the same turn.
    return [];
  }
  const rules: [string, boolean][] = [
    [
      "what a socket kept is taken over, and nothing else",
      after?.progress === shown.progress && after.version === version,
    ],
    ["what readers are told of it is its own", after?.lastSeq === (isTaken ? version : before.lastSeq)],
    ["what memory alone held is saved", saved?.reserved === version && saved.job.progress === shown.progress],
  ];
  return rules.filter(([, holds]) => !holds).map(([rule]) => rule);
}
