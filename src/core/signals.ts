import type { Metadata } from "../contract/common.ts";
import type { JobErrorCode } from "../contract/job.ts";
import type { Duty, StoredOutput } from "./job-state.ts";
import type { Timers } from "./timers.ts";

/** Progress as a handler reports it, cleaned: percent 0–100, texts bounded. */
export type ProgressReport = Readonly<{ progress: number; stage: string | null; message: string | null }>;

/** What RunPod's `/status` says of a run, in our words. `gone` is its 404. */
export type RunReport = Readonly<
  { delayMs: number | null; executionMs: number | null } & (
    | { word: "queued" | "completed" | "gone" }
    | { word: "running"; progress: ProgressReport | null }
    | { word: "failed"; code: JobErrorCode; message: string }
  )
>;

/** What was written to D1: the job as of a version, and the usage of some attempts. */
export type Projected = Readonly<{ version: number; progress: number; settled: boolean; counted: readonly number[] }>;

/** What D1 said to it: `failed` when it may not have taken it, otherwise whether the tenant had asked for webhooks. */
export type ProjectionAnswer = "failed" | Readonly<{ isHeard: boolean }>;

/** A fact reported to a job. Each names its attempt, so that a late one cannot touch a newer attempt (I5). */
export type Signal = Readonly<
  | { kind: "attempt_opened"; nonce: string; endpointId: string; outputKey: string }
  | { kind: "run_accepted"; attempt: number; runId: string }
  | { kind: "run_refused"; attempt: number; code: JobErrorCode; message: string }
  | { kind: "run_throttled"; attempt: number; retryAfterMs: number | null }
  | { kind: "run_unconfirmed"; attempt: number }
  | { kind: "doorbell"; attempt: number; nonce: string; runId: string | null }
  | { kind: "progress"; attempt: number; nonce: string; report: ProgressReport }
  | { kind: "run_reported"; attempt: number; report: RunReport }
  | { kind: "status_unavailable"; attempt: number }
  | { kind: "output_found"; attempt: number; output: StoredOutput }
  | { kind: "output_absent"; attempt: number }
  | { kind: "output_unknown"; attempt: number }
  | { kind: "cancel_requested" }
  | { kind: "retry_requested" }
  | { kind: "amended"; metadata: Metadata | null; acknowledged: boolean | null }
  | { kind: "duty_tried"; duty: Duty; attempt: number; done: boolean }
  | { kind: "projected"; projected: Projected; answer: ProjectionAnswer }
  | { kind: "d1_seen"; version: number }
  | { kind: "clock" }
>;

export type SignalOf<Kind extends Signal["kind"]> = Extract<Signal, { kind: Kind }>;

/** What a decision may know besides the job and the signal. */
export type DecisionContext = Readonly<{
  now: number;
  timers: Timers;
  /** Someone watches the job live. */
  watched: boolean;
}>;
