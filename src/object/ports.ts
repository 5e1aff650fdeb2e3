import type { JobEvent } from "../contract/event.ts";
import type { Attempt, JobState, StoredOutput } from "../core/job-state.ts";
import type { RunReport } from "../core/signals.ts";
import type { Timers } from "../core/timers.ts";
import type { RunOutcome } from "../runpod/client.ts";
import type { JobProjection, ProjectionExtra } from "../store/jobs.ts";
import type { Wake } from "./journal.ts";

/** All that the engine touches of the world: the object gives it Cloudflare and RunPod, a simulator its own. */
export type Ports = Readonly<{
  now(): number;
  timers: Timers;
  /** The RunPod endpoint that new attempts go to. */
  endpointId: string;
  newNonce(): string;
  /** The job as it was last saved, with what was kept since. */
  load(): { job: JobState; savedVersion: number } | null;
  /** Keeps progress, unsaved, where a sleep of the object does not reach it. @returns false where there is no such place */
  keep(job: JobState): boolean;
  save(job: JobState, events: readonly JobEvent[], wake: Wake): void;
  wake(wake: Wake): void;
  submitRun(job: JobState, attempt: Attempt): Promise<RunOutcome>;
  /** @returns null when RunPod gave no word that can be read */
  askStatus(endpointId: string, runId: string): Promise<RunReport | null>;
  /** @returns whether RunPod took it, or no longer knows the run */
  cancelRun(endpointId: string, runId: string): Promise<boolean>;
  /** @throws when R2 does not answer in time */
  findOutput(key: string): Promise<StoredOutput | null>;
  /**
   * Writes the job and its usage to D1, both or neither; again changes nothing.
   * @returns whether the tenant had asked for webhooks by then @throws when D1 does not answer in time
   */
  project(projection: JobProjection, extra: ProjectionExtra): Promise<boolean>;
  /** @throws when R2 does not answer in time */
  deleteOutput(key: string): Promise<void>;
  /** Tells of a change of status to those who asked for webhooks. @throws when that is not durable */
  notify(job: JobState): Promise<void>;
  broadcast(event: JobEvent): void;
  isWatched(): boolean;
  /** Tells the operator of something that only they can mend. */
  warn(message: string): void;
}>;
