/** The protocol's durations, all in milliseconds; each is a setting of the same name (see src/env.ts). */
export type Timers = Readonly<{
  /** Longest wait for the answer to `POST /run`. */
  runTimeoutMs: number;
  /** After an ambiguous `/run`: how long a webhook may still name the run before another is bought. */
  runGraceMs: number;
  /** Longest wait for `/status`, `/cancel`, an R2 HEAD or a D1 write. */
  statusTimeoutMs: number;
  /** Pace of `/status` polls at first, near the end and while someone watches. */
  pollMinMs: number;
  /** Slowest pace of `/status` polls. */
  pollMaxMs: number;
  /** Longest rendering time of one attempt, enforced by RunPod and, a poll later, by us. */
  executionTimeoutMs: number;
  /** A job that has waited so long for a GPU is worth the operator's attention; it goes on waiting. */
  queueTimeoutMs: number;
  /** Longest wait for a run to be bought and begun, where the job's owner named none. */
  providerPatienceMs: number;
  /** How long the output may take to appear in R2 after RunPod says that the run completed. */
  outputWindowMs: number;
  /** Pause before the first retry; doubles with each. */
  retryBackoffMs: number;
  /** Progress reaches the journal and D1 at most this often. */
  progressFlushMs: number;
}>;
