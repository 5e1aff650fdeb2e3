import { type Attempt, runOf } from "../../src/core/attempt.ts";
import { noAudience } from "../../src/core/audience.ts";
import type { Duty } from "../../src/core/duty.ts";
import { isSettleable, type JobState } from "../../src/core/job-state.ts";
import { attemptIn, dutyIn, has, isBackoff, isEqual, patienceEnd, type Rule, type StepOf } from "./audit-step.ts";
import { rulesOfFailure } from "./audit-step-failure.ts";
import { rulesOfDoubt } from "./audit-step-run.ts";
import { rulesOfVerifying } from "./audit-step-word.ts";

type Kept = StepOf<"duty_tried" | "row_written" | "d1_seen" | "clock">;

const monthMs = 30 * 24 * 3_600_000;

/** What is owed is tried until it is done, and time passes. */
export function rulesOfUpkeep(step: Kept): Rule[] {
  const { signal } = step;
  switch (signal.kind) {
    case "duty_tried":
      return rulesOfTry({ ...step, signal });
    case "row_written":
      return rulesOfWrite({ ...step, signal });
    case "d1_seen":
      return rulesOfSeen({ ...step, signal });
    case "clock":
      return rulesOfTime({ ...step, signal });
  }
}

function rulesOfTry(step: StepOf<"duty_tried">): Rule[] {
  const { before, after, change, signal, context } = step;
  const { duty, of } = signal.key;
  const owed = dutyIn(before, duty, of);
  if (duty === "delete_row" && signal.outcome === "done" && !before.removal?.rowGone) {
    return rulesOfGoneRow(step);
  }
  if (!owed && duty === "delete_row" && before.removal?.rowGone && signal.outcome !== "done") {
    return [["a row that came back goes", dutyIn(after, duty, of)?.dueAt === context.now]];
  }
  if (!owed) {
    return [["what is not owed means nothing", change === null]];
  }
  const others = before.duties.filter((other) => other !== owed);
  const isKept: Rule = [
    "what else is owed stays",
    others.every((other) => isEqual(dutyIn(after, other.duty, other.of), other) || isNewerRow(after, other)),
  ];
  if (signal.outcome === "lent" && !before.removal?.rowGone) {
    if (before.status !== "complete") {
      const forget = dutyIn(after, "forget", before.spec.id);
      const isForgotten = forget !== undefined && forget.dueAt <= context.now;
      return [isKept, ["a stand-in for a job that lends is forgotten", after.removal !== null && isForgotten]];
    }
    return [isKept, ["what others show is not removed", after.removal === null && !dutyIn(after, duty, of)]];
  }
  return [isKept, ...(signal.outcome === "done" ? rulesOfDone(step, owed) : rulesOfPostponed(step, owed))];
}

/** With the last thing done the job may rest, which D1 is told with its newest version. */
function isNewerRow(after: JobState, { duty, of }: Duty): boolean {
  const owed = dutyIn(after, "write_row");
  return duty === "write_row" && owed !== undefined && Number(owed.of) > Number(of);
}

function rulesOfDone({ after, context }: StepOf<"duty_tried">, owed: Duty): Rule[] {
  const left = dutyIn(after, owed.duty, owed.of);
  const { now } = context;
  if (owed.duty !== "delete_output" || owed.until === null || now >= owed.until) {
    return [["what is done is owed no more", left === undefined]];
  }
  const again = { tries: 0, dueAt: owed.until + 3_600_000, until: null };
  return [["an output is deleted again when nobody can write it any more", has(left, again)]];
}

function rulesOfPostponed({ after, context }: { after: JobState; context: Kept["context"] }, owed: Duty): Rule[] {
  const { now, timers } = context;
  const tries = owed.tries + 1;
  const left =
    dutyIn(after, owed.duty, owed.of) ?? (owed.duty === "write_row" ? dutyIn(after, "write_row") : undefined);
  const isLater = has(left, { tries, until: owed.until }) && isBackoff(left?.dueAt, now, timers.retryBackoffMs, tries);
  const longestMs = 1.25 * Math.min(300_000, timers.retryBackoffMs * 2 ** (tries - 1)) + 1;
  const mayEnd = owed.duty === "cancel" || owed.duty === "tell_deleted";
  const isOver = mayEnd && owed.until !== null && now + longestMs >= owed.until;
  return [
    ["what failed is tried again, later and later", isLater || (left === undefined && isOver)],
    ["what may end does so in its time", !mayEnd || owed.until === null || !left || left.dueAt < owed.until],
  ];
}

/** The row is gone, and with it all that readers could see; what is left keeps it from beginning again. */
function rulesOfGoneRow({ before, after, context }: StepOf<"duty_tried">): Rule[] {
  const { now } = context;
  const removal = { requestedAt: before.removal?.requestedAt ?? now, rowGone: true };
  const bare = { metadata: null, message: null, error: null, audience: noAudience };
  const spec = { ...before.spec, userId: null, params: null, inputVideoKey: "", webhook: null, metadata: {} };
  const isTold = before.audience.isThere || before.spec.webhook !== null;
  const left = after.attempts.map(({ outputKey }) => dutyIn(after, "delete_output", outputKey));
  const isDue = (owed: Duty | undefined) => owed !== undefined && (owed.until === null || owed.dueAt === now);
  const forget = dutyIn(after, "forget", before.spec.id);
  const known = dutyIn(before, "forget", before.spec.id) ?? { dueAt: now + monthMs, until: null };
  return [
    ["a removal goes on", isEqual(after.removal, removal)],
    ["nothing of what its owner gave is left", has(after, bare) && isEqual(after.spec, spec)],
    ["nobody is told of it", !dutyIn(after, "write_row") && !dutyIn(after, "notify") && !dutyIn(after, "delete_row")],
    ["what was told of it goes, if anybody was", isTold === (dutyIn(after, "drop_messages")?.dueAt === now)],
    ["those who see it are told", dutyIn(after, "tell_deleted", before.spec.userId ?? "")?.dueAt === now],
    ["every output goes at once", left.every(isDue)],
    ["it is forgotten when D1 cannot be set back to it any more", has(forget, known)],
  ];
}

function rulesOfWrite(step: StepOf<"row_written">): Rule[] {
  const { before, after, signal, context } = step;
  const { written, answer } = signal;
  const { now } = context;
  const owed = before.duties.filter(({ duty }) => duty === "write_row" || duty === "count_usage");
  if (answer === "failed") {
    const left = owed.flatMap((duty) => rulesOfPostponed({ after, context }, duty));
    return [...left, ["what D1 may not have is owed", dutyIn(after, "write_row") !== undefined]];
  }
  const isDone = ({ duty, of }: Duty) =>
    duty === "write_row" ? Number(of) <= written.version : written.counted.includes(Number(of));
  const row = { version: Math.max(before.row.version, written.version), progress: written.progress, at: now };
  const isLeft = (duty: Duty) => isDone(duty) || isEqual(dutyIn(after, duty.duty, duty.of), duty);
  const isGone = (duty: Duty) => !isDone(duty) || isFresh(after, duty);
  const { untold } = before.audience;
  const isTold = untold !== null && untold <= written.version;
  const notice = dutyIn(after, "notify", untold ?? 0);
  const rests = written.settled && isSettleable(before) && after.duties.length === 0;
  return [
    ["what D1 has is known", has(after.row, row)],
    ["what D1 has is owed no more", owed.every(isGone)],
    ["what D1 does not have is owed", owed.every(isLeft)],
    ["who listened once is known for ever", after.audience.isThere === (answer.isHeard || before.audience.isThere)],
    [
      "who listens is told what they missed",
      !isTold || (notice !== undefined) === (answer.isHeard && before.status !== "pending"),
    ],
    ["what they missed is told once", after.audience.untold === (isTold ? null : untold)],
    ["a job that owes nothing rests", after.settledAt === (before.settledAt ?? (rests ? now : null))],
  ];
}

/** Owed anew by the same step, of what D1 does not have: a settling. */
function isFresh(after: JobState, { duty, of }: Duty): boolean {
  const left = dutyIn(after, duty, of);
  return left === undefined || (duty === "write_row" && left.tries === 0 && isSettleable(after));
}

function rulesOfSeen({ before, after, signal, context }: StepOf<"d1_seen">): Rule[] {
  const { now } = context;
  if (before.removal) {
    const gone = dutyIn(after, "delete_row", before.spec.id);
    const isDue = gone !== undefined && (gone.dueAt <= now || dutyIn(before, "delete_row") !== undefined);
    return [["a row that came back goes", isDue && after.version === before.version]];
  }
  // What D1 showed under a version of its own must not change under it.
  const version = signal.version > before.version ? signal.version + 1 : before.version;
  const row = dutyIn(after, "write_row");
  const known = { ...before.row, version: Math.min(before.row.version, signal.version) };
  return [
    [
      "D1's row is written again",
      has(row, { of: version }) && row !== undefined && (row.dueAt <= now || row.tries > 0),
    ],
    ["no version steps back", after.version === version && after.settledAt === null],
    ["what D1 lost is known", isEqual(after.row, known)],
  ];
}

const refusals = {
  not_bought: "provider_unavailable",
  misconfigured: "provider_rejected",
  busy: "queue_timeout",
} as const;

/** Every attempt whose deadline is over moves on, and no other. */
function rulesOfTime(step: StepOf<"clock">): Rule[] {
  const { before, after, change, context } = step;
  const late = before.attempts.filter((attempt) => deadline(before, attempt, context) <= context.now);
  const others = before.attempts.filter((attempt) => !late.includes(attempt));
  const isSame = (attempt: Attempt) => isMoved(attempt, attemptIn(after, attempt.number));
  return [
    ["time alone means nothing", late.length > 0 || change === null],
    ["who has time keeps it", late.some(({ phase }) => phase === "held") || others.every((attempt) => isSame(attempt))],
    ...late.flatMap((attempt) => rulesOfLate(step, attempt)),
  ];
}

/** What is owed of a closed attempt may be noted meanwhile. */
function isMoved(was: Attempt, is: Attempt | undefined): boolean {
  return is?.phase === was.phase && (was.phase === "closed" || isEqual(was, is));
}

function rulesOfLate(step: StepOf<"clock">, was: Attempt): Rule[] {
  const is = attemptIn(step.after, was.number);
  switch (was.phase) {
    case "submitting":
      return rulesOfDoubt(step, was, is);
    case "abandoned":
      return [["what is over closes", has(is, { phase: "closed", outcome: was.outcome, sentAt: was.sentAt })]];
    case "held":
      return rulesOfFailure(step, was, { code: refusals[was.why] });
    case "running":
      return rulesOfVerifying(step, was, was.run.startedAt === null ? "late_start" : "late_end");
    default:
      return [["only what waits for an answer is late", false]];
  }
}

function deadline(job: JobState, attempt: Attempt, context: Kept["context"]): number {
  const { timers } = context;
  switch (attempt.phase) {
    case "submitting":
    case "abandoned":
      return attempt.sentAt + timers.runTimeoutMs + 2 * timers.statusTimeoutMs;
    case "held":
      return patienceEnd(job, context);
    case "running": {
      const startedAt = runOf(attempt)?.startedAt ?? null;
      const endsAt = (startedAt ?? 0) + attempt.policy.executionTimeoutMs + timers.pollMaxMs;
      return startedAt === null ? patienceEnd(job, context) : endsAt;
    }
    default:
      return Infinity;
  }
}
