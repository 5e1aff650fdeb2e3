import type { Metadata } from "../contract/common.ts";
import { finalStatuses, type JobError, type JobErrorCode, type JobStatus } from "../contract/job.ts";
import type { JobParams, JobType } from "../contract/types/index.ts";
import type { WebhookEventType } from "../contract/webhook.ts";
import { type Audience, noAudience } from "./audience.ts";

/** What a job was created with; never changes. Instants are milliseconds since the epoch, as everywhere in core. */
export type JobSpec = Readonly<{
  id: string;
  tenantId: string;
  projectId: number;
  userId: string | null;
  type: JobType;
  params: JobParams;
  inputVideoKey: string;
  /** Bytes, as at the creation; null when nobody noted it. */
  inputSize: number | null;
  maxRetries: number;
  startWithinMs: number | null;
  maxRunMs: number | null;
  createdAt: number;
  /** The output of another job, which this one shows as its own; null for a job that does its own work. */
  reused: StoredOutput | null;
  /** The job's own address for outgoing webhooks; null without one. */
  webhook: Readonly<{ url: string; events: readonly WebhookEventType[] }> | null;
}>;

/** A verified output: seen in R2, non-empty. */
export type StoredOutput = Readonly<{ key: string; size: number; etag: string }>;

/**
 * - `submitting`: written before `POST /run`, the answer is not known yet
 * - `throttled`: RunPod said 429; the same attempt is sent again
 * - `unconfirmed`: the answer was lost, a run may or may not exist
 * - `running`: RunPod gave a run id (queued or rendering there)
 * - `closed`: over, whatever its outcome
 */
export type AttemptPhase = "submitting" | "throttled" | "unconfirmed" | "running" | "closed";

/**
 * Why an attempt's output is looked for: RunPod said `completed`, RunPod no longer knows the run (`gone`), a deadline
 * of ours passed (`late_start`, `late_end`), or the job is about to end in error (`salvage`).
 */
export type Claim = "completed" | "gone" | "late_start" | "late_end" | "salvage";

export type Attempt = Readonly<{
  number: number;
  /** Random; part of the webhook token, so that a token of another attempt or object is refused. */
  nonce: string;
  outputKey: string;
  endpointId: string;
  phase: AttemptPhase;
  openedAt: number;
  /** The last `POST /run`; later than `openedAt` after a 429. */
  submittedAt: number;
  runId: string | null;
  acceptedAt: number | null;
  runningSince: number | null;
  /** A webhook rang and has not been answered by RunPod's own word yet. */
  hinted: boolean;
  claim: Claim | null;
  claimedAt: number | null;
  /** How often `/status` said 404. */
  timesGone: number;
  /** The next verification: ask RunPod for the status, or look for the output in R2. */
  check: Readonly<{ step: "status" | "output"; at: number }> | null;
  polls: number;
  outcome: "complete" | "cancelled" | "superseded" | JobErrorCode | null;
  closedAt: number | null;
  /** When RunPod said that the run is over; until then it may hold a GPU. */
  endedAt: number | null;
  /** A cancel of its run is owed or done. */
  cancelOwed: boolean;
  /** D1 has its usage; see {@link uncountedAttempts}. */
  usageCounted: boolean;
  /** Longest rendering and whole life that RunPod was told, in milliseconds. */
  policy: Readonly<{ executionTimeoutMs: number; ttlMs: number }>;
  /** RunPod's own figures, when it gave them. */
  delayMs: number | null;
  executionMs: number | null;
}>;

export const duties = ["cancel", "delete_output", "notify"] as const;
/**
 * What is owed for an attempt and tried until it is done: `cancel` its run at RunPod (I8), `delete_output` of one that
 * lost. A `notify`, to whoever asked for webhooks, is owed for a version instead: its `attempt` is that version.
 */
export type Duty = (typeof duties)[number];
export type Obligation = Readonly<{ duty: Duty; attempt: number; tries: number; dueAt: number }>;

/** How far D1's copy of the job has come. */
export type Projection = Readonly<{
  version: number;
  progress: number;
  /** The last version that D1 must have without delay: a change of status. */
  urgentVersion: number;
  at: number;
  tries: number;
  notBefore: number;
  /** The version at which the owner last reopened the job: until D1 has it, the columns of the end must be cleared. */
  reopenedVersion: number;
}>;

export type JobState = Readonly<{
  spec: JobSpec;
  status: JobStatus;
  stage: string;
  progress: number;
  message: string | null;
  error: JobError | null;
  output: StoredOutput | null;
  attempts: readonly Attempt[];
  /** When the next attempt may be opened; null while one is open and when the job is final. */
  nextAttemptAt: number | null;
  /** The verdict that stands unless an attempt's output is found after all. */
  pendingError: JobError | null;
  obligations: readonly Obligation[];
  audience: Audience;
  /** How many attempts there were when the owner last asked for a retry: each asking has its own `max_retries`. */
  attemptsBefore: number;
  version: number;
  /** The next version is above this: a crash may have lost versions that readers have seen. */
  versionFloor: number;
  projection: Projection;
  startedAt: number | null;
  completedAt: number | null;
  updatedAt: number;
  settledAt: number | null;
  /** The version of the last event; below `version` when a change told watchers nothing. */
  lastSeq: number;
  /** The owner's labels, once they were changed; null as long as the row's are those of the creation. */
  metadata: Metadata | null;
  /** When the owner took note of the job's end. */
  acknowledgedAt: number | null;
}>;

/** A job as it is right after its row was written: version 1, due for its first attempt, or complete by reuse. */
export function newJobState(spec: JobSpec): JobState {
  const fresh = newPendingState(spec);
  if (!spec.reused) {
    return fresh;
  }
  const { createdAt } = spec;
  const end = { startedAt: createdAt, completedAt: createdAt, settledAt: createdAt };
  const done = { status: "complete", stage: "done", progress: 100, output: spec.reused, nextAttemptAt: null } as const;
  const obligations: Obligation[] = [{ duty: "notify", attempt: fresh.version, tries: 0, dueAt: createdAt }];
  return { ...fresh, ...done, ...end, obligations };
}

function newPendingState(spec: JobSpec): JobState {
  return {
    spec,
    status: "pending",
    stage: "queued",
    progress: 0,
    message: null,
    error: null,
    output: null,
    attempts: [],
    nextAttemptAt: spec.createdAt,
    pendingError: null,
    obligations: [],
    audience: noAudience,
    attemptsBefore: 0,
    version: 1,
    versionFloor: 0,
    projection: {
      version: 1,
      progress: 0,
      urgentVersion: 1,
      at: spec.createdAt,
      tries: 0,
      notBefore: 0,
      reopenedVersion: 0,
    },
    startedAt: null,
    completedAt: null,
    updatedAt: spec.createdAt,
    settledAt: null,
    lastSeq: 1,
    metadata: null,
    acknowledgedAt: null,
  };
}

/** A state as an earlier version of this service saved it, completed by what has been added since. */
export function fromSavedState(saved: SavedState): JobState {
  const added = { lastSeq: saved.version, metadata: null, acknowledgedAt: null, audience: noAudience };
  return { ...added, ...saved };
}

type Added = "lastSeq" | "metadata" | "acknowledgedAt" | "audience";
type SavedState = Omit<JobState, Added> & Partial<Pick<JobState, Added>>;

const finalSet: ReadonlySet<JobStatus> = new Set(finalStatuses);

export function isFinal(status: JobStatus): boolean {
  return finalSet.has(status);
}

/** The only changes of status there are (I4); a final status is left by the owner's retry alone (I3). */
export const allowedEdges: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  pending: ["processing", "complete", "error", "cancelled"],
  processing: ["complete", "error", "cancelled"],
  complete: [],
  error: ["pending"],
  cancelled: ["pending"],
};

/** Whether the owner may ask for another try. */
export function canReopen(status: JobStatus): boolean {
  return isFinal(status) && allowedEdges[status].includes("pending");
}

export function currentAttempt(job: JobState): Attempt | undefined {
  return job.attempts.at(-1);
}

export function findAttempt(job: JobState, number: number): Attempt | undefined {
  return job.attempts[number - 1];
}

/** Whether an attempt's work is still wanted: the job goes on, and this is the attempt that it goes on with (I5). */
export function isWanted(job: JobState | null, { attempt, nonce }: { attempt: number; nonce: string }): boolean {
  const current = job?.attempts.at(-1);
  return Boolean(job && !isFinal(job.status) && current?.number === attempt && current.nonce === nonce);
}

/** Once the job is over, each closed attempt is counted, once, with the next write to D1 (I10). */
export function uncountedAttempts(job: JobState): Attempt[] {
  return isFinal(job.status)
    ? job.attempts.filter(({ phase, usageCounted }) => phase === "closed" && !usageCounted)
    : [];
}

/**
 * Final, and nothing left to do outside D1, no run that could cost a GPU: with D1's next write only such a job may go to
 * sleep without an alarm (I8, I11).
 */
export function isSettleable(job: JobState): boolean {
  return isFinal(job.status) && job.obligations.length === 0 && job.attempts.every(({ phase }) => phase === "closed");
}
