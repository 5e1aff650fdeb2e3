import type { Metadata } from "../contract/common.ts";
import type { JobErrorCode } from "../contract/job.ts";
import type { DutyKey } from "./duty.ts";
import type { Returned, StoredOutput } from "./job-state.ts";
import type { ProviderAnswer } from "./provider-answer.ts";
import type { Timers } from "./timers.ts";

/** Progress as a handler reports it, cleaned: percent 0–100, texts bounded. */
export type ProgressReport = Readonly<{ progress: number; stage: string | null; message: string | null }>;

/** What RunPod's `/status` says of a run, in our words. `gone` is its 404. */
export type RunReport = Readonly<
  { delayMs: number | null; executionMs: number | null } & (
    | { word: "queued" | "gone" }
    | { word: "completed"; returned?: Returned }
    | { word: "running"; progress: ProgressReport | null }
    | { word: "failed"; code: JobErrorCode; message: string }
  )
>;

/** What was written to D1: the job as of a version, and the usage of some attempts. */
export type WrittenRow = Readonly<{
  version: number;
  progress: number;
  settled: boolean;
  counted: readonly number[];
}>;

/** What D1 said to it: `failed` when it may not have taken it, otherwise whether the tenant had asked for webhooks. */
export type RowAnswer = "failed" | Readonly<{ isHeard: boolean }>;

/** `lent`: the row stays, because other jobs show its output. */
export type DutyOutcome = "done" | "failed" | "lent";

/** A fact reported to a job. Each names its attempt, so that a late one cannot touch a newer attempt (I5). */
export type Signal = Readonly<
  | { kind: "attempt_opened"; nonce: string; endpointId: string; outputKey: string }
  | { kind: "input_missing"; attempt: number }
  | { kind: "run_answered"; attempt: number; answer: ProviderAnswer<{ runId: string }> }
  | { kind: "status_answered"; attempt: number; runId: string; answer: ProviderAnswer<RunReport> }
  /** RunPod is in trouble, and not to be asked about this attempt before then. */
  | { kind: "turn_delayed"; attempt: number; at: number }
  | { kind: "doorbell"; attempt: number; nonce: string; runId: string | null }
  | { kind: "progress"; attempt: number; nonce: string; report: ProgressReport }
  | { kind: "output_found"; attempt: number; output: StoredOutput }
  | { kind: "output_absent"; attempt: number }
  | { kind: "output_unknown"; attempt: number }
  | { kind: "cancel_requested" }
  | { kind: "retry_requested" }
  | { kind: "remove_requested" }
  | { kind: "amended"; metadata: Metadata | null; acknowledged: boolean | null }
  | { kind: "duty_tried"; key: DutyKey; outcome: DutyOutcome }
  | { kind: "row_written"; written: WrittenRow; answer: RowAnswer }
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
