import type { Attempt, AttemptIn } from "./attempt.ts";
import type { Duty } from "./duty.ts";
import { isFinal, type JobState } from "./job-state.ts";
import { backoffMs, fraction } from "./retry.ts";
import type { DecisionContext } from "./signals.ts";
import type { Timers } from "./timers.ts";

const nearEndPercent = 90;
/** A pause is longer than the one before by half. */
const growthPerWait = 0.5;
/** RunPod's own bounds of `policy.ttl`: 10 s to 7 days. */
const minTtlMs = 10_000;
const maxTtlMs = 7 * 24 * 3_600_000;
/** No `Retry-After` is obeyed for longer: trouble ends sooner than some say. */
const maxRetryAfterMs = 3_600_000;

/** A pause of ±20 %, so that jobs that were made together do not ask together. */
function withJitter(pauseMs: number, salt: string): number {
  return Math.round(pauseMs * (0.8 + 0.4 * fraction(salt)));
}

/**
 * Pause before the next `/status` poll: short while someone watches or the end is near, else growing with the time since
 * the run is known, so that an object which has slept since goes on at the same pace.
 */
export function pollPauseMs(
  job: JobState,
  { nonce, run, rung }: Pick<AttemptIn<"running">, "nonce" | "run" | "rung">,
  { now, timers, watched }: DecisionContext,
): number {
  const isShort = watched || rung || job.progress >= nearEndPercent;
  const grown = Math.min(timers.pollMaxMs, timers.pollMinMs + growthPerWait * Math.max(0, now - run.knownAt));
  return withJitter(isShort ? timers.pollMinMs : grown, `${nonce}/poll/${now}`);
}

/** Pause after a handler's own report: as long as it speaks, there is no need to ask. */
export function restPauseMs({ progress }: JobState, { pollMinMs, pollMaxMs }: Timers): number {
  return progress >= nearEndPercent ? pollMinMs : pollMaxMs;
}

/** A webhook's token is public once its handler is: however often it rings, RunPod is asked once in so long. */
const ringPauseMs = 1_000;

/** When a ring is followed by a question. */
export function nextAskAt({ rungAt }: Pick<Attempt, "rungAt">, now: number): number {
  return rungAt === null ? now : Math.max(now, rungAt + ringPauseMs);
}

/** Pause after trouble: never shorter than our own backoff, and longer if RunPod asked for more. */
export function troublePauseMs(baseMs: number, tries: number, salt: string, afterMs: number | null): number {
  const told = Math.min(afterMs ?? 0, maxRetryAfterMs) * (1 + 0.25 * fraction(`${salt}/told/${tries}`));
  return Math.max(backoffMs(baseMs, tries, salt), Math.round(told));
}

/** Longest rendering time of one attempt of this job. */
export function executionTimeoutMs(job: JobState, timers: Timers): number {
  return job.spec.maxRunMs ?? timers.executionTimeoutMs;
}

/** When waiting for a GPU ends: as the owner wished, else after `PROVIDER_PATIENCE_MS`. */
export function waitDeadline({ startBy, waitingSince }: JobState, { providerPatienceMs }: Timers): number {
  return Math.min(startBy ?? Infinity, waitingSince + providerPatienceMs);
}

/** After this RunPod drops the run, rendering or not: a whole wait, a whole run and time to be told of it. */
export function runTtlMs(job: JobState, timers: Timers, now: number): number {
  const waitMs = Math.max(0, waitDeadline(job, timers) - now);
  return Math.min(maxTtlMs, Math.max(minTtlMs, waitMs + executionTimeoutMs(job, timers) + timers.runGraceMs));
}

export type Deadline = Readonly<{
  at: number;
  passed: "unanswered" | "waited_out" | "late_start" | "late_end" | "never";
}>;

const never: Deadline = { at: Infinity, passed: "never" };

/**
 * The instant at which waiting for this attempt ends, and what has then happened. Our own deadlines lie a little
 * behind RunPod's, so that its own word comes first.
 */
export function deadlineOf(job: JobState, attempt: Attempt, timers: Timers): Deadline {
  switch (attempt.phase) {
    case "submitting":
    case "abandoned":
      return { at: attempt.sentAt + timers.runTimeoutMs + 2 * timers.statusTimeoutMs, passed: "unanswered" };
    case "held":
      return { at: waitDeadline(job, timers), passed: "waited_out" };
    case "running":
      return attempt.run.startedAt === null
        ? { at: waitDeadline(job, timers), passed: "late_start" }
        : {
            at: attempt.run.startedAt + attempt.policy.executionTimeoutMs + timers.pollMaxMs,
            passed: "late_end",
          };
    case "unconfirmed":
    case "verifying":
    case "closed":
      return never;
  }
}

/** A healthy object writes something to D1 within this time, whatever it waits for. */
const maxQuietMs = 30 * 60_000;

const ofNoRow: ReadonlySet<Duty["duty"]> = new Set(["write_row", "count_usage", "forget"]);

/** Until when D1 need not hear of the job: it is silent when it is silent for longer (I11). */
export function quietUntil(job: JobState, timers: Timers, now: number): number {
  if (isFinal(job.status)) {
    // A removed job has no row; one that a restored D1 shows again is not to be overlooked until it is forgotten.
    const others = job.duties.filter(({ duty }) => !ofNoRow.has(duty));
    return others.reduce((first, { dueAt }) => Math.min(first, dueAt), Infinity);
  }
  const deadlines = job.attempts.map((attempt) => deadlineOf(job, attempt, timers).at);
  return Math.min(now + maxQuietMs, job.nextAttemptAt ?? Infinity, ...deadlines);
}
