import type { Metadata } from "../contract/common.ts";
import { finalStatuses, type JobError, type JobStatus } from "../contract/job.ts";
import type { JobParams, JobType } from "../contract/types/index.ts";
import type { WebhookEventType } from "../contract/webhook.ts";
import type { Attempt } from "./attempt.ts";
import { type Audience, noAudience, oweNotice } from "./audience.ts";
import type { Duty } from "./duty.ts";
import { isOfAttempt } from "./object-keys.ts";

/** What a job was created with; never changes. Instants are milliseconds since the epoch, as everywhere in core. */
export type JobSpec = Readonly<{
  id: string;
  tenantId: string;
  projectId: number;
  userId: string | null;
  type: JobType;
  /** Null once the job is removed. */
  params: JobParams | null;
  /** Null for a type that works on none. */
  inputVideoKey: string | null;
  /** Other files of the job, by name; undefined where it has none. */
  assets?: Readonly<Record<string, string>> | undefined;
  /** From -10 to 10; undefined where nobody said. */
  priority?: number | undefined;
  /** Bytes, as at the creation; null when nobody noted it. */
  inputSize: number | null;
  maxRetries: number;
  startWithinMs: number | null;
  maxRunMs: number | null;
  createdAt: number;
  /** The labels at the creation, and the job whose output it shows; undefined in what an earlier release saved. */
  metadata?: Metadata;
  reusedFrom?: string | null;
  /** The output of another job, which this one shows as its own; null for a job that does its own work. */
  reused: StoredOutput | null;
  /** The job's own address for outgoing webhooks; null without one. */
  webhook: Readonly<{ url: string; events: readonly WebhookEventType[] }> | null;
}>;

/** An object that was seen in R2, and is not empty. */
export type StoredObject = Readonly<{ key: string; size: number; etag: string }>;

/** What a handler returned with RunPod's `COMPLETED`: its result as JSON, null where there is none that fits the type. */
export type Returned = Readonly<{ result: string | null; counters: Readonly<Record<string, number>> }>;

/** A verified output, and what came with it. */
export type StoredOutput = StoredObject &
  Readonly<{ artifacts?: readonly (StoredObject & { readonly name: string })[]; returned?: Returned }>;

/** What is known of the job's row in D1. */
export type RowState = Readonly<{
  version: number;
  progress: number;
  at: number;
  /** The version at which the owner last reopened the job: until D1 has it, the columns of the end must be cleared. */
  reopenedVersion: number;
}>;

/** The verdict that stands unless an attempt's output is found after all. */
export type Verdict = Readonly<{
  error: JobError;
  /** The attempts, by number, that are still to be looked at. */
  looks: readonly number[];
  lookAt: number;
}>;

/** The owner wants the job gone. Nothing begins any more; what is left to do is owed. */
export type Removal = Readonly<{ requestedAt: number; rowGone: boolean }>;

export type JobState = Readonly<{
  spec: JobSpec;
  status: JobStatus;
  stage: string;
  progress: number;
  message: string | null;
  error: JobError | null;
  output: StoredOutput | null;
  /** RunPod's id of the run, as readers see it: a final job's stays as it was. */
  runId: string | null;
  attempts: readonly Attempt[];
  /** When the next attempt may be opened; null while one is open and when the job is final. */
  nextAttemptAt: number | null;
  /** Since when it waits for a GPU, through all trouble that RunPod may have. */
  waitingSince: number;
  /** Its owner's own end of that wait; null without one, and once it has rendered. */
  startBy: number | null;
  verdict: Verdict | null;
  duties: readonly Duty[];
  removal: Removal | null;
  audience: Audience;
  /** How many attempts there were when the owner last asked for a retry: each asking has its own `max_retries`. */
  attemptsBefore: number;
  version: number;
  row: RowState;
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
  const pending = newPendingState(spec);
  const { createdAt, reused } = spec;
  if (!reused) {
    return pending;
  }
  const duties: Duty[] = [{ duty: "write_row", of: 1, tries: 0, dueAt: createdAt, until: null }];
  const end = { status: "complete", stage: "done", progress: 100, output: reused } as const;
  const times = { nextAttemptAt: null, startedAt: createdAt, completedAt: createdAt };
  return oweNotice({ ...pending, ...end, duties, ...times }, 1, createdAt);
}

/**
 * Stands in for a job whose object is empty though its row is of one that got further: nothing of it may begin again.
 * @param attempts how many it had, by its row: each may have left an output
 */
export function newRemovedState(spec: JobSpec, attempts: number, now: number): JobState {
  return {
    ...newPendingState(spec),
    status: "cancelled",
    stage: "done",
    nextAttemptAt: null,
    completedAt: now,
    attemptsBefore: attempts,
    removal: { requestedAt: now, rowGone: false },
    duties: [{ duty: "delete_row", of: spec.id, tries: 0, dueAt: now, until: null }],
  };
}

function newPendingState(spec: JobSpec): JobState {
  const { createdAt, startWithinMs } = spec;
  return {
    spec,
    status: "pending",
    stage: "queued",
    progress: 0,
    message: null,
    error: null,
    output: null,
    runId: null,
    attempts: [],
    nextAttemptAt: createdAt,
    waitingSince: createdAt,
    startBy: startWithinMs === null ? null : createdAt + startWithinMs,
    verdict: null,
    duties: [],
    removal: null,
    audience: noAudience,
    attemptsBefore: 0,
    version: 1,
    row: { version: 1, progress: 0, at: createdAt, reopenedVersion: 0 },
    startedAt: null,
    completedAt: null,
    updatedAt: createdAt,
    settledAt: null,
    lastSeq: 1,
    metadata: null,
    acknowledgedAt: null,
  };
}

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

/** So many attempts fit into a saved state, with room to spare. */
const maxAttempts = 500;

/** Whether the owner may ask for another try. */
export function canReopen({ status, removal, attempts }: JobState): boolean {
  return allowedEdges[status].includes("pending") && removal === null && attempts.length < maxAttempts;
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

/** Whether an output may be written: any attempt's, as long as the job goes on; in the end the winner's is there already. */
export function takesOutput(job: JobState | null, key: string): "yes" | "over" | "gone" {
  if (!job || job.removal || !job.attempts.some(({ outputKey }) => isOfAttempt(outputKey, key))) {
    return "gone";
  }
  return isFinal(job.status) && job.output?.key !== key ? "over" : "yes";
}

const ofTheRow: ReadonlySet<Duty["duty"]> = new Set(["write_row", "count_usage"]);

/**
 * Final, and nothing left to do outside D1, no run that could cost a GPU: with D1's next write only such a job may go to
 * sleep without an alarm (I8, I11).
 */
export function isSettleable(job: JobState): boolean {
  return (
    isFinal(job.status) &&
    job.removal === null &&
    job.duties.every(({ duty }) => ofTheRow.has(duty)) &&
    job.attempts.every(({ phase }) => phase === "closed")
  );
}

const stagesBefore: ReadonlySet<string> = new Set(["queued", "dispatching", "waiting_for_provider", "waiting_for_gpu"]);

/** Whether no handler is at work yet; from then on the stage is in the handler's own words. */
export function isWaiting({ stage }: JobState): boolean {
  return stagesBefore.has(stage);
}
