import type { JobErrorCode } from "../contract/job.ts";
import type { Returned } from "./job-state.ts";

/** A run at RunPod. Instants are milliseconds since the epoch. */
export type Run = Readonly<{
  id: string;
  /** `answer`: of our own `/run`. `webhook`: so somebody said; a hint, until RunPod's own words bear it out. */
  toldBy: "answer" | "webhook";
  knownAt: number;
  /** When it was first seen to render. */
  startedAt: number | null;
  /** When RunPod said that it is over; until then it may hold a GPU. */
  endedAt: number | null;
  /** RunPod's own figures, when it gave them. */
  delayMs: number | null;
  executionMs: number | null;
  /** What its handler returned; undefined before its end, and where it returned nothing of use. */
  returned?: Returned | undefined;
}>;

export type Failure = Readonly<{ code: JobErrorCode; message: string }>;

/** How an attempt ended. `superseded`: it was given up, or another attempt's output came first. */
export type Outcome = "complete" | "cancelled" | "superseded" | JobErrorCode;

/**
 * Why an attempt's output decides: RunPod said `completed`; a deadline of ours passed; or an attempt that was given up has
 * been heard of after all.
 */
export type Claim = "completed" | "late_start" | "late_end" | "late_word";

/** Why a run could not be bought. */
export type HoldReason = "not_bought" | "busy" | "misconfigured";

type Identity = Readonly<{
  number: number;
  /** Random; part of the webhook token, so that a token of another attempt or object is refused. */
  nonce: string;
  outputKey: string;
  endpointId: string;
  openedAt: number;
  /** Longest rendering and whole life that RunPod is told, in milliseconds. */
  policy: Readonly<{ executionTimeoutMs: number; ttlMs: number }>;
  /** The last ring of RunPod's webhook. */
  rungAt: number | null;
  /** The run that a webhook named while the answer to `/run` was under way. */
  hint: string | null;
  /** Runs that were named and gave way to another: cancelled when the attempt is over. */
  strays: readonly string[];
}>;

/** Written before `POST /run`; its answer is not known yet. */
export type Submitting = Readonly<{
  phase: "submitting";
  sentAt: number;
  tries: number;
  /** When a handler was first heard: it may be quicker than the answer. */
  heardAt: number | null;
}>;

/** Surely nothing was bought: the same attempt is sent again. */
export type Held = Readonly<{ phase: "held"; why: HoldReason; tries: number; resendAt: number }>;

/** The answer to `/run` was lost: a run may or may not exist. */
export type Unconfirmed = Readonly<{
  phase: "unconfirmed";
  sentAt: number;
  /** When the output is looked for: then it is decided. */
  lookAt: number;
  looks: number;
  /** When a handler was first heard: then there is a run, though nobody knows its id. */
  heardAt: number | null;
  /** What RunPod said of a run that only a webhook named; it counts when the grace is over. */
  verdict: Failure | null;
}>;

/** RunPod has a run for it, queued or rendering. */
export type Running = Readonly<{
  phase: "running";
  sentAt: number;
  run: Run;
  pollAt: number;
  /** Polls without a word, in a row. */
  silences: number;
  /** 404s of `/status`, in a row. */
  gone: Readonly<{ times: number; since: number }> | null;
  /** A webhook rang, and RunPod has not been heard since. */
  rung: boolean;
}>;

/** The run should be over: its output is looked for. */
export type Verifying = Readonly<{
  phase: "verifying";
  sentAt: number;
  run: Run | null;
  claim: Claim;
  since: number;
  lookAt: number;
  /** Looks that R2 did not answer, in a row. */
  silences: number;
}>;

/** The job ended while `/run` was under way: only its answer is waited for. */
export type Abandoned = Readonly<{ phase: "abandoned"; sentAt: number; outcome: Outcome }>;

/** Over. */
export type Closed = Readonly<{
  phase: "closed";
  /** Null when it was never sent. */
  sentAt: number | null;
  run: Run | null;
  outcome: Outcome;
  closedAt: number;
  /** The runs whose cancel has been owed, and whether its usage has. */
  cancelsOwed: readonly string[];
  usageOwed: boolean;
}>;

export type Phase = Submitting | Held | Unconfirmed | Running | Verifying | Abandoned | Closed;
export type Attempt = Identity & Phase;
export type AttemptIn<Name extends Phase["phase"]> = Extract<Attempt, { phase: Name }>;

/** The attempt in another phase; nothing of the old phase stays. */
export function toPhase<To extends Phase>(attempt: Attempt, to: To): Identity & To {
  const { number, nonce, outputKey, endpointId, openedAt, policy, rungAt, hint, strays } = attempt;
  return { number, nonce, outputKey, endpointId, openedAt, policy, rungAt, hint, strays, ...to };
}

export function newRun(id: string, toldBy: Run["toldBy"], knownAt: number): Run {
  return { id, toldBy, knownAt, startedAt: null, endedAt: null, delayMs: null, executionMs: null };
}

export function runOf(attempt: Attempt): Run | null {
  return "run" in attempt ? attempt.run : null;
}

/** When `/run` was last sent; null for an attempt that is held back. */
export function sentAtOf(attempt: Attempt): number | null {
  return "sentAt" in attempt ? attempt.sentAt : null;
}

/** All runs that it may have at RunPod, and that RunPod has not called over. */
export function openRunsOf(attempt: Attempt): string[] {
  const run = runOf(attempt);
  return [...(run && run.endedAt === null ? [run.id] : []), ...attempt.strays];
}

/** When RunPod drops its run, and the links and the token that its handler was given end. */
export function endOfLife(attempt: Attempt): number {
  return (sentAtOf(attempt) ?? attempt.openedAt) + attempt.policy.ttlMs;
}
