import type { Attempt, Claim, Failure, Outcome, Run } from "./attempt.ts";
import { noAudience } from "./audience.ts";
import type { Duty } from "./duty.ts";
import type { JobSpec } from "./job-state.ts";
import type { SavedJob, SavedState } from "./saved-state.ts";

type FirstAttempt = Readonly<{
  number: number;
  nonce: string;
  outputKey: string;
  endpointId: string;
  phase: "submitting" | "throttled" | "unconfirmed" | "running" | "closed";
  openedAt: number;
  submittedAt: number;
  runId: string | null;
  acceptedAt: number | null;
  runningSince: number | null;
  hinted: boolean;
  claim: Claim | "gone" | "salvage" | null;
  check: Readonly<{ at: number }> | null;
  polls: number;
  outcome: Outcome | null;
  closedAt: number | null;
  endedAt: number | null;
  usageCounted: boolean;
  policy: Attempt["policy"];
  delayMs: number | null;
  executionMs: number | null;
}>;

type Kept =
  | "status"
  | "stage"
  | "progress"
  | "message"
  | "error"
  | "output"
  | "nextAttemptAt"
  | "version"
  | "startedAt"
  | "completedAt"
  | "updatedAt"
  | "settledAt";
type AddedLater = "lastSeq" | "metadata" | "acknowledgedAt" | "audience" | "attemptsBefore";

/** What the first release saved, as one JSON text without a version; some of it came only while that release grew. */
export type FirstState = Readonly<
  Pick<SavedJob, Kept> &
    Partial<Pick<SavedJob, AddedLater>> & {
      spec: Omit<JobSpec, "inputSize" | "reused" | "webhook"> & Partial<JobSpec>;
      attempts: readonly FirstAttempt[];
      pendingError: (Failure & { retryable: boolean; attempt: number }) | null;
      projection: Readonly<{ version: number; progress: number; at: number; reopenedVersion?: number }>;
    }
>;

/** The first release's state in the form of {@link SavedState}. What it owed besides is owed anew when its end is. */
export function fromFirstState(first: FirstState): { saved: SavedState; spec: JobSpec } {
  const { spec, attempts, pendingError, projection, ...job } = first;
  const completed: JobSpec = { inputSize: null, reused: null, webhook: null, ...spec };
  const reserved = first.version + 1_000;
  const { startWithinMs, createdAt } = completed;
  const hasBegun = attempts.some(({ runningSince }) => runningSince !== null);
  const looks = attempts.filter(({ claim }) => claim === "salvage").map(({ number }) => number);
  const duty: Duty = { duty: "write_row", of: reserved, tries: 0, dueAt: first.updatedAt, until: null };
  const saved: SavedJob = {
    ...{ lastSeq: first.version, metadata: null, acknowledgedAt: null, audience: noAudience, attemptsBefore: 0 },
    ...job,
    runId: attempts.at(-1)?.runId ?? null,
    attempts: attempts.map(toAttempt),
    waitingSince: first.updatedAt,
    startBy: startWithinMs === null || hasBegun ? null : createdAt + startWithinMs,
    verdict: pendingError && { error: pendingError, looks, lookAt: first.updatedAt },
    duties: first.settledAt === null ? [duty] : [],
    removal: null,
    row: { version: projection.version, progress: projection.progress, at: projection.at, reopenedVersion: 0 },
  };
  return { saved: { v: 2, reserved, job: saved }, spec: completed };
}

function toRun({ runId: id, acceptedAt, runningSince, endedAt, ...attempt }: FirstAttempt): Run | null {
  const knownAt = acceptedAt ?? attempt.submittedAt;
  const { delayMs, executionMs } = attempt;
  return id === null ? null : { id, toldBy: "answer", knownAt, startedAt: runningSince, endedAt, delayMs, executionMs };
}

function toAttempt(first: FirstAttempt): Attempt {
  const { number, nonce, outputKey, endpointId, openedAt, policy, submittedAt: sentAt } = first;
  const identity = { number, nonce, outputKey, endpointId, openedAt, policy, rungAt: null, hint: null, strays: [] };
  const run = toRun(first);
  const at = first.check?.at ?? sentAt;
  if (first.phase === "closed") {
    const closed = { phase: "closed", sentAt, run, closedAt: first.closedAt ?? sentAt, cancelsOwed: [] } as const;
    return { ...identity, ...closed, outcome: first.outcome ?? "cancelled", usageOwed: first.usageCounted };
  }
  if (first.phase === "throttled") {
    return { ...identity, phase: "held", why: "busy", tries: first.polls, resendAt: at };
  }
  if (run && (first.claim === "completed" || first.claim === "late_start" || first.claim === "late_end")) {
    const looking = { claim: first.claim, since: at, lookAt: at, silences: 0 };
    return { ...identity, phase: "verifying", sentAt, run, ...looking };
  }
  if (run) {
    const polling = { pollAt: at, silences: 0, gone: null, rung: first.hinted };
    return { ...identity, phase: "running", sentAt, run, ...polling };
  }
  if (first.outcome !== null) {
    return { ...identity, phase: "abandoned", sentAt, outcome: first.outcome };
  }
  return first.phase === "submitting"
    ? { ...identity, phase: "submitting", sentAt, tries: 0, heardAt: first.runningSince }
    : { ...identity, phase: "unconfirmed", sentAt, lookAt: at, looks: 0, heardAt: first.runningSince, verdict: null };
}
