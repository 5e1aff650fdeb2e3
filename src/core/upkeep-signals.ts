import type { Attempt } from "./attempt.ts";
import { failAttempt, putAttempt, toClosed } from "./attempts.ts";
import { learnAudience, noAudience } from "./audience.ts";
import { oweDeletion, oweRow } from "./debts.ts";
import { type Duty, findDuty, owe, postponeDuty, settleDuty, withoutDuty } from "./duty.ts";
import type { JobState } from "./job-state.ts";
import { outputKey } from "./object-keys.ts";
import { type Deadline, deadlineOf } from "./pace.ts";
import { toUnconfirmed } from "./run-signals.ts";
import type { DecisionContext, SignalOf } from "./signals.ts";
import { verify } from "./status-signals.ts";

/** D1 can be set back to any moment of the last 30 days (Time Travel): so long a removed job must be known as such. */
const restoreWindowMs = 30 * 24 * 3_600_000;

/** So long the project's watchers are told of a removal; who comes back later reads the list. */
const newsMs = 24 * 3_600_000;
/** A PUT by S3's own link that began just before the link ended may take so long. */
const longestPutMs = 3_600_000;

/** What one write to D1 does. */
function isOfTheRow({ duty }: Duty): boolean {
  return duty === "write_row" || duty === "count_usage";
}

/** D1 has this version now, or could not be written. */
export function rowWritten(job: JobState, signal: SignalOf<"row_written">, context: DecisionContext): JobState {
  const { now } = context;
  const { answer, written } = signal;
  const owed = job.duties.find(({ duty }) => duty === "write_row");
  if (answer === "failed") {
    const owing = owed ? job : oweRow(job, written.version, now);
    return owing.duties.filter(isOfTheRow).reduce((state, failed) => postponeDuty(state, failed, context), owing);
  }
  const isDone = ({ duty, of }: Duty) =>
    (duty === "write_row" && Number(of) <= written.version) ||
    (duty === "count_usage" && written.counted.includes(Number(of)));
  const { version, progress } = written;
  const row = { ...job.row, version: Math.max(job.row.version, version), progress, at: now };
  const known = { ...job, row, duties: job.duties.filter((duty) => !isDone(duty)) };
  const next = learnAudience(known, version, answer.isHeard, now);
  const mayRest = written.settled && job.settledAt === null && next.duties.length === 0;
  return mayRest ? { ...next, settledAt: now } : next;
}

/**
 * The sweep found the row silent, or behind what D1 had told us that it took: then D1 lost a write. Of a job that was
 * removed there should be no row at all.
 */
export function d1Seen(job: JobState, { version }: SignalOf<"d1_seen">, { now }: DecisionContext): JobState {
  if (job.removal) {
    return owe(job, { duty: "delete_row", of: job.spec.id }, now);
  }
  const row = { ...job.row, version: Math.min(version, job.row.version) };
  // D1 is ahead of us only when a reopening was shown to it and then did not come about.
  const next = version > job.version ? version + 1 : job.version;
  const seen = { ...job, row, version: next, settledAt: null };
  return oweRow(seen, seen.version, now);
}

/** A duty was done, or is tried again later. */
export function dutyTried(job: JobState, signal: SignalOf<"duty_tried">, context: DecisionContext): JobState | null {
  const owed = findDuty(job, signal.key);
  if (signal.key.duty === "delete_row" && signal.outcome === "done" && !job.removal?.rowGone) {
    // Whatever was thought of the removal meanwhile: the row is gone.
    return forgetLater(owed ? settleDuty(job, owed) : job, context.now);
  }
  if (!owed) {
    // Whoever asks for a removal has read a row: D1 was set back to before it.
    const isBack = signal.key.duty === "delete_row" && signal.outcome !== "done" && job.removal?.rowGone === true;
    return isBack ? owe(job, signal.key, context.now) : null;
  }
  switch (signal.outcome) {
    case "failed":
      return postponeDuty(job, owed, context);
    case "lent":
      // What is gone cannot come back: its row is deleted as soon as nobody shows its output.
      return job.removal?.rowGone ? postponeDuty(job, owed, context) : notRemoved(job, owed, context.now);
    case "done":
      return afterDuty(job, owed, context);
  }
}

/** Only a complete job lends its output: any other state is a stand-in, of which nothing begins, and is forgotten. */
function notRemoved(job: JobState, owed: Duty, now: number): JobState {
  const kept = settleDuty(job, owed);
  return job.status === "complete" ? { ...kept, removal: null } : owe(kept, { duty: "forget", of: job.spec.id }, now);
}

function afterDuty(job: JobState, owed: Duty, { now }: DecisionContext): JobState {
  const until = owed.until ?? 0;
  if (owed.duty === "delete_output" && now < until) {
    // Until then a late writer may bring it again.
    const again = { ...owed, tries: 0, dueAt: until + longestPutMs, until: null };
    return { ...job, duties: job.duties.map((duty) => (duty === owed ? again : duty)) };
  }
  return settleDuty(job, owed);
}

/** The row is gone: so is all that readers could see. What is left keeps a removed job from beginning again. */
function forgetLater(job: JobState, now: number): JobState {
  const quiet = withoutDuty(job, "write_row", "notify");
  const removal = { requestedAt: job.removal?.requestedAt ?? now, rowGone: true };
  const bare: JobState = {
    ...quiet,
    ...{ removal, metadata: null, error: null, audience: noAudience },
    spec: { ...job.spec, userId: null, params: null, inputVideoKey: "", webhook: null, metadata: {} },
  };
  const known = job.attempts.reduce((state, attempt) => oweDeletion(state, attempt, now), bare);
  const deleting = keysBefore(job).reduce((state, of) => owe(state, { duty: "delete_output", of }, now), known);
  const urgent = deleting.duties.map((duty) => (duty.until ? { ...duty, dueAt: now } : duty));
  const { id, webhook, userId } = job.spec;
  const telling = owe({ ...deleting, duties: urgent }, { duty: "tell_deleted", of: userId ?? "" }, now, now + newsMs);
  const forgetting = owe(telling, { duty: "forget", of: id }, now + restoreWindowMs);
  const isTold = job.audience.isThere || webhook !== null;
  return isTold ? owe(forgetting, { duty: "drop_messages", of: id }, now) : forgetting;
}

/** The outputs of attempts that came before the last retry, which a stand-in for a lost state knows by their number alone. */
function keysBefore({ spec, attemptsBefore }: JobState): string[] {
  return Array.from({ length: attemptsBefore }, (_, index) => outputKey(spec.tenantId, spec.id, index + 1, spec.type));
}

/** Time has passed: every attempt whose deadline is over moves on. */
export function clock(job: JobState, _signal: SignalOf<"clock">, context: DecisionContext): JobState | null {
  const { now, timers } = context;
  const moved = job.attempts.reduce((state, attempt) => {
    const { at, passed } = deadlineOf(job, attempt, timers);
    return at > now ? state : passDeadline(state, attempt, passed, context);
  }, job);
  return moved === job ? null : moved;
}

const refusals = {
  not_bought: { code: "provider_unavailable", message: "RunPod could not be reached in time." },
  misconfigured: { code: "provider_rejected", message: "RunPod refused our key or endpoint." },
  busy: { code: "queue_timeout", message: "RunPod kept refusing new runs (429)." },
} as const;

function passDeadline(job: JobState, attempt: Attempt, passed: Deadline["passed"], context: DecisionContext): JobState {
  switch (attempt.phase) {
    case "submitting":
      return toUnconfirmed(job, attempt, context);
    case "abandoned":
      return putAttempt(job, toClosed(attempt, attempt.outcome, context.now));
    case "held":
      return failAttempt(job, attempt, refusals[attempt.why], context);
    case "running":
      return verify(job, attempt, passed === "late_start" ? "late_start" : "late_end", context.now);
    case "unconfirmed":
    case "verifying":
    case "closed":
      return job;
  }
}
